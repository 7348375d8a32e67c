"""Limits: ten thousand requests under faults, and readers who see whether a limit was ever passed.

Rule: one market, one seed, power cuts, lying providers, late and repeated commands; carbon caps and
sovereignty floors come and go. What may never be passed is read from the disk alone, by readers
that share no code with what decided.
Invariant: no reader ever finds a limit passed; each says how often it could have been.
Worked number: seed 1 asks 10_005 times; caps let 962 requests in and refuse 2_008, floors let 361
in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from msgspec import Struct, field

from allmende.core import events as e
from allmende.core.units import Amount
from allmende.lab import model_carbon, model_floors
from allmende.lab.rig import Rig
from allmende.lab.traffic import Traffic

REQUESTS = 10_000
AUDIT_STEPS = 200


class Outcome(Struct):
    """What became of one market: how many asked, were served and refused, and why."""

    seed: int
    asked: int = 0
    reserved: int = 0
    receipts: int = 0
    starts: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    under_caps: int = 0
    under_floors: int = 0
    """Requests that were let in where a limit could have refused them."""
    lost: int = 0
    """Requests that only a cap refused."""
    worth: Amount = 0
    """Pico-credits that those would have held at worst, where an offer would have done."""


def run(seed: int, requests: int = REQUESTS) -> Outcome:
    """One market until `requests` have asked. AssertionError if a limit was passed, or worse."""
    rig = Rig()
    crowd = Traffic(rig, Random(f"limits {seed}"))
    crowd.cap(Random(f"cap {seed}"))
    crowd.guard(Random(f"guard {seed}"))
    asyncio.run(_live(rig, crowd, requests))
    events = rig.auditor.events
    caps = model_carbon.audit(line for frame in rig.disk.frames for line in frame.body.splitlines())
    floors = model_floors.inspect(events, crowd.asked)
    assert not floors.breaches, f"below the floor: {floors.breaches}"
    lost, worth = rig.lost
    return Outcome(
        seed,
        asked=len(crowd.asked),
        reserved=sum(isinstance(event, e.Reserved) for event in events),
        receipts=sum(isinstance(event, e.Captured) for event in events),
        starts=rig.starts,
        refused=dict(rig.refused),
        under_caps=caps.let_in,
        under_floors=floors.judged,
        lost=lost,
        worth=worth,
    )


async def _live(rig: Rig, crowd: Traffic, requests: int) -> None:
    try:
        await rig.start()
        await crowd.found()
        step = 0
        while len(crowd.asked) < requests:
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
    echo(
        f"{out.asked} requests under limits, {out.starts} starts: none was passed. Let in under "
        f"caps {out.under_caps}, under floors {out.under_floors}; refused by caps {out.lost}."
    )
    return 0
