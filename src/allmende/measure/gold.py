"""Gold beside tokens: level, volatility and drawdown of two monthly series, side by side.

Rule: series are matched by calendar month and both set to 100 in the first month that they
share; volatility is the standard deviation of monthly log returns times the root of 12.
Invariant: a factor on a whole series changes none of its figures but the level.
Worked number: 100, 110, 99 falls from its peak by 10 %; gold was 1833-01 at 18.93 USD an ounce,
and a series that never moves has volatility 0.

Gold's prices are a month's; tokens' are as of the month's last day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from math import sqrt
from statistics import stdev

from msgspec import Struct

from allmende.measure.estimators import log_returns, max_drawdown
from allmende.measure.indices import BASE, Line
from allmende.measure.prices import months_between, yearly

MONTHS = 12


class Gauge(Struct, frozen=True):
    """What a monthly series did. Shares, not percent: `drawdown` 0.1 is a fall of 10 %.

    `peak` and `trough` date the deepest fall; `volatility` is None with fewer than 3 months,
    and where a month is missing between.
    """

    start: date
    end: date
    months: int
    first: float
    last: float
    yearly: float
    volatility: float | None
    drawdown: float
    peak: date
    trough: date


def gauge(series: Line) -> Gauge:
    """Raises ValueError with fewer than two months."""
    if len(series) < 2:
        raise ValueError("a series needs two months")
    days, values = [day for day, _ in series], [value for _, value in series]
    months = months_between(days[0], days[-1])
    whole = months == len(series) - 1 and len(series) > 2
    peak, trough = deepest(series)
    return Gauge(
        start=days[0],
        end=days[-1],
        months=months,
        first=values[0],
        last=values[-1],
        yearly=yearly(values[-1] / values[0], months),
        volatility=stdev(log_returns(values)) * sqrt(MONTHS) if whole else None,
        drawdown=max_drawdown(values),
        peak=peak,
        trough=trough,
    )


def deepest(series: Line) -> tuple[date, date]:
    """When the deepest fall began and ended; the first day twice if there was none."""
    top, (start, end), worst = series[0], (series[0][0], series[0][0]), 0.0
    for day, value in series:
        if value > top[1]:
            top = (day, value)
        if 1 - value / top[1] > worst:
            worst, start, end = 1 - value / top[1], top[0], day
    return start, end


def beside(*series: Line) -> list[Line]:
    """The months that all share, each series set to 100 in the first of them."""
    tables = [{(day.year, day.month): (day, value) for day, value in one} for one in series]
    shared = sorted(set(tables[0]).intersection(*tables[1:])) if tables else []
    return [_rebased([table[month] for month in shared]) for table in tables]


def _rebased(series: Sequence[tuple[date, float]]) -> Line:
    return [(day, BASE * value / series[0][1]) for day, value in series]
