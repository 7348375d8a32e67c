"""Stage: the demo's market, its people and their keys.

Rule: what a scene needs is asked of the market through its API, with the key of whoever
would do it.
Invariant: balances are shown before and after whatever moves them.
Worked number: the university starts with 5 credits; an answer of 40 tokens costs about
0.00002 of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from openai import OpenAI

from allmende.core.nouns import Receipt
from allmende.core.units import credits, pico
from allmende.lab.model_server import ModelServer
from allmende.lab.served import Refusal, Served
from allmende.lab.telling import Teller

CHAT = "smollm2-135m-instruct"
EMBED = "smollm2-135m-embed"
WAIT_S = 30.0
HEADER = "x-allmende-receipt"


class Stage:
    """A served market with a teller."""

    def __init__(self, market: Served, model: ModelServer, tell: Teller) -> None:
        self.market = market
        self.model = model
        """What the demo's hosts run: the market's own copy asks for a key."""
        self.tell = tell
        self.keys: dict[str, str] = {}
        self._clients: dict[str, OpenAI] = {}
        self.digest = ""
        self.files: dict[str, bytes] = {}

    def ask(self, command: str, **fields: object) -> Any:
        return self.market.ask(command, fields)

    def key(self, name: str, budget: str, **more: object) -> str:
        """A spending key of the university's, remembered under its name."""
        fields = {"id": name, "member": "university", "role": "spend", "budget": budget, **more}
        self.keys[name] = str(self.market.ask("issue_key", fields)["secret"])
        return self.keys[name]

    def client(self, name: str) -> OpenAI:
        """The real `openai` client, with a key and a base URL and nothing else."""
        if name not in self._clients:
            url, key = f"{self.market.url}/v1", self.keys[name]
            self._clients[name] = OpenAI(base_url=url, api_key=key, max_retries=0)
        return self._clients[name]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def local_offer(self, model: str) -> dict[str, Any]:
        """The market's own offer of a model, once its process answers. RuntimeError if never."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            for row in self.market.get("offers"):
                if row["model"] == model:
                    return dict(row)
            time.sleep(0.1)
        raise RuntimeError(f"no local model came up:\n{self.market.log()}")

    def receipt(self, id_: str) -> Receipt:
        """A receipt once it is final, from the market's own file."""
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                data = self.market.fetch(f"receipts/{id_}")
            except Refusal as no:
                if no.status != 404:
                    raise
            else:
                found = msgspec.json.decode(
                    json.dumps(json.loads(data)["receipt"]).encode(), type=Receipt
                )
                if found.verdict != "pending":
                    self.files[id_] = data
                    return found
            if time.monotonic() > deadline:
                raise RuntimeError(f"receipt {id_} never became final")
            time.sleep(0.1)

    def show(self, id_: str) -> Receipt:
        found = self.receipt(id_)
        self.tell.receipt(found)
        return found

    def balances(self) -> dict[str, int]:
        """account -> pico-credits of market credit."""
        rows = self.market.get("balances")
        return {row["account"]: pico(row["balance"]) for row in rows if row["asset"] == "credit"}

    @contextmanager
    def moved(self) -> Iterator[None]:
        """Say what each account had before and has after the block."""
        before = self.balances()
        yield
        after = self.balances()
        names = [n for n in after if after[n] != before.get(n, 0) and not n.startswith("issuer/")]
        for name in sorted(names):
            was, now = before.get(name, 0), after[name]
            sign = "+" if now > was else ""
            self.tell.say(f"{name}: {credits(was)} → {credits(now)}  ({sign}{credits(now - was)})")
