"""Upstream: a provider that answers at once, so that only the gateway is measured.

Rule: any POST is answered from memory, as a stream when its body asks for one.
Invariant: it counts what it answered, so that a gateway cannot answer for it unseen.
Worked number: with `/_pace/15` a stream sends its 66 events 15 ms apart, 0.99 s in all.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import cast

import uvloop

from bench import payload

MODEL = "bench"
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: "
_CHUNKED = _HEAD + b"text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
_LAST = b"0\r\n\r\n"


def json_response(body: bytes) -> bytes:
    return _HEAD + b"application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def framed(event: bytes) -> bytes:
    """One event as one HTTP chunk, as model servers send them."""
    return b"%x\r\n" % len(event) + event + b"\r\n"


class Provider:
    """What all connections share: the canned bytes, the pace and the counts."""

    def __init__(self) -> None:
        self.answer = json_response(payload.answer(MODEL))
        self.events = [framed(event) for event in payload.events(MODEL)]
        self.burst = _CHUNKED + b"".join(self.events) + _LAST
        self.gap_s = 0.0
        self.counts = {"answers": 0, "streams": 0, "aborted": 0}

    def control(self, path: bytes) -> bytes:
        """`/_pace/<ms>` sets the gap between events; `/_counts` tells and clears."""
        if path.startswith(b"/_pace/"):
            self.gap_s = float(path[7:]) / 1000
        told = json.dumps(self.counts).encode()
        if path == b"/_counts":
            self.counts = dict.fromkeys(self.counts, 0)
        return json_response(told)


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as little of it as gateways need."""

    __slots__ = ("loop", "provider", "rest", "timer", "transport")

    def __init__(self, provider: Provider, loop: asyncio.AbstractEventLoop) -> None:
        self.provider = provider
        self.loop = loop
        self.rest = b""
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.provider.counts["aborted"] += 1

    def data_received(self, data: bytes) -> None:
        data = self.rest + data if self.rest else data
        while data:
            end = message_end(data)
            if end == 0:
                break
            self.respond(data[:end])
            data = data[end:]
        self.rest = data

    def respond(self, message: bytes) -> None:
        provider = self.provider
        if message.startswith(b"GET"):
            self.transport.write(provider.control(message.split(b" ", 2)[1]))
        elif b'"stream":true' not in message and b'"stream": true' not in message:
            provider.counts["answers"] += 1
            self.transport.write(provider.answer)
        elif provider.gap_s == 0:
            provider.counts["streams"] += 1
            self.transport.write(provider.burst)
        else:
            self.transport.write(_CHUNKED)
            self.pace(0, self.loop.time())

    def pace(self, sent: int, began: float) -> None:
        """Send one event and come back for the next; no drift, each is due from the start."""
        events = self.provider.events
        self.transport.write(events[sent])
        sent += 1
        if sent == len(events):
            self.timer = None
            self.provider.counts["streams"] += 1
            self.transport.write(_LAST)
            return
        due = began + sent * self.provider.gap_s
        self.timer = self.loop.call_at(due, self.pace, sent, began)


def message_end(data: bytes) -> int:
    """Where the first request in `data` ends, or 0 while it is incomplete."""
    head_end = data.find(b"\r\n\r\n") + 4
    if head_end < 4:
        return 0
    head = data[:head_end].lower()
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        end = head_end + int(head[at + 17 : head.index(b"\r\n", at + 17)])
        return end if len(data) >= end else 0
    if b"\r\ntransfer-encoding: chunked" in head:
        if data.startswith(_LAST, head_end):
            return head_end + 5
        return data.find(b"\r\n" + _LAST, head_end) + 7 if b"\r\n" + _LAST in data else 0
    return head_end


async def serve(port: int, factory: Callable[[], asyncio.Protocol]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(factory, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


async def main(port: int) -> None:
    provider = Provider()
    loop = asyncio.get_running_loop()
    await serve(port, lambda: Connection(provider, loop))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
