"""Oracle: the book in plain Python, to be right and to be read.

Rule: the best price goes first, and at one price the order that came first; a trade is at
the resting order's price. Cancelling leaves an empty level, which goes when it is met.
Invariant: an id stands in exactly one level while it rests; `_where` names that level.
Worked number: asks of 5 at 101 and 5 at 100; a bid for 7 at 101 takes 5 at 100, then 2 at 101.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

from allmende.lab.matching.terms import BUY_NOW, CANCEL, LAST, Event, Trade

Level = dict[int, int]
"""Id -> grains left, in time order."""


class Oracle:
    """A book of at most `capacity` orders. `refused` counts events that could not be."""

    def __init__(self, capacity: int) -> None:
        self.refused = 0
        self._capacity = capacity
        self._where: dict[int, Level] = {}
        self._levels: tuple[dict[int, Level], dict[int, Level]] = ({}, {})
        self._keys: tuple[list[int], list[int]] = ([], [])
        """Heaps: each key of `_levels` once."""

    def __len__(self) -> int:
        return len(self._where)

    def __contains__(self, id_: int) -> bool:
        return id_ in self._where

    def submit(self, events: Iterable[Event]) -> list[Trade]:
        """What these events trade, in order."""
        trades: list[Trade] = []
        where, capacity, levels, keys = self._where, self._capacity, self._levels, self._keys
        for kind, id_, tick, grains in events:
            if kind == CANCEL:
                level = where.pop(id_, None)
                if level is None:
                    self.refused += 1
                else:
                    del level[id_]
                continue
            known = 0 <= kind < CANCEL and 0 <= id_ < capacity and id_ not in where
            if not (known and 0 <= tick <= LAST and grains > 0):
                self.refused += 1
                continue
            side = kind & 1
            key = tick if side else LAST - tick
            against = keys[1 - side]
            if against and against[0] <= LAST - key:
                grains = self._take(side, id_, LAST - key, grains, trades)
            if not grains or kind >= BUY_NOW:
                continue
            level = levels[side].get(key)
            if level is None:
                level = levels[side][key] = {}
                heappush(keys[side], key)
            level[id_] = grains
            where[id_] = level
        return trades

    def _take(self, side: int, taker: int, limit: int, grains: int, trades: list[Trade]) -> int:
        """Trade against the other side up to its key `limit`; the grains that are left."""
        levels, keys = self._levels[1 - side], self._keys[1 - side]
        while keys and keys[0] <= limit:
            key = keys[0]
            tick = LAST - key if side else key
            level = levels[key]
            while level:
                maker = next(iter(level))
                left = level[maker]
                if left > grains:
                    trades.append((maker, taker, tick, grains))
                    level[maker] = left - grains
                    return 0
                trades.append((maker, taker, tick, left))
                del level[maker], self._where[maker]
                grains -= left
                if not grains:
                    return 0
            del levels[heappop(keys)]
        return grains

    def best(self, side: int) -> int | None:
        """The highest bid (BUY) or the lowest ask (SELL)."""
        keys, levels = self._keys[side], self._levels[side]
        while keys and not levels[keys[0]]:
            del levels[heappop(keys)]
        return None if not keys else keys[0] if side else LAST - keys[0]

    def queue(self, side: int) -> Iterator[tuple[int, int, int]]:
        """Resting orders of a side as (id, tick, grains), best first."""
        for key, level in sorted(self._levels[side].items()):
            for id_, left in level.items():
                yield id_, key if side else LAST - key, left
