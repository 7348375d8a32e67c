"""Assembly, follow: what is decided on the chain becomes a rule of the market, or a payment.

Rule: logs are read up to a final block, counted again, and held against the contracts' own state
at that block; then each decision that the desk has not taken is told to it, in order.
Invariant: what the desk was told twice it takes once; while anything differs nothing is told.
Worked number: three decisions on the chain and one at the desk: two are told, the second first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from allmende.core.charter import Charter
from allmende.core.charter_commands import Enact
from allmende.core.nouns import SYSTEM
from allmende.core.tally import CHOICES
from allmende.custody import ContractCall
from allmende.desk import Desk
from allmende.institutions import Commons, Institutions
from allmende.ports import ChainFailed, Clock
from allmende.wire.assembly import EVENTS, Book, Told


class Store(Protocol):
    """Keeps what was read, see adapters/views_govern."""

    @property
    def upto(self) -> int: ...
    def all(self) -> Iterator[Told]: ...
    def take(self, told: Iterable[Told], upto: int) -> None: ...
    def forget(self) -> None: ...


async def told_between(commons: Commons, first: int, last: int) -> list[Told]:
    """Every log of both contracts in these blocks, in the order of the chain. ChainFailed."""
    times: dict[int, int] = {}
    found = []
    for contract, events in EVENTS.items():
        for event in events:
            for log, fields in await commons[contract].logs(event, first, last):
                if log.block not in times:
                    times[log.block] = await commons.time_s(log.block)
                row = (dict(fields), log.block, log.index, times[log.block], log.transaction)
                found.append(Told(contract, event, *row))
    return sorted(found, key=lambda told: (told.block, told.index))


def take(book: Book, told: Iterable[Told]) -> None:
    """Fold them. ChainFailed if one speaks of what no other one told."""
    for one in told:
        try:
            book.take(one)
        except KeyError as missing:
            says = f"{one.event} in block {one.block} speaks of {missing}, which nothing told"
            raise ChainFailed("lied", f"logs are missing: {says}") from None


async def require_same(commons: Commons, book: Book, at: int) -> None:
    """ChainFailed if logs are missing, or do not add up: a node may leave some out."""
    stake, assembly = commons["Stake"], commons["Assembly"]
    there = (
        int(await stake.get("staked", at)),
        int(await assembly.get("proposal_count", at)),
        int(await assembly.get("decision_count", at)),
        int(await assembly.get("member_count", at)),
    )
    ours = (book.stakes.staked, len(book.proposals), len(book.decisions), book.heads)
    if there != ours:
        raise ChainFailed("lied", f"the logs come to {ours}, the contracts to {there}: ask again")
    if book.faults:
        raise ChainFailed("lied", f"the votes do not add up: {book.faults[0]}")


class AssemblyFollow:
    """`await step()` now and then, one at a time."""

    def __init__(self, desk: Desk, clock: Clock, commons: Commons, store: Store) -> None:
        self._desk = desk
        self._clock = clock
        self._commons = commons
        self._store = store
        self._unbonding: int | None = None
        self._forgot = False
        self.book = Book(0)
        """As of the last step that was not cut short."""
        self.upto = -1

    async def step(self) -> None:
        """ChainFailed says what stands in the way now."""
        final = await self._commons.final_block()
        if self._unbonding is None:
            await self._open()
        if final > self.upto:
            await self._read(final)
        await self._enact()

    def chartered(self) -> bool:
        """Whether this Assembly is the one that governs the market."""
        return self._desk.state.charter == self.charter

    @property
    def charter(self) -> Charter:
        """What the market is given to be governed by it."""
        return Charter(self._commons["Assembly"].address, self._commons.record.chain_id)

    @property
    def record(self) -> Institutions:
        """Where everything stands."""
        return self._commons.record

    def ballots(self, number: int) -> Mapping[str, ContractCall]:
        """What a wallet sends to vote, by its choice."""
        assembly = self._commons["Assembly"]
        return {said: assembly.call("vote", number, one) for one, said in CHOICES.items()}

    async def _open(self) -> None:
        """Begin with what was read before."""
        self._unbonding = int(await self._commons["Stake"].get("unbonding", None))
        self.book = Book(self._unbonding)
        take(self.book, self._store.all())
        self.upto = max(self._store.upto, self._commons.record.block - 1)

    async def _read(self, final: int) -> None:
        """What is new up to there; kept only if it adds up."""
        told = await told_between(self._commons, self.upto + 1, final)
        try:
            take(self.book, told)
            await require_same(self._commons, self.book, final)
        except ChainFailed:
            self._unbonding = None  # once more, at the next step
            if not self._forgot:  # and once from the beginning: the chain may have turned back
                self._forgot = True
                self._store.forget()
            raise
        self._forgot = False
        self._store.take(told, final)
        self.upto = final

    async def _enact(self) -> None:
        if not self.chartered():
            return
        for decision in self.book.decisions[self._desk.state.enacted :]:
            await self._desk.submit(Enact(at=self._clock.now(), by=SYSTEM, decision=decision))
