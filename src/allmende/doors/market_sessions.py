"""Market sessions: orders that belong to a connection end with it.

Rule: when a connection ends, what is left of its orders is cancelled by the house, whatever
has become of the key that placed them; what a call has frozen is cancelled when it is over.
After a restart no connection is left, so no such order is.
Invariant: no order of an ended session works for longer than a commit, or the freeze.
Worked number: three accounts that one key trades for are three commands.
"""

from __future__ import annotations

import asyncio

from allmende.core.exchange_commands import CancelOrders
from allmende.core.state import State
from allmende.desk import Desk, Stopped
from allmende.ports import Clock

AGAIN_S = 0.5
"""Between two looks at what a call has frozen."""


class Sessions:
    """One per market."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock
        self._accounts: dict[str, set[str]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def open(self) -> None:
        """End what a process before this one left, before anybody sees it."""
        state = self._desk.state
        for session in sorted({w.order.session for w in state.orders.values()} - {""}):
            for account in sorted(_left(state, session)):
                await self._desk.submit(self._all(session, account))
            self._accounts[session] = _left(state, session)
            self.end(session)

    def begin(self, session: str, account: str) -> None:
        """An account is about to place an order under a session."""
        self._accounts.setdefault(session, set()).add(account)

    def end(self, session: str) -> None:
        """Cancel at once what can be, and what is frozen as soon as it can be."""
        left = self._cancel(session, self._accounts.pop(session, set()))
        if left and not self._closed:
            task = asyncio.create_task(self._again(session, left))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Give up on what is still frozen: the next start ends it."""
        self._closed = True
        for task in self._ending:
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _again(self, session: str, left: set[str]) -> None:
        while left:
            await asyncio.sleep(AGAIN_S)
            left = self._cancel(session, left)

    def _cancel(self, session: str, accounts: set[str]) -> set[str]:
        """Durable with the next commit. Returns the accounts that still have an order."""
        state = self._desk.state
        if not accounts:
            return accounts
        for account in sorted(accounts & state.members.keys()):
            try:
                self._desk.post(self._all(session, account))
            except Stopped:
                return set()  # the market has closed; the next start ends what is left
        return _left(state, session)

    def _all(self, session: str, account: str) -> CancelOrders:
        """By the house: whatever has become of the key."""
        return CancelOrders(at=self._clock.now(), account=account, session=session)


def _left(state: State, session: str) -> set[str]:
    """Accounts that have an order under a session."""
    return {w.order.account for w in state.orders.values() if w.order.session == session}
