"""Limits: ten thousand requests under faults, and readers who see whether a limit was ever passed.

Rule: one market, one seed, power cuts, lying providers, late and repeated commands; what members
may never pass (a carbon cap, a sovereignty floor) is read from the disk's lines alone, by readers
that share no code with the core.
Invariant: no reader ever finds a limit passed; each says how often it could have been.
Worked number: seed 1 asks 10_000 times; some 1_400 requests are let in under caps, 2_700 refused
for them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Protocol

from msgspec import Struct, field

from allmende.core import events as e
from allmende.core.units import Amount
from allmende.lab.model_carbon import Reader
from allmende.lab.rig import Rig
from allmende.lab.traffic import Traffic

REQUESTS = 10_000
AUDIT_STEPS = 200


class Watcher(Protocol):
    """Reads a journal fact by fact; raises AssertionError where a limit was passed."""

    refusable: int
    """Requests that were let in where a limit could have refused them."""

    def read(self, fact: dict[str, Any]) -> None: ...


class People(Protocol):
    """Those who set limits beside all other traffic."""

    async def step(self) -> None: ...


WATCHERS: Mapping[str, Callable[[], Watcher]] = {"carbon": Reader}
"""Limit -> its reader. A limit of another kind adds itself here, and its people in `Crowd`."""


class Outcome(Struct):
    """What became of one market: how many asked, were served and refused, and why."""

    seed: int
    asked: int = 0
    reserved: int = 0
    receipts: int = 0
    starts: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    under: dict[str, int] = field(default_factory=dict)
    """Limit -> requests let in under it."""
    lost: int = 0
    """Requests that only a cap refused."""
    worth: Amount = 0
    """Pico-credits that those would have held at worst, where an offer would have done."""


class Crowd(Traffic):
    """All the traffic of a simulation, counting who asks."""

    asked = 0

    def _request(self) -> Any:
        self.asked += 1
        return super()._request()


def run(seed: int, requests: int = REQUESTS, *, capped: bool = True) -> Outcome:
    """One market until `requests` have asked. AssertionError if a limit was passed, or worse."""
    rig = Rig()
    crowd = Crowd(rig, Random(f"limits {seed}"))
    if capped:
        crowd.cap(Random(f"cap {seed}"))
    asyncio.run(_live(rig, crowd, requests))
    out = Outcome(seed, crowd.asked, refused=dict(rig.refused), starts=rig.starts)
    out.lost, out.worth = rig.lost
    out.reserved = sum(isinstance(event, e.Reserved) for event in rig.auditor.events)
    out.receipts = sum(isinstance(event, e.Captured) for event in rig.auditor.events)
    lines = [line for frame in rig.disk.frames for line in frame.body.splitlines()]
    out.under = {name: watch(make(), lines) for name, make in WATCHERS.items()}
    return out


def watch(watcher: Watcher, lines: Sequence[bytes]) -> int:
    """Have it read everything: how many requests were let in under its limit."""
    for line in lines:
        watcher.read(json.loads(line))
    return watcher.refusable


async def _live(rig: Rig, crowd: Crowd, requests: int) -> None:
    try:
        await rig.start()
        await crowd.found()
        step = 0
        while crowd.asked < requests:
            await crowd.step()
            step += 1
            if step % AUDIT_STEPS == 0:
                rig.audit()
        await rig.finish()
    finally:
        await rig.cut()


def main(seed: int = 1, requests: int = REQUESTS, echo: Callable[[str], None] = print) -> int:
    """Run one market and say what its readers found: 0 if no limit was passed, else 1."""
    try:
        out = run(seed, requests)
    except AssertionError as error:
        echo(f"Limits, seed {seed}: {error}")
        return 1
    under = ", ".join(f"{name} {count}" for name, count in out.under.items())
    echo(f"{out.asked} requests under limits, {out.starts} starts: none was passed "
         f"(let in under: {under}; refused by carbon caps: {out.lost}).")  # fmt: skip
    return 0
