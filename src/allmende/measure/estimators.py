"""Estimators: figures of market quality out of plain series, whatever they came from.

Rule: each says None where its data cannot bear it, rather than a number that looks like one.
Invariant: prices enter as ratios or differences, so that the unit of a price does not matter
to what is a ratio, and multiplies through what is a price.
Worked number: prices 100, 101, 100, 101 have differences 1, -1, 1 whose neighbours' covariance
is -8/9, so Roll's spread is 2 * sqrt(8/9) = 1.886.

Sources: Roll 1984; Kyle 1985; Amihud 2002; Parkinson 1980; Barndorff-Nielsen and Shephard
2004 (bipower); the list is reference economics.md section 2.8.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import log, pi, sqrt


def roll(prices: Sequence[float]) -> float | None:
    """The spread that bounces trades to and fro: 2 * sqrt(-cov(d_t, d_t-1)), in price units.

    None with fewer than 4 prices, or where the covariance is not below zero.
    """
    steps = [after - before for before, after in pairwise(prices)]
    if len(steps) < 3:
        return None
    mean = sum(steps) / len(steps)
    products = [(one - mean) * (other - mean) for one, other in pairwise(steps)]
    covariance = sum(products) / len(products)
    return 2 * sqrt(-covariance) if covariance < 0 else None


def slope(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    """Least squares of y on x with an intercept; None where x does not vary."""
    if len(xs) < 3:
        return None
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    if not spread:
        return None
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread


def kyle(changes: Sequence[float], flows: Sequence[float]) -> float | None:
    """Kyle's lambda: the price change per unit of signed flow (buyers' positive)."""
    return slope(flows, changes)


def amihud(returns: Sequence[float], values: Sequence[float]) -> float | None:
    """Mean of |return| per unit of value traded, over the bars in which there was trade."""
    ratios = [abs(r) / v for r, v in zip(returns, values, strict=True) if v]
    return sum(ratios) / len(ratios) if ratios else None


def log_returns(prices: Iterable[float]) -> list[float]:
    return [log(after / before) for before, after in pairwise(prices)]


def realised_variance(returns: Iterable[float]) -> float:
    return sum(r * r for r in returns)


def bipower_variation(returns: Sequence[float]) -> float:
    """pi/2 * sum |r_t| |r_t-1|: realised variance without its jumps."""
    return pi / 2 * sum(abs(one) * abs(other) for one, other in pairwise(returns))


def parkinson(high: float, low: float) -> float:
    """Variance of a period from its range: ln(high/low)**2 / (4 ln 2)."""
    return log(high / low) ** 2 / (4 * log(2))


def max_drawdown(prices: Iterable[float]) -> float:
    """The deepest fall from a peak before it, as a share of the peak."""
    peak = deepest = 0.0
    for price in prices:
        peak = max(peak, price)
        deepest = max(deepest, 1 - price / peak)
    return deepest


def herfindahl(amounts: Mapping[str, float]) -> float | None:
    """Sum of squared shares, in points of 10,000; None of nothing."""
    total = sum(amounts.values())
    return sum((10_000 * (n / total) ** 2) for n in amounts.values()) if total else None


def jain(amounts: Sequence[float]) -> float | None:
    """(sum x)**2 / (n * sum x**2): 1 where all get the same, 1/n where one gets all."""
    squares = len(amounts) * sum(x * x for x in amounts)
    return sum(amounts) ** 2 / squares if squares else None


def quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]
