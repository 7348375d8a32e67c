"""Main's federation: what deals with other markets, put together.

Rule: it is there in every market, and does nothing until an operator adds a peer.
Invariant: it writes no money but through the desk, and signs nothing but heads of the journal.
Worked number: without peers a market reads none of its journal for this.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from starlette.routing import Route

from allmende.adapters.heads import FILE, SqliteHeads
from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.desk import Desk
from allmende.doors.counter import Counter
from allmende.doors.federation import FederationDoor
from allmende.doors.federation_calls import Calls
from allmende.doors.federation_compare import Compare
from allmende.doors.federation_own import OwnHeads
from allmende.doors.federation_post import Post
from allmende.doors.federation_round import Round
from allmende.doors.pages import Page
from allmende.main_duties import Duties
from allmende.ports import Clock, Signer, Upstream


class Belongings(Struct, frozen=True):
    """What the market has, and its federation needs."""

    desk: Desk
    counter: Counter
    clock: Clock
    signer: Signer
    upstream: Upstream
    journal: Path
    every_s: int


class FederationSide:
    """One per market."""

    def __init__(self, has: Belongings) -> None:
        desk, clock = has.desk, has.clock
        self._memory = memory = SqliteHeads(has.journal.with_name(FILE))
        self._archive = SqliteJournal(has.journal, readonly=True)
        own = OwnHeads(desk, self._archive, memory, has.signer, clock)
        calls = Calls(has.upstream)
        compare = Compare(desk, clock, own, memory, calls)
        post = Post(desk, clock, own, memory, compare, calls)
        self.round = Round(desk, clock, own, memory, compare, post, calls, has.every_s)
        self._door = FederationDoor(desk, has.counter, own, memory, compare, post, self.round)
        self._duties = Duties()
        self._every_s = has.every_s

    def routes(self) -> list[Route]:
        return self._door.routes()

    def pages(self) -> dict[str, Page]:
        return self._door.pages()

    async def run(self) -> None:
        """A round now and then, until cancelled; none if that is not wanted."""
        while self._every_s:
            await self._duties.once("Federation", self.round.step)
            await self.round.wait()

    def close(self) -> None:
        self._archive.close()
        self._memory.close()
