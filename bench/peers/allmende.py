"""Allmende itself, with everything on: key, policy, budgets, hold, capture, durable receipt.

Rule: set up once through its HTTP API as an operator would; every start gets a fresh copy
of that data directory, so that no round pays for the one before it.
Invariant: the budget of the key stands two budgets deep below a root, and all have limits.
Worked number: 200 input tokens at 0.15 and 178 output tokens at 0.60 credits per million
are 136_800_000 pico-credits a request, split by the title's waterfall.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import procs
from bench.peers.base import BENCH, NotRun, Peer, run

_COMMAND = Path(sys.executable).parent / "allmende"
_SERVE = ("--host", "127.0.0.1", "--no-local-model", "--no-starter", "--allow-private")
_LOTS = "100000"
_KEY = re.compile(r"alm_[\w-]+")


class Allmende(Peer):
    """Without a vocabulary: the provider's usage is charged within the hold."""

    name = "allmende"
    title = "Allmende"
    role = (
        "full accounting: key, policy, budget tree of depth 3, hold, capture, waterfall, receipt "
        "durable and signed before its client is told; no vocabulary, so no recount"
    )
    vocabulary = ""

    def __init__(self) -> None:
        self.version = version("allmende")
        self.key = ""

    @property
    def data(self) -> Path:
        return self.work / "data"

    @property
    def seed(self) -> Path:
        return self.work / "seed"

    def installed(self) -> bool:
        return _COMMAND.exists()

    def install(self) -> None:
        run([sys.executable, "-m", "pip", "install", "--quiet", "-e", str(BENCH.parent)])

    def prepare(self, upstream: str) -> None:
        """Set a market up through its API, and keep its data directory as the seed."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.seed.mkdir(parents=True)
        port = procs.free_port()
        process = self.start(0, port, upstream)
        try:
            procs.await_port(port, 60)
            self._found(Market(port, self._operator_key()), upstream)
        finally:
            procs.stop(process)
        shutil.rmtree(self.seed)
        shutil.copytree(self.data, self.seed)

    def _operator_key(self) -> str:
        """It is printed once, on standard output, when the market opens."""
        until = time.monotonic() + 5
        while time.monotonic() < until:
            if found := _KEY.search((self.work / "log").read_text()):
                return found[0]
            time.sleep(0.05)
        raise NotRun("it printed no administrator's key")

    def _found(self, market: Market, upstream: str) -> None:
        """One organisation with money and budgets, one provider with one title and offer."""
        market.ask("add_member", id="uni", name="University", kind="organisation")
        market.ask("add_member", id="host", name="Host", kind="provider")
        market.ask("deposit", member="uni", amount="1000000", reference="bench")
        market.ask("add_budget", id="uni", name="All", owner="uni", limit="900000")
        market.ask("add_budget", id="faculty", name="Faculty", parent="uni", limit="800000")
        market.ask("add_budget", id="lab", name="Lab", parent="faculty", limit="700000")
        told = market.ask("issue_key", member="uni", role="spend", budget="lab")
        self.key = told["secret"]
        shares = [{"role": "author", "account": "host", "ppm": 100_000}]
        title = {"id": "bench", "owner": "host", "kind": "model", "name": "Bench"}
        market.ask("register_title", waterfall=shares, **title)
        market.ask(
            "post_offer",
            id="bench",
            provider="host",
            title="bench",
            model="bench",
            url=f"{upstream}/v1",
            allow_private=True,
            tariff={"input": "0.15", "output": "0.60"},
            zone={"country": "DEU"},
            capacity=10_000,
            vocabulary=self.vocabulary,
        )

    def start(self, core: int, port: int, upstream: str) -> subprocess.Popen[bytes]:
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(self.seed, self.data)
        return super().start(core, port, upstream)

    def command(self, port: int, upstream: str) -> Sequence[str]:
        return [str(_COMMAND), "serve", "--data", str(self.data), "--port", str(port), *_SERVE]

    def env(self, upstream: str) -> Mapping[str, str]:
        return {"PYTHONUNBUFFERED": "1"}

    def headers(self, upstream: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}


class AllmendeRecounting(Allmende):
    """The same, and every answer is counted again with OpenAI's o200k vocabulary."""

    name = "allmende-o200k"
    title = "Allmende, recounting"
    role = "the same, and every prompt and answer is counted again with o200k"
    vocabulary = "o200k_base"


class AllmendeRights(Allmende):
    """The same, and lots bought beforehand pay for every request."""

    name = "allmende-rights"
    title = "Allmende, paid with rights"
    role = "the same as the first, and rights to the model's tokens pay instead of credit"

    def _found(self, market: Market, upstream: str) -> None:
        super()._found(market, upstream)
        now = datetime.now(UTC)
        window = {"start": now.isoformat(), "end": (now + timedelta(days=30)).isoformat()}
        lots = {"instrument": "lots", "lots": _LOTS, "price": "0.15"}
        market.ask("set_parameter", name="call_seconds", value=0)
        market.ask("set_tier", member="uni", tier=2)
        market.ask("deposit", member="host", amount="1000000", reference="bond")
        terms = {"offer": "bench", "capacity": _LOTS, "price": "0.15", "step": "0.01"}
        market.ask("list_instrument", id="lots", name="Bench", tick="0.01", **window, **terms)
        market.ask("mint_lots", instrument="lots", lots=_LOTS)
        market.ask("place_order", account="host", side="sell", **lots)
        market.ask("place_order", account="uni", side="buy", **lots)


class Market:
    """The running market's API below /api/, with one key."""

    def __init__(self, port: int, key: str) -> None:
        self._base = f"http://127.0.0.1:{port}/api/"
        self._head = {"authorization": f"Bearer {key}", "content-type": "application/json"}

    def ask(self, command: str, **fields: Any) -> dict[str, Any]:
        """Do one command. Raises NotRun with the market's own words if it refuses."""
        body = json.dumps(fields).encode()
        request = urllib.request.Request(self._base + command, body, self._head)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                told: dict[str, Any] = json.load(answer)
                return told
        except urllib.error.HTTPError as refusal:
            raise NotRun(f"{command}: {refusal.read().decode()[:300]}") from None
