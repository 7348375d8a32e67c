"""Members' contracts put up by hand in a town of the tests, and doors over that town's desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from bridge import Town
from chains import ACCOUNT, CHAIN_ID, Rig
from starlette.routing import BaseRoute

from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain_contracts import Contract
from allmende.adapters.energy import energy_rate
from allmende.adapters.guard import Guard
from allmende.adapters.secrets import new_key
from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.adapters.views import Follower, SqliteViews
from allmende.core import commands as c
from allmende.core.nouns import Key
from allmende.doors.browser import Doorman
from allmende.doors.counter import Counter, Tools
from allmende.doors.hall import Hall
from allmende.doors.page import Page
from allmende.institutions import Institutions
from allmende.ports import Chain


async def created(rig: Rig, contract: Contract, *values: object) -> str:
    """Where it stands."""
    mined = await rig.send(data=Abi(contract).creation(*values), gas=6_000_000)
    assert mined.ok
    return mined.contract


async def recorded(
    chain: Chain, mode: str, credit: str, made: dict[str, str], registrar: str = ACCOUNT.address
) -> Institutions:
    """What `establish` would have kept of them; ACCOUNT is founder and guardian."""
    genesis, head = await chain.block(0), await chain.block()
    assert genesis is not None
    assert head is not None
    return Institutions(
        chain_id=CHAIN_ID,
        genesis=genesis.hash,
        block=1,
        mode=mode,
        founder=ACCOUNT.address,
        registrar=registrar,
        guardian=ACCOUNT.address,
        credit=credit,
        contracts=made,
        codes={},
        made_at=head.time_s,
    )


class Door(Protocol):
    def routes(self) -> list[BaseRoute]: ...
    def pages(self) -> Mapping[str, Page]: ...


class TownMarket:
    """A town with the market's pages. `furnish` adds the door that a test is about."""

    def __init__(self, town: Town) -> None:
        self.town, self.desk = town, town.desk
        journal = town.folder / "journal.sqlite"
        self.follower = Follower(journal, town.folder / "views.sqlite")
        self.views = SqliteViews(town.folder / "views.sqlite", self.follower.nudge)
        self.archive = SqliteJournal(journal, readonly=True)
        tools = Tools(new_key, lambda secret: secret, Guard().admit, energy_rate)
        self.counter = Counter(self.desk, town.clock, tools)

    def furnish(self, door: Door) -> None:
        doorman = Doorman(self.counter, b"login" * 8, secure=False)
        self.hall = Hall(
            *(self.desk, self.town.clock, self.counter, self.views, self.archive, doorman),
            door.routes(),
            more_pages=door.pages(),
        )
        self.app = self.hall.app

    async def open(self) -> tuple[str, str]:
        await self.hall.open()
        secret, hash_ = new_key()
        await self.town.do(c.IssueKey(key=Key("admin", hash_, "op", "operate")))
        return secret, ""

    async def close(self) -> None:
        await self.hall.close()
        await self.views.close()
        self.archive.close()
        await self.end()

    async def end(self) -> None:
        """What the town itself leaves."""
        await self.town.close()
