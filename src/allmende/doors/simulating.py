"""Simulating: what a rule would have changed, worked out beside the market and kept for a while.

Rule: one fork at a time, in a process of its own; whoever asks waits a little, and is else told
that it is being worked out. What was worked out is kept, so that readers cost nothing.
Invariant: whoever is no operator sees no group that rests on fewer receipts than the market
publishes: such are put together until they have enough, or left out.
Worked number: groups of 500, 40, 12 and 9 receipts and k = 20: the first is shown, and the other
three as one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from allmende.core.refusals import Refused, Why
from allmende.core.units import DAY, MINUTE, Instant, credits
from allmende.ports import Clock

WINDOWS: Mapping[str, Instant | None] = {"1": DAY, "7": 7 * DAY, "30": 30 * DAY, "all": None}
"""Days of the address -> microseconds."""
WAIT_S = 8.0
KEPT_FOR = 10 * MINUTE
KEPT = 32
WAITING = 4
"""Forks that wait for their turn, at most."""
REST = "(rest)"
MONEY = ("paid_before", "paid_after", "earned_before", "earned_after")

Row = dict[str, Any]
Key = tuple[str, int, str]


class Forks(NamedTuple):
    """The lab's fork of this market's journal: of which rules it shows something, and how it is
    run, in a thread: what it found as plain data, or {"why_not": sentence}."""

    names: tuple[str, ...]
    run: Callable[[str, int, Instant | None], Mapping[str, Any]]


NO_FORKS = Forks((), lambda name, value, window: {"why_not": "This market runs no forks."})


class Simulating:
    """One per market."""

    def __init__(self, forks: Forks, clock: Clock) -> None:
        self._forks = forks
        self._clock = clock
        self._turn = asyncio.Lock()
        self._asked: dict[Key, tuple[Instant, asyncio.Task[Mapping[str, Any]]]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return self._forks.names

    def known(self, name: str, value: int, window: str) -> bool:
        """Whether it is there, or on its way: then it costs nothing to look."""
        return (name, value, window) in self._asked

    def glance(self, name: str, value: int, window: str) -> Mapping[str, Any] | None:
        """What the fork found, if it has; else one is begun where none waits before it."""
        key, now = (name, value, window), self._clock.now()
        at, task = self._asked.get(key, (0, None))
        busy = any(not other.done() for _, other in self._asked.values())
        if (task is None or now - at > KEPT_FOR) and not busy:
            self._start(key, now)
        if task is None or not task.done():
            return None
        found = task.result()
        return None if "why_not" in found else found

    async def ask(self, name: str, value: int, window: str) -> Mapping[str, Any] | None:
        """What the fork found; None while it is being worked out. Refused."""
        key, now = (name, value, window), self._clock.now()
        at, task = self._asked.get(key, (0, None))
        if task is None or (task.done() and now - at > KEPT_FOR):
            task = self._start(key, now)
        await asyncio.wait({task}, timeout=WAIT_S)
        if not task.done():
            return None
        found = task.result()
        if "why_not" in found:
            del self._asked[key]
            raise Refused(Why.BAD_VALUE, str(found["why_not"]))
        return found

    def _start(self, key: Key, now: Instant) -> asyncio.Task[Mapping[str, Any]]:
        if sum(not task.done() for _, task in self._asked.values()) >= WAITING:
            raise Refused(Why.CAPACITY, "Other simulations are being worked out; ask again soon.")
        done = [one for one, (_, task) in self._asked.items() if task.done()]
        for oldest in done[: max(0, len(self._asked) - KEPT + 1)]:
            del self._asked[oldest]
        task = asyncio.create_task(self._run(key))
        self._asked[key] = (now, task)
        return task

    async def _run(self, key: Key) -> Mapping[str, Any]:
        name, value, window = key
        async with self._turn:
            return await asyncio.to_thread(self._forks.run, name, value, WINDOWS[window])


def published(effects: Sequence[Mapping[str, Any]], k: int) -> list[Row]:
    """The groups that may be told, each with what it has more, in pico-credits."""
    found: list[Row] = []
    tables: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in effects:
        tables.setdefault((row["asset"], row["by"]), []).append(row)
    for rows in tables.values():
        found += _cells(rows, k)
    return [{**row, "gains": _gains(row)} for row in found]


def _cells(rows: Sequence[Mapping[str, Any]], k: int) -> list[Row]:
    """As measure.cells, over four amounts at once."""
    rest = [row for row in rows if row["receipts"] < k]
    if not rest:
        return [dict(row) for row in rows]
    if len(rest) == 1 or max(row["receipts"] for row in rest) < k:
        large = sorted((row for row in rows if row not in rest), key=lambda row: row["receipts"])
        rest += large[:1]
    shown = [dict(row) for row in rows if row not in rest]
    receipts = max(row["receipts"] for row in rest)
    if receipts < k:
        return shown
    sums = {name: sum(row[name] for row in rest) for name in ("accounts", *MONEY)}
    return [*shown, {**rest[0], **sums, "of": REST, "receipts": receipts}]


def _gains(row: Mapping[str, Any]) -> int:
    before = row["earned_before"] - row["paid_before"]
    return int(row["earned_after"] - row["paid_after"] - before)


def plain(row: Mapping[str, Any]) -> Row:
    """As a file has it: amounts are decimal text of credits."""
    return {**row, **{name: credits(row[name]) for name in (*MONEY, "gains")}}
