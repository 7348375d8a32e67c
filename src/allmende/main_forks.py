"""Main's forks: the lab's fork on a data directory's journal, for pages and commands.

Rule: the journal is read only, beside the market that writes it; the fork lives in whatever
process calls this, and leaves nothing behind.
Invariant: the same journal, change and window give the same simulation to whoever asks.
Worked number: of a journal whose last event is at noon a window of an hour begins at eleven.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from allmende.adapters.aside import Failed, aside
from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.core import events as e
from allmende.core.refusals import Refused
from allmende.core.units import Instant
from allmende.doors.simulating import Forks
from allmende.lab.fork import SIMULATED, Change
from allmende.lab.fork_effect import Simulation, simulate
from allmende.wire import journal
from allmende.wire.journal import GENESIS, Frame

log = logging.getLogger(__name__)


def simulated(path: Path, change: Change, window: Instant | None) -> Simulation:
    """The last `window` microseconds of the journal at `path`, run again; None: all of it.

    Raises Refused, wire.journal.Broken.
    """
    with closing(SqliteJournal(path, readonly=True)) as found:
        ends = upto = 0
        for frame in _last(found.frames()):
            ends, upto = journal.events(frame.body)[-1].at, frame.last
        return simulate(_events(found, upto), change, since(ends, window))


def forks(path: Path) -> Forks:
    """For the pages: each in a process of its own."""

    def run(name: str, value: int, window: Instant | None) -> Mapping[str, Any]:
        try:
            return aside(told, path, name, value, window)
        except Failed as failed:
            log.error("simulating %s: %s", name, failed)
            return {"why_not": "The simulation failed; the market's log says how."}

    return Forks(SIMULATED, run)


def told(path: Path, name: str, value: int, window: Instant | None) -> dict[str, Any]:
    """A simulation as plain data, or {"why_not": sentence}."""
    try:
        found: dict[str, Any] = msgspec.to_builtins(simulated(path, Change(name, value), window))
    except Refused as refused:
        return {"why_not": refused.detail}
    return found


def simulated_lines(lines: Iterable[bytes], change: Change, window: Instant | None) -> Simulation:
    """The same of an export's lines."""
    kept = [event for line in lines for event in journal.events(line)]
    return simulate(kept, change, since(kept[-1].at if kept else 0, window))


def since(ends: Instant, window: Instant | None) -> Instant:
    return 0 if window is None else ends - window


def _last(frames: Iterator[Frame]) -> Sequence[Frame]:
    """The last one alone, if there is any."""
    return deque(frames, maxlen=1)


def _events(found: SqliteJournal, upto: int) -> Iterator[e.Event]:
    """Up to event `upto`: the market may go on meanwhile."""
    for frame in journal.follow(found.frames(), 1, GENESIS):
        if frame.first > upto:
            return
        yield from journal.events(frame.body)
