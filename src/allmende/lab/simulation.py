"""Simulation: whole markets under a virtual clock, with faults, each from one seed.

Rule: every event on the disk is folded and checked by an auditor that has the disk alone.
Invariant: a seed that failed fails again; it then gets a name in tests/test_lab_simulation.py.
Worked number: run(7) makes some 400 events and cuts the power about ten times, in a
tenth of a second.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from random import Random

from msgspec import Struct, field

from allmende.core import events as e
from allmende.lab.rig import Rig
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
    events: int = 0
    receipts: int = 0
    starts: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    digest: str = ""
    failure: str = ""


def run(seed: int, steps: int = STEPS) -> Report:
    """One market's life. Never raises: what goes wrong is in the report."""
    rig = Rig()
    report = Report(seed)
    try:
        life = _live(rig, Random(seed), steps)
        report.digest = asyncio.run(asyncio.wait_for(life, HANGS_S))
    except Exception:  # noqa: BLE001 - whatever it is, the seed must be told
        report.failure = traceback.format_exc()
    events = rig.auditor.events
    report.events = len(events)
    report.receipts = sum(isinstance(event, e.Captured) for event in events)
    report.starts = rig.starts
    report.refused = dict(rig.refused)
    return report


async def _live(rig: Rig, rng: Random, steps: int) -> str:
    try:
        await rig.start()
        traffic = Traffic(rig, rng)
        await traffic.found()
        for step in range(steps):
            await traffic.step()
            if step % AUDIT_STEPS == 0:
                rig.audit()
        return await rig.finish()
    finally:
        await rig.cut()  # in a failed run it still has its power


def simulate(seeds: Iterable[int], steps: int = STEPS) -> Iterator[Report]:
    """Reports of many seeds as they come, in order, from two processes."""
    with ProcessPoolExecutor(PROCESSES) as pool:
        yield from pool.map(run, seeds, _forever(steps), chunksize=CHUNK)


def _forever(steps: int) -> Iterator[int]:
    while True:
        yield steps


def main(seeds: int, start: int = 0, echo: Callable[[str], None] = print) -> int:
    """Run seeds `start` to `start + seeds - 1`, say how it goes: 0 if all went well, else 1."""
    failures: list[Report] = []
    events = receipts = starts = 0
    for done, report in enumerate(simulate(range(start, start + seeds)), 1):
        events += report.events
        receipts += report.receipts
        starts += report.starts
        if report.failure:
            failures.append(report)
            echo(f"seed {report.seed} failed: {report.failure.strip().splitlines()[-1]}")
        if done % TOLD_EVERY == 0 or done == seeds:
            echo(f"{done} of {seeds} markets: {events} events, {receipts} receipts, "
                 f"{starts} starts, {len(failures)} failed")  # fmt: skip
    if failures:
        for report in failures[:FAILURES_SHOWN]:
            echo(f"\nseed {report.seed}:\n{report.failure}")
        echo(f"Failed seeds: {', '.join(str(report.seed) for report in failures)}")
        return 1
    echo(f"Audit and replay agree for all {seeds} markets, after each of {events} events.")
    return 0
