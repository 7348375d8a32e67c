"""Market: the exchange as a JSON API: instruments, books, tape, candles, one's own business.

Rule: what is public is told to anybody: contracts, book, tape, candles and the stream of
their changes; orders, rights, fills and quotes are told to the holder of a key. What is done
is done by POST /api/<command>, as everywhere, or on the WebSocket.
Invariant: book and tape show facts that are durable, and never whose they are.
Worked number: GET /api/instruments/december/book?depth=1 on bids of 5 lots at 3.0 and asks
of 2 at 3.1 gives bids [["3", "5"]] and asks [["3.1", "2"]].
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket

from allmende.core.contracts import LOT
from allmende.core.orders import find_listing
from allmende.core.refusals import Refused, Why
from allmende.desk import Desk
from allmende.doors import lots, market_rows, market_socket, sight
from allmende.doors.account import number, reply, viewer_of
from allmende.doors.counter import Counter
from allmende.doors.history import PAGE_MAX
from allmende.doors.market_feed import Feed, line, snapshot
from allmende.doors.market_ladder import Ladder
from allmende.doors.market_sessions import Sessions
from allmende.doors.market_stream import Stream
from allmende.doors.sight import Viewer
from allmende.ports import Clock, Views

Row = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]
DEPTH_MAX = 1_000
CANDLE_S = 3_600


class Exchange:
    """One per market."""

    def __init__(self, desk: Desk, clock: Clock, counter: Counter, views: Views) -> None:
        self._desk = desk
        self._counter = counter
        self._views = views
        self.feed = Feed(desk)
        self._sessions = Sessions(desk, clock)
        one = "/api/instruments/{id}"
        self.lookups: dict[str, tuple[Handler, str]] = {
            "/api/instruments": (self.instruments, "Contracts: terms, sentences, state. Public."),
            one: (self.instrument, "One contract. Public."),
            f"{one}/book": (self.book, "Bids and asks, best first: depth. Public."),
            f"{one}/tape": (self.tape, "Trades, newest first: before, limit. Public."),
            f"{one}/candles": (self.candles, "Prices by time: seconds, before, limit. Public."),
            "/api/orders": (self.orders, "Working orders: instrument."),
            "/api/fills": (self.fills, "What was bought and sold: instrument, before, limit."),
            "/api/rights": (self.rights, "Rights with their value and expiry."),
            "/api/requests": (self.requests, "Open requests for quotes."),
            "/api/quotes": (self.quotes, "Quotes given and got: request."),
            "/api/market/events": (
                self.events,
                "Market data of one instrument as server-sent events: instrument, since. Public.",
            ),
        }

    def sockets(self) -> list[BaseRoute]:
        return [WebSocketRoute("/api/market/ws", self.socket)]

    async def open(self) -> None:
        """When the desk has started, and before anybody is let in."""
        self.feed.open()
        await self._sessions.open()

    async def close(self) -> None:
        """Every listener hears it; what they hold is cancelled as far as it can be."""
        self.feed.close()
        await self._sessions.close()

    # --- public --------------------------------------------------------------------------

    async def instruments(self, _: Request) -> Response:
        state, at = self._desk.state, self._counter.now()
        return reply([market_rows.instrument(state, one, at) for one in state.listings.values()])

    async def instrument(self, request: Request) -> Response:
        state = self._desk.state
        listing = find_listing(state, request.path_params["id"])
        return reply(market_rows.instrument(state, listing, self._counter.now()))

    async def book(self, request: Request) -> Response:
        ladder, depth = self._ladder(request), number(request, "depth")
        row = snapshot(ladder, min(10 if depth is None else depth, DEPTH_MAX))
        del row["type"]
        return reply({**row, "indicative": _indicative(ladder)})

    async def tape(self, request: Request) -> Response:
        ladder = self._ladder(request)
        before, limit = _page(request)
        live = [t for t in reversed(ladder.tape) if before is None or t.number < before][:limit]
        rows = [line(trade, ladder.instrument.lot) for trade in live]
        if len(rows) < limit and not (rows and rows[-1]["trade"] == 1):
            before = rows[-1]["number"] if rows else before
            rows += await self._older(ladder, before, limit - len(rows))
        more = rows[-1]["number"] if len(rows) == limit else None
        return reply({"trades": rows, "before": more})

    async def _older(self, ladder: Ladder, before: int | None, limit: int) -> list[Row]:
        one = ladder.instrument
        found = await self._past("tape", before, limit, instrument=one.id)
        return [market_rows.trade(row, one.lot) for row in found]

    async def candles(self, request: Request) -> Response:
        one = self._ladder(request).instrument
        before, limit = _page(request)
        seconds = number(request, "seconds") or CANDLE_S
        found = await self._past("candles", before, limit, instrument=one.id, seconds=seconds)
        return reply([market_rows.candle(row, one.lot) for row in found])

    async def events(self, request: Request) -> Response:
        since = number(request, "since")
        last = request.headers.get("last-event-id", "")
        if last.isascii() and last.isdecimal() and len(last) < 19:
            since = int(last)
        id_ = request.query_params.get("instrument", "")
        self.feed.ladder(id_)
        reader = self.feed.enter()
        self.feed.follow(reader, id_, since)
        return Stream(self.feed, reader)

    async def socket(self, ws: WebSocket) -> None:
        await market_socket.accept(ws, self.feed, self._counter, self._sessions)

    # --- one's own -----------------------------------------------------------------------

    async def orders(self, request: Request) -> Response:
        viewer = self._viewer(request)
        wanted = request.query_params.get("instrument", "")
        return reply(market_rows.own_orders(self._desk.state, viewer, wanted))

    async def fills(self, request: Request) -> Response:
        own: dict[str, Any] = {
            "accounts": list(sight.members(self._desk.state, self._viewer(request)))
        }
        if wanted := request.query_params.get("instrument"):
            own["instrument"] = wanted
        before, limit = _page(request)
        found = await self._past("fills", before, limit, **own)
        rows = [market_rows.fill(row, await self._lot(row["instrument"])) for row in found]
        return reply({"fills": rows, "before": rows[-1]["number"] if len(rows) == limit else None})

    async def rights(self, request: Request) -> Response:
        viewer = self._viewer(request)
        return reply(market_rows.own_rights(self._desk.state, viewer, self._counter.now()))

    async def requests(self, request: Request) -> Response:
        return reply(market_rows.requests(self._desk.state, self._viewer(request)))

    async def quotes(self, request: Request) -> Response:
        wanted = request.query_params.get("request", "")
        return reply(market_rows.quotes(self._desk.state, self._viewer(request), wanted))

    # --- who and what --------------------------------------------------------------------

    def _viewer(self, request: Request) -> Viewer:
        return viewer_of(self._counter, request)

    def _ladder(self, request: Request) -> Ladder:
        """The instrument in the path, as far as its facts are durable. Refused(NO_INSTRUMENT)."""
        return self.feed.ladder(request.path_params["id"])

    async def _past(self, query: str, before: int | None, limit: int, **given: Any) -> list[Row]:
        """Rows of the read models, once they contain what is durable now."""
        await self._views.caught_up(self._desk.committed)
        page = {"limit": limit} if before is None else {"limit": limit, "before": before}
        found: list[Row] = await self._views.rows(query, **given, **page)
        return found

    async def _lot(self, id_: str) -> int:
        """Grains in a lot of an instrument, also of one that is settled."""
        listing = self._desk.state.listings.get(id_)
        if listing is not None:
            return listing.instrument.lot
        found: list[Row] = await self._views.rows("instruments", id=id_)
        return int(found[0]["terms"]["lot"]) if found else LOT


def _indicative(ladder: Ladder) -> Row | None:
    """What a running call would do now."""
    found, lot = ladder.indicative(), ladder.instrument.lot
    if found is None:
        return None
    return {
        "price": lots.per_lot(found.price, lot),
        "lots": lots.text(found.grains, lot),
        "imbalance": lots.text(found.imbalance, lot),
    }


def _page(request: Request) -> tuple[int | None, int]:
    """`before` and `limit` of a list. Refused(BAD_VALUE)."""
    limit = number(request, "limit")
    if limit == 0:
        raise Refused(Why.BAD_VALUE, "limit is 1 or more.")
    return number(request, "before"), min(limit or 50, PAGE_MAX)
