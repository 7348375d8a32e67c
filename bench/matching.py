"""Matching: our books and others' on one stated flow, and a call auction, side by side.

Rule: each measurement is a process of its own on one core; rounds visit everybody in turn.
Others' books come from PyPI at pinned versions into bench/.env/matching, or are not run and
the results say why.
Invariant: a rate stands only where the outcome was the oracle's in every round.
Worked number: medians of three rounds of 46, 44 and 47 million a second are told as 46.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, field

from bench import machine
from bench.peers.base import BENCH, ENV, NotRun, PythonPeer

EVENTS, RESTING, SIDE = 1_000_000, 10_000, 100_000
"""As in matching_run, which needs the extra `lab` and is therefore not imported here."""
Say = Callable[[str], None]


class Matcher(Struct, frozen=True):
    """A row of the table; `words` are what its process is started with."""

    name: str
    words: tuple[str, ...]
    goal: str = "-"
    note: str = ""
    package: str = ""


MATCHERS = (
    Matcher("kernel, 1,000,000 events a call", ("kernel", "1000000"), "20"),
    Matcher("kernel, 1,000 a call", ("kernel", "1000"), "20"),
    Matcher("kernel, 100 a call", ("kernel", "100")),
    Matcher("kernel, 10 a call", ("kernel", "10"), "5"),
    Matcher("kernel, 1 a call", ("kernel", "1")),
    Matcher("oracle, pure Python, all in one call", ("oracle", "1000000"), "1.2"),
    Matcher("oracle, 1 a call", ("oracle", "1")),
    Matcher("bourse", ("bourse",), note="its clock is moved with every event, or it drops orders",
            package="bourse==0.4.0"),
    Matcher("nautilus_trader, L3 book", ("nautilus_trader",),
            note="matches nothing: it is told what each trade took away",
            package="nautilus_trader==1.221.0"),
    Matcher("limit-order-book", ("limit_order_book",), note="does not tell its trades",
            package="limit-order-book==2.0.0"),
    Matcher("liquibook, nobody listening", ("liquibook_deaf",), note="tells no trades",
            package="liquibook==2.0.1"),
    Matcher("liquibook, with a listener", ("liquibook",), note="calls back for every order",
            package="liquibook==2.0.1"),
    Matcher("lightmatchingengine", ("lightmatchingengine",), note="pure Python",
            package="lightmatchingengine==2019.1.4"),
)  # fmt: skip


class Told(Struct):
    """What one process says; ours add the time of one call, in microseconds."""

    seconds: float
    same: bool
    p50_us: float = 0.0
    p99_us: float = 0.0


class Row(Struct):
    """Events a second in each round, and why there are none."""

    matcher: Matcher
    rates: list[float] = field(default_factory=list)
    same: bool = True
    why_not: str = ""


class MatchingResults(Struct):
    date: str
    command: str
    commit: str
    machine: machine.Machine
    rounds: int
    rows: list[Row] = field(default_factory=list)
    call_p50_us: float = 0.0
    call_p99_us: float = 0.0
    """Of one call of the kernel with one event."""
    auction_per_s: float = 0.0
    """Orders of both sides, fills included."""


class Books(PythonPeer):
    """All other books in one environment of their own."""

    name = "matching"
    title = "order books"
    package = " ".join(sorted({each.package for each in MATCHERS if each.package}))

    def fetch(self) -> None:
        """One after the other, so that one that cannot be fetched does not keep out the rest."""
        failed = ""
        for package in self.package.split():
            try:
                self.pip("install", package)
            except NotRun as why:
                failed = str(why)
        if failed:
            raise NotRun(failed)


def measure(date: str, command: str, commit: str, rounds: int, say: Say) -> MatchingResults:
    """The whole table. About a minute a round, half of it lightmatchingengine's."""
    setup(say)
    folder = ENV / "work" / "matching"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    found = MatchingResults(date, command, commit, machine.machine(), rounds)
    found.rows = [Row(matcher) for matcher in MATCHERS]
    _run([sys.executable, "-m", "bench.matching_run", "flow", str(folder)])
    auctions, p50s, p99s = [], [], []
    for number in range(rounds):
        for row in found.rows:
            told = _visit(row, folder)
            if told and told.p99_us:
                p50s.append(told.p50_us)
                p99s.append(told.p99_us)
        auctions.append(2 * SIDE / _ours("auction").seconds)
        brief = f"auction {auctions[-1] / 1e6:.0f}, {_brief(found)}"
        say(f"matching {number + 1}/{rounds}, M/s: {brief}")
    found.auction_per_s = statistics.median(auctions)
    found.call_p50_us = statistics.median(p50s)
    found.call_p99_us = statistics.median(p99s)
    shutil.rmtree(folder)
    return found


def setup(say: Say) -> None:
    """Fetch the others' books. What cannot be fetched is told, and then not run."""
    books = Books()
    if books.installed():
        return
    say("installing others' order books")
    try:
        books.install()
    except NotRun as why:
        say(str(why))


def _visit(row: Row, folder: Path) -> Told | None:
    """One round of one matcher, into its row."""
    if row.why_not:
        return None
    name, *batch = row.matcher.words
    try:
        told = _theirs(name, folder) if row.matcher.package else _ours(name, str(folder), *batch)
    except NotRun as why:
        row.why_not = str(why)
        return None
    row.rates.append(EVENTS / told.seconds)
    row.same = row.same and told.same
    return told


def _ours(*words: str) -> Told:
    told = _run([sys.executable, "-m", "bench.matching_run", *words])
    return msgspec.json.decode(told, type=Told)


def _theirs(name: str, folder: Path) -> Told:
    script, files = BENCH / "matching_peers.py", (folder / "flow.npy", folder / "trades.npy")
    told = _run([Books().bin("python"), *map(str, (script, name, *files, RESTING))])
    return msgspec.json.decode(told, type=Told)


def _run(command: Sequence[str]) -> bytes:
    """A process on the last core, to its end. Raises NotRun with its last line."""
    core = (os.cpu_count() or 1) - 1
    pinned = ["taskset", "--cpu-list", str(core), *command]
    done = subprocess.run(pinned, cwd=BENCH.parent, capture_output=True, timeout=900)
    if done.returncode:
        raise NotRun((done.stderr.decode().strip().splitlines() or ["it died"])[-1][-300:])
    return done.stdout


def _brief(found: MatchingResults) -> str:
    last = ((row.matcher.words, row.rates[-1]) for row in found.rows if row.rates)
    return ", ".join(f"{' '.join(words)} {rate / 1e6:.2f}" for words, rate in last)
