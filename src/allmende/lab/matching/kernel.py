"""Kernel: the oracle's book as one compiled loop over structured arrays, fed in batches.

Rule: an order is a node, and its id is the node's place; a level is one more node, from
which its orders hang in a ring, in time order. A bitmap three deep marks levels that are not
empty, so that the next best price is three words away.
Invariant: same events, same trades as the oracle. All memory is allocated beforehand; a
batch trades no more often than it has events and the book has orders, so `trades` suffices.
Worked number: level 70 (a bid of LAST - 70) is bit 6 of word 1, whose mark is bit 1 of word 0
of the second depth, whose mark is bit 0 of the bids' word of the third.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from allmende.lab.matching.jit import compiled, trailing_zeros
from allmende.lab.matching.terms import BUY_NOW, CANCEL, LAST, TICK_BITS, TICKS

EVENT = np.dtype([("kind", "i4"), ("id", "i4"), ("tick", "i4"), ("grains", "i8")], align=True)
TRADE = np.dtype([("maker", "i4"), ("taker", "i4"), ("tick", "i4"), ("grains", "i8")], align=True)
NODE = np.dtype([("next", "i4"), ("before", "i4"), ("level", "i4"), ("left", "i8")], align=True)
"""`left` is 0 where no order rests. Of a level only the ring is used."""

LEVELS = 2 * TICKS
"""A level is its side above TICK_BITS, and its key below."""
FIRST = 0
SECOND = FIRST + LEVELS // 64
THIRD = SECOND + LEVELS // 64**2
BEST = THIRD + LEVELS // 64**3
REFUSED = BEST + 2
INDEX = REFUSED + 1
"""Where in the index the three depths begin, then each side's best key, then a count."""
NONE = LEVELS
"""The best key of an empty side: beyond any limit."""

Array = NDArray[Any]


class Book:
    """A book of at most `capacity` orders. `refused` counts events that could not be."""

    def __init__(self, capacity: int, batch: int = 1024) -> None:
        self._nodes = _touched(capacity + LEVELS, NODE)
        for way in ("next", "before"):
            self._nodes[way][capacity:] = np.arange(capacity, capacity + LEVELS)
        self._index = np.zeros(INDEX, np.int64)
        self._index[BEST:REFUSED] = NONE
        self._capacity = capacity
        self._batch = batch
        self._trades = _touched(capacity + batch, TRADE)

    def __len__(self) -> int:
        return int(np.count_nonzero(self._nodes["left"]))

    @property
    def refused(self) -> int:
        return int(self._index[REFUSED])

    def submit(self, events: Array) -> Array:
        """What these events (of dtype EVENT) trade, in order: a view, until the next call."""
        if len(events) > self._batch:
            self._batch = len(events)
            self._trades = _touched(self._capacity + self._batch, TRADE)
        return self._trades[: run(self._nodes, self._index, events, self._trades)]

    def best(self, side: int) -> int | None:
        """The highest bid (BUY) or the lowest ask (SELL)."""
        key = int(self._index[BEST + side])
        return None if key == NONE else key if side else LAST - key

    def queue(self, side: int) -> Iterator[tuple[int, int, int]]:
        """Resting orders of a side as (id, tick, grains), best first. Slow: to look, not to run."""
        nodes = self._nodes
        levels = np.unique(nodes["level"][: self._capacity][nodes["left"][: self._capacity] > 0])
        for level in levels[levels >> TICK_BITS == side].tolist():
            ring = self._capacity + level
            id_ = int(nodes["next"][ring])
            while id_ != ring:
                yield id_, level & LAST if side else LAST - level, int(nodes["left"][id_])
                id_ = int(nodes["next"][id_])


def _touched(size: int, kind: np.dtype[Any]) -> Array:
    """Zeros that are in memory already, so that no call waits for a page of it."""
    return np.full(size, np.zeros((), kind))


@compiled
def run(nodes: Array, index: Array, events: Array, trades: Array) -> int:
    """All events in order; how many trades they made."""
    capacity = len(nodes) - LEVELS
    made = 0
    for i in range(len(events)):
        event = events[i]
        kind, id_, tick, left = event.kind, event.id, event.tick, event.grains
        if id_ < 0 or id_ >= capacity or kind < 0 or kind > CANCEL:
            index[REFUSED] += 1
        elif kind == CANCEL:
            if nodes[id_].left:
                _cancel(nodes, index, id_)
            else:
                index[REFUSED] += 1
        elif nodes[id_].left or left <= 0 or tick < 0 or tick > LAST:
            index[REFUSED] += 1
        else:
            side = kind & 1
            key = tick if side else LAST - tick
            made, left = _take(nodes, index, trades, made, 1 - side, LAST - key, id_, left)
            if left and kind < BUY_NOW:
                _rest(nodes, index, side << TICK_BITS | key, id_, left)
    return made


@compiled
def _take(
    nodes: Array, index: Array, trades: Array, made: int, other: int, limit: int, taker: int,
    left: int,
) -> tuple[int, int]:  # fmt: skip
    """Trade against the `other` side up to its key `limit`: trades made, grains left."""
    while left and index[BEST + other] <= limit:
        key = index[BEST + other]
        level = other << TICK_BITS | key
        ring = len(nodes) - LEVELS + level
        id_ = nodes[ring].next
        maker = nodes[id_]
        grains = min(left, maker.left)
        trade = trades[made]
        trade.maker = id_
        trade.taker = taker
        trade.tick = key if other else LAST - key
        trade.grains = grains
        made += 1
        left -= grains
        maker.left -= grains
        if not maker.left:
            _unlink(nodes, index, maker, level)
    return made, left


@compiled
def _cancel(nodes: Array, index: Array, id_: int) -> None:
    node = nodes[id_]
    node.left = 0
    _unlink(nodes, index, node, node.level)


@compiled
def _rest(nodes: Array, index: Array, level: int, id_: int, left: int) -> None:
    """Last of its level."""
    ring = len(nodes) - LEVELS + level
    last = nodes[ring].before
    node = nodes[id_]
    node.left = left
    node.level = level
    node.next = ring
    node.before = last
    nodes[last].next = id_
    nodes[ring].before = id_
    if last == ring:
        _mark(index, level)
        best = BEST + (level >> TICK_BITS)
        index[best] = min(index[best], level & LAST)


@compiled
def _unlink(nodes: Array, index: Array, node: Any, level: int) -> None:
    after, before = node.next, node.before
    nodes[before].next = after
    nodes[after].before = before
    if after == before:  # only a level stands on both sides of its last order
        _unmark(index, level)
        side = level >> TICK_BITS
        if index[BEST + side] == level & LAST:
            index[BEST + side] = _first(index, side)


@compiled
def _mark(index: Array, level: int) -> None:
    index[FIRST + (level >> 6)] |= 1 << (level & 63)
    index[SECOND + (level >> 12)] |= 1 << (level >> 6 & 63)
    index[THIRD + (level >> 18)] |= 1 << (level >> 12 & 63)


@compiled
def _unmark(index: Array, level: int) -> None:
    index[FIRST + (level >> 6)] &= ~(1 << (level & 63))
    if not index[FIRST + (level >> 6)]:
        index[SECOND + (level >> 12)] &= ~(1 << (level >> 6 & 63))
        if not index[SECOND + (level >> 12)]:
            index[THIRD + (level >> 18)] &= ~(1 << (level >> 12 & 63))


@compiled
def _first(index: Array, side: int) -> int:
    """The least key of a side that is marked, or NONE."""
    if not index[THIRD + side]:
        return NONE
    second = side << 6 | trailing_zeros(index[THIRD + side])
    first = second << 6 | trailing_zeros(index[SECOND + second])
    return (first << 6 | trailing_zeros(index[FIRST + first])) & LAST
