"""Main's commons: what a market has whose members have contracts of their own.

Rule: doors are there from the beginning and say so until the contracts stand; each follower is a
duty of its own, so that a mistake in one keeps nobody from the others.
Invariant: none of this moves money but through the desk and the sender.
Worked number: a vote that was executed on the embedded chain is a rule of the market about a
second later.

Where something follows the chain, it goes into `stand`; a door or page into `__init__`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from msgspec import Struct
from starlette.routing import Route

from allmende.adapters.aside import aside
from allmende.adapters.reward_rules import of_terms
from allmende.adapters.sqlite_journal import FILE as JOURNAL
from allmende.adapters.useful_work import facts_file_of
from allmende.adapters.views_govern import FILE, SqliteTold
from allmende.desk import Desk
from allmende.doors.assembly_follow import AssemblyFollow
from allmende.doors.assembly_page import AssemblyPage
from allmende.doors.assembly_roll import AssemblyRoll
from allmende.doors.counter import Counter
from allmende.doors.pages import Page
from allmende.doors.rewards import RewardsDoor
from allmende.doors.rewards import Tools as RewardTools
from allmende.doors.shares import Shares
from allmende.doors.title_follow import CONTRACT as TITLES
from allmende.doors.title_follow import TitleFollow
from allmende.doors.titles import TitlesDoor
from allmende.institutions import Commons
from allmende.main_duties import Duties
from allmende.ports import Clock, Sender, Views
from allmende.signing import Signing


class CommonsParts(Struct, frozen=True):
    """What the market has, and its members' contracts need."""

    desk: Desk
    views: Views
    counter: Counter
    clock: Clock
    keys: Signing
    sender: Sender
    duties: Duties
    folder: Path


class CommonsSide:
    """One per market on a chain; without members' contracts it is there and does nothing."""

    def __init__(self, parts: CommonsParts) -> None:
        self._parts = parts
        self._titles = TitlesDoor(parts.desk)
        self._rewards = RewardsDoor(
            *(parts.desk, parts.clock, parts.counter, parts.sender),
            RewardTools(self._facts, of_terms, parts.keys.keccak),
        )
        self._shares = Shares(parts.desk, parts.clock, parts.keys, parts.counter, parts.sender)
        self.commons: Commons | None = None
        self._following: list[tuple[str, Callable[[], Awaitable[object]]]] = []
        self._told: SqliteTold | None = None
        self.assembly: AssemblyFollow | None = None
        self.votes = AssemblyPage(*(parts.desk, parts.views, parts.clock), lambda: self.assembly)
        self._roll = AssemblyRoll(
            *(parts.desk, parts.counter, parts.clock, parts.keys), lambda: self.assembly
        )

    def routes(self) -> list[Route]:
        """What the hall gets besides its own doors."""
        doors = (self._titles, self._rewards, self._shares, self.votes, self._roll)
        return [route for door in doors for route in door.routes()]

    def pages(self) -> Mapping[str, Page]:
        return {**self._titles.pages(), **self._shares.pages(), **self._rewards.pages()}

    def stand(self, commons: Commons, decimals: int) -> None:
        """From now on they are there; `decimals` are the pay unit's."""
        self.commons = commons
        self._rewards.stand(commons)
        self._shares.stand(commons, decimals)
        if TITLES in commons:
            self._follow_titles(commons, decimals)
        if "Assembly" in commons:
            self._follow_assembly(commons)

    def _facts(self, rule: bytes, epoch: int) -> bytes:
        """An epoch's file, made in a process of its own. Takes its time."""
        return aside(facts_file_of, self._parts.folder / JOURNAL, rule, epoch)

    def _follow_titles(self, commons: Commons, decimals: int) -> None:
        parts = self._parts
        assert parts.desk.state.market is not None
        house = dict.fromkeys(
            (parts.keys.house, parts.keys.market), parts.desk.state.market.operator
        )
        follow = TitleFollow(
            *(parts.desk, parts.clock, commons, parts.sender, parts.keys.keccak, house)
        )
        self._titles.stand(follow, commons.record, decimals)
        self._following.append(("Titles", follow.step))

    def _follow_assembly(self, commons: Commons) -> None:
        parts = self._parts
        self._told = told = SqliteTold(parts.folder / FILE, commons["Assembly"].address)
        self.assembly = AssemblyFollow(parts.desk, parts.clock, commons, told)
        self._following.append(("The assembly", self.assembly.step))

    async def step(self) -> None:
        """Each follower once, whatever becomes of the others."""
        for name, follow in self._following:
            await self._parts.duties.once(name, follow)

    def close(self) -> None:
        """When nothing steps any more."""
        if self._told is not None:
            self._told.close()
