"""Caller: one chat request over its own connection, and what it was told of its receipt.

Rule: it believes nothing it did not read; a connection that breaks leaves what came so far.
Invariant: `price` is set only if the market said so: in a header, or at the stream's end.
Worked number: a stream killed after 40 events has a receipt id and no price.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from msgspec import Struct

from allmende.core.units import Amount, pico

_SLIP = re.compile(rb": allmende (\{.*\})\n\n")


class Told(Struct):
    """How a request ended. `status` 0: no answer; `price` is pico-credits."""

    marker: str
    status: int = 0
    receipt: str = ""
    price: Amount | None = None
    error: str = ""


async def chat(port: int, key: str, body: dict[str, Any]) -> Told:
    """POST /v1/chat/completions. Never raises for a connection that breaks."""
    told = Told(str(body.get("user", "")))
    writer: asyncio.StreamWriter | None = None
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_request(port, key, body))
        await _read(reader, told, stream=bool(body.get("stream")))
    except (OSError, asyncio.IncompleteReadError):
        pass  # the market died: what it said before is in `told`
    finally:
        if writer is not None:
            writer.close()
    return told


def _request(port: int, key: str, body: dict[str, Any]) -> bytes:
    data = json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + data


async def _read(reader: asyncio.StreamReader, told: Told, *, stream: bool) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    told.receipt = _field(head, "x-allmende-receipt")
    price = _field(head, "x-allmende-price")
    told.price = pico(price) if price else None
    told.status = int(head.split(" ", 2)[1])
    if stream and told.status == 200:
        await _read_slip(reader, told)
        return
    body = await reader.read()
    if told.status != 200:
        told.error = json.loads(body[body.find(b"{") : body.rfind(b"}") + 1])["error"]["code"]


async def _read_slip(reader: asyncio.StreamReader, told: Told) -> None:
    """The end of a stream names the price."""
    kept = b""
    while data := await reader.read(65_536):
        kept = (kept + data)[-8_192:]
    found = _SLIP.search(kept)
    if found is not None:
        told.price = pico(json.loads(found[1])["price"])


def _field(head: str, name: str) -> str:
    found = re.search(rf"^{name}: *(\S+)", head, re.MULTILINE)
    return found[1] if found else ""
