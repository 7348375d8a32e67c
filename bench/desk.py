"""Desk: durable pairs a second, the start with a million events, memory over a million receipts.

Rule: each run is a process of its own on a fresh directory on disk, with both cores free
to it; the desk's event loop and its writer's thread share one interpreter.
Invariant: what is timed as a start is a whole process: interpreter, imports and replay.
Worked number: half a million receipts are a million events.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench import machine
from bench.desk_run import IN_FLIGHT, Told
from bench.peers.base import ENV
from bench.results import DeskResults

WORK = ENV / "work" / "desk"
START_EVENTS = 1_095_000
"""A million, and then just short of the next snapshot: the slowest moment to have crashed."""
PAIRS_S = 5.0
Say = Callable[[str], None]


def measure(
    date: str, command: str, commit: str, receipts: int, rounds: int, say: Say
) -> DeskResults:
    """All of the desk's table. About three minutes for a million receipts."""
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    found = DeskResults(
        date=date,
        command=command,
        commit=commit,
        machine=machine.machine(),
        fdatasync_us=machine.fdatasync_us(),
    )
    _pairs(found, rounds, say)
    _exchange(found, rounds, say)
    _starts(found, min(START_EVENTS, 2 * receipts), say)
    _memory(found, receipts, say)
    shutil.rmtree(WORK, ignore_errors=True)
    return found


def _pairs(found: DeskResults, rounds: int, say: Say) -> None:
    runs = []
    for number in range(rounds):
        told, _ = _run("pairs", _fresh("pairs"), PAIRS_S)
        runs.append(told)
        rate = told.pairs / told.seconds
        found.pairs_per_s_all.append(rate)
        say(f"pairs {number + 1}/{rounds}: {rate:,.0f}/s, p99 {told.p99_ms:.2f} ms")
    found.pairs_per_s = statistics.median(found.pairs_per_s_all)
    found.pair_p50_ms = statistics.median(run.p50_ms for run in runs)
    found.pair_p99_ms = statistics.median(run.p99_ms for run in runs)
    found.notes.append(f"Pairs: {IN_FLIGHT} in flight, {PAIRS_S:g} s after 1 s, budgets 3 deep.")


def _exchange(found: DeskResults, rounds: int, say: Say) -> None:
    """Orders, and pairs that lots pay for, in turns with as many that credit pays for."""
    orders, rights, credit = [], [], []
    for number in range(rounds):
        for what, rates, each in (
            ("orders", orders, 2),
            ("rights", rights, 1),
            ("pairs", credit, 1),
        ):
            told, _ = _run(what, _fresh(what), PAIRS_S)
            rates.append(each * told.pairs / told.seconds)
        say(
            f"exchange {number + 1}/{rounds}: {orders[-1]:,.0f} orders/s; pairs by rights "
            f"{rights[-1]:,.0f}/s, by credit {credit[-1]:,.0f}/s"
        )
    found.orders_per_s = statistics.median(orders)
    found.rights_per_s = statistics.median(rights)
    found.rights_to_credit = found.rights_per_s / statistics.median(credit)


def _starts(found: DeskResults, events: int, say: Say) -> None:
    """Grow a journal, end it as a crash would, and start on it three times each way."""
    folder = _fresh("start")
    grown, _ = _run("grow", folder, events // 2)
    found.start_events = grown.events
    crashed = folder.with_name("crashed")
    found.start_s = statistics.median(_started(folder, crashed) for _ in range(3))
    _forget_snapshots(folder)
    found.start_without_snapshot_s = _started(folder, crashed)
    say(
        f"start with {found.start_events:,} events: {found.start_s:.2f} s, without a "
        f"snapshot {found.start_without_snapshot_s:.2f} s"
    )
    found.notes.append(
        "A start is a whole process after a crash: interpreter, imports, latest snapshot, "
        "replay of what came after it."
    )


def _started(folder: Path, copy: Path) -> float:
    """Seconds from spawn to a desk that takes commands; the folder itself stays as it is."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    _, seconds = _run("start", copy, 0)
    return seconds


def _forget_snapshots(folder: Path) -> None:
    with sqlite3.connect(folder / "journal.sqlite") as journal:
        journal.execute("DELETE FROM snapshots")


def _memory(found: DeskResults, receipts: int, say: Say) -> None:
    folder = _fresh("memory")
    told, _ = _run("grow", folder, receipts)
    found.memory_mb = {f"{mark:,}": size for mark, size in told.memory_mb.items()}
    found.journal_mb = sum(file.stat().st_size for file in folder.iterdir()) / 2**20
    rate = told.pairs / told.seconds
    say(f"memory: {', '.join(f'{k}: {v:.0f} MB' for k, v in found.memory_mb.items())}")
    found.notes.append(
        f"{receipts:,} receipts were written at {rate:,.0f}/s and are {told.events:,} events, "
        f"{found.journal_mb:,.0f} MB of journal on disk."
    )


def _run(what: str, folder: Path, amount: float) -> tuple[Told, float]:
    """One run in its own process, and its wall time in seconds."""
    command = [sys.executable, "-m", "bench.desk_run", what, str(folder), str(amount)]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, timeout=3600)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{what} failed: {done.stderr.decode()[-500:]}")
    return msgspec.json.decode(done.stdout, type=Told), seconds


def _fresh(name: str) -> Path:
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
