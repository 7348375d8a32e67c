"""A provider that misbehaves on request: a true TCP server that speaks HTTP and OpenAI.

    async with FakeProvider({"liar": Act(usage="excess")}) as provider:
        ... call provider.url with model "liar" ...
        seen = provider.seen[-1]
        assert seen.aborted and seen.events_sent == 7

What it does with a request is an `Act`. The script is one Act for every request, a list
taken in order (the last one stays), or a mapping from model names; a model that the script
does not name is looked up in ACTS, so "fake-stall" works without a script.
An answer is `events` words; one word is one token; the prompt counts its words.
`python tests/fake_provider.py PORT` serves ACTS for trying things out by hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from fake_answers import ACTS, Act, shape

CAUSES_OF_DEATH = ("before", "mid", "cut")


Script = Act | Sequence[Act] | Mapping[str, Act]


@dataclass
class Seen:
    """What the provider saw of one request, and how far it came with the answer."""

    connection: int
    path: str
    headers: dict[str, str]
    raw: bytes
    act: Act = field(default_factory=Act)
    events_sent: int = 0
    finished: bool = False
    """The answer, or what there was of it on purpose, was written to its end."""
    aborted: bool = False
    """The client hung up before that."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def body(self) -> Any:
        return json.loads(self.raw) if self.raw else {}


class FakeProvider:
    """`async with FakeProvider(script) as provider:` serves on a free port of 127.0.0.1."""

    def __init__(
        self, script: Script = (), *, tls: ssl.SSLContext | None = None, port: int = 0
    ) -> None:
        self.script = script
        self.seen: list[Seen] = []
        self.connections = 0
        self.open: set[_Connection] = set()
        self.tasks: list[asyncio.Task[None]] = []
        self._tls = tls
        self._port = port
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> FakeProvider:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), "127.0.0.1", self._port, ssl=self._tls
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for connection in tuple(self.open):
            connection.stop()
        for task in self.tasks:  # a mistake in the fake itself must fail the test
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{'localhost' if self._tls else '127.0.0.1'}:{self.port}/v1"

    async def settled(self, within_s: float = 5.0) -> None:
        """Until every request seen is finished or aborted. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            await asyncio.gather(*(seen.over.wait() for seen in self.seen))

    def act(self, model: str) -> Act:
        """The act for the next request, which asks for `model`."""
        if isinstance(self.script, Act):
            return self.script
        if isinstance(self.script, Mapping):
            return self.script.get(model) or ACTS.get(model, Act())
        if not self.script:
            return ACTS.get(model, Act())
        return self.script[min(len(self.seen), len(self.script) - 1)]


class _Connection(asyncio.Protocol):
    """One client. Requests are served one after the other."""

    def __init__(self, provider: FakeProvider) -> None:
        self._provider = provider
        self._number = 0
        self._buffer = b""
        self._task: asyncio.Task[None] | None = None
        self._gone = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._provider.connections += 1
        self._number = self._provider.connections
        self._provider.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set()
        self._writable.set()
        self._provider.open.discard(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._task is None:
            self._next()

    def stop(self) -> None:
        self._transport.abort()

    def _next(self) -> None:
        """Serve the first request in the buffer, if it is there as a whole."""
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        seen = Seen(self._number, first.split(" ")[1], headers, rest[:length])
        seen.act = self._provider.act(_model(seen))
        self._provider.seen.append(seen)
        self._task = asyncio.create_task(self._serve(seen))
        self._provider.tasks.append(self._task)

    async def _serve(self, seen: Seen) -> None:
        try:
            await _Play(self, seen).run()
            seen.finished = True
        except ConnectionError:
            seen.aborted = True
        finally:
            self._task = None
            seen.over.set()
        if not seen.act.keep_alive or seen.act.fault:
            self._transport.close()
        elif not self._gone.is_set():
            self._next()

    async def wait(self, seconds: float | None) -> None:
        """Sleep (None: for ever). Raises ConnectionError when the client hangs up."""
        if seconds != 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), seconds)
        if self._gone.is_set():
            raise ConnectionResetError

    async def send(self, data: bytes, piece: int = 0) -> None:
        step = piece or len(data) or 1
        for start in range(0, len(data), step):
            self._transport.write(data[start : start + step])
            if piece:
                await asyncio.sleep(0)
        await self._writable.wait()
        await asyncio.sleep(0)  # let the loop notice a client that hung up
        await self.wait(0)


class _Play:
    """One act on one connection."""

    def __init__(self, connection: _Connection, seen: Seen) -> None:
        self._connection = connection
        self._seen = seen
        self._act = seen.act
        body = seen.body if isinstance(seen.body, dict) else {}
        self._streamed = bool(body.get("stream"))
        self._shape = shape(seen.path, body, seen.act)

    async def run(self) -> None:
        act = self._act
        await self._connection.wait(act.first_s)
        if act.fault in _RAW:
            await _RAW[act.fault](self)
        elif act.status != 200:
            await self._whole(_error(act.status), act.status)
        elif self._streamed and act.fault != "gzip":
            await self._stream()
        else:
            await self._connection.wait(act.delay_s)
            await self._whole(self._shape.whole())

    async def _send(self, data: bytes) -> None:
        await self._connection.send(data, self._act.piece)

    async def _whole(self, answer: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(answer).encode()
        fault = self._act.fault
        extra = "Retry-After: 1\r\n" if status == 429 else ""
        if fault == "gzip":
            body, extra = gzip.compress(body), "Content-Encoding: gzip\r\n"
        if fault == "garbage_body":
            body = b"\xff\xfe{not json" + bytes(range(256))
        head = _head(status, f"Content-Length: {len(body)}\r\n{extra}", self._act)
        if fault in ("mid", "stall_mid"):
            await self._send(head + body[: len(body) // 2])
            await self._break()
        await self._send(head + body)
        self._seen.events_sent = self._shape.events

    async def _stream(self) -> None:
        fields = "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
        await self._send(_head(200, fields, self._act))
        async for event in self._events():
            await self._send(b"%x\r\n%b\r\n" % (len(event), event))
        await self._send(b"0\r\n\r\n")

    async def _events(self) -> AsyncIterator[bytes]:
        fault, limit = self._act.fault, self._shape.events
        broken = fault in ("mid", "stall_mid")
        number = 0
        while number < (limit // 2 if broken else limit) or fault == "endless":
            await self._connection.wait(self._act.delay_s)
            number += 1
            yield b"\xff{garbage\n\n" if fault == "garbage_body" else self._shape.event(number)
            self._seen.events_sent = number
        if broken:
            await self._break()
        for event in self._shape.last():
            yield event
        if fault != "no_done" and self._shape.done:
            yield b"data: [DONE]\n\n"

    async def _break(self) -> None:
        if self._act.fault == "stall_mid":
            await self._connection.wait(None)
        self._seen.finished = True
        self._connection._transport.close()
        await self._connection.wait(None)

    async def _silence(self) -> None:
        await self._connection.wait(None)

    async def _close(self) -> None:
        self._connection._transport.close()

    async def _garbage(self) -> None:
        await self._send(b"\x00\xffthis is no HTTP\r\n\r\n" * 4)

    async def _redirect(self) -> None:
        where = "Location: http://169.254.169.254/latest/\r\nContent-Length: 0\r\n"
        await self._send(_head(302, where, self._act))

    async def _empty(self) -> None:
        await self._send(_head(200, "Content-Length: 0\r\n", self._act))

    async def _endless_head(self) -> None:
        await self._send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await self._send(b"X-More: " + b"m" * 1000 + b"\r\n")


_RAW: dict[str, Callable[[_Play], Any]] = {
    "before": _Play._close,
    "stall": _Play._silence,
    "garbage": _Play._garbage,
    "redirect": _Play._redirect,
    "empty": _Play._empty,
    "headers": _Play._endless_head,
}


def _model(seen: Seen) -> str:
    try:
        return str(seen.body.get("model"))
    except (ValueError, AttributeError):
        return ""


def _head(status: int, fields: str, act: Act) -> bytes:
    if "Content-Type" not in fields:
        fields += "Content-Type: application/json\r\n"
    if not act.keep_alive:
        fields += "Connection: close\r\n"
    return f"HTTP/1.1 {status} Fake\r\n{fields}\r\n".encode()


def _error(status: int) -> dict[str, Any]:
    said = f"fake error {status}"
    return {"error": {"message": said, "type": "fake", "param": None, "code": str(status)}}


async def serve(port: int) -> None:
    async with FakeProvider(port=port) as provider:
        sys.stdout.write(f"{provider.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
