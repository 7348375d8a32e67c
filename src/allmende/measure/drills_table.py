"""Drills by the table: every loss of one thing (N-1), of two (N-2), and what is to be expected.

Rule: each value of a kind is cut in turn, the worst first; of pairs so many as asked, those that
carry most first.
Invariant: pairs that were not tried are counted, and bounded: a cut takes no more than the
capacity that it cuts.
Worked number: of two providers with 0.02 and 0.01 to fail in the window and R of 0.4 and 1, of
1_000 tokens served 0.02 * 0.6 * 1_000 = 12 are expected to go unserved.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import combinations
from typing import NamedTuple

from allmende.measure.drills import PASS, Drill, Outcome, lost

PAIRS_MAX = 500


class Pairs(NamedTuple):
    """`left_out` pairs were not tried; none of them has an R below `floor`."""

    outcomes: list[Outcome]
    left_out: int
    floor: Fraction


def one_by_one(drill: Drill, kind: str) -> list[Outcome]:
    """N-1 over all values of a kind, the worst first. Raises Unsolved."""
    return _worst_first([drill.cut({kind: (value,)}) for value in drill.problem.values(kind)])


def two_by_two(drill: Drill, kind: str, most: int = PAIRS_MAX) -> Pairs:
    """N-2 over pairs of values of a kind, the worst first. Raises Unsolved."""
    pairs = list(combinations(drill.problem.values(kind), 2))
    at_stake = {pair: _capacity(drill, kind, pair) for pair in pairs}
    pairs.sort(key=lambda pair: (-at_stake[pair], pair))
    tried, rest = pairs[:most], pairs[most:]
    worst = max((at_stake[pair] for pair in rest), default=0)
    floor = max(Fraction(0), 1 - Fraction(worst, drill.baseline))
    return Pairs(_worst_first([drill.cut({kind: pair}) for pair in tried]), len(rest), floor)


def expected_unserved(outcomes: list[Outcome], chances: Mapping[str, float]) -> float:
    """Tokens a window: each value's chance to be lost in it, times what is then not served.

    ValueError where a chance is none, or is missing. Chances are taken one by one: what two
    losses at once would add is not in it.
    """
    total = 0.0
    for outcome in outcomes:
        (values,) = outcome.cut.values()
        (value,) = values
        chance = chances.get(value)
        if chance is None:
            raise ValueError(f"No chance is given for {value!r}.")
        if not 0 <= chance <= 1:
            raise ValueError(f"{chance} for {value!r} is no chance: 0 to 1.")
        total += chance * (outcome.baseline - outcome.served)
    return total


def passed(outcomes: list[Outcome], least: Fraction = PASS) -> bool:
    return all(outcome.passed(least) for outcome in outcomes)


def _capacity(drill: Drill, kind: str, values: tuple[str, ...]) -> int:
    gone = lost(drill.problem, {kind: values})
    return sum(source.capacity for source in drill.problem.sources if source.id in gone)


def _worst_first(outcomes: list[Outcome]) -> list[Outcome]:
    return sorted(outcomes, key=lambda outcome: (outcome.share, outcome.name))
