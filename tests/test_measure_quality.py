"""Market quality: the identity of spreads, the published figures, and the tape they read."""

from __future__ import annotations

from functools import cache
from math import log, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.core import exchange_events as f
from allmende.core.contracts import LOT
from allmende.core.units import SECOND
from allmende.lab.floor import DECEMBER, Floor
from allmende.lab.watched import Watched, market
from allmende.measure import estimators
from allmende.measure.board import Board, Quote, Trade
from allmende.measure.ladder import DEPTH_BP, Ladder
from allmende.measure.quality import quality, quote_at, resiliency, spreads
from allmende.measure.tape import Tape, record
from allmende.wire import journal


@cache
def day() -> tuple[Watched, Tape]:
    made, _ = market(77)
    return made, record(made.events)


def quote(at: int, bid: int, ask: int) -> Quote:
    return Quote(at, at * SECOND, bid, ask, (0, 0, 0), (0, 0, 0))


def trade(at: int, price: int, taker: str, bid: int, ask: int) -> Trade:
    return Trade(at, at * SECOND, "december", price, LOT, "a", "b", at, at, taker, bid, ask)


# Spreads ------------------------------------------------------------------------------


def test_the_worked_number_of_the_module():
    board = Board(DECEMBER)
    board.quotes = [quote(0, 990, 1010), quote(300, 995, 1015), quote(400, 995, 1015)]
    found = spreads(board, trade(0, 1010, "buy", 990, 1010))
    assert found is not None
    assert (found.effective, found.realised, found.impact) == (200, 100, 100)


def test_effective_is_realised_plus_impact_for_every_trade_of_a_day():
    _, tape = day()
    board = tape.boards["day"]
    found = [spreads(board, t) for t in board.trades if t.sign and t.bid and t.ask]
    whole = [parts for parts in found if parts is not None]
    assert len(whole) > 200
    assert all(parts.effective == parts.realised + parts.impact for parts in whole)
    assert all(parts.effective > 0 for parts in whole), "a taker never trades inside the middle"
    told = quality(tape, "day")
    assert told.effective is not None
    assert told.realised is not None
    assert told.impact is not None
    assert told.effective == pytest.approx(told.realised + told.impact)


def test_a_trade_without_a_later_two_sided_quote_has_no_realised_spread():
    board = Board(DECEMBER)
    board.quotes = [quote(0, 990, 1010), quote(200, 0, 1010), quote(900, 0, 1010)]
    assert spreads(board, trade(0, 1010, "buy", 990, 1010)) is None
    assert spreads(board, trade(800, 1010, "buy", 990, 1010)) is None


def test_resiliency_is_when_half_of_a_widening_is_gone():
    board = Board(DECEMBER)
    board.quotes = [quote(10, 990, 1010), quote(20, 990, 1030), quote(25, 990, 1024)]
    board.quotes += [quote(32, 990, 1020), quote(50, 990, 1010)]
    assert resiliency(board, [trade(20, 1010, "buy", 990, 1010)]) == (12, 0)
    assert resiliency(board, [trade(20, 1010, "buy", 990, 1000)]) == (30, 0)
    del board.quotes[3:]
    assert resiliency(board, [trade(20, 1010, "buy", 990, 1010)]) == (None, 1)


# Estimators against what is published -------------------------------------------------


def test_roll_recovers_a_spread_of_five_hundredths():
    """Reference economics.md 4.13: .0501 recovered of .05."""
    rng = Random(1)
    value, prices = 100.0, []
    for _ in range(100_000):
        value += rng.gauss(0, 0.01)
        prices.append(value + rng.choice((-0.025, 0.025)))
    found = estimators.roll(prices)
    assert found == pytest.approx(0.05, abs=0.0005)


def test_kyles_lambda_and_the_half_of_the_news_that_is_told():
    """Kyle 1985, one auction: lambda = sqrt(S0 / su2) / 2, and var(v | price) = S0 / 2."""
    rng, s0, su = Random(2), 4.0, 3.0
    values = [rng.gauss(0, sqrt(s0)) for _ in range(40_000)]
    flows = [value * su / sqrt(s0) + rng.gauss(0, su) for value in values]
    found = estimators.kyle(values, flows)
    assert found is not None
    assert found == pytest.approx(sqrt(s0) / su / 2, rel=0.02)
    left = sum((v - found * y) ** 2 for v, y in zip(values, flows, strict=True)) / len(values)
    assert left == pytest.approx(s0 / 2, rel=0.03)


def test_bipower_leaves_out_a_jump_that_realised_variance_counts():
    rng = Random(3)
    returns = [rng.gauss(0, 0.01) for _ in range(20_000)]
    calm = estimators.realised_variance(returns)
    assert estimators.bipower_variation(returns) == pytest.approx(calm, rel=0.03)
    returns[500] += 1.0
    assert estimators.realised_variance(returns) == pytest.approx(calm + 1, rel=0.05)
    assert estimators.bipower_variation(returns) == pytest.approx(calm, rel=0.06)


def test_small_numbers_by_hand():
    assert estimators.roll([100, 101, 100, 101]) == pytest.approx(2 * sqrt(8 / 9))
    assert estimators.roll([1, 2, 3, 4, 5]) is None
    assert estimators.amihud([0.01, -0.02, 0.5], [10, 5, 0]) == pytest.approx(0.0025)
    assert estimators.amihud([0.1], [0]) is None
    assert estimators.parkinson(110, 100) == pytest.approx(log(1.1) ** 2 / (4 * log(2)))
    assert estimators.max_drawdown([10, 12, 9, 11, 6]) == 0.5
    assert estimators.herfindahl({"a": 30, "b": 30, "c": 20, "d": 20}) == pytest.approx(2600)
    assert estimators.jain([1, 1, 0, 0]) == 0.5
    assert [estimators.quantile([4, 1, 3, 2], q) for q in (0.0, 0.5, 0.75, 1.0)] == [1, 2, 3, 4]
    assert estimators.slope([1, 1, 1], [1, 2, 3]) is None


# The tape -----------------------------------------------------------------------------


def test_the_worked_number_of_the_tape():
    floor = Floor()
    floor.mint(5)
    floor.place("rhine", "sell", 10_100, 5)
    floor.place("uni", "buy", 10_100, 2)
    board = record(floor.events).boards["december"]
    sell, buy = board.lives
    (one,) = board.trades
    assert (one.bid, one.ask, one.sign, one.aggressor) == (0, 10_100, 1, "uni")
    assert (one.buy, one.sell) == (buy.seq, sell.seq)
    assert isinstance(floor.events[one.seq - 1], f.Filled)
    assert (sell.left, sell.filled, buy.cause) == (3 * LOT, 2 * LOT, "filled")
    assert (board.quotes[-1].bid, board.quotes[-1].ask) == (0, 10_100)


def test_an_order_is_filled_or_given_up_or_left_and_nothing_else():
    made, tape = day()
    board = tape.boards["day"]
    assert len(board.trades) == sum(isinstance(v, f.Filled) for v in made.events)
    assert sum(life.filled for life in board.lives) == 2 * sum(t.grains for t in board.trades)
    assert all(life.filled + life.left == life.order.grains for life in board.lives)
    assert {life.order.id for life in board.lives if not life.over} == set(made.state.orders)


def test_the_tape_of_a_running_book_has_its_best_prices():
    made = Floor()
    made.mint(9)
    made.place("rhine", "sell", 10_300, 2)
    made.place("rhine", "sell", 10_200, 1)
    made.place("uni", "buy", 9_900, 1, id="low")
    made.place("uni", "buy", 10_000, 1)
    last = record(made.events).boards["december"].quotes[-1]
    assert (last.bid, last.ask) == (10_000, 10_200)
    assert last.bids == (0, 0, LOT), "100 bp of 10_100 reach 10_000, 9_900 is further"
    assert last.asks == (0, 0, LOT)


def test_a_journal_gives_the_same_tape_as_the_events_it_was_written_from():
    made, tape = day()
    again = record(journal.events(journal.frame(1, made.events, b"").body))
    assert again.boards == tape.boards


def test_a_tape_that_forgets_keeps_working_orders_and_the_recent():
    made, tape = day()
    short = record(made.events, recent=600 * SECOND)
    kept, all_ = short.boards["day"], tape.boards["day"]
    assert 0 < len(kept.trades) < len(all_.trades)
    assert kept.trades == all_.trades[-len(kept.trades) :]
    assert kept.quotes[-1] == all_.quotes[-1]


bids_ = st.tuples(st.just("buy"), st.integers(9_900, 10_000), st.integers(1, 9))
asks_ = st.tuples(st.just("sell"), st.integers(10_001, 10_100), st.integers(1, 9))


@given(st.lists(bids_ | asks_, max_size=30))
def test_a_ladder_sums_its_levels(placed: list[tuple[str, int, int]]):
    ladder = Ladder()
    for side, price, grains in placed:
        ladder.add(side, price, grains)
    bids = {p for s, p, _ in placed if s == "buy"}
    asks = {p for s, p, _ in placed if s == "sell"}
    assert ladder.best("buy")[0] == max(bids, default=0)
    assert ladder.best("sell")[0] == min(asks, default=0)
    for side, known in (("buy", bids), ("sell", asks)):
        middle = (max(bids, default=0) + min(asks, default=0)) / 2
        for place, bp in enumerate(DEPTH_BP):
            near = sum(
                g for s, p, g in placed if s == side and abs(p - middle) * 10_000 <= bp * middle
            )
            assert ladder.depth(side)[place] == (near if bids and asks else 0)
        assert {price for price, _ in ladder.levels(side)} == known
    for side, price, grains in placed:
        ladder.add(side, price, -grains)
    assert ladder.best("buy") == ladder.best("sell") == (0, 0)


def test_the_quote_at_an_instant_is_the_last_one_before_it():
    board = Board(DECEMBER)
    board.quotes = [quote(10, 1, 2), quote(20, 1, 3)]
    assert quote_at(board, 9 * SECOND) is None
    assert quote_at(board, 10 * SECOND) == board.quotes[0]
    assert quote_at(board, 99 * SECOND) == board.quotes[1]


def test_an_instrument_without_trades_has_figures_that_say_nothing():
    told = quality(record(Floor().events), "december")
    assert (told.trades, told.effective, told.roll, told.kyle, told.amihud) == (0, *[None] * 4)
    assert told.maker_hhi is None
