"""Live: receipts as they happen, as server-sent events.

Rule: one reader per listener asks the tables what changed, and only when the journal has
grown; a listener sees what it may read, and a receipt again when it becomes final.
Invariant: at most LISTENERS_MAX listeners, and all end when the market closes.
Worked number: at one look every half second an idle listener costs two comparisons of
integers a second and one comment every 15 seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

import msgspec

from allmende.core.refusals import Refused, Why
from allmende.desk import Desk
from allmende.doors.history import History, Row
from allmende.doors.sight import Viewer

LISTENERS_MAX = 64
LOOK_S = 0.5
QUIET_LOOKS = 30
"""Looks without news after which a comment keeps proxies from closing the connection."""

_ENCODE = msgspec.json.Encoder().encode
Render: TypeAlias = Callable[[Row], bytes]


class Live:
    """One per market."""

    def __init__(self, desk: Desk, history: History) -> None:
        self._desk = desk
        self._history = history
        self._listeners = 0
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Every stream ends within one look."""
        self._closing.set()

    async def listen(
        self, viewer: Viewer, last_id: str = "", render: Render = _ENCODE
    ) -> AsyncIterator[bytes]:
        """Events from now on, or after the one a browser last saw. Refused(CAPACITY).

        `render` makes one line of a receipt's row.
        """
        if self._listeners >= LISTENERS_MAX:
            raise Refused(
                Why.CAPACITY, f"{LISTENERS_MAX} listen already.", retry_after_us=5_000_000
            )
        known = last_id.isascii() and last_id.isdecimal() and len(last_id) < 19
        last = int(last_id) if known else await self._history.last_change()
        return self._stream(viewer, last, render)

    async def _stream(self, viewer: Viewer, last: int, render: Render) -> AsyncIterator[bytes]:
        self._listeners += 1
        try:
            yield b"retry: 2000\n\n"
            quiet, looked = 0, 0
            while not self._closing.is_set():
                rows = []
                if looked != self._desk.committed:
                    looked = self._desk.committed
                    await self._history.fresh()
                    rows = await self._history.feed(viewer, last)
                for row in rows:
                    last = row["changed"]
                    yield b"id: %d\nevent: receipt\ndata: %b\n\n" % (last, render(row))
                quiet = 0 if rows else quiet + 1
                if quiet % QUIET_LOOKS == QUIET_LOOKS - 1:
                    yield b": quiet\n\n"
                await self._pause()
        finally:
            self._listeners -= 1

    async def _pause(self) -> None:
        """Half a second, or less if the market closes."""
        try:
            await asyncio.wait_for(self._closing.wait(), LOOK_S)
        except TimeoutError:
            return
