"""The process of the chain beside a market: the node, and nothing that could outlive its parent.

Rule: it answers JSON-RPC on 127.0.0.1 at one secret path, says nothing to disk but the chain,
and ends when its standard input does, which is the moment its parent ends, kill -9 included.
Invariant: a chain file that another process still has open is waited for, then refused; it is
never opened twice.
Worked number: it is ready after 1.4 s and holds 64 MB, most of both py-evm's import.

The parent writes one JSON line of `Order` and then keeps the pipe open; the child writes one
line of `Told`: its port, or why it cannot be.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from starlette.types import Receive, Scope, Send

from allmende.adapters import server
from allmende.adapters.chain.beside_words import Failure, Order, Told
from allmende.adapters.chain.evm import Genesis
from allmende.adapters.chain.node import EmbeddedNode
from allmende.ports import Ask, ChainFailed

NICENESS = 5
"""Requests for tokens come first where there are fewer cores than processes."""
BODY_MAX = 1 << 20
"""Bytes of a question; the largest contract creation is 98 kB in hex."""
BUSY_S, LOOK_S = 10.0, 0.1
"""How long a parent that was killed may leave its chain open, and how often we look."""
PARSE = -32700


def answerer(ask: Ask, secret: str) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The ASGI app: POST /<secret>, one question at a time."""
    path = f"/{secret}".encode()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        known = hmac.compare_digest(scope["path"].encode(), path)
        body = await _body(receive) if known else b""
        if not body:
            await _say(send, 404, b"")
        elif len(body) > BODY_MAX:
            await _say(send, 413, b"")
        else:
            await _say(send, 200, await _answer(ask, body))

    return app


async def _body(receive: Receive) -> bytes:
    """At most a little more than BODY_MAX."""
    body, more = b"", True
    while more and len(body) <= BODY_MAX:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _say(send: Send, status: int, body: bytes) -> None:
    length = str(len(body)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _answer(ask: Ask, body: bytes) -> bytes:
    reply: dict[str, Any] = {"jsonrpc": "2.0", "id": None}
    try:
        question = msgspec.json.decode(body, type=dict[str, Any])
        reply["id"] = question.get("id")
        reply["result"] = await ask(str(question.get("method")), question.get("params") or [])
    except msgspec.MsgspecError:
        reply["error"] = Failure(PARSE, "this is not a question")
    except ChainFailed as failed:
        reply["error"] = Failure.of(failed)
    return msgspec.json.encode(reply)


def now_s() -> int:
    """Blocks carry the time of this machine's clock."""
    return int(time.time())


def open_node(order: Order) -> EmbeddedNode:
    """The node of an order. ChainFailed, "busy" after a while of waiting."""
    genesis = Genesis(order.chain_id, order.balances, now_s())
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            return EmbeddedNode(Path(order.path), genesis, now_s)
        except ChainFailed as failed:
            if failed.cause != "busy" or time.monotonic() > deadline:
                raise
        time.sleep(LOOK_S)


async def serve(order: Order, told: Callable[[Told], None]) -> None:
    """Answer until standard input ends."""
    node = open_node(order)
    listener, url = server.listen("127.0.0.1", 0)
    stop = asyncio.Event()

    def heard() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            stop.set()

    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), heard)
    told(Told(port=int(url.rpartition(":")[2])))
    app = answerer(node.ask, order.secret)
    await server.run(app, listener, stop=stop, close=node.close, drain_s=0)


def main() -> None:
    """python -m allmende.adapters.chain.beside_child; see Order."""
    out = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints

    def told(what: Told) -> None:
        os.write(out, msgspec.json.encode(what) + b"\n")

    os.nice(NICENESS)
    line = sys.stdin.buffer.readline()
    if not line:
        return  # the parent is gone already
    order = msgspec.json.decode(line, type=Order)
    try:
        uvloop.run(serve(order, told))  # asyncio's own loop would wait 40 ms to fill packets
    except ChainFailed as failed:
        told(Told(cause=failed.cause, detail=failed.detail))
    except sqlite3.Error as error:
        told(Told(cause="failed", detail=f"{order.path} cannot be read: {error}"))


if __name__ == "__main__":
    main()
