"""Settler, flows: who put what into the vault and asked for what, as of one final block.

Rule: amounts are the contract's own totals at that block. Its logs only say whose totals to
read; whether any were missed, the contract's state says: all accounts sum to what it has.
Invariant: `flows` and `withdrawals` are of one block, and complete: else ChainFailed is raised
and what was read before stands.
Worked number: of 10_000 accounts 3 had a deposit since the last block: 12 questions.

What was read is kept in memory only, so a restart reads all of it again; so does a block that
was final and is another now. The addresses are kept on disk, to spare the search for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from msgspec import Struct

from allmende.custody import Custody, VaultSeen, Withdrawal
from allmende.ports import ChainFailed
from allmende.trees import Trees

T = TypeVar("T")

TOGETHER = 64
"""Accounts whose totals are asked for at the same time."""


class Flow(Struct, frozen=True):
    """An account's totals, base units; `late` ones are of the epoch that is still open."""

    deposited: int = 0
    requested: int = 0
    late_in: int = 0
    late_out: int = 0

    @property
    def closed_in(self) -> int:
        return self.deposited - self.late_in

    @property
    def closed(self) -> int:
        """Deposits less requests of closed epochs."""
        return self.closed_in - self.requested + self.late_out


class FlowBook:
    """`await read(seen)`, then use the fields."""

    def __init__(self, custody: Custody, trees: Trees, linked: Callable[[], Iterable[str]]) -> None:
        """`linked` are addresses that are read whether or not a log names them."""
        self._custody = custody
        self._trees = trees
        self._linked = linked
        self.seen: VaultSeen | None = None
        self.flows: dict[str, Flow] = {}
        self.withdrawals: dict[int, Withdrawal] = {}
        """Not paid in full, by number."""
        self._done = 0
        """Withdrawals up to this number are paid, or were contested to nothing."""

    @property
    def late(self) -> bool:
        """Whether anything waits for its epoch to close."""
        return any(flow.late_in or flow.late_out for flow in self.flows.values())

    def of(self, address: str) -> Flow:
        return self.flows.get(address, _NONE)

    def open_of(self, address: str, covered: int) -> list[Withdrawal]:
        """An account's requests that no batch covers up to epoch `covered`, oldest first."""
        found = self.withdrawals.values()
        return [one for one in found if one.account == address and one.epoch > covered]

    async def read(self, seen: VaultSeen) -> None:
        """Have all as of this final block. ChainFailed: lagging, lied."""
        before = self.seen
        if before is not None and seen.block < before.block:
            raise ChainFailed("lagging", f"block {before.block} was final, now {seen.block} is")
        if before is not None and seen.block_hash == before.block_hash:
            self.seen = seen
            return
        same = before is not None and await self._still(before)
        for depth in _DEPTHS if same else _DEPTHS[1:]:
            if await self._read(seen, depth):
                return
        raise ChainFailed(
            "lied",
            f"what accounts have at block {seen.block} does not sum to {seen.cover}: the node "
            "hides deposits or invents them; ask another one",
        )

    async def _still(self, before: VaultSeen) -> bool:
        return (await self._custody.look(before.block)).block_hash == before.block_hash

    async def _read(self, seen: VaultSeen, depth: int) -> bool:
        """Whether it sums up; only then is it taken."""
        addresses, searched = self._trees.known()
        start = self._custody.deployment.block
        first = start if depth == _SEARCHED or searched > seen.block else max(start, searched + 1)
        new = await self._custody.accounts(first, seen.block)
        done, withdrawals = await self._asked(seen, anew=depth > _CHANGED)
        if depth == _CHANGED:
            chosen, flows = self._touched(seen, new, withdrawals.values()), self.flows
        else:
            chosen, flows = addresses | new | set(self._linked()), {}
        flows = flows | await self._flows(chosen, seen)
        if not sums_up(flows.values(), seen):
            return False
        self.seen, self.flows, self.withdrawals, self._done = seen, flows, withdrawals, done
        if new - addresses or searched != seen.block:
            self._trees.know(new, seen.block)
        return True

    def _touched(
        self, seen: VaultSeen, new: set[str], withdrawals: Iterable[Withdrawal]
    ) -> set[str]:
        """Accounts whose totals may be others now; only the operator changes any without a log,
        when he contests a request that no batch covers."""
        before = self.seen
        assert before is not None
        was = self.withdrawals.values()
        asked = {one.account for one in was if one.epoch > before.final.cut}
        asked |= {one.account for one in withdrawals if one.id > before.withdrawal_count}
        if seen.epoch == before.epoch:
            return new | asked
        flows = self.flows.items()
        return new | asked | {who for who, flow in flows if flow.late_in or flow.late_out}

    async def _flows(self, accounts: set[str], seen: VaultSeen) -> dict[str, Flow]:
        chosen = sorted(accounts)
        found: dict[str, Flow] = {}
        for at in range(0, len(chosen), TOGETHER):
            part = chosen[at : at + TOGETHER]
            read = await together(self._flow(account, seen) for account in part)
            found |= dict(zip(part, read, strict=True))
        return found

    async def _flow(self, account: str, seen: VaultSeen) -> Flow:
        deposited = await self._custody.deposited(account, seen.block)
        requested = await self._custody.requested(account, seen.block)
        late = await self._custody.flows(account, seen.epoch - 1, seen.epoch, seen.block)
        return Flow(deposited, requested, *late)

    async def _asked(self, seen: VaultSeen, *, anew: bool) -> tuple[int, dict[int, Withdrawal]]:
        """Requests that are not paid; those that cannot have changed are not asked for again."""
        done = 0 if anew else self._done
        found = {} if anew else dict(self.withdrawals)
        due_s = seen.time_s - self._custody.deployment.terms.delay
        for id_ in range(done + 1, seen.withdrawal_count + 1):
            kept = found.get(id_)
            if kept is not None and kept.epoch <= seen.final.cut and kept.at > due_s:
                continue
            one = await self._custody.withdrawal(id_, seen.block)
            if one is not None and one.amount:
                found[id_] = one
            else:
                found.pop(id_, None)
        unpaid = min(found, default=seen.withdrawal_count + 1)
        return unpaid - 1, dict(sorted(found.items()))


def sums_up(flows: Iterable[Flow], seen: VaultSeen) -> bool:
    """Whether these are all that the vault has of anybody."""
    found = list(flows)
    closed = sum(flow.closed for flow in found)
    late = sum(flow.late_in - flow.late_out for flow in found)
    left = seen.closed or closed + late == seen.backed - seen.reserved
    return closed == seen.cover and left  # after the end, exits take from what is backed


_NONE = Flow()
_DEPTHS = (_CHANGED, _ALL, _SEARCHED) = range(3)
"""What to read: what may have changed; all known accounts; and those of all logs again."""


async def together(asked: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All at once; the first failure ends the others."""
    tasks = [asyncio.ensure_future(one) for one in asked]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
