"""Settler, follow: what is final in the vault becomes credit at the desk, and what was asked for
stops being it.

Rule: the desk is told a wallet's totals: deposits of closed epochs, and all requests. It takes
what is left; for what is missing, what was spent is shown to the vault, and the request is
contested down to the rest.
Invariant: nobody spends what he asked to take out, however many requests he keeps open; what
the chain takes back after it was final changes nothing here until a person has looked.
Worked number: 10 in, 3 spent, 1 held, 9 asked for: 6 are taken at once, and the request is
contested to 7; when the 1 is spent as well, to 6.
"""

from __future__ import annotations

import logging

from allmende.core.custody_commands import FollowVault
from allmende.core.refusals import Refused, Why
from allmende.core.state import Wallet
from allmende.custody import ContractCall, Custody, VaultSeen, Withdrawal
from allmende.desk import Desk
from allmende.doors.settler_flows import FlowBook
from allmende.doors.settler_sends import Sends, refused
from allmende.doors.settler_tree import Scale
from allmende.doors.settler_vouchers import Vouchers
from allmende.ports import Clock

log = logging.getLogger(__name__)


class Follow:
    """Of one deployment."""

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        custody: Custody,
        sends: Sends,
        book: FlowBook,
        vouchers: Vouchers,
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._custody = custody
        self._sends = sends
        self._book = book
        self._vouchers = vouchers
        self._scale = Scale(10**custody.deployment.decimals)
        self.taken_back: dict[str, str] = {}
        """Address -> what the desk says of deposits that are gone; for a person."""
        self.disputed: set[str] = set()
        """Addresses that asked for what they have spent."""

    async def step(self, now: VaultSeen) -> None:
        """Tell the desk whatever is new."""
        for member, wallet in list(self._desk.state.wallets.items()):
            deposited, requested = self._totals(wallet)
            if (deposited, requested) != (wallet.deposited, wallet.requested) or wallet.owing:
                await self._tell(member, wallet, deposited, requested, now)
            else:
                self.taken_back.pop(wallet.address, None)
                self.disputed.discard(wallet.address)

    def done(self, final: VaultSeen) -> bool:
        """Whether all that was asked for in closed epochs is settled: the desk has taken it, and
        no contest can change it any more."""
        for wallet in self._desk.state.wallets.values():
            flow = self._book.of(wallet.address)
            if wallet.requested < self._scale.pico_up(flow.requested - flow.late_out):
                return False
        asked = self._book.withdrawals.values()
        return not any(one.epoch > final.final.cut and self._contested(one, final) for one in asked)

    def _contested(self, one: Withdrawal, final: VaultSeen) -> bool:
        send = self._sends.get(*self._dispute(one))
        return send is not None and not refused(send, final.block)

    def _dispute(self, one: Withdrawal) -> tuple[str, ContractCall]:
        return f"contest {one.id} {one.amount}", self._custody.contest(one.id)

    def _totals(self, wallet: Wallet) -> tuple[int, int]:
        flow = self._book.of(wallet.address)
        return self._scale.pico(flow.closed_in), self._scale.pico_up(flow.requested)

    async def _tell(
        self, member: str, wallet: Wallet, deposited: int, requested: int, now: VaultSeen
    ) -> None:
        address = wallet.address
        command = FollowVault(
            at=self._clock.now(), member=member, deposited=deposited, requested=requested
        )
        try:
            await self._desk.submit(command)
        except Refused as refused:
            if refused.why is Why.BAD_VALUE:
                self._alarm(address, refused.detail)
                return
            if refused.why is not Why.NO_CREDIT:
                raise
        self.taken_back.pop(address, None)
        if wallet.requested < requested:
            self.disputed.add(address)
            await self._contest(address, now)
        else:
            self.disputed.discard(address)

    def _alarm(self, address: str, said: str) -> None:
        if self.taken_back.get(address) != said:
            log.error("The chain: %s", said)
        self.taken_back[address] = said

    async def _contest(self, address: str, now: VaultSeen) -> None:
        """Show what was spent; when the vault has it, reduce the requests that it reduces."""
        covered = max(now.final.cut, now.pending.cut)
        reach = self._vouchers.reach(address, now)
        missing = await self._vouchers.show(address, reach, now)
        signed = await self._custody.signed(address, now.block)
        for known in self._book.open_of(address, covered):
            one = await self._custody.withdrawal(known.id, now.block)
            shown = signed >= reach - missing
            if one is not None and shown and too_much(one, signed):
                self._sends.want(*self._dispute(one), read_at=now.block)


def too_much(one: Withdrawal, signed: int) -> bool:
    """Whether a request can be contested by so much signed spending, as the vault reckons."""
    less = min(one.room, max(0, signed - one.spent))
    return signed > one.spent and one.room - less < one.amount
