"""Aio: the client over asyncio's streams. All that it knows is how to move bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar

import allmende.client.calls as calls
from allmende.client.calls import Call
from allmende.client.line import Address, Line
from allmende.client.market import Change, Follower
from allmende.client.sync import CHUNK, QUIET_S, TIMEOUT_S
from allmende.client.words import Failed

P = ParamSpec("P")
T = TypeVar("T")


class _Told(Generic[P, T]):
    """A call of `calls` as a method with the same arguments, to be awaited."""

    def __init__(self, build: Callable[P, Call[T]]) -> None:
        self._build = build
        self.__doc__ = build.__doc__

    def __get__(self, client: AsyncClient, _: type[AsyncClient]) -> Callable[P, Awaitable[T]]:
        def told(*args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
            return client.tell(self._build(*args, **kwargs))

        return told


class _Wire:
    """A connection and its protocol."""

    def __init__(self, address: Address, key: str, timeout_s: float) -> None:
        self.line = Line(address, key)
        self._address = address
        self._timeout_s = timeout_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def answer(self, call: Call[Any]) -> AsyncIterator[bytes]:
        """Parts of the body as they come. Raises Failed, also if nothing comes for so long."""
        try:
            reader, writer = self._streams = self._streams or await self._open()
            writer.write(self.line.send(call))
            while not self.line.done:
                async with asyncio.timeout(self._timeout_s):
                    data = await reader.read(CHUNK)
                for part in self.line.take(data):
                    yield part
        except OSError as error:  # a TimeoutError too
            raise self._address.unreachable(error) from None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = self._address
        async with asyncio.timeout(self._timeout_s):
            return await asyncio.open_connection(address.host, address.port, ssl=address.secure)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


class AsyncClient:
    """A market at `base_url`, with a key. Calls may run at once, each on a connection."""

    def __init__(self, base_url: str, key: str = "", *, timeout_s: float = TIMEOUT_S) -> None:
        self._address = Address(base_url)
        self._key = key
        self._timeout_s = timeout_s
        self._idle: list[_Wire] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what is kept open between calls."""
        while self._idle:
            self._idle.pop().close()

    async def tell(self, call: Call[T]) -> T:
        """Any call of allmende.client.calls: its answer. Raises Failed."""
        while self._idle:
            wire = self._idle.pop()
            try:
                return await self._over(wire, call)
            except Failed as failed:
                if failed.status or wire.line.begun:
                    raise
                # It was closed while idle; asking again is safe, a call acts once.
        return await self._over(_Wire(self._address, self._key, self._timeout_s), call)

    async def _over(self, wire: _Wire, call: Call[T]) -> T:
        try:
            return call.answer(b"".join([part async for part in wire.answer(call)]))
        finally:
            if wire.line.reusable:
                self._idle.append(wire)
            else:
                wire.close()

    async def follow(self, instrument: str) -> AsyncGenerator[Change, None]:
        """The book and its trades as they change, until it is settled. Raises Failed."""
        follower = Follower(instrument)
        while not follower.ended:
            try:
                async for change in self._stream(follower):
                    yield change
            except Failed as failed:
                if failed.status or follower.tired:
                    raise
            await asyncio.sleep(follower.pause_s)

    async def _stream(self, follower: Follower) -> AsyncIterator[Change]:
        call = follower.call()
        wire = _Wire(self._address, self._key, QUIET_S)
        try:
            async for part in wire.answer(call):
                for change in follower.take(part):
                    yield change
                if follower.broken or follower.ended:
                    return
        finally:
            wire.close()

    me = _Told(calls.me)
    balances = _Told(calls.balances)
    instruments = _Told(calls.instruments)
    instrument = _Told(calls.instrument)
    depth = _Told(calls.depth)
    tape = _Told(calls.tape)
    candles = _Told(calls.candles)
    orders = _Told(calls.orders)
    fills = _Told(calls.fills)
    rights = _Told(calls.rights)
    requests = _Told(calls.requests)
    quotes = _Told(calls.quotes)
    buy = _Told(calls.buy)
    sell = _Told(calls.sell)
    market_buy = _Told(calls.market_buy)
    market_sell = _Told(calls.market_sell)
    amend = _Told(calls.amend)
    cancel = _Told(calls.cancel)
    cancel_all = _Told(calls.cancel_all)
    request_quotes = _Told(calls.request_quotes)
    quote = _Told(calls.quote)
    accept = _Told(calls.accept)
    do = _Told(calls.do)
