"""Burst: many small requests over a few connections that stay, as fast as they are answered.

Rule: one request at a time on each connection; whatever is not a 200 ends the burst.
Invariant: it returns when every request has its whole answer.
Worked number: 10_000 requests over 32 connections are 313 one after the other on each.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any


async def burst(port: int, key: str, body: dict[str, Any], requests: int, at_once: int = 32) -> str:
    """The receipt id of the last answer. RuntimeError with the first answer that is not a 200."""
    data = json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    left = iter(range(requests))

    async def connection() -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        receipt = ""
        try:
            for _ in left:
                writer.write(head.encode() + data)
                receipt = await _answer(reader)
        finally:
            writer.close()
        return receipt

    return (await asyncio.gather(*(connection() for _ in range(at_once))))[0]


async def _answer(reader: asyncio.StreamReader) -> str:
    """Of a 200 its receipt id."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
    said = await reader.readexactly(int(fields["content-length"]))
    if not lines[0].startswith("HTTP/1.1 200"):
        raise RuntimeError(f"{lines[0]}: {said.decode(errors='replace')[:300]}")
    return fields["x-allmende-receipt"]
