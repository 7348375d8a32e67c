"""A whole market as `main` puts it together, its doors called in this process.

    with Doors(folder) as doors:
        answer = doors.post("/api/add_member", {"id": "uni", ...}, key=doors.admin)
        assert answer.status == 200

The market runs on a loop in a thread of its own, so tests stay plain functions.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

from allmende.core import commands as c
from allmende.core.nouns import Member, Offer, Share, Title
from allmende.core.units import CREDIT, EnergyRate, Tariff, Units, Zone
from allmende.main import Market, Settings

T = TypeVar("T")
HOST = "market.test"
PATIENCE_S = 120
"""Far above what anything takes, contracts that compile on a busy machine included."""
RECEIPTS = 24
"""Enough for figures that everybody may see."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


class Doors:
    """Opens a market in `folder`; `admin` and `first` are the keys that it printed."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        fields = {"data": str(folder / "data"), "local_model": False, **settings}
        self.settings = Settings(**fields)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.admin = self.first = ""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_S)

    def __enter__(self) -> Self:
        self._thread.start()
        self.market = self.run(self._build())
        self.admin, self.first = self.run(self.market.open())
        return self

    async def _build(self) -> Market:
        return Market(self.settings)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.run(self.market.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    # --- asking --------------------------------------------------------------------------

    def get(self, path: str, key: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        return self.run(self.call("GET", path, b"", key, headers or {}))

    def post(
        self,
        path: str,
        fields: Any,
        key: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """JSON, or bytes as they are."""
        body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
        return self.run(self.call("POST", path, body, key, headers or {}))

    def form(self, path: str, fields: Mapping[str, str], cookie: str = "", **more: str) -> Answer:
        """A form as a browser sends it from a page of the market."""
        headers = {"origin": f"http://{HOST}", "cookie": cookie, **more}
        headers["content-type"] = "application/x-www-form-urlencoded"
        return self.run(self.call("POST", path, urlencode(fields).encode(), "", headers))

    def sign_in(self, key: str) -> str:
        """The cookie of a signed-in browser."""
        answer = self.form("/sign-in", {"key": key, "next": "/"})
        assert answer.status == 303, answer.text
        return answer.headers["set-cookie"].split(";")[0]

    def ask(self, command: str, key: str = "", **fields: Any) -> Any:
        """A command that must succeed: its answer."""
        answer = self.post(f"/api/{command}", fields, key or self.admin)
        assert answer.status == 200, answer.text
        return answer.json

    async def call(
        self, method: str, path: str, body: bytes, key: str, headers: Mapping[str, str]
    ) -> Answer:
        sent: list[Any] = []
        done = asyncio.Event()
        parts = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            if parts:
                return parts.pop()
            await done.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.market.app(scope(method, path, key, headers), receive, send)
        done.set()
        start, *rest = sent
        named = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], named, b"".join(part.get("body", b"") for part in rest))

    async def listen(self, path: str, key: str, headers: Mapping[str, str], until: bytes) -> bytes:
        """What a stream says until it has said `until`; then hang up."""
        heard = bytearray()
        done = asyncio.Event()

        async def receive() -> Any:
            await done.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            heard.extend(message.get("body", b""))
            if until in heard:
                done.set()

        await asyncio.wait_for(self.market.app(scope("GET", path, key, headers), receive, send), 20)
        return bytes(heard)

    # --- furniture -----------------------------------------------------------------------

    def furnish(self) -> None:
        """A university with a tree of budgets, a host with an offer, an author who earns."""
        self.run(self._furnish())

    async def _furnish(self) -> None:
        at = self.now()
        title = Title("t", "author", "model", "Model T", (Share("author", "author", 100_000),))
        energy = EnergyRate((1_000, 2_000), (100_000, 300_000), (300, 330), "test")
        offer = Offer(
            *("o", "host", "t", "smol", "credit", Tariff(150_000, None, 600_000)),
            Zone("DEU"),
            "http://127.0.0.1:1/v1",
            sealed_secret="s1.hidden",
            energy=energy,
        )
        commands: list[c.Command] = [
            c.AddMember(at=at, member=Member("uni", "University", "organisation")),
            c.AddMember(at=at, member=Member("physics", "Physics", "organisation", "uni")),
            c.AddMember(at=at, member=Member("other", "Other", "organisation")),
            c.AddMember(at=at, member=Member("host", "Host", "provider")),
            c.AddMember(at=at, member=Member("author", "Author <b>", "person")),
            c.Deposit(at=at, member="uni", amount=10 * CREDIT, reference="wire 1"),
            c.Deposit(at=at, member="other", amount=CREDIT, reference="wire 2"),
            c.AddBudget(at=at, id="uni", name="All", owner="uni", limit=5 * CREDIT),
            c.AddBudget(at=at, id="lab", name="Lab", parent="uni", limit=CREDIT),
            c.AddBudget(at=at, id="chem", name="Chem", parent="uni"),
            c.AddBudget(at=at, id="other", name="Other", owner="other"),
            c.RegisterTitle(at=at, title=title),
            c.PostOffer(at=at, offer=offer),
        ]
        for command in commands:
            await self.market.desk.submit(command)

    def key(self, member: str, role: str = "spend", budget: str = "") -> str:
        """A new key's secret."""
        return str(self.ask("issue_key", member=member, role=role, budget=budget)["secret"])

    def receipt(self, id_: str, key: str, *, prompt: int = 200, answer: int = 60) -> str:
        """A delivered request of the holder of `key`, as the gateway books it: its id."""
        return self.run(self.book(id_, key, Units(input=prompt, output=answer)))

    async def book(self, id_: str, secret: str, units: Units) -> str:
        desk, at = self.market.desk, self.now()
        viewer = self.market.counter.viewer(secret)
        reserve = c.Reserve(
            at=at,
            id=id_,
            key=viewer.key.hash,
            endpoint="chat/completions",
            model="smol",
            input_bound=1_000,
            output_bound=256,
        )
        await desk.submit(reserve)
        await desk.submit(c.Capture(at=at, hold=id_, estimate=units, reported=units))
        return id_

    def receipts(self, count: int = RECEIPTS) -> str:
        """So many receipts of the furnished lab, r-0 and on: the key that paid them."""
        spender = self.key("uni", budget="lab")
        for number in range(count):
            self.receipt(f"r-{number}", spender)
        self.folded()
        return spender

    def folded(self) -> None:
        """Wait until the read models have what the desk has; pages wait for some seconds only."""
        there = self.market._views.caught_up(self.market.desk.committed, PATIENCE_S)
        assert self.run(there), "the read models do not follow"

    def rows(self, name: str, cookie: str = "", query: str = "") -> list[dict[str, str]]:
        """A table of the observatory, `section.table`, as its file says it."""
        answer = self.get(f"/observe/data/{name}.csv{query}", headers={"cookie": cookie})
        assert answer.status == 200, answer.text
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        return list(csv.DictReader(io.StringIO(answer.text)))

    def now(self) -> int:
        return self.market.counter.now()


def scope(method: str, path: str, key: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """What a server tells an ASGI app of a request."""
    path, _, query = path.partition("?")
    named = {"host": HOST, **headers}
    if key:
        named["authorization"] = f"Bearer {key}"
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in named.items() if value],
        "client": ("127.0.0.1", 1),
        "server": (HOST, 80),
    }
