"""Crash: kill -9 a served market under load, again and again, and look at what is left.

Rule: every round starts on what the last one left, in one data directory.
Invariant: whatever a client was told is on the disk; no hold outlives its process; a
stream that was cut is charged for no more than its provider had sent.
Worked number: a stream of 20 ms a token, killed after 3 s, has sent 150 tokens and is
charged for the 100 of its last checkpoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from msgspec import Struct

from allmende.lab.caller import Told, chat
from allmende.lab.inspector import Inspector
from allmende.lab.provider import Provider
from allmende.lab.served import Served

CALLERS = 24
PACE_S = 0.02
LOAD_S = (0.05, 3.0)
"""A round's load lasts so long, at random: checkpoints come every two seconds."""
TOLD_EVERY = 10
OPTIONS = ("--allow-private", "--no-local-model", "--no-starter")


class Tally(Struct):
    """What happened in all rounds."""

    requests: int = 0
    told: int = 0
    cut: int = 0
    charged: int = 0
    behind: int = 0
    """Tokens that a provider had sent beyond the checkpoint, at most."""

    def __str__(self) -> str:
        return (f"{self.requests} requests, {self.told} prices told and found, {self.cut} "
                f"requests cut, {self.charged} of them charged at their checkpoint, "
                f"at most {self.behind} tokens late")  # fmt: skip


class Crash:
    """A market, its provider and its callers."""

    def __init__(self, data: Path, provider: Provider, rng: Random) -> None:
        self.market = Served(data, *OPTIONS)
        self.inspector = Inspector(data)
        self.tally = Tally()
        self._provider = provider
        self._rng = rng
        self._key = ""
        self._told: list[Told] = []
        self._markers: dict[str, str] = {}
        """Receipt id -> marker of its request, while its end is not known."""

    async def round(self) -> None:
        """Start, inspect, load, kill."""
        await asyncio.to_thread(self.market.start)
        if not self._key:
            self._key = await asyncio.to_thread(furnish, self.market, self._provider.url)
        await asyncio.to_thread(self._inspect)
        running = [asyncio.create_task(self._call(n)) for n in range(CALLERS)]
        await asyncio.sleep(self._rng.uniform(*LOAD_S))
        await asyncio.to_thread(self.market.kill)
        await asyncio.gather(*running)

    async def _call(self, number: int) -> None:
        """Request after request until the market is gone; two of three are streams."""
        stream = number % 3 != 0
        told = Told("", status=200)
        while told.status:
            self.tally.requests += 1
            marker = f"q{self.tally.requests}"
            limit = self._rng.choice((1, 8, 250)) if stream else 4
            told = await chat(self.market.port, self._key, body(marker, limit, stream))
            assert told.status in (0, 200), f"refused: {told}"
            self._told.append(told)

    def _inspect(self) -> None:
        """What was told is there; nothing is held; who was cut was not charged too much."""
        said = self.inspector.compare(self.market)
        assert said["open_holds"] == 0, said
        assert not self.inspector.auditor.state.holds
        for told in self._told:
            self._ended(told)
        self._told.clear()

    def _ended(self, told: Told) -> None:
        receipt = self.inspector.receipts.get(told.receipt)
        if told.price is not None:
            assert receipt is not None, f"lost: {told}"
            assert receipt.price == told.price, f"{told}, but the journal says {receipt.price}"
            self.tally.told += 1
        elif told.receipt:
            assert receipt or told.receipt in self.inspector.voided, f"no end: {told}"
            self.tally.cut += 1
        if receipt is not None:
            sent = self._provider.sent[told.marker]
            assert receipt.units.output <= sent, f"{receipt.units} charged of {sent} sent"
            if receipt.outcome == "crash":
                self.tally.charged += 1
                self.tally.behind = max(self.tally.behind, sent - receipt.units.output)

    async def close(self) -> str:
        """One last start, an orderly stop, and all of history audited: the digest."""
        await asyncio.to_thread(self.market.start)
        await asyncio.to_thread(self._inspect)
        await asyncio.to_thread(self.market.stop)
        return await asyncio.to_thread(self.inspector.close)


def furnish(market: Served, url: str, limit: str | None = None, capacity: int = 1_000) -> str:
    """A payer, a host, and an offer whose output alone has a price: the payer's key."""
    for id_, kind in (("payer", "organisation"), ("host", "provider")):
        market.ask("add_member", {"id": id_, "name": id_, "kind": kind})
    market.ask("deposit", {"member": "payer", "amount": "1000000", "reference": "all of it"})
    market.ask("add_budget", {"id": "b", "name": "Budget", "owner": "payer", "limit": limit})
    market.ask("register_title", {"id": "word", "owner": "host", "kind": "model", "name": "Word"})
    offer = {
        "id": "word", "provider": "host", "title": "word", "model": "word", "asset": "credit",
        "tariff": {"input": "0", "output": "1"}, "zone": {"country": "DEU"}, "url": url,
        "allow_private": True, "capacity": capacity,
    }  # fmt: skip
    market.ask("post_offer", offer)
    key = market.ask("issue_key", {"id": "k", "member": "payer", "role": "spend", "budget": "b"})
    return str(key["secret"])


def body(marker: str, limit: int, stream: bool) -> dict[str, Any]:
    """A chat of so many tokens, whose provider will know it by its marker."""
    messages = [{"role": "user", "content": "Say it."}]
    fields = {"model": "word", "messages": messages, "max_tokens": limit, "user": marker}
    return {**fields, "stream": True} if stream else fields


def main(rounds: int = 200, echo: Callable[[str], None] = print, seed: int = 0) -> int:
    """Kill and restart so often: 0 if all that must hold held, else 1 and what did not."""
    with TemporaryDirectory(prefix="allmende-crash-") as folder:
        try:
            return asyncio.run(_main(Path(folder), rounds, echo, seed))
        except AssertionError as wrong:
            echo(f"FAILED: {wrong}")
            return 1


async def _main(data: Path, rounds: int, echo: Callable[[str], None], seed: int) -> int:
    async with Provider(pace_s=PACE_S) as provider:
        crash = Crash(data, provider, Random(seed))
        try:
            for number in range(1, rounds + 1):
                await crash.round()
                if number % TOLD_EVERY == 0 or number == rounds:
                    echo(f"{number} of {rounds} kills: {crash.tally}")
            digest = await crash.close()
        finally:
            crash.market.kill()
    events = len(crash.inspector.auditor.events)
    echo(
        f"No receipt lost and no hold left after {rounds} kills; the invariants hold after "
        f"each of {events} events;\naudit, replay and the market agree on {digest[:16]}."
    )
    return 0
