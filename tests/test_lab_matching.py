"""The lab's fast books trade as the market's own does, and as each other, event for event.

`make fuzz` runs the duel of oracle and kernel over a hundred times as many events: twelve
million, and as many again with every index checked.
"""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import zip_longest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.core import commands as c
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core import orders
from allmende.core.refusals import Refused
from allmende.core.units import SECOND
from allmende.lab.floor import Floor, changed
from allmende.lab.matching import flow
from allmende.lab.matching.auction import ORDER, Auction
from allmende.lab.matching.duel import calls, duel
from allmende.lab.matching.kernel import EVENT, Book
from allmende.lab.matching.oracle import Oracle
from allmende.lab.matching.terms import (
    BUY,
    BUY_NOW,
    CANCEL,
    LAST,
    SELL,
    SELL_NOW,
    TICKS,
    Event,
    Trade,
)

EVENTS = 2_000 * settings().max_examples
"""120,000 in every run of the tests, 12 million in `make fuzz`."""
PRICE = 10_000
"""Pico-credits a grain, and at a tick of 1 the lab's tick too."""


def test_oracle_and_kernel_trade_alike_on_anything():
    assert duel(seed=1, events=EVENTS) > EVENTS // 10


CHECKED = """
import sys
import numpy as np
from allmende.lab.matching.auction import FILL, _SPAN, _walk
from allmende.lab.matching.duel import calls, duel
assert duel(2, int(sys.argv[1])) > 0
assert calls(2, 100) > 0
try:
    _walk(np.ones(1, _SPAN), np.ones(1, _SPAN), 1, np.empty(0, FILL))
except IndexError:
    print("checked")
"""
"""The last call writes beyond its array, which shows that indices are looked at at all."""


def test_the_kernels_stay_within_their_arrays(pytestconfig: pytest.Config):
    assert pytestconfig.cache
    # numba's cache does not tell checked code from unchecked, so this has one of its own.
    cache = pytestconfig.cache.mkdir("numba-checked")
    env = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", CHECKED, str(EVENTS)]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.stdout.strip() == "checked", done.stderr


def both(events: list[Event], capacity: int = 100) -> list[Trade]:
    """What oracle and kernel trade, which is the same, and leaves the same."""
    oracle, book = Oracle(capacity), Book(capacity)
    trades = oracle.submit(events)
    assert book.submit(np.array(events, EVENT)).tolist() == trades
    assert book.refused == oracle.refused
    for side in (BUY, SELL):
        assert list(book.queue(side)) == list(oracle.queue(side))
    return trades


def test_the_best_price_goes_first_and_then_the_first_order():
    asks = [(SELL, 0, 101, 5), (SELL, 1, 100, 5), (SELL, 2, 100, 5)]
    assert both([*asks, (BUY, 3, 101, 12)]) == [(1, 3, 100, 5), (2, 3, 100, 5), (0, 3, 101, 2)]


def test_an_order_for_now_gives_up_what_it_does_not_trade():
    for rests, now in ((SELL, BUY_NOW), (BUY, SELL_NOW)):
        events = [(rests, 0, 100, 5), (now, 1, 100, 7), (rests, 2, 100, 1)]
        assert both(events) == [(0, 1, 100, 5)]


def test_an_id_is_free_again_when_its_order_is_gone():
    again = [(BUY, 0, 9, 1), (BUY, 0, 9, 1), (CANCEL, 0, 0, 0), (CANCEL, 0, 0, 0), (BUY, 0, 8, 2)]
    oracle = Oracle(1)
    assert oracle.submit(again) == both(again, 1) == []
    assert (oracle.refused, list(oracle.queue(BUY)), len(oracle)) == (2, [(0, 8, 2)], 1)


@pytest.mark.parametrize(
    "event",
    [
        (CANCEL + 1, 0, 1, 1),
        (-1, 0, 1, 1),
        (BUY, 2, 1, 1),
        (BUY, -1, 1, 1),
        (BUY, 0, TICKS, 1),
        (SELL, 0, -1, 1),
        (SELL, 0, 1, 0),
        (CANCEL, 2, 0, 0),
        (CANCEL, -1, 0, 0),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_and_changes_nothing(event: Event):
    oracle = Oracle(2)
    standing = (BUY, 1, 5, 1)
    assert oracle.submit([standing, event]) == both([standing, event], 2) == []
    assert (oracle.refused, list(oracle.queue(BUY))) == (1, [(1, 5, 1)])


def test_the_ends_of_the_range_are_prices_like_others():
    for tick in (0, 63, 64, 4_095, 4_096, LAST):
        far = [(SELL, 0, tick, 2), (BUY, 1, tick, 3), (SELL, 2, tick, 1)]
        assert both(far) == [(0, 1, tick, 2), (1, 2, tick, 1)]


def test_a_book_says_its_best_prices():
    for book in (Oracle(9), Book(9)):
        events = [(BUY, 0, 7, 1), (BUY, 1, 8, 1), (SELL, 2, 9, 1), (CANCEL, 1, 0, 0)]
        assert (book.best(BUY), book.best(SELL)) == (None, None)
        book.submit(np.array(events, EVENT))
        assert (book.best(BUY), book.best(SELL), len(book)) == (7, 9, 2)


def test_batches_do_not_matter():
    events = flow.stated(events=3_000, resting=300)
    whole, piecewise = Book(len(events)), Book(len(events))
    expected = whole.submit(events).tolist()
    pieces = [trade for one in events for trade in piecewise.submit(np.array([one])).tolist()]
    assert pieces == expected
    assert len(expected) > 300


def test_the_stated_flow_is_what_is_stated():
    events = flow.stated(events=20_000, resting=10_000)
    oracle = Oracle(len(events))
    oracle.submit(events[:10_000].tolist())
    assert len(oracle) == 10_000
    takers = {trade[1] for trade in oracle.submit(events[10_000:].tolist())}
    assert (oracle.refused, len(takers)) == (0, 2_000)
    assert np.count_nonzero(events["kind"] == CANCEL) == 8_000
    assert 9_000 < len(oracle) < 11_000


# Against the market's own book -----------------------------------------------------------

ACCOUNTS = {"buy": ("uni", "coop"), "sell": ("rhine",)}
"""No owner on both sides: what one may not do with himself is the market's affair."""


def floor(call: int = 0) -> Floor:
    found = Floor(changed(step=1, tick=1), call=call)
    found.do(c.SetParameter(name="breaker_ppm", value=10_000_000))
    found.mint(1)
    return found


def place(market: Floor, event: Event, number: int) -> list[Trade]:
    """An event as a command, and its fills as trades."""
    kind, id_, tick, grains = event
    side = "sell" if kind & 1 else "buy"
    account = ACCOUNTS[side][number % len(ACCOUNTS[side])]
    if kind == CANCEL:
        events = market.do(x.CancelOrder(id=str(id_)))
    else:
        term = "ioc" if kind in (BUY_NOW, SELL_NOW) else "good"
        events = market.place(account, side, tick, 0, id=str(id_), grains=grains, term=term)
    return [traded(event) for event in events if isinstance(event, f.Filled)]


def traded(event: f.Filled) -> Trade:
    maker, taker = (event.sell, event.buy) if event.taker == "buy" else (event.buy, event.sell)
    return int(maker), int(taker), event.price, event.grains


EVENT_LISTS = st.lists(
    st.tuples(
        st.sampled_from((BUY, SELL, BUY_NOW, SELL_NOW, CANCEL)),
        st.integers(0, 12),
        st.integers(PRICE - 3, PRICE + 3),
        st.integers(0, 9),
    ),
    max_size=40,
)


@given(EVENT_LISTS)
def test_the_oracle_trades_as_the_market_does(events: list[Event]):
    market, oracle = floor(), Oracle(13)
    for number, event in enumerate(events):
        before = oracle.refused
        expected = oracle.submit([event])
        try:
            found = place(market, event, number)
        except Refused:
            found = None
        assert found == (expected if oracle.refused == before else None)
    for name, side in (("buy", BUY), ("sell", SELL)):
        standing = orders.queue(market.state, market.listing, name)
        found = [(int(w.order.id), w.order.price, w.left) for w in standing]
        assert found == list(oracle.queue(side))


def test_the_stated_flow_trades_on_the_market_as_in_the_lab():
    events = flow.stated(events=2_000, resting=200)
    events["tick"] -= TICKS // 2 - PRICE
    market = floor()
    told = [trade for n, event in enumerate(events.tolist()) for trade in place(market, event, n)]
    assert told == Book(len(events)).submit(events).tolist()
    assert len(told) > 200


ORDER_LISTS = st.lists(st.tuples(st.integers(PRICE - 4, PRICE + 4), st.integers(1, 9)), max_size=25)


@given(ORDER_LISTS, ORDER_LISTS)
def test_a_call_trades_as_the_market_does(bids: list[tuple[int, int]], asks: list[tuple[int, int]]):
    market = floor(call=60)
    for number, (bid, ask) in enumerate(zip_longest(bids, asks)):
        if bid:
            place(market, (BUY, number, *bid), number)
        if ask:
            place(market, (SELL, 1_000 + number, *ask), number)
    market.now += 60 * SECOND
    events = market.do(c.Tick())
    fills = [(int(v.buy), int(v.sell) - 1_000, v.grains) for v in events if type(v) is f.Filled]
    (called,) = [event for event in events if isinstance(event, f.Uncrossed)]
    found = Auction(25).uncross(np.array(bids, ORDER), np.array(asks, ORDER), PRICE)
    if found is None:
        assert (called.price, fills) == (None, [])
    else:
        assert found[:3] == (called.price, called.grains, called.imbalance)
        assert found.fills.tolist() == fills


def test_large_calls_find_the_cores_price_and_walk_until_the_volume_is_exhausted():
    assert calls(seed=1, count=settings().max_examples) > 1_000


def test_on_a_plateau_not_everything_strictly_better_is_filled():
    bids = np.array([(105, 10), (105, 10)], ORDER)
    found = Auction(2).uncross(bids, np.array([(100, 15)], ORDER), 102)
    assert found is not None
    assert found[:3] == (102, 15, 5)
    assert found.fills.tolist() == [(0, 0, 10), (1, 0, 5)]


def test_a_call_refuses_what_it_could_not_add_up():
    good, auction = np.array([(5, 1)], ORDER), Auction(2)
    for tick, grains in ((-1, 1), (TICKS, 1), (5, 0), (5, 2**62)):
        with pytest.raises(AssertionError, match="out of range"):
            auction.uncross(np.array([(tick, grains)], ORDER), good, 5)
    with pytest.raises(AssertionError, match="more asks"):
        auction.uncross(good, np.repeat(good, 3), 5)
    assert auction.uncross(good, good[:0], 5) is None


def test_the_market_never_loads_the_labs_compiler():
    told = "import sys, allmende.cli, allmende.main, allmende.lab.demo; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert "allmende.desk" in done.stdout.split()
    assert not {"numba", "numpy"} & set(done.stdout.split())
