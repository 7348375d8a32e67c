"""Marking the close: a price made in the last minutes, by one who gains from its being seen.

Rule: two tests. In the last ten minutes of continuous trading one account makes much of the
aggression in one direction, and carries the price that way further than it usually goes in
as long, whether or not it stays there; or a closing call, uncrossed again without the
account, has a price further away than that.
Invariant: the usual movement is measured before the window, so a mark does not hide itself.
Worked number: minutes move by 2 ticks usually, ten minutes by 2 * sqrt(10) = 6.3; a window
in which one account, 70 % of all buying, reaches 19 ticks scores 3.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from math import sqrt

from allmende.core.uncross import clearing
from allmende.core.units import MINUTE, SECOND, Amount, Instant
from allmende.measure.board import Board, Call, Life, Trade
from allmende.measure.quality import quote_at
from allmende.measure.surveillance.alert import Alert, evidence, lots

WINDOW: Instant = 10 * MINUTE
SCORE_MIN = 1.5
SHARE_MIN = 0.4
"""Of the window's aggressive grains in that direction."""
CALL_SCORE_MIN = 2.0
HISTORY_MIN = 20
"""Minutes of quotes before the window: with fewer nobody knows what is usual."""


def marks(board: Board, now: Instant) -> Iterator[Alert]:
    """Alerts "marking_close" of one instrument whose close has been."""
    close = board.closing or board.instrument.end
    if now < close:
        return
    usual = _usual(board, close - WINDOW)
    if not usual:
        return
    told: set[str] = set()
    for alert in _continuous(board, close, usual):
        told.update(alert.accounts)
        yield alert
    for call in board.calls:
        if call.at >= close:
            yield from _in_call(board, call, usual, told)


def _usual(board: Board, until: Instant) -> float:
    """How far the middle moves in a window's length, from its minutes before `until`."""
    if not board.quotes:
        return 0.0
    middles: list[float] = []
    at = board.quotes[0].at
    while at <= until:
        quote = quote_at(board, at)
        if quote is not None and quote.bid and quote.ask:
            middles.append((quote.bid + quote.ask) / 2)
        at += MINUTE
    steps = [after - before for before, after in pairwise(middles)]
    if len(steps) < HISTORY_MIN:
        return 0.0
    minute = sqrt(sum(step * step for step in steps) / len(steps))
    return max(minute * sqrt(WINDOW / MINUTE), board.instrument.tick)


def _continuous(board: Board, close: Instant, usual: float) -> Iterator[Alert]:
    window = [t for t in board.trades if close - WINDOW <= t.at < close and t.sign]
    directed: dict[tuple[str, int], list[Trade]] = defaultdict(list)
    total = {1: 0, -1: 0}
    for trade in window:
        directed[trade.aggressor, trade.sign].append(trade)
        total[trade.sign] += trade.grains
    for (account, sign), trades in sorted(directed.items()):
        first = trades[0]
        if not first.bid or not first.ask:
            continue
        moved = max(sign * (2 * trade.price - first.bid - first.ask) / 2 for trade in trades)
        grains = sum(trade.grains for trade in trades)
        share = grains / total[sign]
        if moved >= SCORE_MIN * usual and share >= SHARE_MIN:
            yield _marked(board, account, sign, trades, moved / usual, share, close)


def _marked(
    board: Board,
    account: str,
    sign: int,
    trades: list[Trade],
    score: float,
    share: float,
    close: Instant,
) -> Alert:
    verb = "bought" if sign > 0 else "sold"
    before = (close - trades[0].at) / SECOND
    return Alert(
        kind="marking_close",
        instrument=board.instrument.id,
        accounts=(account,),
        score=score,
        explanation=(
            f"In the last {before:.0f} s before the close of {board.instrument.id} {account} "
            f"{verb} {lots(sum(t.grains for t in trades))} at once, {share:.0%} of all that was "
            f"{verb} so, and carried the price {score:.1f} times as far as it usually goes."
        ),
        evidence=evidence(trade.seq for trade in trades),
    )


def _in_call(board: Board, call: Call, usual: float, told: set[str]) -> Iterator[Alert]:
    accounts = {life.order.account for life, _ in call.orders if life.call}
    for account in sorted(accounts - told):
        without = _without(call, account)
        if without is None or abs(call.price - without) < CALL_SCORE_MIN * usual:
            continue
        own = [life for life, _ in call.orders if life.order.account == account]
        yield Alert(
            kind="marking_close",
            instrument=board.instrument.id,
            accounts=(account,),
            score=abs(call.price - without) / usual,
            explanation=(
                f"The closing call of {board.instrument.id} traded at {call.price} pico a "
                f"grain; without the orders of {account} it would have traded at {without}, "
                f"{abs(call.price - without) / usual:.1f} times the usual movement away."
            ),
            evidence=evidence([call.seq, *(life.seq for life in own)]),
        )


def _without(call: Call, account: str) -> Amount | None:
    """The call's price had this account stayed away; the price before it if nobody traded."""

    def side(name: str) -> Iterator[tuple[Amount, int]]:
        return (
            (life.order.price, grains)
            for life, grains in call.orders
            if _stands(life, name) and life.order.account != account
        )

    found = clearing(side("buy"), side("sell"), call.reference)
    return call.reference if found is None else found.price


def _stands(life: Life, side: str) -> bool:
    return life.order.side == side
