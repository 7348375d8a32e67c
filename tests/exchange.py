"""A whole market with an instrument listed on it, in this process and on a free port.

with Exchange(folder) as market:
    market.quote("3.1")                  # the host sells a lot
    with market.socket(market.uni) as ws:
        ws.send(op="subscribe", instrument="december")
        assert ws.hear()["type"] == "snapshot"
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn
from doors import Doors
from wsproto import ConnectionType, WSConnection
from wsproto import events as ws

from allmende.adapters.server import MESSAGE_MAX
from allmende.core import commands as c
from allmende.core.units import CREDIT, DAY, SECOND
from allmende.doors.plain import iso

TERMS = {
    "id": "december",
    "offer": "o",
    "price": "1",
    "tick": "0.01",
    "capacity": "100",
    "rate": "0",
    "weights": {"input": "1", "cached": "0.2", "output": "4.21"},
}


class Exchange(Doors):
    """Doors with `december` open for trading; `uni`, `other`, `host` are managers' keys."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        super().__init__(folder, **{"mode": "limited_network", **settings})

    def __enter__(self) -> Self:
        super().__enter__()
        self.furnish()
        self.run(self._prepare())
        self.uni, self.other, self.host = (
            self.key(member, "manage") for member in ("uni", "other", "host")
        )
        at = self.now()
        self.ask("list_instrument", self.host, start=iso(at), end=iso(at + 30 * DAY), **TERMS)
        self.ask("mint_lots", self.host, instrument="december", lots="50")
        self._server, self.url = self.run(self._listen())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.run(self._stop())
        super().__exit__(kind, error, trace)

    async def _prepare(self) -> None:
        desk, at = self.market.desk, self.now()
        for name in ("call_seconds", "trade_fee_ppm"):
            await desk.submit(c.SetParameter(at=at, name=name, value=0))
        for member in ("host", "uni", "other"):
            await desk.submit(
                c.Deposit(at=at, member=member, amount=500 * CREDIT, reference=f"x {member}")
            )

    async def _listen(self) -> tuple[uvicorn.Server, str]:
        config = uvicorn.Config(
            self.market.app,
            http="httptools",
            ws="wsproto",
            ws_max_size=MESSAGE_MAX,
            ws_per_message_deflate=False,
            log_level="critical",
            lifespan="off",
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        # With its protocol named asyncio turns Nagle's algorithm off, as uvloop always does.
        self._listener = socket.socket(proto=socket.IPPROTO_TCP)
        self._listener.bind(("127.0.0.1", 0))
        await server.startup(sockets=[self._listener])
        return server, f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    async def _stop(self) -> None:
        self._server.force_exit = True  # a test that failed may have left a connection open
        await self.market._hall.close()
        await self._server.shutdown(sockets=[self._listener])
        self._listener.close()

    # --- trading -------------------------------------------------------------------------

    def order(self, key: str, side: str, price: str, lots: str = "1", **more: Any) -> Any:
        """A good order in december: the answer."""
        fields = {"instrument": "december", "side": side, "price": price, "lots": lots, **more}
        return self.ask("place_order", key, **fields)

    def clear(self) -> None:
        """Cancel whatever rests."""
        for key in (self.uni, self.other, self.host):
            self.ask("cancel_orders", key)

    def working(self, key: str = "") -> list[Any]:
        rows: list[Any] = self.get("/api/orders", key or self.admin).json
        return rows

    def later(self, seconds: int) -> str:
        """An instant from now on, as text."""
        return iso(self.now() + seconds * SECOND)

    def tick(self, seconds: int) -> None:
        """Let the market believe that it is so much later, once."""
        self.run(self.market.desk.submit(c.Tick(at=self.now() + seconds * SECOND)))

    def orders_of(self, account: str) -> list[Any]:
        """As the state has them now."""
        found = self.market.desk.state.orders.values()
        return [working for working in found if working.order.account == account]

    def hang_up(self) -> None:
        """Close every connection, as a network does."""
        self.run(self._hang_up())

    async def _hang_up(self) -> None:
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        while self._server.server_state.connections:
            await asyncio.sleep(0.005)

    def wait(self, true: Callable[[], object]) -> None:
        """Until it is so."""
        self.run(self._wait(true))

    async def _wait(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not true():
                await asyncio.sleep(0.005)

    @contextmanager
    def socket(self, key: str = "", **options: Any) -> Iterator[Socket]:
        """A WebSocket to the market; it is hung up at the end without a goodbye."""
        port = int(self.url.rpartition(":")[2])
        with socket.socket() as raw:
            for name, value in options.items():
                raw.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
            raw.settimeout(20)
            raw.connect(("127.0.0.1", port))
            found = Socket(raw)
            found.open(key)
            yield found


class Socket:
    """The caller's side of a WebSocket, one thing after the other."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._heard: list[Any] = []
        self._text = ""
        self.closed = 0
        """Close code."""
        self.rejected = 0

    def open(self, key: str) -> None:
        headers = [(b"authorization", f"Bearer {key}".encode())] if key else []
        target = "/api/market/ws"
        self._put(ws.Request(host="market.test", target=target, extra_headers=headers))
        while not (self._heard or self.closed or self.rejected):
            self._get()

    def send(self, **message: Any) -> None:
        self._put(ws.TextMessage(data=json.dumps(message)))

    def send_raw(self, data: str | bytes) -> None:
        text = isinstance(data, str)
        self._put(ws.TextMessage(data=data) if text else ws.BytesMessage(data=data))

    def send_frames(self, data: bytes) -> None:
        """Bytes as they are, where frames should be."""
        self._raw.sendall(data)

    def hear(self, *kinds: str) -> Mapping[str, Any]:
        """The next message, or the next of these types."""
        while True:
            while not self._heard:
                assert not self.closed, f"closed with {self.closed}"
                self._get()
            message: Mapping[str, Any] = self._heard.pop(0)
            if not kinds or message["type"] in kinds:
                return message

    def end(self) -> list[Any]:
        """Everything until it is closed."""
        while not self.closed:
            self._get()
        return self._heard

    def ask(self, **message: Any) -> Mapping[str, Any]:
        """Send, and the answer to it."""
        self.send(**message, ref="asked")
        while True:
            answer = self.hear()
            if answer.get("ref") == "asked":
                return answer

    def do(self, command: str, **fields: Any) -> Mapping[str, Any]:
        return self.ask(op="do", command=command, fields=fields)

    def _put(self, event: ws.Event) -> None:
        self._raw.sendall(self._protocol.send(event))

    def _get(self) -> None:
        try:
            data = self._raw.recv(65_536)
        except ConnectionError:
            data = b""  # cut off instead of closed
        self._protocol.receive_data(data or None)
        for event in self._protocol.events():
            if isinstance(event, ws.TextMessage):
                self._text += event.data
                if event.message_finished:
                    self._heard.append(json.loads(self._text))
                    self._text = ""
            elif isinstance(event, ws.CloseConnection):
                self.closed = event.code
            elif isinstance(event, ws.Ping):
                self._put(event.response())
            elif isinstance(event, ws.RejectConnection):
                self.rejected = event.status_code
