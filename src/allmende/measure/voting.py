"""Voting: who could decide alone, how often a vote decides, and who takes part.

Rule: a coalition wins with its quota or more; a voter swings one that wins with it and loses
without it. Weights are whole numbers, and swings are counted, not estimated, as long as they can
be; beyond that they are drawn from a seed, and the figure is a range.
Invariant: of exact swings the shares sum to one; who weighs more never swings less often.
Worked number: [51; 50, 49, 1] has swings 3, 1, 1, so 3/5, 1/5, 1/5: the one share is worth as
much as the 49. Its Nakamoto coefficient is 2, for 50 is not more than half of 100.

Sources: Banzhaf 1965; Penrose 1946; Hoeffding 1963 (the bound of what is drawn); Nakamoto
coefficient: Srinivasan and Lee 2017.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import gcd, log, sqrt
from random import Random
from typing import NamedTuple

from allmende.measure.distribution import gini
from allmende.measure.figure import About, Figure, Undefined
from allmende.measure.said import Said

PPM = 1_000_000
HALF_PPM = 500_000
EXACT_STEPS = 5_000_000
"""Sums to be kept, times different weights: some seconds. Beyond it, coalitions are drawn."""
SUBSETS_VOTERS = 16
"""So few voters are counted coalition by coalition, whatever they weigh."""
DRAWS, LEAST_DRAWS, DRAWN_STEPS = 20_000, 1_000, 20_000_000
"""Coalitions; of many voters fewer, so that it stays some seconds, and the range is wider."""
DOUBT = 0.01
"""The chance that a drawn power lies outside its range."""
METHOD = f"{LEAST_DRAWS} to {DRAWS} coalitions from a seed, Hoeffding's bound at {1 - DOUBT:.0%}"


class Power(NamedTuple):
    """How often each swings, of all coalitions of the others (Penrose), and its part of all
    swings (Banzhaf); each from low to high, the same where they were counted."""

    swings: dict[str, tuple[Fraction, Fraction]]
    shares: dict[str, tuple[Fraction, Fraction]]
    exact: bool


Came = tuple[int, int] | None
"""What voted, of what could when it was proposed; None where a chamber had no say."""


class Decided(NamedTuple):
    """One proposal that is over: whether it passed, and what voted on it in each chamber."""

    proposer: str
    passed: bool
    stake: Came
    members: Came


def nakamoto(weights: Mapping[str, int], share_ppm: int = HALF_PPM) -> int:
    """The fewest voters that have more than this share together. Raises Undefined."""
    need = _total(weights) * share_ppm
    held = 0
    for count, weight in enumerate(sorted(weights.values(), reverse=True), 1):
        held += weight
        if held * PPM > need:
            return count
    raise Undefined(Said("no_majority"))  # a share of a million: nobody has more than all


def banzhaf(weights: Mapping[str, int], quota: int, seed: int = 1) -> Power:
    """The power of each under a quota of weight. Raises Undefined where nobody ever decides."""
    total = _total(weights)
    if not 0 < quota <= total:
        raise Undefined(Said("no_swing"))
    shared = gcd(*weights.values())
    parts = {name: weight // shared for name, weight in weights.items()}
    least = -(-quota // shared)
    different = len(set(parts.values()))
    if (total // shared + 1) * different <= EXACT_STEPS:
        return _counted(_swings_of_sums(parts, least), len(parts))
    if len(parts) <= SUBSETS_VOTERS:
        return _counted(_swings_of_subsets(parts, least), len(parts))
    return _drawn(parts, least, Random(seed))


def turnout(votes: Sequence[Came]) -> float:
    """Mean share that voted, of the votes in which this chamber had a say. Raises Undefined."""
    parts = [came / could for came, could in filter(None, votes) if could]
    if not parts:
        raise Undefined(Said("no_vote"))
    return sum(parts) / len(parts)


def smaller_half(stakes: Mapping[str, int]) -> frozenset[str]:
    """Voters whose stake is no more than the median's; all of them where all have the same."""
    if not stakes:
        return frozenset()
    ordered = sorted(stakes.values())
    median = ordered[(len(ordered) - 1) // 2]
    return frozenset(name for name, stake in stakes.items() if stake <= median)


def success(decided: Sequence[Decided]) -> float:
    """The share that passed. Raises Undefined."""
    if not decided:
        raise Undefined(Said("no_proposal"))
    return sum(one.passed for one in decided) / len(decided)


def figures(about: About, votes: Mapping[str, int], decided: Sequence[Decided]) -> list[Figure]:
    """What the Govern page shows. `votes`: stake by voter; more than half of it decides."""
    stakes = {name: stake for name, stake in votes.items() if stake > 0}
    quota = sum(stakes.values()) // 2 + 1
    large = frozenset(stakes) - smaller_half(stakes)
    theirs = [one for one in decided if one.proposer in large]
    others = [one for one in decided if one.proposer not in large]
    return [
        about.of_value("nakamoto", "voters", NAKAMOTO, lambda: nakamoto(stakes)),
        about.of_range("banzhaf_top", "0 to 1", BANZHAF, lambda: _top(banzhaf(stakes, quota))),
        about.of_value("voting_gini", "0 to 1", GINI, lambda: gini([*stakes.values()])),
        about.of_value(
            "turnout_stake", "0 to 1", BY_STAKE, lambda: turnout([one.stake for one in decided])
        ),
        about.of_value(
            "turnout_members",
            "0 to 1",
            BY_MEMBERS,
            lambda: turnout([one.members for one in decided]),
        ),
        about.of_value("success_small", "0 to 1", SMALL, lambda: success(others)),
        about.of_value("success_large", "0 to 1", LARGE, lambda: success(theirs)),
    ]


NAKAMOTO = "The fewest voters that have more than half of all stake together."
BANZHAF = (
    "The largest voter's part of all swings: of how often somebody's vote decides, how often "
    f"it is theirs. Exact as long as it can be counted, else a range ({METHOD})."
)
GINI = "Gini of stake among those who have some; 0 is equal."
BY_STAKE = "Mean share of the stake there was that voted on a proposal that is over."
BY_MEMBERS = "Mean share of the members there were that voted on a proposal that is over."
SMALL = "Of proposals by whoever has no more stake than the median voter, the share that passed."
LARGE = "Of proposals by voters with more stake than the median, the share that passed."


def _top(power: Power) -> tuple[float, float]:
    low, high = max(power.shares.values(), key=lambda share: share[1])
    return float(low), float(high)


def _total(weights: Mapping[str, int]) -> int:
    for name, weight in weights.items():
        if weight < 0:
            raise ValueError(f"{name} weighs {weight}; a weight is zero or more.")
    total = sum(weights.values())
    if not total:
        raise Undefined(Said("no_stake"))
    return total


def _swings_of_sums(weights: Mapping[str, int], quota: int) -> dict[str, int]:
    """Coalitions of the others that lose without a voter and win with it, from how many
    coalitions have each sum: a voter is taken out of those counts as it was put in."""
    counts = [1] + [0] * (quota - 1)
    for weight in weights.values():
        for at in range(quota - 1, weight - 1, -1):
            counts[at] += counts[at - weight]
    found: dict[int, int] = {0: 0}
    for weight in set(weights.values()) - {0}:
        rest = counts[:]
        for at in range(weight, quota):
            rest[at] -= rest[at - weight]
        found[weight] = sum(rest[max(0, quota - weight) :])
    return {name: found[weight] for name, weight in weights.items()}


def _swings_of_subsets(weights: Mapping[str, int], quota: int) -> dict[str, int]:
    """The same, coalition by coalition."""
    names, sums = [*weights], [0]
    for name in names:
        sums += [held + weights[name] for held in sums]
    return {
        name: sum(
            1
            for members, held in enumerate(sums)
            if members >> place & 1 and held - weights[name] < quota <= held
        )
        for place, name in enumerate(names)
    }


def _counted(swings: Mapping[str, int], voters: int) -> Power:
    every = sum(swings.values())
    alone = {name: Fraction(count, 1 << (voters - 1)) for name, count in swings.items()}
    parts = {name: Fraction(count, every) for name, count in swings.items()}
    return Power({n: (p, p) for n, p in alone.items()}, {n: (p, p) for n, p in parts.items()}, True)


def _drawn(weights: Mapping[str, int], quota: int, chance: Random) -> Power:
    """Each drawn coalition tells of every voter whether it swings it."""
    names = sorted(weights, key=lambda name: -weights[name])
    sizes = [weights[name] for name in names]
    counts = [0] * len(names)
    draws = min(DRAWS, max(LEAST_DRAWS, DRAWN_STEPS // len(names)))
    for _ in range(draws):
        members = chance.getrandbits(len(names))
        held = sum(size for place, size in enumerate(sizes) if members >> place & 1)
        for place, size in enumerate(sizes):
            if held >= quota if members >> place & 1 else held < quota:
                gap = held - quota + 1 if members >> place & 1 else quota - held
                if size < gap:
                    continue
                counts[place] += 1
    doubt = Fraction(sqrt(log(2 / DOUBT) / (2 * draws)))
    swings = {}
    for name, count in zip(names, counts, strict=True):
        found = Fraction(count, draws)
        swings[name] = (max(Fraction(0), found - doubt), min(Fraction(1), found + doubt))
    low, high = sum(s[0] for s in swings.values()), sum(s[1] for s in swings.values())
    shares = {
        name: (a / (a + high - b) if a else Fraction(0), b / (b + low - a) if b else Fraction(0))
        for name, (a, b) in swings.items()
    }
    return Power(swings, shares, False)
