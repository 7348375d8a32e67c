"""Simulation: whole markets under a virtual clock, with faults, each from one seed.

Rule: every event on the disk is folded and checked by an auditor that has the disk alone.
Each seed is two markets: one of requests alone, and one where rights to them are traded too; in
every other pair of seeds some members have wallets, in every odd seed operators drill, in every
other four some file evidence, set floors and demand, which an inspector looks over, and in two
of three there are carbon caps.
Invariant: a seed that failed fails again; it then gets a name in tests/test_lab_simulation.py.
Worked number: run(7) makes some 400 events and cuts the power about ten times, in a
tenth of a second.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from random import Random

from msgspec import Struct, field

from allmende.core import events as e
from allmende.lab import model_floors
from allmende.lab.rig import Rig
from allmende.lab.traders import Traders
from allmende.lab.traffic import Traffic

STEPS = 300
PROCESSES = 2
CHUNK = 5
TOLD_EVERY = 50
FAILURES_SHOWN = 5
AUDIT_STEPS = 10
HANGS_S = 120.0
"""Of real time, a thousand times what a life takes: a desk that never answers is a failure."""


class Report(Struct):
    """What became of one seed; `failure` is a traceback, "" if all went well."""

    seed: int
    exchange: bool = False
    asked: int = 0
    """Requests, served or not."""
    judged: int = 0
    """Those that were served under a demand on sovereignty."""
    events: int = 0
    receipts: int = 0
    starts: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    """Kind of event -> how many."""
    digest: str = ""
    failure: str = ""

    @property
    def name(self) -> str:
        return f"{self.seed}x" if self.exchange else str(self.seed)


def run(seed: int, steps: int = STEPS, *, exchange: bool = False) -> Report:
    """One market's life. Never raises: what goes wrong is in the report."""
    rig = Rig()
    report = Report(seed, exchange)
    people = Traders if exchange else Traffic
    traffic = people(rig, Random(seed))
    if seed % 4 < 2:
        traffic.link_wallets(Random(-seed - 1))
    if seed % 2:
        traffic.drill(Random(f"drill {seed}"))
    if seed % 8 < 4:
        traffic.guard(Random(f"guard {seed}"))
    if seed % 3:
        traffic.cap(Random(f"cap {seed}"))
    try:
        life = _live(rig, traffic, steps)
        report.digest = asyncio.run(asyncio.wait_for(life, HANGS_S))
        report.judged, breaches = model_floors.inspect(rig.auditor.events, traffic.asked)
        assert not breaches, f"below the floor: {breaches}"
    except Exception:  # noqa: BLE001 - whatever it is, the seed must be told
        report.failure = traceback.format_exc()
    events = rig.auditor.events
    report.events = len(events)
    report.asked = len(traffic.asked)
    report.receipts = sum(isinstance(event, e.Captured) for event in events)
    report.starts = rig.starts
    report.refused = dict(rig.refused)
    report.told = dict(Counter(type(event).__name__ for event in events))
    return report


async def _live(rig: Rig, traffic: Traffic, steps: int) -> str:
    try:
        await rig.start()
        await traffic.found()
        for step in range(steps):
            await traffic.step()
            if step % AUDIT_STEPS == 0:
                rig.audit()
        return await rig.finish()
    finally:
        await rig.cut()  # in a failed run it still has its power


def simulate(seeds: Iterable[int], steps: int = STEPS) -> Iterator[Report]:
    """Reports as they come, in order, from two processes: each seed without and with rights."""
    lives = [(seed, steps, exchange) for seed in seeds for exchange in (False, True)]
    with ProcessPoolExecutor(PROCESSES) as pool:
        yield from pool.map(_life, lives, chunksize=CHUNK)


def _life(life: tuple[int, int, bool]) -> Report:
    seed, steps, exchange = life
    return run(seed, steps, exchange=exchange)


def main(seeds: int, start: int = 0, echo: Callable[[str], None] = print) -> int:
    """Run seeds `start` to `start + seeds - 1`, say how it goes: 0 if all went well, else 1.

    Each is two markets; the one with an exchange is told as 7x.
    """
    markets = 2 * seeds
    failures: list[Report] = []
    events = receipts = starts = 0
    for done, report in enumerate(simulate(range(start, start + seeds)), 1):
        events += report.events
        receipts += report.receipts
        starts += report.starts
        if report.failure:
            failures.append(report)
            echo(f"seed {report.name} failed: {report.failure.strip().splitlines()[-1]}")
        if done % TOLD_EVERY == 0 or done == markets:
            echo(f"{done} of {markets} markets: {events} events, {receipts} receipts, "
                 f"{starts} starts, {len(failures)} failed")  # fmt: skip
    if failures:
        for report in failures[:FAILURES_SHOWN]:
            echo(f"\nseed {report.name}:\n{report.failure}")
        echo(f"Failed seeds: {', '.join(report.name for report in failures)}")
        return 1
    echo(f"Audit and replay agree for all {markets} markets, after each of {events} events.")
    return 0
