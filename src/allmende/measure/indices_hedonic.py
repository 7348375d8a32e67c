"""Hedonic index (TPI-H): what a month adds to the price once the model's features are paid for.

Rule: in a rolling window ln(price) is regressed on features and on one dummy for each month;
the newest month's step over the one before is spliced onto the series. One observation a cell
and month: the median of its hosts. The fit is reported with it: R2, coefficients, their range.
Invariant: the dummies are swept out exactly (each month less its own means), so a factor on all
prices of one month moves that month's value by that factor and no coefficient.
Worked number: prices 1 and 2 at feature 0 and 1, then 0.5 and 1: the coefficient is ln 2 and the
index 100, 50.

Sources: time-dummy method, OECD Handbook on Hedonic Indexes (Triplett 2006), chapter III; movement
splice: de Haan 2015. Least squares are solved here: five unknowns want no numeric library in a
market. Which features a model has is data, and a history of list prices tells few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from math import exp, log, sqrt
from statistics import fmean, median

from msgspec import Struct

from allmende.measure.indices import BASE, Line
from allmende.measure.indices_quality import Score, hosts_of, name
from allmende.measure.prices import HEADLINE, Blend
from allmende.measure.prices_cells import Month

WINDOW = 12
SINGULAR = 1e-9
Vector = list[float]
Features = Mapping[str, float]
"""Of a model: by name, such as context (as a logarithm) or a score."""


class Unfit(ValueError):
    """The data cannot bear the regression: says what is missing."""


class Moments(Struct, frozen=True):
    """All that the regression needs of a month: means, and products of differences from them."""

    day: date
    count: int
    mean_x: Vector
    mean_y: float
    xx: list[Vector]
    xy: Vector
    yy: float


class Fit(Struct, frozen=True):
    """One window. `r2` includes the dummies; `within` is the share of the differences between
    models of one month that the features explain. `months` are ln levels."""

    day: date
    count: int
    coefficients: dict[str, float]
    months: list[float]
    r2: float
    within: float


class Hedonic(Struct, frozen=True):
    """The spliced index, and the fit of every window."""

    line: Line
    fits: list[Fit]

    def spread(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest coefficient over the windows: how stable they are."""
        found: dict[str, tuple[float, float]] = {}
        for feature in self.fits[0].coefficients:
            values = [fit.coefficients[feature] for fit in self.fits]
            found[feature] = (min(values), max(values))
        return found


def listed_features(
    scores: Iterable[Score] = (), benchmark: str = ""
) -> Callable[[Month], dict[str, Features]]:
    """What a price list and a file of scores tell of each cell of a month.

    ln of the context window, whether cached input has a price of its own, and the model's best
    score so far, where a benchmark is named; cells of which one is unknown are left out.
    """
    dated = [score for score in scores if score.benchmark == benchmark]

    def features(month: Month) -> dict[str, Features]:
        best: dict[str, float] = {}
        for score in dated:
            if score.day <= month.day:
                cell = name(score.model)
                best[cell] = max(score.score, best.get(cell, score.score))
        contexts: dict[str, list[int]] = {}
        caches: dict[str, float] = {}
        for item, quote in month.quotes.items():
            if quote.context:
                contexts.setdefault(item.cell, []).append(quote.context)
            cached = quote.price.cached is not None
            caches[item.cell] = max(float(cached), caches.get(item.cell, 0.0))
        return {
            cell: {
                "ln_context": log(median(sizes)),
                "cached_price": caches[cell],
                **({benchmark: best[cell]} if benchmark else {}),
            }
            for cell, sizes in contexts.items()
            if not benchmark or cell in best
        }

    return features


def hedonic(
    months: Iterable[Month],
    features: Callable[[Month], Mapping[str, Features]],
    blend: Blend = HEADLINE,
    window: int = WINDOW,
) -> Hedonic:
    """TPI-H. Raises Unfit where a window has too few models, or features that do not vary."""
    if window < 2:
        raise Unfit("a window has two months or more")
    names, moments = _all_moments(months, features, blend)
    if len(moments) < window:
        raise Unfit(f"{len(moments)} months with models, and a window takes {window}")
    ends = range(window, len(moments) + 1)
    fits = [_fit(moments[end - window : end], names) for end in ends]
    first = fits[0].months
    line = [
        (month.day, BASE * exp(level - first[0]))
        for month, level in zip(moments[:window], first, strict=True)
    ]
    for fit in fits[1:]:
        step = fit.months[-1] - fit.months[-2]
        line.append((fit.day, line[-1][1] * exp(step)))
    return Hedonic(line, fits)


def _all_moments(
    months: Iterable[Month],
    features: Callable[[Month], Mapping[str, Features]],
    blend: Blend,
) -> tuple[list[str], list[Moments]]:
    names: list[str] = []
    found = []
    for month in months:
        known = features(month)
        rows = [
            (known[cell], log(median(hosts.values())))
            for cell, hosts in sorted(hosts_of(month, blend).items())
            if cell in known and hosts
        ]
        if rows:
            names = names or list(rows[0][0])
            found.append(_moments(month.day, [([x[n] for n in names], y) for x, y in rows]))
    return names, found


def _moments(day: date, rows: Sequence[tuple[Vector, float]]) -> Moments:
    mean_x = [fmean(column) for column in zip(*(x for x, _ in rows), strict=True)]
    mean_y = fmean(y for _, y in rows)
    off = [([a - m for a, m in zip(x, mean_x, strict=True)], y - mean_y) for x, y in rows]
    size = range(len(mean_x))
    return Moments(
        day=day,
        count=len(rows),
        mean_x=mean_x,
        mean_y=mean_y,
        xx=[[sum(x[i] * x[j] for x, _ in off) for j in size] for i in size],
        xy=[sum(x[i] * y for x, y in off) for i in size],
        yy=sum(y * y for _, y in off),
    )


def _fit(window: Sequence[Moments], names: Sequence[str]) -> Fit:
    count, size = sum(m.count for m in window), range(len(names))
    if count <= len(names) + len(window):
        raise Unfit(f"{count} prices to {window[-1].day} for {len(names) + len(window)} unknowns")
    xx = [[sum(m.xx[i][j] for m in window) for j in size] for i in size]
    xy = [sum(m.xy[i] for m in window) for i in size]
    yy = sum(m.yy for m in window)
    beta = solve(xx, xy, names)
    explained = sum(b * s for b, s in zip(beta, xy, strict=True))
    mean = sum(m.mean_y * m.count for m in window) / count
    total = yy + sum(m.count * (m.mean_y - mean) ** 2 for m in window)
    return Fit(
        day=window[-1].day,
        count=count,
        coefficients=dict(zip(names, beta, strict=True)),
        months=[m.mean_y - sum(b * x for b, x in zip(beta, m.mean_x, strict=True)) for m in window],
        r2=1 - (yy - explained) / total if total else 0.0,
        within=explained / yy if yy else 0.0,
    )


def solve(matrix: Sequence[Sequence[float]], right: Vector, names: Sequence[str]) -> Vector:
    """Normal equations by elimination, scaled to ones on the diagonal. Raises Unfit."""
    size = range(len(right))
    for i in size:
        if matrix[i][i] <= 0:
            raise Unfit(f"{names[i]} is the same for every model")
    scale = [sqrt(matrix[i][i]) for i in size]
    rows = [
        [*(matrix[i][j] / scale[i] / scale[j] for j in size), right[i] / scale[i]] for i in size
    ]
    for i in size:  # positive definite, so the diagonal is the pivot
        if rows[i][i] < SINGULAR:
            raise Unfit(f"{names[i]} follows from the other features")
        for k in size:
            if k != i:
                factor = rows[k][i] / rows[i][i]
                rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
    return [rows[i][-1] / rows[i][i] / scale[i] for i in size]
