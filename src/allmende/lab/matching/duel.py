"""Duel: the same wild events for both books, until they differ; and so for calls.

Rule: batches of random size; the oracle gets the same events one by one. A call is held
against the core's price, and against its walk in plain Python.
Invariant: same trades in the same order, as many refused, the same orders left in the end.
Worked number: duel(seed=1, events=100_000) makes some 21,000 trades, in a fifth of a second.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from allmende.core.uncross import clearing
from allmende.lab.matching.auction import Auction
from allmende.lab.matching.flow import Array, orders, wild
from allmende.lab.matching.kernel import Book
from allmende.lab.matching.oracle import Oracle
from allmende.lab.matching.terms import BUY, SELL, TICKS

CAPACITY = 300
"""So few that ids come again, books run empty, and full ones refuse."""
_BATCH = 4_000


def duel(seed: int, events: int) -> int:
    """How many trades both made. AssertionError where they differ."""
    chance = np.random.default_rng(seed)
    book, oracle = Book(CAPACITY, batch=1), Oracle(CAPACITY)
    trades = 0
    while events > 0:
        batch = wild(chance, min(events, int(chance.integers(1, _BATCH))), CAPACITY)
        expected = oracle.submit(batch.tolist())
        assert book.submit(batch).tolist() == expected, f"other trades with seed {seed}"
        assert book.refused == oracle.refused, f"other refusals with seed {seed}"
        events -= len(batch)
        trades += len(expected)
    for side in (BUY, SELL):
        assert list(book.queue(side)) == list(oracle.queue(side)), f"other orders with seed {seed}"
        assert book.best(side) == oracle.best(side), f"another best with seed {seed}"
    assert len(book) == len(oracle), f"more or fewer orders with seed {seed}"
    return trades


def calls(seed: int, count: int) -> int:
    """How many fills so many calls made. AssertionError where one is not the core's."""
    chance = np.random.default_rng(seed)
    auction, fills = Auction(CAPACITY), 0
    for _ in range(count):
        width = int(chance.choice((2, 30, 5_000, TICKS)))
        bids, asks = (orders(chance, int(chance.integers(1, CAPACITY)), width) for _ in "ba")
        reference = TICKS // 2 + int(chance.integers(-width, width))
        found = auction.uncross(bids, asks, reference)
        expected = clearing(bids.tolist(), asks.tolist(), reference)
        assert (found and found[:3]) == expected, f"another price with seed {seed}"
        if found:
            walked = list(_walked(bids, asks, found.grains))
            assert found.fills.tolist() == walked, f"other fills with seed {seed}"
            fills += len(walked)
    return fills


def _walked(bids: Array, asks: Array, grains: int) -> Iterator[tuple[int, int, int]]:
    """As core.trade_calls: both sides in priority until the volume is exhausted."""
    buyers = sorted((-tick, place, left) for place, (tick, left) in enumerate(bids.tolist()))
    sellers = sorted((tick, place, left) for place, (tick, left) in enumerate(asks.tolist()))
    wants = gives = 0
    while grains:
        if not wants:
            _, buy, wants = buyers.pop(0)
        if not gives:
            _, sell, gives = sellers.pop(0)
        traded = min(wants, gives, grains)
        yield buy, sell, traded
        grains, wants, gives = grains - traded, wants - traded, gives - traded
