"""Hall: every door but the gateway, put together behind one ASGI app.

Rule: what doors share (history, the live stream, the exchange's feed) is made here once.
Invariant: nothing is open before `open`, and every stream has ended after `close`.
Worked number: the account's 16 lookups, the exchange's 11 and the chain's 2 are one description
at /api/openapi.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

from starlette.routing import BaseRoute

from allmende.desk import Desk
from allmende.doors import app
from allmende.doors.account import Account
from allmende.doors.arriving import Arriving
from allmende.doors.browser import Doorman
from allmende.doors.chain_page import ChainPage
from allmende.doors.counter import Counter
from allmende.doors.denials import Denials
from allmende.doors.gather import Gather
from allmende.doors.gather_market import GatherMarket
from allmende.doors.gather_orders import GatherOrders
from allmende.doors.governing import NO_RULING, Governing, Ruling
from allmende.doors.history import History
from allmende.doors.leaving import Leaving, Pack
from allmende.doors.live import Live
from allmende.doors.market import Exchange
from allmende.doors.observatory.access import Denied
from allmende.doors.observatory.climate import Carbon
from allmende.doors.observatory.control import ControlPage
from allmende.doors.observatory.frame import NOTHING_PUBLIC, Parquet, Public, Sources, here
from allmende.doors.observatory.observatory import Observatory
from allmende.doors.pages import Page, Pages
from allmende.doors.sovereignty import Sovereignty
from allmende.measure.cells import K
from allmende.measure.dated import Rules
from allmende.measure.linear import Solver
from allmende.ports import Clock, Journal, Views


class Hall:
    """One per market. `archive` is the journal, opened for reading only; `more_routes` and
    `more_pages` are doors that not every market has, `chain` is the page of the one that it
    settles on. `rules` are the dated laws and thresholds; `parquet` writes files, if it
    can, `solver` works out drills, `denials` counts whom the gateway refuses, `public` is what was
    imported beside the market, `aside` works out what takes long, `pack` makes a file one of
    named entries, for members who leave, and `ruling` is what is voted and tried out."""

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        counter: Counter,
        views: Views,
        archive: Journal,
        doorman: Doorman,
        more_routes: Sequence[BaseRoute] = (),
        chain: ChainPage | None = None,
        more_pages: Mapping[str, Page] | None = None,
        rules: Sequence[Rules] = (),
        parquet: Parquet | None = None,
        solver: Solver | None = None,
        public: Public = NOTHING_PUBLIC,
        min_cell: int = K,
        denials: Denials | None = None,
        aside: Callable[..., Any] = here,
        pack: Callable[[IO[bytes]], Pack] | None = None,
        ruling: Ruling = NO_RULING,
    ) -> None:
        self.history = history = History(desk, views, archive)
        self._live = Live(desk, history)
        self.exchange = Exchange(desk, clock, counter, views)
        account = Account(desk, counter, history, self._live)
        self.chain = chain = chain or ChainPage(clock)
        trading = GatherMarket(desk, clock, views), GatherOrders(desk, clock, views)
        core = desk, clock, history, views, rules, min_cell, solver, public, denials, aside
        sources = Sources(*core)
        leaving = Leaving(desk, counter, views, history, doorman, pack)
        told = Carbon(sources, counter), Denied(sources, counter), leaving
        for more in (chain, self.exchange, Sovereignty(counter), ControlPage(sources), *told):
            account.lookups.update(more.lookups)
        self.governing = governing = Governing(sources, doorman, ruling)
        shown = counter, history, Gather(desk, clock, history), trading, chain
        seen = Observatory(sources, doorman, parquet), self._live, doorman
        pages = Pages(*shown, *seen, governing.pages(), more_pages)
        moving = *Arriving(desk, counter).routes(), *leaving.routes(), *governing.routes()
        told_by = *moving, *more_routes, *account.routes(), *self.exchange.sockets()
        self.app = app.rest([*told_by, *pages.routes()], pages.told)

    async def open(self) -> None:
        """When the desk has started, and before anybody is let in."""
        await self.exchange.open()

    async def close(self) -> None:
        """Every stream ends."""
        self._live.close()
        await self.exchange.close()
