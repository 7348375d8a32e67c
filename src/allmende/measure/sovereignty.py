"""Sovereignty: levels by objective, gates, a score for awards; and assurance levels of the Union.

Rule: a level is asked for objective by objective, as a gate; the overall level is the lowest
of all, never a mean. The score only ranks what has passed: the sum of weight * points / most.
What nobody has shown is level 0, and makes a score a range.
Invariant: raising one objective's level lowers nothing; the score is within 0 to the weights' sum.
Worked number: levels 2, 1, 3, 2, 1, 3, 3, 2 score 51.25 and are of level 1 overall.

Sources: EU Cloud Sovereignty Framework v1.2.1 (rules/eu/csf); proposal COM(2026) 502, by a
secondary source (rules/eu/cada); reference economics.md 2.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum
from typing import NamedTuple

from allmende.measure.dated import Rules

Shown = Mapping[str, int]
"""Objective -> level that evidence shows."""


class Objective(NamedTuple):
    """One objective: `level` None where nobody has shown any, which counts as 0.

    `low` and `high` are its share of the score; they differ where the level is not known.
    """

    id: str
    en: str
    de: str
    weight: int
    level: int | None
    asked: int
    low: float
    high: float

    @property
    def passes(self) -> bool:
        return (self.level or 0) >= self.asked


class Seals(NamedTuple):
    """What the framework says of an offer. `level` is the lowest of all objectives."""

    rules: str
    level: int
    low: float
    high: float
    objectives: tuple[Objective, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """Objectives below what is asked: the offer may not be taken, whatever its score."""
        return tuple(one.id for one in self.objectives if not one.passes)


def seals(
    rules: Rules,
    shown: Shown,
    asked: Shown | None = None,
    points: Mapping[str, tuple[float, float]] | None = None,
) -> Seals:
    """Levels, gates and score. `points` (reached, of so many) where the criteria were counted;
    else an objective's points are its level. ValueError for what the rules do not know."""
    asked, points = asked or {}, points or {}
    known = {row["id"]: row for row in rules.values["objectives"]}
    most = int(rules.values["level_most"])
    for name, told in (("shown", shown), ("asked", asked)):
        for id_, level in told.items():
            if id_ not in known:
                raise ValueError(f"{name}: {rules.name} has no {id_!r}; it has {', '.join(known)}.")
            if not 0 <= level <= most:
                raise ValueError(f"{name}: level {level} of {id_} is not 0 to {most}.")
    for id_, (reached, of) in points.items():
        if id_ not in known or not 0 <= reached <= of or not of:
            raise ValueError(f"points of {id_}: {reached} of {of} cannot be.")
    found = tuple(
        _objective(row, shown.get(id_), asked.get(id_, 0), points.get(id_), rules)
        for id_, row in known.items()
    )
    return Seals(
        rules=rules.name,
        level=min(one.level or 0 for one in found),
        low=fsum(one.low for one in found),
        high=fsum(one.high for one in found),
        objectives=found,
    )


def _objective(
    row: Mapping[str, int | str],
    level: int | None,
    asked: int,
    points: tuple[float, float] | None,
    rules: Rules,
) -> Objective:
    weight = int(row["weight"])
    most = float(rules.values["points_most"])
    if points is not None:
        low = high = weight * points[0] / points[1]
    elif level is None:
        low, high = 0.0, float(weight)
    else:
        low = high = weight * level / most
    return Objective(
        str(row["id"]), str(row["en"]), str(row["de"]), weight, level, asked, low, high
    )


# Union assurance levels ------------------------------------------------------------------


class Ask(NamedTuple):
    """A condition of a level: shown, shown to be otherwise, or None, not known."""

    id: str
    level: int
    en: str
    de: str
    met: bool | None


class Assurance(NamedTuple):
    """`low` is shown; `high` would be reached if all that is not known were so."""

    rules: str
    status: str
    low: int
    high: int
    asks: tuple[Ask, ...]


def assurance(rules: Rules, facts: Mapping[str, bool | None]) -> Assurance:
    """Cumulative levels: each asks for all below it. ValueError for unknown facts."""
    asks = tuple(
        Ask(ask["id"], row["level"], ask["en"], ask["de"], facts.get(ask["id"]))
        for row in rules.values["levels"]
        for ask in row["asks"]
    )
    odd = sorted(set(facts) - {ask.id for ask in asks})
    if odd:
        raise ValueError(f"{rules.name} does not ask for {', '.join(odd)}.")
    low = _reached(asks, (True,))
    return Assurance(rules.name, rules.status, low, _reached(asks, (True, None)), asks)


def _reached(asks: tuple[Ask, ...], enough: tuple[bool | None, ...]) -> int:
    missed = [ask.level for ask in asks if ask.met not in enough]
    return min(missed) - 1 if missed else max(ask.level for ask in asks)
