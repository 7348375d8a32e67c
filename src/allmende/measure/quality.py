"""Quality: what it costs to trade here at once, and what the market does with an order.

Rule: effective spread ES = 2d(p - m)/m at the trade, realised RS = 2d(p - m')/m after a
while, price impact PI = 2d(m' - m)/m; m is the middle that the taker found, d his sign.
Invariant: ES = RS + PI, exactly, for every single trade (asserted in integers).
Worked number: middle 100, a buy at 101, middle 100.5 later: ES = 200 bp, of which
RS = 100 bp stay with the maker and PI = 100 bp was news. Spreads are basis points.

Only trades in the book with both sides quoted have a spread; auctions and quotes have none.
"""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from msgspec import Struct

from allmende.core.contracts import LOT
from allmende.core.units import CREDIT, MINUTE, SECOND, Amount, Instant
from allmende.measure.board import Board, Quote, Trade
from allmende.measure.estimators import (
    amihud,
    bipower_variation,
    herfindahl,
    kyle,
    log_returns,
    max_drawdown,
    parkinson,
    realised_variance,
    roll,
)
from allmende.measure.ladder import DEPTH_BP
from allmende.measure.tape import Tape

TAU: Instant = 5 * MINUTE
BAR: Instant = 5 * MINUTE
BP = 10_000


class Spreads(Struct, frozen=True):
    """One trade's, in basis points of the middle: `effective` = `realised` + `impact`."""

    effective: Fraction
    realised: Fraction
    impact: Fraction


class Quality(Struct, frozen=True):
    """One instrument's figures. None: the data do not bear it. Spreads are basis points.

    Quoted spread and depth (lots within 10, 50 and 100 bp, both sides) are means over time;
    effective, realised and impact means weighted by value. `kyle` is credits a lot per lot
    of signed flow, `amihud` the return per credit traded, `roll` credits a lot.
    """

    instrument: str
    orders: int
    trades: int
    volume_lots: float
    turnover: float
    two_sided: float
    quoted: float | None
    effective: float | None
    realised: float | None
    impact: float | None
    spread_trades: int
    depth_lots: tuple[float, ...]
    half_life_s: float | None
    unrecovered: int
    roll: float | None
    kyle: float | None
    amihud: float | None
    realised_variance: float
    bipower_variation: float
    parkinson: float | None
    max_drawdown: float
    order_to_trade: float | None
    fill_ratio: float | None
    maker_hhi: float | None


def quality(tape: Tape, instrument: str, tau: Instant = TAU) -> Quality:
    """The figures of one instrument. Raises KeyError where there is none of that name."""
    board = tape.boards[instrument]
    booked = [trade for trade in board.trades if trade.sign and trade.bid and trade.ask]
    whole = [(t, s) for t in booked if (s := spreads(board, t, tau)) is not None]
    prices = [trade.price * LOT / CREDIT for trade in board.trades]
    cost = _means(whole)
    shown = _over_time(board, tape.now)
    half, unrecovered = resiliency(board, booked)
    bars = _bars(board)
    steps = list(pairwise(bars))
    returns = log_returns(price for price, _, _ in bars)
    ordered = sum(life.order.grains for life in board.lives)
    return Quality(
        instrument=instrument,
        orders=len(board.lives),
        trades=len(board.trades),
        volume_lots=sum(t.grains for t in board.trades) / LOT,
        turnover=sum(_value(t) for t in board.trades),
        two_sided=shown.two_sided,
        quoted=shown.quoted,
        effective=cost[0],
        realised=cost[1],
        impact=cost[2],
        spread_trades=len(whole),
        depth_lots=shown.depth_lots,
        half_life_s=half,
        unrecovered=unrecovered,
        roll=roll([trade.price * LOT / CREDIT for trade in booked]),
        kyle=kyle([b[0] - a[0] for a, b in steps], [b[1] / LOT for _, b in steps]),
        amihud=amihud(returns, [bar[2] for bar in bars[1:]]),
        realised_variance=realised_variance(returns),
        bipower_variation=bipower_variation(returns),
        parkinson=parkinson(max(prices), min(prices)) if prices else None,
        max_drawdown=max_drawdown(prices),
        order_to_trade=len(board.lives) / len(board.trades) if board.trades else None,
        fill_ratio=sum(life.filled for life in board.lives) / ordered if ordered else None,
        maker_hhi=herfindahl(_made(tape, booked)),
    )


# Spreads ------------------------------------------------------------------------------


def spreads(board: Board, trade: Trade, tau: Instant = TAU) -> Spreads | None:
    """The parts of one trade's spread. None where no two-sided quote stands after `tau`."""
    later = quote_at(board, trade.at + tau)
    if later is None or not later.bid or not later.ask or trade.at + tau > board.quotes[-1].at:
        return None
    twice, after = trade.bid + trade.ask, later.bid + later.ask
    effective = 2 * trade.sign * (2 * trade.price - twice)
    realised = 2 * trade.sign * (2 * trade.price - after)
    impact = 2 * trade.sign * (after - twice)
    assert effective == realised + impact, f"trade {trade.seq}: ES is not RS + PI"
    return Spreads(*(Fraction(BP * part, twice) for part in (effective, realised, impact)))


def quote_at(board: Board, at: Instant) -> Quote | None:
    """The quote that stood at an instant."""
    place = bisect_right(board.quotes, at, key=lambda quote: quote.at)
    return board.quotes[place - 1] if place else None


def _means(whole: list[tuple[Trade, Spreads]]) -> tuple[float | None, float | None, float | None]:
    """Effective, realised and impact, weighted by value: a crumb counts as a crumb."""
    weight = sum(_value(trade) for trade, _ in whole)
    if not weight:
        return None, None, None
    return (
        sum(_value(trade) * float(parts.effective) for trade, parts in whole) / weight,
        sum(_value(trade) * float(parts.realised) for trade, parts in whole) / weight,
        sum(_value(trade) * float(parts.impact) for trade, parts in whole) / weight,
    )


def _value(trade: Trade) -> float:
    """Credits."""
    return trade.price * trade.grains / CREDIT


# Over time ----------------------------------------------------------------------------


class _Shown(NamedTuple):
    two_sided: float
    quoted: float | None
    depth_lots: tuple[float, ...]


def _over_time(board: Board, now: Instant) -> _Shown:
    """Means over the time in which both sides were quoted, and the share of time they were."""
    total = quoted = 0.0
    two = 0
    depth = [0.0] * len(DEPTH_BP)
    ends = [quote.at for quote in board.quotes[1:]] + [now]
    for quote, end in zip(board.quotes, ends[: len(board.quotes)], strict=True):
        lasted = end - quote.at
        total += lasted
        if quote.bid and quote.ask:
            two += lasted
            quoted += lasted * 2 * BP * (quote.ask - quote.bid) / (quote.ask + quote.bid)
            for place, (bids, asks) in enumerate(zip(quote.bids, quote.asks, strict=True)):
                depth[place] += lasted * (bids + asks) / LOT
    return _Shown(
        two_sided=two / total if total else 0.0,
        quoted=quoted / two if two else None,
        depth_lots=tuple(lots / two if two else 0.0 for lots in depth),
    )


def resiliency(board: Board, booked: list[Trade]) -> tuple[float | None, int]:
    """Median seconds in which half of a widening is gone, and how many never came back.

    A widening is a taker's order after which the spread is larger than he found it.
    """
    lasted: list[float] = []
    never = 0
    last_of_run = {(t.buy if t.sign > 0 else t.sell): t for t in booked}
    for trade in last_of_run.values():
        start = bisect_right(board.quotes, trade.at, key=lambda quote: quote.at)
        before = trade.ask - trade.bid
        after = _spread(board.quotes[start - 1]) if start else None
        if after is None or after <= before:
            continue
        goal = before + (after - before) / 2
        later = (board.quotes[place] for place in range(start, len(board.quotes)))
        when = next((quote.at for quote in later if _within(quote, goal)), None)
        if when is None:
            never += 1
        else:
            lasted.append((when - trade.at) / SECOND)
    return (median(lasted) if lasted else None), never


def _spread(quote: Quote) -> Amount | None:
    return quote.ask - quote.bid if quote.bid and quote.ask else None


def _within(quote: Quote, most: float) -> bool:
    spread = _spread(quote)
    return spread is not None and spread <= most


Bar = tuple[float, int, float]
"""Last price in credits a lot, signed grains, credits traded."""


def _bars(board: Board) -> list[Bar]:
    """Bars of 5 minutes from the first trade; one without trade keeps the price before."""
    bars: list[Bar] = []
    begins = board.trades[0].at if board.trades else 0
    for trade in board.trades:
        place = (trade.at - begins) // BAR
        while len(bars) <= place:
            bars.append((bars[-1][0] if bars else 0.0, 0, 0.0))
        _, flow, value = bars[place]
        price = trade.price * LOT / CREDIT
        bars[place] = (price, flow + trade.sign * trade.grains, value + _value(trade))
    return bars


def _made(tape: Tape, booked: list[Trade]) -> dict[str, float]:
    """Credits that rested until somebody took them, by owner of the resting order."""
    made: dict[str, float] = {}
    for trade in booked:
        maker = tape.owners.owner(trade.seller if trade.sign > 0 else trade.buyer)
        made[maker] = made.get(maker, 0.0) + _value(trade)
    return made
