"""The follower: a process of its own that folds the journal as it grows.

Rule: it only reads the journal; it folds until nothing is left, then waits for a nudge on
its standard input or a moment; when that input ends, its parent is gone, and so is it.
Invariant: killed at any moment, it leaves the tables at the end of some frame; the next one
goes on from there.
Worked number: idle, it looks six times a second, at 15 microseconds a look; busy, it folds
about 20_000 receipts a second, in groups of 8_192 events and 90 MB of memory.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.adapters.views_fold import fold
from allmende.adapters.views_schema import connect, connect_reader, reset

EVENTS = 8_192
IDLE_S = 0.15
GARBAGE = 100_000
"""Objects between two collections: a fold makes many, and no cycles. A tenth is saved."""
NICENESS = 5
"""Requests come first where there are fewer cores than processes."""
STEADY, STEADY_NICENESS = "steady", 2
"""Of a market on a chain: its settlement waits for what is folded here, and must not starve."""


def follow(journal: Path, views: Path, wait: Callable[[], bool], events_max: int = EVENTS) -> None:
    """Fold whatever comes until `wait`, called when nothing is left, says that it is over."""
    with _opened(journal, views) as (source, db):
        while fold(db, source.frames, events_max) or wait():
            pass


def rebuild(journal: Path, views: Path, progress: Callable[[int, int], None]) -> None:
    """Empty the tables and fold all that the journal has, beside a follower or without one.

    `progress` hears the number of the last event folded, and of the journal's last.
    """
    with _opened(journal, views) as (source, db):
        reset(db)
        last = _last(journal)
        while fold(db, source.frames, EVENTS):
            progress(_folded(db)[0], last)


@contextmanager
def _opened(journal: Path, views: Path) -> Iterator[tuple[SqliteJournal, sqlite3.Connection]]:
    """Both files; tables that another journal was folded into are emptied."""
    with closing(SqliteJournal(journal, readonly=True)) as source, closing(connect(views)) as db:
        number, head = _folded(db)
        at_head = next(source.frames(number - 1), None) if number else None
        if number and (at_head is None or at_head.head != head):
            reset(db)
        yield source, db


def _folded(db: sqlite3.Connection) -> tuple[int, bytes]:
    """Number of the last event folded, and the journal's head there."""
    number, head = db.execute("SELECT number, head FROM fold").fetchone()
    return number, head


def _last(journal: Path) -> int:
    with closing(connect_reader(journal)) as db:
        query = "SELECT first + count - 1 FROM frames ORDER BY first DESC LIMIT 1"
        row = db.execute(query).fetchone()
    return int(row[0]) if row else 0


def _nudged_or_orphaned() -> bool:
    """Wait a moment, or for a nudge; False when the parent has closed the other end."""
    ready, _, _ = select.select([sys.stdin], [], [], IDLE_S)
    return not ready or bool(os.read(sys.stdin.fileno(), 4096))


def main() -> None:
    """python -m allmende.adapters.views_worker JOURNAL VIEWS EVENTS [steady]"""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C is for the parent, whose end is ours
    journal, views, events_max, *how = sys.argv[1:]
    os.nice(STEADY_NICENESS if STEADY in how else NICENESS)
    if STEADY not in how and hasattr(os, "SCHED_IDLE"):  # only what nobody else wants of a core
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    gc.set_threshold(GARBAGE)
    follow(Path(journal), Path(views), _nudged_or_orphaned, int(events_max))


if __name__ == "__main__":
    main()
