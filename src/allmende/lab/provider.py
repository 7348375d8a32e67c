"""Provider: a model server that knows no model, in this process, as fast as one wants it.

Rule: one token is one event; of every request it remembers how many tokens it has sent.
Invariant: what it reports is what it has sent; it never sends more than it was allowed.
Worked number: max_tokens=16 without a stream is one answer of 16 words, `usage` 16; with
a stream and pace_s=0.02 it is 16 events in a third of a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

TOKENS = 256
"""Where the request names no limit."""


class Provider:
    """`async with Provider() as provider:` serves on a free port of 127.0.0.1."""

    def __init__(self, *, pace_s: float = 0.0, delay_s: float = 0.0) -> None:
        self.pace_s = pace_s
        """Between two events of a stream."""
        self.delay_s = delay_s
        """Before an answer begins."""
        self.sent: dict[str, int] = {}
        """Tokens written, by the `user` field of the request."""
        self.asked = 0
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=2_048)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:  # callers keep their connections; whoever waits on one ends
            writer.close()
        ending = [task for task in self._open.values() if task is not None]
        await asyncio.gather(*ending, return_exceptions=True)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[writer] = asyncio.current_task()
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := await _head(reader):
                body = json.loads(await reader.readexactly(int(head["content-length"])))
                self.asked += 1
                await self._answer(writer, body)
        writer.close()
        self._open.pop(writer)

    async def _answer(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        limit = body.get("max_completion_tokens") or body.get("max_tokens") or TOKENS
        marker = str(body.get("user", ""))
        await asyncio.sleep(self.delay_s)
        if body.get("stream"):
            await self._stream(writer, marker, int(limit))
        else:
            self.sent[marker] = limit
            writer.write(_whole(int(limit)))
            await writer.drain()

    async def _stream(self, writer: asyncio.StreamWriter, marker: str, limit: int) -> None:
        writer.write(_STREAM)
        for number in range(limit):
            if number:
                await asyncio.sleep(self.pace_s)
            self.sent[marker] = number + 1
            writer.write(_event({"choices": [{"index": 0, "delta": {"content": "word "}}]}))
            await writer.drain()
        done = [{"index": 0, "delta": {}, "finish_reason": "length"}]
        writer.write(_event({"choices": done}))
        writer.write(_event({"choices": [], "usage": _usage(limit)}))
        writer.write(_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
        await writer.drain()


def with_provider(scene: Callable[[str], None]) -> None:
    """Run a scene that blocks, while a provider is served at the address that it is given."""

    async def play() -> None:
        async with Provider() as provider:
            await asyncio.to_thread(scene, provider.url)

    asyncio.run(play())


async def _head(reader: asyncio.StreamReader) -> dict[str, str]:
    """Header fields of the next request, {} when there is none."""
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return {}
    rows = (line.partition(":") for line in text.split("\r\n")[1:] if line)
    return {name.lower(): value.strip() for name, _, value in rows}


_STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event(fields: dict[str, Any]) -> bytes:
    said = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "word", **fields}
    return _chunk(b"data: " + json.dumps(said, separators=(",", ":")).encode() + b"\n\n")


def _usage(output: int) -> dict[str, int]:
    return {"prompt_tokens": 8, "completion_tokens": output, "total_tokens": 8 + output}


def _whole(limit: int) -> bytes:
    message = {"role": "assistant", "content": "word " * limit}
    choice = {"index": 0, "message": message, "finish_reason": "length"}
    said = {"id": "c", "object": "chat.completion", "created": 0, "model": "word",
            "choices": [choice], "usage": _usage(limit)}  # fmt: skip
    body = json.dumps(said).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body
