"""Account: the market's books as a JSON API below /api/.

Rule: POST /api/<command> does, GET /api/<thing> tells; both need a key, but for what is
public anyway: offers, titles, rules, batches, and the market's totals.
Invariant: `by` and `at` are the door's; commands that only the house itself may give
(reserve, capture, tick ...) have no path here.
Worked number: a body of 65_537 bytes is refused with 413 before it is read to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from allmende.core import machine
from allmende.core.refusals import Refused, Why
from allmende.desk import Desk
from allmende.doors import asks, lookups, sight
from allmende.doors.counter import Counter
from allmende.doors.history import History
from allmende.doors.live import Live
from allmende.doors.sight import Viewer
from allmende.measure.control import Control, who
from allmende.wire import actors as actor_files

BODY_MAX = 65_536
"""Bytes of a command."""
BODIES = {"import_actors": 4_194_304, "import_evidence": 1_048_576}
"""Those that carry more."""

Handler = Callable[[Request], Awaitable[Response]]


class Account:
    """The JSON door. One per market."""

    def __init__(self, desk: Desk, counter: Counter, history: History, live: Live) -> None:
        self._desk = desk
        self._counter = counter
        self._history = history
        self._live = live
        self.lookups: dict[str, tuple[Handler, str]] = {
            "/api/me": (self.me, "The key, its member, its balances and the market."),
            "/api/members": (self.members, "Members, with their balances."),
            "/api/budgets": (self.budgets, "The tree of budgets: limit, spent, held, available."),
            "/api/keys": (self.keys, "Keys, never their secrets."),
            "/api/balances": (self.balances, "Balances by account and asset."),
            "/api/titles": (self.titles, "Titles. Public."),
            "/api/offers": (self.offers, "Standing offers. Public."),
            "/api/drills": (self.drills, "Drills, the newest first, and what they showed. Public."),
            "/api/juries": (self.juries, "Juries by lot; lists and names for members."),
            "/api/levy": (self.levy, "What the commons took and paid, by month. Public."),
            "/api/parameters": (self.parameters, "The rules, their bounds, what is due. Public."),
            "/api/batches": (self.batches, "Closed batches. Public."),
            "/api/checks": (self.checks, "Open checks: their times, and how many sealed. Public."),
            "/api/cases": (self.cases, "Open cases, with what they rest on. Operators."),
            "/api/actors": (self.actors, "The registry of actors; format=csv as a file. Public."),
            "/api/actors/{id}": (self.actor, "An actor: who controls it, whose law reaches it."),
            "/api/observe": (self.observe, "Totals by provider, country, title, model. Public."),
            "/api/receipts": (self.receipts, "Receipts, newest first: before, limit, budget."),
            "/api/receipts/{id}": (self.receipt, "One receipt as a signed file with its proofs."),
            "/api/events": (self.events, "Receipts as they happen, as server-sent events."),
            "/api/audit": (self.audit, "The invariants, checked now. Operators."),
            "/api/export": (self.export, "The whole journal as JSON lines. Operators."),
            "/api/openapi.json": (self.openapi, "This description. Public."),
        }

    def routes(self) -> list[Route]:
        found = [Route(path, handler) for path, (handler, _) in self.lookups.items()]
        return [*found, Route("/api/{command}", self.command, methods=["POST"])]

    # --- doing ---------------------------------------------------------------------------

    async def command(self, request: Request) -> Response:
        viewer = self._viewer(request)
        name = asks.find(request.path_params["command"])
        fields = await fields_of(request, BODIES.get(name, BODY_MAX))
        idem = request.headers.get("idempotency-key", "")
        return reply(await self._counter.do(name, fields, viewer, idem))

    # --- telling -------------------------------------------------------------------------

    async def me(self, request: Request) -> Response:
        return reply(lookups.me(self._desk.state, self._viewer(request)))

    async def members(self, request: Request) -> Response:
        return reply(lookups.members(self._desk.state, self._viewer(request)))

    async def budgets(self, request: Request) -> Response:
        viewer = self._viewer(request)
        return reply(lookups.tree(self._desk.state, viewer, self._counter.now()))

    async def keys(self, request: Request) -> Response:
        return reply(lookups.keys(self._desk.state, self._viewer(request)))

    async def balances(self, request: Request) -> Response:
        return reply(lookups.balances(self._desk.state, self._viewer(request)))

    async def titles(self, _: Request) -> Response:
        return reply(lookups.titles(self._desk.state))

    async def offers(self, request: Request) -> Response:
        viewer = self._anybody(request)
        return reply(lookups.offers(self._desk.state, viewer, self._counter.now()))

    async def drills(self, request: Request) -> Response:
        await self._history.fresh()
        before, limit = number(request, "before"), number(request, "limit") or 50
        return reply(await self._history.drills(before=before, limit=limit))

    async def juries(self, request: Request) -> Response:
        await self._history.fresh()
        before, limit = number(request, "before"), number(request, "limit") or 50
        known = self._anybody(request) is not None
        return reply(await self._history.juries(known=known, before=before, limit=limit))

    async def levy(self, _: Request) -> Response:
        await self._history.fresh()
        return reply(await self._history.levy())

    async def parameters(self, _: Request) -> Response:
        return reply(lookups.parameters(self._desk.state))

    async def checks(self, _: Request) -> Response:
        return reply(lookups.checks(self._desk.state))

    async def cases(self, request: Request) -> Response:
        sight.require_operator(self._viewer(request))
        return reply(lookups.cases(self._desk.state))

    async def batches(self, request: Request) -> Response:
        await self._history.fresh()
        before, limit = number(request, "before"), number(request, "limit") or 50
        return reply(await self._history.batches(before=before, limit=limit))

    async def observe(self, request: Request) -> Response:
        await self._history.fresh()
        return reply(await self._history.totals(self._anybody(request)))

    async def actors(self, request: Request) -> Response:
        await self._history.fresh()
        registry, version = await self._history.registry()
        if request.query_params.get("format") == "csv":
            return Response(actor_files.to_csv(registry), media_type="text/csv; charset=utf-8")
        return reply({**(version or {}), **msgspec.to_builtins(registry)})

    async def actor(self, request: Request) -> Response:
        await self._history.fresh()
        registry, _ = await self._history.registry()
        found = who(Control(registry), request.path_params["id"])
        if found is None:
            raise Refused(Why.NOT_FOUND, "The registry has no such actor.")
        return reply(found)

    async def receipts(self, request: Request) -> Response:
        viewer = self._viewer(request)
        await self._history.fresh()
        before, limit = number(request, "before"), number(request, "limit") or 50
        filters = {
            name: request.query_params.get(name, "") for name in ("budget", "provider", "model")
        }
        rows = await self._history.receipts(viewer, before=before, limit=limit, **filters)
        more = rows[-1]["number"] if len(rows) == limit else None
        return reply({"receipts": rows, "before": more})

    async def receipt(self, request: Request) -> Response:
        viewer = self._viewer(request)
        data = await self._history.receipt_file(viewer, request.path_params["id"])
        return Response(data, media_type="application/json")

    async def events(self, request: Request) -> Response:
        last = request.headers.get("last-event-id", "")
        return events(await self._live.listen(self._viewer(request), last))

    async def audit(self, request: Request) -> Response:
        """Checked between two commits where that is possible, so that head and state agree."""
        sight.require_operator(self._viewer(request))
        for _ in range(100):
            if self._desk.committed == self._desk.number:
                break
            await asyncio.sleep(0.001)
        machine.check(self._desk.state)
        return reply(
            {
                "ok": True,
                "events": self._desk.number,
                "committed": self._desk.committed,
                "head": self._desk.head.hex(),
                "digest": machine.digest(self._desk.state),
                "receipts": self._desk.state.tally.captured,
                "open_holds": len(self._desk.state.holds),
            }
        )

    async def export(self, request: Request) -> Response:
        sight.require_operator(self._viewer(request))
        after = number(request, "after") or 0
        return StreamingResponse(self._lines(after), media_type="application/jsonl")

    async def _lines(self, after: int) -> AsyncIterator[bytes]:
        while lines := await self._history.export(after):
            after += len(lines)
            yield b"".join(lines)

    async def openapi(self, _: Request) -> Response:
        says = {path: text for path, (_, text) in self.lookups.items()}
        return reply(asks.openapi(lookups.market(self._desk.state).name, says))

    # --- who asks ------------------------------------------------------------------------

    def _viewer(self, request: Request) -> Viewer:
        return viewer_of(self._counter, request)

    def _anybody(self, request: Request) -> Viewer | None:
        """Whoever asks, where visitors without a key are welcome too."""
        return self._viewer(request) if "authorization" in request.headers else None


def viewer_of(counter: Counter, request: Request) -> Viewer:
    """Whoever asks. Refused(UNKNOWN_KEY)."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Refused(Why.UNKNOWN_KEY, "Send it as `Authorization: Bearer <key>`.")
    return counter.viewer(secret.strip())


def events(stream: AsyncIterator[bytes]) -> Response:
    """A stream of server-sent events."""
    return StreamingResponse(
        stream, media_type="text/event-stream", headers={"cache-control": "no-cache"}
    )


def reply(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


async def fields_of(request: Request, most: int = BODY_MAX) -> dict[str, Any]:
    """The body as an object. Refused: TOO_LARGE, BAD_REQUEST."""
    body = await bounded_body(request, most)
    try:
        return msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(Why.BAD_REQUEST, f"Send a JSON object: {error}.") from None


async def bounded_body(request: Request, most: int) -> bytes:
    """The body, read no further than `most` bytes. Refused(TOO_LARGE)."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Refused(Why.TOO_LARGE, f"The body may have {most} bytes.")
    return bytes(body)


def number(request: Request, name: str) -> int | None:
    """A whole number in the query, None if it is not there. Refused(BAD_VALUE)."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise Refused(Why.BAD_VALUE, f"{name} is a whole number, not {text[:40]!r}.")
    return int(text)
