"""Main: how the parts of a market are put together.

Rule: everything below gets what it needs handed in; settings are read in main_settings only.
Invariant: one process writes a data directory: a lock on it is held while it runs.
Worked number: a market without a chain is put together in some 20 ms, and opens with its journal.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import uvloop
from msgspec import Struct

from allmende.adapters.aside import aside
from allmende.adapters.bundle import Writer
from allmende.adapters.clock import SystemClock
from allmende.adapters.energy import energy_rate
from allmende.adapters.exits import last_exit
from allmende.adapters.guard import Guard
from allmende.adapters.linear import solve
from allmende.adapters.parquet import to_parquet
from allmende.adapters.race_files import race_kept
from allmende.adapters.recounter import ProcessRecounter
from allmende.adapters.rules import all_rules
from allmende.adapters.said import Said
from allmende.adapters.scores import scores_kept
from allmende.adapters.secrets import Vault, new_key, open_signer, open_vault, require_own_key
from allmende.adapters.server import listen, own, run
from allmende.adapters.sqlite_journal import FILE, SqliteJournal
from allmende.adapters.upstream import HttpUpstream
from allmende.adapters.views import Follower, SqliteViews
from allmende.core.commands import Tick
from allmende.core.units import Zone
from allmende.desk import Desk
from allmende.doors import app, founding
from allmende.doors.browser import Doorman
from allmende.doors.counter import Counter, Tools
from allmende.doors.gateway import Gateway, Limits
from allmende.doors.governing import Ruling
from allmende.doors.hall import Hall
from allmende.doors.observatory.frame import Public
from allmende.doors.votes import Votes
from allmende.main_chain import ChainSide, Wiring
from allmende.main_custody import CustodySide, Fittings
from allmende.main_federation import Belongings, FederationSide
from allmende.main_forks import forks
from allmende.main_local import LocalModels
from allmende.main_settings import Settings as Settings
from allmende.main_settings import Unset as Unset
from allmende.main_settings import settings as settings
from allmende.ports import Clock, Upstream

JOURNAL, VIEWS = FILE, "views.sqlite"
PROVIDER = "provider"
"""What sealed secrets in offers are for."""

log = logging.getLogger(__name__)


# A market, put together ---------------------------------------------------------------


class Opened(Struct, frozen=True):
    """What a market says when it opens; keys are there only if they were made just now."""

    url: str
    name: str
    operator_key: str = ""
    spending_key: str = ""


class Market:
    """One market. `await open()`, serve `app`, `await close()`."""

    def __init__(self, settings: Settings) -> None:
        """Take the data directory. Raises Busy, SecretBroken."""
        folder = Path(settings.data)
        self.settings = settings
        self.stop = asyncio.Event()
        self.broken = False
        """A commit failed: what is in memory may not be true, the journal is."""
        self._lock = own(folder)
        self._vault = open_vault(folder)
        self._signer = open_signer(folder, self._vault)
        self._journal = SqliteJournal(folder / JOURNAL)
        self._archive = SqliteJournal(folder / JOURNAL, readonly=True)
        self._clock = SystemClock()
        self.desk = Desk(self._journal, self._signer, self._clock, on_failure=self._fail)
        guard = Guard()
        self._upstream = HttpUpstream(guard, reuse_after_stream=True)
        self._recounter = ProcessRecounter()
        self._gateway = Gateway(
            self.desk, self._upstream, self._recounter, self._clock, self._unseal, Limits()
        )
        tools = Tools(new_key, self._seal, guard.admit, energy_rate, settings.allow_private)
        self.counter = counter = Counter(self.desk, self._clock, tools)
        self._follower = Follower(folder / JOURNAL, folder / VIEWS, steady=bool(settings.chain))
        self._views = SqliteViews(folder / VIEWS, self._follower.nudge)
        login = hashlib.sha256(self._signer.sign(b"allmende login secret")).digest()
        doorman = Doorman(counter, login, settings.secure)
        views, clock = self._views, self._clock
        self.chain_side = ChainSide(wiring(settings, self._vault, clock, self._upstream))
        self.custody_side = CustodySide(
            self.chain_side, Fittings(self.desk, views, counter, doorman, new_key, settings.public)
        )
        self.chain = self.chain_side.opened
        """None without a chain."""
        self._gateway.vouching = self.custody_side.vouching()
        self.federation = self._federation(folder / JOURNAL)
        self._hall = self._doors(counter, doorman)
        self.app = app.front(self._gateway, self._hall.app)
        zone = Zone(settings.country, operator=settings.name)
        self._local = LocalModels(self.desk, clock, zone, self._seal)
        self._tasks: list[asyncio.Task[None]] = []

    def _federation(self, journal: Path) -> FederationSide:
        has = (self.desk, self.counter, self._clock, self._signer, self._upstream, journal)
        return FederationSide(Belongings(*has, self.settings.federate_every))

    def _doors(self, counter: Counter, doorman: Doorman) -> Hall:
        """All but the gateway, with what only a market with a chain has."""
        side, folder = self.custody_side, Path(self.settings.data)
        public = Public(
            *(race_kept(folder, self._clock), Said(folder), scores_kept(folder)), last_exit(folder)
        )
        voted = Votes(side.commons.votes if side.commons else None, aside)
        hall = Hall(
            *(self.desk, self._clock, counter, self._views, self._archive, doorman),
            more_routes=[*self.chain_side.routes(), *side.routes(), *self.federation.routes()],
            chain=side.page,
            more_pages={**side.pages(), **self.federation.pages()},
            rules=all_rules(),
            public=public,
            aside=aside,
            pack=Writer,
            parquet=to_parquet if find_spec("duckdb") else None,
            min_cell=self.settings.min_cell,
            solver=solve if find_spec("highspy") else None,
            denials=self._gateway.denials,
            ruling=Ruling(forks(folder / JOURNAL), voted),
        )
        hall.history.chained = side.chained
        return hall

    async def open(self) -> tuple[str, str]:
        """Replay, found what is new, start what runs beside. Raises wire.journal.Broken, and
        SecretBroken where the journal is of another key.

        Returns the administrator's and the starter's key if they were made just now.
        """
        await self.desk.start()
        require_own_key(self._signer, self.desk.state.market, self.settings.data)
        await self._hall.open()
        keys = await self._found()
        await founding.withdraw_local(self.desk, self._clock)
        await self.chain_side.open()
        await self.custody_side.open()
        if self.settings.pay_per_call:
            secret = hashlib.sha256(self._signer.sign(b"allmende pay per call")).digest()
            self._gateway.pay_per_call = await self.chain_side.pay_per_call(
                self.desk, secret, self.settings.pay_per_call_least
            )
        await self._follower.start()
        self._background(self._tick())
        self._background(self.chain_side.run())
        self._background(self.custody_side.run())
        self._background(self.custody_side.verify())
        self._background(self.federation.run())
        return keys

    @property
    def name(self) -> str:
        assert self.desk.state.market is not None
        return self.desk.state.market.name

    def _fail(self, failure: BaseException) -> None:
        log.critical("The journal cannot be written, so the market stops: %r", failure)
        self.broken = True
        self.stop.set()

    async def _found(self) -> tuple[str, str]:
        settings, public = self.settings, self._signer.public.hex()
        fresh = self.desk.state.market is None
        if fresh:
            charter = founding.Charter(settings.market, settings.name, settings.mode, public)
            await founding.found(self.desk, self._clock, charter)
        admin = await founding.administrator(self.desk, self._clock, new_key)
        if not (fresh and settings.starter):
            return admin, ""
        return admin, await founding.starter(self.desk, self._clock, new_key)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run beside the market until it closes; what goes wrong there is said."""

        def said(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and task.exception() is not None:
                log.error("%s ended", task.get_coro(), exc_info=task.exception())

        task = asyncio.create_task(work)
        task.add_done_callback(said)
        self._tasks.append(task)

    async def _tick(self) -> None:
        """Once a second let the machine see the time; without anything due nothing is written."""
        while True:
            await asyncio.sleep(1)
            self._gateway.turned_away.tell()
            await self.desk.submit(Tick(at=self._clock.now()))

    def serve_local(self, ready: Callable[[str], None]) -> None:
        """Start the models that are installed, in the background; `ready` hears how it went."""
        if self.settings.local_model:
            self._background(self._local.serve(ready))

    async def close(self) -> None:
        """End what runs, settle what was delivered, make all of it durable."""
        await self._hall.close()
        await self._gateway.close(float(self.settings.drain))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._local.close()
        self.custody_side.close()
        self.federation.close()
        await self.chain_side.close()
        await self._upstream.close()
        await self._recounter.close()
        await self._follower.stop()
        await self._views.close()
        await self.desk.close()
        self._archive.close()
        self._journal.close()
        self._lock.close()

    def _seal(self, secret: str) -> str:
        return self._vault.seal(secret, PROVIDER)

    def _unseal(self, sealed: str) -> str:
        return self._vault.open(sealed, PROVIDER)


def wiring(settings: Settings, vault: Vault, clock: Clock, upstream: Upstream) -> Wiring:
    """What the chain's side gets of the market's."""
    return Wiring(
        where=settings.chain,
        profile=settings.chain_profile,
        terms=settings.chain_terms,
        settle_every=settings.settle_every,
        folder=Path(settings.data),
        vault=vault,
        clock=clock,
        upstream=upstream,
        institutions=settings.institutions,
        bridge_node=settings.bridge_node,
    )


# Serving ------------------------------------------------------------------------------


def serve(
    settings: Settings, opened: Callable[[Opened], None], ready: Callable[[str], None]
) -> int:
    """Run a market until SIGTERM or SIGINT: the exit code.

    Raises Busy, SecretBroken, Broken; for the chain's settings Refused, ChainFailed.

    `opened` is called when it answers, `ready` when the local model does ("") or cannot.
    """
    return uvloop.run(_serve(settings, opened, ready))


async def _serve(
    settings: Settings, opened: Callable[[Opened], None], ready: Callable[[str], None]
) -> int:
    market = Market(settings)
    listener, url = listen(settings.host, settings.port)
    keys = await market.open()
    serving = asyncio.create_task(
        run(market.app, listener, stop=market.stop, close=market.close, drain_s=settings.drain)
    )
    opened(Opened(url, market.name, *keys))
    market.serve_local(ready)
    await serving
    return int(market.broken)
