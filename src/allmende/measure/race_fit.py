"""Growth: a straight line through the logarithms, its interval, and what others published.

Rule: least squares of ln y on years; the interval is Student's t on the slope, at LEVEL; it says
how well these points fix a line, not how well the points were measured. A published rate is set
beside ours with what can be said of both, and neither is bent to the other.
Invariant: low <= rate <= high; a change of unit changes no rate.
Worked number: 1, 3, 9, 27 a year apart grow 3 times a year, and the interval is 3 to 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from math import exp, fsum, isfinite, log, sqrt
from statistics import NormalDist
from typing import Literal, NamedTuple

from msgspec import Struct

YEAR = 365.2425
LEVEL = 0.90
"""As the published intervals have."""
LEAST = 4
"""Points that a line with an interval needs."""
Verdict = Literal["inside", "overlap", "outside"]


class Fit(Struct, frozen=True):
    """`rate` 4.6 is 4.6 times a year. `points` is how many there were."""

    rate: float
    low: float
    high: float
    points: int
    first: date
    last: date
    r2: float
    at: tuple[float, float, float, float]
    """Mean day, mean ln y, variance of a point, sum of squared days: what the band is made of."""

    def line(self, days: Sequence[date]) -> list[tuple[float, float]]:
        return [(float(day.toordinal()), _exp(self._mean(day))) for day in days]

    def band(self, days: Sequence[date]) -> list[tuple[float, float, float]]:
        """Where the line itself may lie, at LEVEL."""
        return [(float(d.toordinal()), *map(_exp, self._around(d))) for d in days]  # type: ignore[misc]

    def _mean(self, day: date) -> float:
        middle, height, _, _ = self.at
        return height + log(self.rate) * (day.toordinal() - middle) / YEAR

    def _around(self, day: date) -> tuple[float, float]:
        middle, _, variance, spread = self.at
        away = (day.toordinal() - middle) ** 2
        reach = student(self.points - 2) * sqrt(variance * (1 / self.points + away / spread))
        return self._mean(day) - reach, self._mean(day) + reach


class Published(NamedTuple):
    """A rate that somebody printed; without an interval low and high are the rate."""

    rate: float
    low: float
    high: float
    source: str


def fit(points: Sequence[tuple[date, float]]) -> Fit | None:
    """None of fewer than LEAST points or of one day. Raises ValueError of what is not above 0."""
    if any(not (isfinite(value) and value > 0) for _, value in points):
        raise ValueError("a growth rate needs amounts above zero")
    xs = [float(day.toordinal()) for day, _ in points]
    if len(points) < LEAST or min(xs) == max(xs):
        return None
    ys = [log(value) for _, value in points]
    middle, height = fsum(xs) / len(xs), fsum(ys) / len(ys)
    spread = fsum((x - middle) ** 2 for x in xs)
    slope = fsum((x - middle) * (y - height) for x, y in zip(xs, ys, strict=True)) / spread
    left = fsum((y - height - slope * (x - middle)) ** 2 for x, y in zip(xs, ys, strict=True))
    whole = fsum((y - height) ** 2 for y in ys)
    variance = left / (len(points) - 2)
    reach = student(len(points) - 2) * sqrt(variance / spread)
    days = [day for day, _ in points]
    return Fit(
        rate=_exp(slope * YEAR),
        low=_exp((slope - reach) * YEAR),
        high=_exp((slope + reach) * YEAR),
        points=len(points),
        first=min(days),
        last=max(days),
        r2=1 - left / whole if whole else 1.0,
        at=(middle, height, variance, spread),
    )


def verdict(ours: Fit, published: Published) -> Verdict:
    """`inside`: their rate is in our interval; `overlap`: only the intervals meet."""
    if ours.low <= published.rate <= ours.high:
        return "inside"
    meet = ours.low <= published.high and published.low <= ours.high
    return "overlap" if meet else "outside"


def student(freedom: int, level: float = LEVEL) -> float:
    """The two-sided quantile of Student's t; Cornish and Fisher's series, 0.5 % off at 3."""
    z, v = NormalDist().inv_cdf((1 + level) / 2), float(freedom)
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )


def _exp(power: float) -> float:
    """e to the power, cut where no float reaches: days beside each other may say any rate."""
    return exp(min(700.0, max(-700.0, power)))
