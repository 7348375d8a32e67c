"""App: one address for everything: the gateway below /v1/, all else behind it.

Rule: a request for tokens meets no framework; every other one passes the same headers and
the same way of saying no.
Invariant: no answer of ours may be framed, sniffed or scripted by others.
Worked number: of 5_000 requests a second below /v1/ none costs more than one comparison of
its path here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from allmende.core.refusals import Refused, Why
from allmende.desk import Stopped
from allmende.doors import errors

Told: TypeAlias = Callable[[Request, Refused], Awaitable[Response]]
"""How pages tell people about a refusal."""

CONTENT = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


def front(gateway: Callable[..., Awaitable[None]], rest: ASGIApp) -> ASGIApp:
    """The one ASGI app that the server gets."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/v1/"):
            await gateway(scope, receive, send)
        else:
            await rest(scope, receive, send)

    return app


def rest(routes: Sequence[BaseRoute], told: Told) -> ASGIApp:
    """Accounts and pages. `told` renders a refusal for people; programs get JSON."""

    async def refused(request: Request, error: Exception) -> Response:
        refusal = _as_refusal(error)
        if not request.url.path.startswith("/api/"):
            return await told(request, refusal)
        allowed = getattr(error, "headers", None) or {}
        if getattr(error, "status_code", 0) == 405:
            return _response(errors.method(allowed.get("Allow", "another method")))
        return _response(errors.refusal(refusal))

    async def failed(request: Request, error: Exception) -> Response:
        return _response(errors.failure())

    kinds: dict[Any, Any] = dict.fromkeys((Refused, HTTPException, Stopped), refused)
    kinds[ClientDisconnect] = _nobody
    return _guarded(Starlette(routes=list(routes), exception_handlers={**kinds, Exception: failed}))


def _as_refusal(error: Exception) -> Refused:
    if isinstance(error, Refused):
        return error
    if isinstance(error, Stopped):
        return Refused(Why.CLOSING)
    return Refused(Why.NOT_FOUND if getattr(error, "status_code", 0) == 404 else Why.BAD_REQUEST)


async def _nobody(request: Request, error: Exception) -> Response:
    """The caller left while it was being read; this goes nowhere."""
    return Response(status_code=400)


def _response(reply: errors.Reply) -> Response:
    headers = {name.decode(): value.decode() for name, value in reply.headers}
    return Response(reply.body, reply.status, headers)


def _guarded(app: ASGIApp) -> ASGIApp:
    """Security headers on every answer, whoever gave it."""
    extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        if scope["type"] == "http":
            await app(scope, receive, with_headers)
        elif scope["type"] == "websocket":
            await app(scope, receive, send)

    return guarded
