"""Our matchers on the stated flow: `python -m bench.matching_run WHAT FOLDER`.

Rule: `flow` writes the events and what they must trade into the folder; every other word
measures one matcher on them, in a process of its own, and prints one line of JSON.
Invariant: as for the peers, only the calls are timed, and the outcome is compared.
Worked number: `kernel 10` hands a million events over in 100,000 calls.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from allmende.lab.matching import flow
from allmende.lab.matching.auction import Auction
from allmende.lab.matching.kernel import EVENT, TRADE, Book
from allmende.lab.matching.oracle import Oracle
from allmende.lab.matching.terms import TICKS

EVENTS = 1_000_000
RESTING = 10_000
CALLS = 200_000
SIDE = 100_000
"""Orders on each side of the call."""
WIDTH = 200
"""Ticks that both sides are spread over, evenly; about half of the orders trade."""


class Told(Struct):
    """`seconds` for all events; `same` says whether the trades were the expected ones."""

    seconds: float
    same: bool
    p50_us: float = 0.0
    p99_us: float = 0.0


def write(folder: Path) -> None:
    """The flow, and what the oracle trades on it."""
    events = flow.stated(EVENTS, RESTING)
    trades = Oracle(len(events)).submit(events.tolist())
    np.save(folder / "flow.npy", events)
    np.save(folder / "trades.npy", np.array(trades, TRADE))


def oracle(events: Any, batch: int) -> tuple[float, list[Any]]:
    book = Oracle(len(events))
    rows = events.tolist()
    trades = book.submit(rows[:RESTING])
    seconds, told = _timed(book.submit, _split(rows[RESTING:], batch))
    return seconds, trades + [trade for part in told for trade in part]


def kernel(events: Any, batch: int) -> tuple[float, list[Any]]:
    """Its answer is a view that lasts until the next call, so a second run looks at it."""
    batches = _split(events[RESTING:], batch)
    timed = Book(len(events), batch=max(batch, RESTING))
    timed.submit(events[:RESTING])
    seconds, _ = _timed(timed.submit, batches)
    book = Book(len(events), batch=RESTING)
    trades = book.submit(events[:RESTING]).tolist()
    for part in batches:
        trades += book.submit(part).tolist()
    return seconds, trades


def _split(rows: Any, batch: int) -> list[Any]:
    return [rows[at : at + batch] for at in range(0, len(rows), batch)]


def _timed(submit: Callable[[Any], Any], batches: Sequence[Any]) -> tuple[float, list[Any]]:
    """Seconds of CPU, and all answers."""
    gc.collect()
    began = time.process_time()
    told = [submit(batch) for batch in batches]
    return time.process_time() - began, told


def calls(events: Any) -> tuple[float, float]:
    """Median and 99th percentile of one call with one event, in microseconds of wall time."""
    book = Book(len(events), batch=RESTING)
    book.submit(events[:RESTING])
    took = []
    now = time.perf_counter_ns
    for one in _split(events[RESTING : RESTING + CALLS], 1):
        began = now()
        book.submit(one)
        took.append(now() - began)
    took.sort()
    return took[len(took) // 2] / 1000, took[len(took) * 99 // 100] / 1000


def auction(times: int = 200) -> Told:
    """Median seconds of one call with SIDE orders a side, all fills included."""
    chance = np.random.default_rng(1)
    bids, asks = flow.orders(chance, SIDE, WIDTH), flow.orders(chance, SIDE, WIDTH)
    memory = Auction(SIDE)
    took = []
    for _ in range(times):
        began = time.perf_counter()
        found = memory.uncross(bids, asks, TICKS // 2)
        took.append(time.perf_counter() - began)
    assert found is not None
    whole = int(found.fills["grains"].sum()) == found.grains
    return Told(sorted(took[1:])[times // 2], whole)


def main(what: str, folder: str = "", batch: str = "1000") -> None:
    if what == "flow":
        write(Path(folder))
        return
    if what == "auction":
        told = auction()
    else:
        events = np.load(Path(folder, "flow.npy")).astype(EVENT)
        expected = np.load(Path(folder, "trades.npy")).tolist()
        kernel(events[:RESTING], RESTING)  # compiles, or loads what was compiled
        seconds, trades = (oracle if what == "oracle" else kernel)(events, int(batch))
        told = Told(seconds, trades == expected)
        if (what, batch) == ("kernel", "1"):
            told.p50_us, told.p99_us = calls(events)
    print(msgspec.json.encode(told).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
