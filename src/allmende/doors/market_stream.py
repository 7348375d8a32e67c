"""Market stream: one instrument's market data as server-sent events.

Rule: the id of an event is its sequence number, so a browser that comes back says itself
what it saw last.
Invariant: a stream whose reader takes nothing for STALL_S ends, whatever waits for it.
Worked number: an idle stream sends one comment every 15 seconds.
"""

from __future__ import annotations

import asyncio

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from allmende.doors.market_feed import Feed, Reader

BEAT_S = 15.0
STALL_S = 20.0
GONE = (TimeoutError, OSError, WebSocketDisconnect)
"""How a caller that is not there any more shows."""
_HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]


class Stream(Response):
    """Sends what a reader gets until one of the two ends."""

    def __init__(self, feed: Feed, reader: Reader) -> None:
        super().__init__()
        self._feed = feed
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        telling = asyncio.create_task(self._tell(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait([telling, leaving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._feed.leave(self._reader)
            await end(telling, leaving)

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await self._write(send, b"retry: 2000\n\n")
        while not self._reader.done:
            found = await self._reader.next(BEAT_S)
            await self._write(send, b": beat\n\n" if found is None else _event(*found))
        await send({"type": "http.response.body", "body": b""})

    async def _write(self, send: Send, body: bytes) -> None:
        async with asyncio.timeout(STALL_S):
            await send({"type": "http.response.body", "body": body, "more_body": True})


async def end(*tasks: asyncio.Task[None]) -> None:
    """Stop what tells and hears. That a caller is gone or stuck is no news; a bug is raised."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception) and not isinstance(result, GONE):
            raise result


def _event(seq: int, message: bytes) -> bytes:
    """One message as an event; what is not part of the sequence has no id."""
    name = b"id: %d\n" % seq if seq else b""
    return b"%bevent: market\ndata: %b\n\n" % (name, message)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
