"""Distribution: who gets how much, between people, and between and within regions.

Rule: values are zero or more, sums or averages per head; with populations each value stands for
that many heads, so that a country counts as its people do. Every measure is relative: doubling
everything changes nothing.
Invariant: Theil within + between = total for every grouping, and total does not depend on the
grouping; Gini is twice the area between the Lorenz line and the diagonal.
Worked number: 1, 2, 3, 4: Gini 0.25. Regions (1, 2, 3), (10, 20), (5, 5, 5, 5): Theil within
0.0397 + between 0.2717 = 0.3114. Two of four served equally, two not at all: Jain 0.5.

Sources: reference economics.md 2.2; Theil 1967; Atkinson 1970; Jain, Chiu and Hawe 1984.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import exp, fsum, isfinite, log
from typing import NamedTuple

from allmende.measure.figure import About, Figure, Undefined
from allmende.measure.said import Said

EPSILONS = (0.5, 1.0, 2.0)
"""Atkinson's inequality aversion, from mild to strong: the choice is shown, not hidden."""

Heads = Sequence[float] | None
"""For how many each value stands; None is one each."""


class Region(NamedTuple):
    """One group: `share` of all value, its own Theil, and what it adds within and between."""

    share: float
    theil: float
    within: float
    between: float


class Theil(NamedTuple):
    total: float
    within: float
    between: float
    regions: dict[str, Region]


def lorenz(values: Sequence[float], heads: Heads = None) -> list[tuple[float, float]]:
    """From (0, 0) to (1, 1): the poorest so many have so much of all. Raises Undefined."""
    rows = sorted(_rows(values, heads))
    all_heads, all_value = _sums(rows)
    points, people, value = [(0.0, 0.0)], 0.0, 0.0
    for each, count in rows:
        people += count
        value += each * count
        points.append((people / all_heads, value / all_value))
    return [*points[:-1], (1.0, 1.0)]


def gini(values: Sequence[float], heads: Heads = None) -> float:
    """0 where all have the same, (n - 1)/n where one of n has all. Raises Undefined.

    Without heads it is sum (2i - n - 1) x_i / (n sum x).
    """
    areas = ((x1 - x0) * (y0 + y1) for (x0, y0), (x1, y1) in pairwise(lorenz(values, heads)))
    return max(0.0, 1 - fsum(areas))


def palma(values: Sequence[float], heads: Heads = None) -> float:
    """What the richest tenth has, over what the poorest two fifths have; within a value's heads
    in proportion. Raises Undefined where the poorest have nothing."""
    line = lorenz(values, heads)
    poorest = _at(line, 0.4)
    if not poorest:
        raise Undefined(Said("poorest"))
    return (1 - _at(line, 0.9)) / poorest


def atkinson(values: Sequence[float], epsilon: float, heads: Heads = None) -> float:
    """The share of all that could be given up if the rest were shared equally.

    `epsilon` is inequality aversion, zero or more; from 1 on it is 1 if anyone has nothing.
    """
    if not (epsilon >= 0 and isfinite(epsilon)):
        raise ValueError(f"Inequality aversion is zero or more, not {epsilon}.")
    rows = _rows(values, heads)
    people, total = _sums(rows)
    mean = total / people
    if epsilon >= 1 and any(not each for each, count in rows if count):
        return 1.0
    scaled = [(each / mean, count / people) for each, count in rows if count]
    if epsilon == 1:
        return max(0.0, 1 - exp(fsum(part * log(each) for each, part in scaled)))
    power = 1 - epsilon
    least = min(each for each, _ in scaled)
    if power > 0 or not least:
        inner = fsum(part * pow(each, power) for each, part in scaled)
        return max(0.0, 1 - float(inner ** (1 / power)))
    # below zero the smallest is taken out first: its power may be beyond any float
    inner = fsum(part * (each / least) ** power for each, part in scaled)
    return max(0.0, 1 - least * float(inner ** (1 / power)))


def theil(
    regions: Mapping[str, Sequence[float]], heads: Mapping[str, Sequence[float]] | None = None
) -> Theil:
    """Theil's T of all, and how much of it is within and between the regions.

    Nothing has no part in it (x ln x is 0 at 0). Raises Undefined where nobody has anything.
    """
    heads = heads or {}
    rows = {name: _rows(values, heads.get(name)) for name, values in regions.items()}
    people, total = _sums([row for of in rows.values() for row in of])
    mean = total / people
    found = {name: _region(of, people, total, mean) for name, of in rows.items()}
    flat = fsum(_part(x, count, people, mean) for of in rows.values() for x, count in of)
    return Theil(
        total=flat,
        within=fsum(region.within for region in found.values()),
        between=fsum(region.between for region in found.values()),
        regions=found,
    )


def jain(values: Sequence[float]) -> float:
    """(sum x)^2 / (n sum x^2): k/n if k of n are served equally. Raises Undefined."""
    rows = _rows(values, None)
    _sums(rows)
    top = max(values)
    scaled = [value / top for value in values]
    return fsum(scaled) ** 2 / (len(scaled) * fsum(x * x for x in scaled))


def jain_of_needs(got: Mapping[str, float], needs: Mapping[str, float]) -> float:
    """Jain of what each got per unit of need: 1 where all are served alike, however little.

    Everyone with a need counts, also who got nothing. A need of zero, or a gift to somebody
    without a stated need, is refused by name: neither has a ratio.
    """
    for name, need in needs.items():
        if not need > 0:
            raise ValueError(f"{name} needs {need}; only needs above zero can be compared.")
    for name in got:
        if name not in needs:
            raise ValueError(f"{name} got something but has no stated need; state one.")
    return jain([got.get(name, 0.0) / need for name, need in needs.items()])


def distribution(about: About, values: Sequence[float], heads: Heads = None) -> list[Figure]:
    """Gini, Palma, Jain (of the values, each as one) and Atkinson at three aversions."""
    return [
        about.of_value("gini", "0 to 1", GINI, lambda: gini(values, heads)),
        about.of_value("palma", "ratio", PALMA, lambda: palma(values, heads)),
        about.of_value("jain", "0 to 1", JAIN, lambda: jain(values)),
        *(
            about.of_value(
                f"atkinson_{epsilon:g}",
                "0 to 1",
                f"{ATKINSON} Aversion {epsilon:g}.",
                lambda epsilon=epsilon: atkinson(values, epsilon, heads),  # type: ignore[misc]
            )
            for epsilon in EPSILONS
        ),
    ]


GINI = "Twice the area between the Lorenz line and equality; 0 is equal."
PALMA = "What the richest tenth has over what the poorest two fifths have."
JAIN = "(sum x)^2 / (n sum x^2); 1 is equal, k/n if k of n share alike."
ATKINSON = "The share of all that could go if the rest were shared equally."


def _region(
    rows: Sequence[tuple[float, float]], people: float, total: float, mean: float
) -> Region:
    heads, value = fsum(count for _, count in rows), fsum(x * count for x, count in rows)
    if not value:
        return Region(0.0, 0.0, 0.0, 0.0)
    own = value / heads
    inner = fsum(_part(x, count, heads, own) for x, count in rows)
    share = value / total
    return Region(share, inner, share * inner, share * log(own / mean))


def _part(value: float, count: float, people: float, mean: float) -> float:
    ratio = value / mean
    return count / people * ratio * log(ratio) if ratio else 0.0


def _rows(values: Sequence[float], heads: Heads) -> list[tuple[float, float]]:
    counts = [1.0] * len(values) if heads is None else heads
    if len(counts) != len(values):
        raise ValueError(f"There are {len(values)} values for {len(counts)} numbers of heads.")
    for what in (*values, *counts):
        if not (what >= 0 and isfinite(what)):
            raise ValueError(f"{what} is not a number of zero or more.")
    return list(zip(values, counts, strict=True))


def _sums(rows: Sequence[tuple[float, float]]) -> tuple[float, float]:
    people, total = fsum(count for _, count in rows), fsum(x * count for x, count in rows)
    if not total:
        raise Undefined(Said("nobody"))
    return people, total


def _at(line: Sequence[tuple[float, float]], share: float) -> float:
    """The height of the Lorenz line over this share of heads."""
    for (x0, y0), (x1, y1) in pairwise(line):
        if x1 >= share:
            return y0 + (y1 - y0) * ((share - x0) / (x1 - x0) if x1 > x0 else 1.0)
    return 1.0
