"""Flow: events to feed a book with, stated for measuring and wild for fuzzing.

Rule: `stated` is 50 % orders that rest, 40 % cancellations and 10 % orders that cross, in
random order, on a book of some 10,000. A resting order stands behind the best of the other
side by a geometric distance of mean 50 ticks; a crossing one reaches 50 ticks into it; all
are 1 to 100 grains; what is cancelled is any resting order, evenly.
Invariant: the same seed gives the same events. In `stated` none is refused.
Worked number: a million events on 10,000 orders trade some 198,000 times and leave some
10,000 orders on some 530 levels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from allmende.lab.matching.auction import ORDER
from allmende.lab.matching.kernel import EVENT
from allmende.lab.matching.oracle import Oracle
from allmende.lab.matching.terms import (
    BUY,
    BUY_NOW,
    CANCEL,
    SELL,
    SELL_NOW,
    TICKS,
    Event,
)

Array = NDArray[Any]
Chance = np.random.Generator

_REST, _CANCEL, _CROSS = range(3)
_AWAY = 50
_GRAINS = 100


def stated(events: int = 1_000_000, resting: int = 10_000, seed: int = 1) -> Array:
    """`resting` orders that fill the book, then so many events. An id is an event's place."""
    chance = np.random.default_rng(seed)
    shares = [events - events // 2, events * 2 // 5, events // 2 - events * 2 // 5]
    mixed = np.repeat([_REST, _CANCEL, _CROSS], shares)
    chance.shuffle(mixed)
    count = resting + events
    columns = (
        np.concatenate([np.full(resting, _REST), mixed]).tolist(),
        chance.integers(0, 2, count).tolist(),
        chance.geometric(1 / _AWAY, count).tolist(),
        chance.integers(1, _GRAINS + 1, count).tolist(),
        chance.random(count).tolist(),
    )
    flow = _Flow(count)
    told = [flow.event(*row) for row in zip(range(count), *columns, strict=True)]
    return np.array(told, EVENT)


class _Flow:
    """The book as it stands, so that what is cancelled rests and what crosses meets somebody."""

    def __init__(self, capacity: int) -> None:
        self._book = Oracle(capacity)
        self._resting: list[int] = []
        self._places: dict[int, int] = {}
        """Where in `_resting` an id stands."""

    def event(self, id_: int, what: int, side: int, away: int, grains: int, which: float) -> Event:
        if what == _CANCEL:
            id_ = self._resting[int(which * len(self._resting))]
            event = (CANCEL, id_, 0, 0)
        else:
            event = (side, id_, self._tick(side, away if what == _REST else -_AWAY), grains)
            self._places[id_] = len(self._resting)
            self._resting.append(id_)
        makers = [trade[0] for trade in self._book.submit((event,))]
        for each in (id_, *makers):
            if each not in self._book:
                self._leave(each)
        return event

    def _leave(self, id_: int) -> None:
        """Out of the list, with its last id in the place."""
        place, last = self._places.pop(id_), self._resting.pop()
        if last != id_:
            self._resting[place] = last
            self._places[last] = place

    def _tick(self, side: int, away: int) -> int:
        best = self._book.best(1 - side)
        start = TICKS // 2 if best is None else best
        return start + away if side == SELL else start - away


_WIDTHS = (2, 10, 100, 5_000, TICKS)
_KINDS = (BUY, SELL, BUY_NOW, SELL_NOW, CANCEL, CANCEL + 1, -1)
_SHARES = (0.3, 0.3, 0.05, 0.05, 0.28, 0.01, 0.01)


def wild(chance: Chance, events: int, capacity: int) -> Array:
    """Anything at all, on few prices or many, at either end or in the middle of the range."""
    told = np.zeros(events, EVENT)
    width = int(chance.choice(_WIDTHS))
    low = int(chance.choice((0, (TICKS - width) // 2, TICKS - width)))
    most = int(chance.choice((3, 100, 2**62)))
    told["kind"] = chance.choice(_KINDS, events, p=_SHARES)
    told["id"] = chance.integers(-1, capacity + 1, events)
    told["tick"] = low + chance.integers(-1, width + 1, events)
    told["grains"] = chance.integers(1, most, events) * (chance.random(events) < 0.98)
    return told


def orders(chance: Chance, count: int, width: int) -> Array:
    """One side of a call: evenly on the `width` ticks in the middle, 1 to 100 grains."""
    told = np.zeros(count, ORDER)
    told["tick"] = (TICKS - width) // 2 + chance.integers(0, width, count)
    told["grains"] = chance.integers(1, _GRAINS + 1, count)
    return told
