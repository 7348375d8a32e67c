"""Indices: the matched-model token price index (TPI-M), chained, and what checks it.

Rule: each month is linked to the last one in the chain by Fisher's index; where no link can be
made the month has no value, and after `carry` such months the series starts again at 100.
Tornqvist's index is chained beside it, and GEKS, which compares every month with every other,
says how far chaining has drifted.
Invariant: a value is never carried forward or guessed; two months whose prices are the same
have the same GEKS value, whatever happened between.
Worked number: links of 0.5 and 0.9 make 100, 50, 45.

Source of GEKS for scanner data: Ivancic, Diewert and Fox 2011; of the rest, indices_links.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from math import exp, log

from msgspec import Struct

from allmende.measure.indices_links import RULES, Link, Rules, compare, fisher, tornqvist
from allmende.measure.prices import HEADLINE, Blend, months_between, yearly
from allmende.measure.prices_cells import Month

BASE = 100.0
Line = list[tuple[date, float]]
"""A series as pages draw it: days and values, months without a value left out."""


class Point(Struct, frozen=True):
    """A month of a series. `check` is Tornqvist's; `coverage` the share of the month's weight
    that was compared; `held` and `out` listings and hosts left out; `age` days since anyone
    looked at the prices; `base` that the series starts here."""

    day: date
    value: float | None = None
    check: float | None = None
    cells: int = 0
    hosts: int = 0
    coverage: float = 0.0
    held: int = 0
    out: int = 0
    age: int = 0
    base: bool = False


class Trend(Struct, frozen=True):
    """From the last base to the last value; `yearly` is -0.5 for a half less a year."""

    start: date
    end: date
    value: float
    yearly: float


def matched_model(
    months: Iterable[Month], blend: Blend = HEADLINE, rules: Rules = RULES
) -> list[Point]:
    """TPI-M. The first point with a value is the month before the first link."""
    points: list[Point] = []
    last: Month | None = None
    end: Point | None = None
    for month in months:
        if last is not None and months_between(last.day, month.day) > rules.carry:
            last = end = None
        link = compare(last, month, blend, rules) if last is not None else None
        point = _point(month, end, link)
        if point.value is None and _may_start(month, end, blend):
            points = [_bare(old) if old is end else old for old in points]
            point = Point(month.day, BASE, BASE, age=month.age, base=True)
        points.append(point)
        if point.value is not None:
            last, end = month, point
    return [_bare(point) if point is end and point.base else point for point in points]


def _may_start(month: Month, end: Point | None, blend: Blend) -> bool:
    """A month with prices is a base, instead of one that nothing was linked to."""
    unlinked = end is None or end.base
    return unlinked and any(blend.of(quote.price) for quote in month.quotes.values())


def _bare(point: Point) -> Point:
    return Point(point.day, age=point.age)


def _point(month: Month, end: Point | None, link: Link | None) -> Point:
    """The month linked to the end of the chain, or without a value."""
    if link is None or end is None or end.value is None or end.check is None:
        return Point(month.day, age=month.age)
    cells = link.cells.values()
    return Point(
        day=month.day,
        value=end.value * fisher(cells) if cells else None,
        check=end.check * tornqvist(cells) if cells else None,
        cells=len(cells),
        hosts=link.hosts,
        coverage=link.covered / link.weight if link.weight else 0.0,
        held=link.held,
        out=link.out,
        age=month.age,
    )


def line(points: Iterable[Point]) -> Line:
    return [(point.day, point.value) for point in points if point.value is not None]


def latest(points: Sequence[Point]) -> Line:
    """The line since its last base: what one may compare."""
    starts = [place for place, point in enumerate(points) if point.base]
    return line(points[starts[-1] :]) if starts else []


def trend(found: Line) -> Trend | None:
    """None of a line without two months."""
    if len(found) < 2:
        return None
    (start, first), (end, value) = found[0], found[-1]
    change = yearly(value / first, months_between(start, end))
    return Trend(start, end, value / first * BASE, change)


def geks(
    months: Sequence[Month],
    blend: Blend = HEADLINE,
    rules: Rules = RULES,
    step: Callable[[int, int], None] = lambda done, of: None,
) -> Line:
    """100 in the first month; each other the geometric mean of all ways there by two links.

    Months that cannot be compared with the first are left out. Work grows with the square of
    the months; `step(done, of)` is told after each.
    """
    size = len(months)
    logs: dict[tuple[int, int], float] = {(i, i): 0.0 for i in range(size)}
    for i in range(size):
        for j in range(i + 1, size):
            link = compare(months[i], months[j], blend, rules)
            if link.cells:
                logs[i, j] = log(fisher(link.cells.values()))
                logs[j, i] = -logs[i, j]
        step(i + 1, size)
    found = []
    for t in range(size):
        ways = [logs[0, s] + logs[s, t] for s in range(size) if (0, s) in logs and (s, t) in logs]
        if ways:
            found.append((months[t].day, BASE * exp(sum(ways) / len(ways))))
    return found
