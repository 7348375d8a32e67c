"""The observatory's report over ten million receipts: seconds, memory, and what bounds it.

Rule: the receipts are synthetic, made in DuckDB from a seed, as an export's files are: columns,
types, a file a month, 40 million payments. The report runs in a process of its own, whose peak
memory the kernel tells; its sums are compared with those that the receipts were made with.
Invariant: a run whose sums differ is kept as such, and has no time in the table.
Worked number: 10,000,000 receipts at 4 payments each are 12 files of 3.3 million payments.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.machine import Machine, machine

SEED = 20_261_121
GOAL_S, GOAL_GB = 60, 4


class Told(Struct):
    """What the measured process says of itself."""

    seconds: float = 0.0
    peak_mb: float = 0.0
    same: bool = False
    receipts: int = 0
    payments: int = 0
    megabytes: float = 0.0
    """Of all files."""
    read_s: float = 0.0
    """To read their bytes, once they are in the page cache."""
    scan_s: float = 0.0
    """For DuckDB to decode the columns that the report needs, and add one up."""


class ObservatoryResults(Struct):
    date: str
    command: str
    commit: str
    machine: Machine
    receipts: int
    memory_limit: str
    runs: list[Told]
    load_before: float = 0.0
    """Processes that wanted a core in the minute before."""


def measure(
    date: str, command: str, commit: str, receipts: int, rounds: int, say: Callable[[str], None]
) -> ObservatoryResults:
    limit = "2GB"
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="bench-observatory-") as folder:
        say(f"making {receipts:,} receipts")
        _run("make", folder, str(receipts), str(SEED))
        runs = []
        for number in range(rounds):
            say(f"report {number + 1} of {rounds}")
            runs.append(msgspec.json.decode(_run("report", folder, limit), type=Told))
    return ObservatoryResults(date, command, commit, machine(), receipts, limit, runs, load)


def _run(*words: str) -> bytes:
    command = [sys.executable, "-m", "bench.observatory_run", *words]
    here = Path(__file__).parent.parent
    return subprocess.run(command, cwd=here, check=True, stdout=subprocess.PIPE).stdout


def section(found: ObservatoryResults, where: str) -> list[str]:
    """The part of RESULTS.md."""
    best = [run for run in found.runs if run.same]
    rows = [
        ["report over Parquet", "measured", "goal"],
        ["---"] * 3,
        ["receipts", f"{found.receipts:,}", "10,000,000"],
        ["seconds, each run", _each(found.runs, lambda r: f"{r.seconds:.1f}"), f"{GOAL_S}"],
        ["peak RSS, MB", _each(found.runs, lambda r: f"{r.peak_mb:,.0f}"), f"{GOAL_GB * 1024:,}"],
        ["reading the bytes from the page cache, s", _each(best, lambda r: f"{r.read_s:.2f}"), "-"],
        ["decoding the columns it needs, s", _each(best, lambda r: f"{r.scan_s:.1f}"), "-"],
    ]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    dated = (
        f"{found.date}, commit {found.commit}, `{found.command}`: DuckDB held to "
        f"{found.memory_limit} and 2 threads, a process for each run. {where}"
    )
    return ["## Observatory", dated, table, "\n".join(f"- {note}" for note in _notes(found))]


def _each(runs: list[Told], tell: Callable[[Told], str]) -> str:
    return ", ".join(tell(run) if run.same else "other sums" for run in runs) or "-"


def _notes(found: ObservatoryResults) -> list[str]:
    one = found.runs[0] if found.runs else Told()
    company = (
        f"The machine was not quiet: {found.load_before:.1f} processes wanted its cores in the "
        "minute before. A quiet one is faster; do not compare these with other runs."
    )
    return [
        f"{one.payments:,} payments; {one.megabytes:,.0f} MB of Parquet, a file a month for each "
        "of the two tables. Who earned what by role, country, model, month and account; HHI of "
        "hosts, Gini of buyers, units, and energy and carbon as ranges; sums exact and compared "
        "with those that the receipts were made with.",
        *([company] if found.load_before > 1 else []),
    ]
