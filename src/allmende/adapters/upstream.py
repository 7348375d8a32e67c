"""The upstream: calling providers, with connections kept warm.

Rule: a provider is reached only through the guard, at the address the guard judged, and
never through a redirect or a proxy from the environment.
Invariant: a connection carries one request at a time; one that failed or was aborted is
never used again, nor, unless `reuse_after_stream`, one that streamed events.
Worked number: 1_000 requests, 16 at a time, to one provider open 16 connections, and
make no timer: one sweep every 0.25 s looks after all of them.

A request is sent a second time in one case only: it went out on a kept connection which
the provider closed within STALE_S without a single byte of answer. That is what a provider
looks like that gave up an idle connection just when we wrote to it (RFC 9112 section
9.3.1); it had no time to compute. The buyer is never charged for the lost attempt.

llama-server (seen in xllamacpp 2026.10.11549) closes on whatever follows an event stream on
the same connection. With `reuse_after_stream` that is learned: the second attempt saves the
request, and that address is from then on given a new connection after each stream. It
spares others the 70 microseconds which a new connection costs here.
"""

from __future__ import annotations

import asyncio
import re
import ssl

from msgspec import Struct

from allmende.adapters.answer import Http1Answer
from allmende.adapters.guard import Guard, Target, check_url
from allmende.adapters.http1 import Http1Connection
from allmende.core.refusals import Refused
from allmende.ports import Call, UpstreamFailed

IDLE_S = 4.0
"""Kept connections are closed before common servers do (uvicorn and llama-server: 5 s)."""
IDLE_MAX = 256
"""Kept connections per address."""
CONNECT_S = 10.0
STALE_S = 1.0
ROUTES_MAX = 4096

_PATH = re.compile(r"[!-~]*\Z")
_SECRET = re.compile(r"[!-~]*\Z")


class _Origin:
    """The connections to one address of one provider."""

    def __init__(self, reuse_after_stream: bool = False) -> None:
        self.reuse_after_stream = reuse_after_stream
        self.busy: set[Http1Connection] = set()
        self.idle: list[Http1Connection] = []

    def take(self) -> Http1Connection | None:
        """The connection used last, which is the least likely to be stale."""
        while self.idle:
            connection = self.idle.pop()
            if not connection.closed:
                self.busy.add(connection)
                return connection
        return None

    def park(self, connection: Http1Connection) -> None:
        self.busy.discard(connection)
        if len(self.idle) < IDLE_MAX and (self.reuse_after_stream or not connection.streamed):
            self.idle.append(connection)
        else:
            connection.close()

    def drop(self, connection: Http1Connection) -> None:
        self.busy.discard(connection)

    def sweep(self, now: float, idle_s: float) -> bool:
        """Time out what stands still; True while any connection is left."""
        for connection in tuple(self.busy):
            connection.sweep(now)
        for connection in self.idle:
            promised = connection.keep_alive_s
            if connection.still(now) >= (idle_s if promised is None else min(idle_s, promised / 2)):
                connection.close()
        self.idle = [connection for connection in self.idle if not connection.closed]
        return bool(self.busy or self.idle)

    def close(self) -> None:
        for connection in (*self.busy, *self.idle):
            connection.fail(UpstreamFailed("aborted", "the market is closing"))
        self.idle.clear()


class _Route(Struct):
    """One (url, path, secret): the request head, and where it goes until `until`."""

    target: Target
    allow_private: bool
    head: bytes
    origin: _Origin
    pins: tuple[str, ...] = ()
    until: float = 0.0


class HttpUpstream:
    """ports.Upstream over HTTP/1.1. One per process and event loop.

    `sweep_s` is how often time-outs are looked for, so how late they may be (twice that).
    """

    def __init__(
        self,
        guard: Guard,
        *,
        tls: ssl.SSLContext | None = None,
        idle_s: float = IDLE_S,
        sweep_s: float = 0.25,
        pin_s: float = 30.0,
        stale_s: float = STALE_S,
        reuse_after_stream: bool = False,
    ) -> None:
        self._guard = guard
        self._tls = tls
        self._idle_s = idle_s
        self._sweep_s = sweep_s
        self._pin_s = pin_s
        self._stale_s = stale_s
        self._reuse_after_stream = reuse_after_stream
        self._routes: dict[tuple[str, str, str, bool], _Route] = {}
        self._origins: dict[tuple[bool, str, int, str], _Origin] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def open(self, call: Call) -> Http1Answer:
        """Send, wait for the response head. Raises UpstreamFailed before the first byte.

        Causes: refused_address, connect, tls, timeout, cut, garbage, redirect,
        compressed, bad_call, aborted. Any status that is not 1xx or 3xx is an answer.
        """
        route = self._routes.get((call.url, call.path, call.secret, call.allow_private))
        if route is None:
            route = self._learn(call)
        now = asyncio.get_running_loop().time()
        if now >= route.until:
            await self._pin(route, now)
        request = b"%b%d\r\n\r\n%b" % (route.head, len(call.body), call.body)
        connection = route.origin.take()
        if connection is not None:
            try:
                return await connection.ask(request, call.first_byte_s, call.idle_s)
            except UpstreamFailed as failed:
                gone = asyncio.get_running_loop().time() - now <= self._stale_s
                if failed.cause != "cut" or connection.received or not gone:
                    raise
                if connection.streamed:
                    route.origin.reuse_after_stream = False
        connection = await self._connect(route, min(CONNECT_S, call.first_byte_s))
        return await connection.ask(request, call.first_byte_s, call.idle_s)

    async def close(self) -> None:
        """Abort everything, also what is being read. Safe to call twice."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for origin in self._origins.values():
            origin.close()

    def _learn(self, call: Call) -> _Route:
        try:
            target = check_url(call.url, call.allow_private)
        except Refused as refused:
            raise UpstreamFailed("refused_address", refused.detail) from None
        if not _PATH.match(call.path) or not _SECRET.match(call.secret):
            raise UpstreamFailed("bad_call", "path or secret is not plain ASCII")
        if len(self._routes) >= ROUTES_MAX:
            self._routes.clear()
        route = _Route(target, call.allow_private, _head(target, call), _Origin())
        self._routes[call.url, call.path, call.secret, call.allow_private] = route
        return route

    async def _pin(self, route: _Route, now: float) -> None:
        route.pins = await self._guard.resolve(route.target, route.allow_private)
        route.origin = self._origin(route.target, route.pins[0])
        route.until = now + self._pin_s

    def _origin(self, target: Target, address: str) -> _Origin:
        key = (target.tls, address, target.port, target.host)
        return self._origins.setdefault(key, _Origin(self._reuse_after_stream))

    async def _connect(self, route: _Route, within_s: float) -> Http1Connection:
        """A new connection to the first pinned address that takes one."""
        failed = UpstreamFailed("connect")
        for address in route.pins:
            origin = self._origin(route.target, address)
            try:
                connection = await self._dial(origin, route.target, address, within_s)
            except TimeoutError:
                failed = UpstreamFailed("timeout", f"no connection within {within_s:g} s")
            except ssl.SSLError as error:
                failed = UpstreamFailed("tls", error.reason or "handshake")
            except OSError as error:
                failed = UpstreamFailed("connect", error.strerror or type(error).__name__)
            else:
                route.origin = origin
                return connection
        raise failed

    async def _dial(
        self, origin: _Origin, target: Target, address: str, within_s: float
    ) -> Http1Connection:
        if self._closed:
            raise UpstreamFailed("aborted", "the market is closing")
        async with asyncio.timeout(within_s):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Http1Connection(origin.park, origin.drop),
                address,
                target.port,
                ssl=self._context() if target.tls else None,
                server_hostname=target.host if target.tls else None,
            )
        origin.busy.add(connection)
        if self._sweeper is None:
            self._sweep()
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:  # made on first use: loading the roots takes 20 ms
            self._tls = ssl.create_default_context()
        return self._tls

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        left = [origin.sweep(now, self._idle_s) for origin in self._origins.values()]
        self._sweeper = loop.call_later(self._sweep_s, self._sweep) if any(left) else None


def _head(target: Target, call: Call) -> bytes:
    """Everything up to the value of Content-Length, which comes last."""
    path = f"{target.base}/{call.path.lstrip('/')}" + (f"?{target.query}" if target.query else "")
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {target.authority}",
        "User-Agent: allmende",
        "Accept: application/json, text/event-stream",
        "Accept-Encoding: identity",
        "Content-Type: application/json",
        *([f"Authorization: Bearer {call.secret}"] if call.secret else []),
        "Content-Length: ",
    ]
    return "\r\n".join(lines).encode("ascii")
