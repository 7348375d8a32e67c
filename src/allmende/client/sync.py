"""Sync: the client over blocking sockets. All that it knows is how to move bytes."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar

import allmende.client.calls as calls
from allmende.client.calls import Call
from allmende.client.line import Address, Line
from allmende.client.market import Change, Follower
from allmende.client.words import Failed

P = ParamSpec("P")
T = TypeVar("T")
TIMEOUT_S = 30.0
QUIET_S = 45.0
"""After which a stream counts as dead: three beats of the market's."""
CHUNK = 65_536


class _Told(Generic[P, T]):
    """A call of `calls` as a method with the same arguments and its answer."""

    def __init__(self, build: Callable[P, Call[T]]) -> None:
        self._build = build
        self.__doc__ = build.__doc__

    def __get__(self, client: Client, _: type[Client]) -> Callable[P, T]:
        def told(*args: P.args, **kwargs: P.kwargs) -> T:
            return client.tell(self._build(*args, **kwargs))

        return told


class _Wire:
    """A connection and its protocol."""

    def __init__(self, address: Address, key: str, timeout_s: float) -> None:
        self.line = Line(address, key)
        self._address = address
        try:
            raw = socket.create_connection((address.host, address.port), timeout_s)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = _secured(raw, address.host) if address.secure else raw
        except OSError as error:
            raise address.unreachable(error) from None

    def answer(self, call: Call[Any]) -> Iterator[bytes]:
        """Parts of the body as they come. Raises Failed, also if nothing comes for so long."""
        try:
            self._socket.sendall(self.line.send(call))
            while not self.line.done:
                yield from self.line.take(self._socket.recv(CHUNK))
        except OSError as error:
            raise self._address.unreachable(error) from None

    def close(self) -> None:
        self._socket.close()


class Client:
    """A market at `base_url`, with a key. Threads may share it."""

    def __init__(self, base_url: str, key: str = "", *, timeout_s: float = TIMEOUT_S) -> None:
        self._address = Address(base_url)
        self._key = key
        self._timeout_s = timeout_s
        self._idle: list[_Wire] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
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

    def tell(self, call: Call[T]) -> T:
        """Any call of allmende.client.calls: its answer. Raises Failed."""
        while self._idle:
            wire = self._idle.pop()
            try:
                return self._over(wire, call)
            except Failed as failed:
                if failed.status or wire.line.begun:
                    raise
                # It was closed while idle; asking again is safe, a call acts once.
        return self._over(_Wire(self._address, self._key, self._timeout_s), call)

    def _over(self, wire: _Wire, call: Call[T]) -> T:
        try:
            return call.answer(b"".join(wire.answer(call)))
        finally:
            if wire.line.reusable:
                self._idle.append(wire)
            else:
                wire.close()

    def follow(self, instrument: str) -> Generator[Change, None, None]:
        """The book and its trades as they change, until it is settled. Raises Failed."""
        follower = Follower(instrument)
        while not follower.ended:
            try:
                yield from self._stream(follower)
            except Failed as failed:
                if failed.status or follower.tired:
                    raise
            time.sleep(follower.pause_s)

    def _stream(self, follower: Follower) -> Iterator[Change]:
        call = follower.call()
        wire = _Wire(self._address, self._key, QUIET_S)
        try:
            for part in wire.answer(call):
                yield from follower.take(part)
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


def _secured(raw: socket.socket, host: str) -> socket.socket:
    return ssl.create_default_context().wrap_socket(raw, server_hostname=host)
