"""A gateway on a free port over a real desk, journal and upstream, with the fake provider.

    async with serve(tmp_path) as market:
        answer = await market.ask("chat/completions", {"model": "fake", "messages": [...]})
        assert answer.status == 200

Every act of the fake provider stands as an offer under its own name; `market.receipts`
are the receipts captured so far, `market.settled()` waits until nothing is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import socket
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
import uvloop
from fake_answers import ACTS
from fake_provider import FakeProvider, Script
from market import HandClock, Signer, setup

from allmende.adapters.guard import Guard
from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.adapters.upstream import HttpUpstream
from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import machine
from allmende.core.nouns import Key, Offer, Receipt
from allmende.core.units import Tariff, Zone
from allmende.desk import Desk
from allmende.doors.gateway import Gateway, Limits
from allmende.ports import Recounter
from allmende.wire.journal import events as decode_events

SECRET = "sk-test-secret"
TARIFF = Tariff(150_000, None, 600_000, 20_000)
HELLO = [{"role": "user", "content": "Say some words."}]
T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """asyncio.run on the loop that serves in production."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(asyncio.wait_for(work, 60))


@dataclass
class Answer:
    """A whole HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]

    @property
    def slip(self) -> Any:
        """The trailing field, or what the comment of a stream says."""
        if self.headers["content-type"].startswith("application/json"):
            return self.json["allmende"]
        (line,) = (x for x in self.body.split(b"\n") if x.startswith(b": allmende "))
        return json.loads(line.removeprefix(b": allmende "))

    @property
    def events(self) -> list[Any]:
        """What a stream's data lines carry, the end mark as text."""
        data = [x[6:] for x in self.body.split(b"\n") if x.startswith(b"data: ")]
        return [x.decode() if x == b"[DONE]" else json.loads(x) for x in data]


@dataclass
class Market:
    desk: Desk
    provider: FakeProvider
    gateway: Gateway
    clock: HandClock
    journal: SqliteJournal
    port: int
    secret: str = SECRET
    offered: dict[str, Offer] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def key(self, secret: str, **terms: Any) -> str:
        """Issue a key with this secret; spends from the budget without a limit."""
        digest = hashlib.sha256(secret.encode()).hexdigest()
        terms = {"member": "uni", "role": "spend", "budget": "wide", **terms}
        issued = Key(id=f"key-{digest[:8]}", hash=digest, **terms)
        await self.desk.submit(c.IssueKey(at=self.clock.now(), key=issued))
        return secret

    async def offer(self, id_: str, model: str, act: str = "fake", **terms: Any) -> Offer:
        """Post an offer of `model` that the fake provider serves as `act`."""
        standard = {
            "provider": "host",
            "title": "t",
            "asset": "credit",
            "tariff": TARIFF,
            "zone": Zone("DEU"),
            "url": self.provider.url,
            "allow_private": True,
            "max_output": 100,
        }
        offer = Offer(**{"id": id_, "model": model, "upstream_model": act, **standard, **terms})
        await self.desk.submit(c.PostOffer(at=self.clock.now(), offer=offer))
        self.offered[id_] = offer
        return offer

    async def ask(
        self,
        path: str,
        body: object = None,
        *,
        method: str = "POST",
        secret: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own; bodies that are not bytes go as JSON."""
        sent = body if isinstance(body, bytes) else b"" if body is None else dumps(body)
        fields = {"authorization": f"Bearer {secret or self.secret}", **(headers or {})}
        if method == "POST":
            fields["content-length"] = str(len(sent))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        start = f"{method} /v1/{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\n"
        return await self.raw(start.encode() + sent)

    async def chat(self, model: str = "fake", **fields: Any) -> Answer:
        headers = fields.pop("headers", None)
        secret = fields.pop("secret", "")
        body = {"model": model, "messages": HELLO, **fields}
        return await self.ask("chat/completions", body, headers=headers, secret=secret)

    async def raw(self, request: bytes) -> Answer:
        """Send bytes, read until the market closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            return parse(await reader.read())
        finally:
            await close(writer)

    @property
    def events(self) -> list[e.Event]:
        """What is durable."""
        return [event for frame in self.journal.frames() for event in decode_events(frame.body)]

    @property
    def receipts(self) -> list[Receipt]:
        """As they stand: a final one in place of its provisional one."""
        found: dict[str, Receipt] = {}
        for event in self.events:
            if isinstance(event, e.Captured | e.Finalised):
                found[event.receipt.id] = event.receipt
        return list(found.values())

    @property
    def voids(self) -> list[e.Voided]:
        return [event for event in self.events if isinstance(event, e.Voided)]

    async def settled(self, within_s: float = 5.0) -> None:
        """Until no hold is open and all is durable; then the invariants are checked."""
        async with asyncio.timeout(within_s):
            while self.desk.state.holds or self.desk.committed < self.desk.number:
                await asyncio.sleep(0.01)
        machine.check(self.desk.state)


@contextlib.asynccontextmanager
async def serve(
    folder: Path,
    script: Script = (),
    *,
    recounter: Recounter | None = None,
    limits: Limits | None = None,
    mode: str = "closed_loop",
) -> AsyncIterator[Market]:
    signer, clock = Signer(), HandClock()
    journal = SqliteJournal(folder / "journal.sqlite")
    desk = Desk(journal, signer, clock)
    upstream = HttpUpstream(Guard(), sweep_s=0.02)
    gateway = Gateway(desk, upstream, recounter, clock, unseal, limits or Limits())
    async with FakeProvider(script) as provider, _listening(gateway) as port:
        market = Market(desk, provider, gateway, clock, journal, port)
        await desk.start()
        await _furnish(market, signer, mode)
        try:
            yield market
            await market.settled()
            assert machine.digest(machine.replay(market.events)) == machine.digest(desk.state)
        finally:
            await gateway.close(0.5)
            await upstream.close()
            await desk.close()
            journal.close()


async def _furnish(market: Market, signer: Signer, mode: str) -> None:
    for command in setup(signer.public.hex(), mode):
        market.desk.post(command)
    at = market.clock.now()
    market.desk.post(c.AddBudget(at=at, id="wide", name="wide", owner="uni"))
    await market.key(SECRET)
    await asyncio.gather(*(market.offer(name, name, name) for name in ACTS))


@contextlib.asynccontextmanager
async def _listening(app: Any) -> AsyncIterator[int]:
    """uvicorn without its signals and its main loop, which would add 0.1 s to every test."""
    config = uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        await server.startup(sockets=[listener])
        try:
            yield listener.getsockname()[1]
        finally:
            server.force_exit = True  # a test that failed may have left a connection open
            await server.shutdown(sockets=[listener])


def unseal(sealed: str) -> str:
    if not sealed.startswith("sealed:"):
        raise ValueError("cannot be opened")
    return sealed.removeprefix("sealed:")


def dumps(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def parse(raw: bytes) -> Answer:
    """A response read to its end; asserts that it is well-formed HTTP/1.1."""
    head, found, body = raw.partition(b"\r\n\r\n")
    assert found, f"no whole head in {raw[:200]!r}"
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status, _ = first.split(" ", 2)
    assert version == "HTTP/1.1"
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = _dechunk(body)
    else:
        assert int(headers["content-length"]) == len(body)
    return Answer(int(status), headers, body)


def _dechunk(body: bytes) -> bytes:
    whole = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            assert body == b"\r\n", "something follows the last chunk"
            return whole
        whole += body[:length]
        assert body[length : length + 2] == b"\r\n"
        body = body[length + 2 :]


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
