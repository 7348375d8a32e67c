"""An answer from a provider while it arrives: the reader's end of one connection.

Rule: bytes wait here in the order they came, joined when the reader is behind, and the
reader is woken, never called.
Invariant: an answer ends exactly once, whole or with one UpstreamFailed; bytes that came
before the failure are still read first.
Worked number: with 262_144 bytes unread the socket is paused, so a stalled client costs
that plus one read of at most 262_144 more, whatever the provider sends.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from allmende.ports import UpstreamFailed

BUFFER_MAX = 262_144
"""Unread body bytes at which the provider is made to wait."""


class _Connection(Protocol):
    def resume(self) -> None: ...
    def fail(self, error: UpstreamFailed) -> None: ...


class Http1Answer:
    """ports.Answer over one connection: iterate once or `read`, and `abort` whenever."""

    def __init__(self, connection: _Connection) -> None:
        self.status = 0
        self.content_type = ""
        self.declared: int | None = None
        """Content-Length, where the provider stated one."""
        self._connection: _Connection | None = connection
        self._parts: list[bytes] = []
        self._size = 0
        self._done = False
        self.error: UpstreamFailed | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __aiter__(self) -> Http1Answer:
        return self

    async def __anext__(self) -> bytes:
        """All bytes that wait, as one piece. Raises UpstreamFailed if the body is cut."""
        while not self._parts:
            if self.error is not None:
                raise self.error
            if self._done:
                raise StopAsyncIteration
            await self.changed()
        parts = self._parts
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        if self._size >= BUFFER_MAX and self._connection is not None:
            self._connection.resume()
        self._size = 0
        return data

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises UpstreamFailed("too_large") past `limit` bytes."""
        pieces: list[bytes] = []
        size = self.declared or 0
        if size <= limit:
            size = 0
            async for piece in self:
                size += len(piece)
                if size > limit:
                    break
                pieces.append(piece)
            else:
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self.abort()
        raise UpstreamFailed("too_large", f"{size} bytes where {limit} are allowed")

    def abort(self) -> None:
        """Close the connection now; bytes not yet iterated are dropped."""
        if self._connection is not None:
            self._connection.fail(UpstreamFailed("aborted"))
            self._parts.clear()

    async def changed(self) -> None:
        """Wait until bytes, the end or a failure came."""
        assert self._waiter is None, "an answer has one reader"
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def add(self, body: bytes) -> bool:
        """Keep body bytes for the reader; True when it is too far behind."""
        self._parts.append(body)
        self._size += len(body)
        return self._size >= BUFFER_MAX

    def end(self, error: UpstreamFailed | None) -> None:
        """Let go of the connection: the body is whole (None), or failed."""
        self._connection = None
        self._done = error is None
        self.error = error
        self.wake()
