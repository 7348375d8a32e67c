"""Concentration: how few sell how much, with bounds for whom we do not know.

Rule: shares are fractions of all, the unknown rest R included. Each unknown seller has at most
m; so the HHI lies between R in dust and R in as many sellers of m as fit, and one of what is
left. Cross-stakes: O'Brien and Salop's MHHI weighs each rival by what a firm's controllers
also own of it.
Invariant: the interval holds every way of dividing the rest; without cross-stakes the MHHI is
the HHI; a merger of a and b adds twice the product of their shares.
Worked number: 30, 30, 20 and 20 %: HHI 2,600, effective number 3.85, CR4 100 %. Of 29, 20 and
13 % with 38 % unknown at most 13 each: 1,410 to 1,892.

Sources: reference economics.md 2.1; O'Brien and Salop 2000 (MHHI). HHI in points of 10,000.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import fsum
from typing import NamedTuple

from allmende.measure.figure import About, Figure, Undefined
from allmende.measure.said import Said

POINTS = 10_000
SLACK = 1e-9
"""By how much shares may miss one: they come from divisions."""

Range = tuple[float, float]
Stakes = Mapping[str, Mapping[str, float]]
"""Firm -> owner -> share of it, between 0 and 1: of votes, or of profit."""


class Rest(NamedTuple):
    """What nobody told us: `share` of all, held by sellers of at most `most` each."""

    share: float = 0.0
    most: float = 1.0


NOTHING = Rest()


def shares(amounts: Mapping[str, float], unknown: float = 0.0) -> dict[str, float]:
    """Each seller's fraction of all, `unknown` included. Raises Undefined if nothing was sold."""
    for name, amount in {**amounts, "the unknown rest": unknown}.items():
        if not amount >= 0:
            raise ValueError(f"{name} sold {amount}; an amount is zero or more.")
    total = fsum([*amounts.values(), unknown])
    if not total:
        raise Undefined(Said("nothing_sold"))
    return {name: amount / total for name, amount in amounts.items()}


def hhi(known: Mapping[str, float], rest: Rest = NOTHING) -> Range:
    """Lowest and highest HHI in points; equal without a rest."""
    _whole(known, rest)
    low = POINTS * fsum(share * share for share in known.values())
    return low, low + POINTS * fsum(share * share for share in _blocks(rest))


def effective_number(known: Mapping[str, float], rest: Rest = NOTHING) -> Range:
    """So many equal sellers would have this HHI: 10,000 / HHI. Its lowest is the HHI's highest."""
    low, high = hhi(known, rest)
    if not low:
        raise Undefined(Said("no_seller"))
    return POINTS / high, POINTS / low


def largest(known: Mapping[str, float], rest: Rest = NOTHING, count: int = 4) -> Range:
    """CR4, or CR of another `count`: the share of the largest sellers, as a fraction."""
    _whole(known, rest)
    least = sorted(known.values(), reverse=True)[:count]
    most = sorted([*known.values(), *_blocks(rest, count)], reverse=True)[:count]
    return fsum(least), min(1.0, fsum(most))


def hhi_of_ranges(amounts: Mapping[str, Range]) -> Range:
    """The HHI of amounts that are known as ranges: an outer bound, so never too narrow.

    Each share is at its least where its amount is and all others are at their most.
    """
    if not fsum(low for low, _ in amounts.values()):
        raise Undefined(Said("nothing_sold_maybe"))
    lows, highs = [fsum(pair[end] for pair in amounts.values()) for end in (0, 1)]
    least = [low / (low + highs - high) if low else 0.0 for low, high in amounts.values()]
    most = [high / (high + lows - low) if high else 0.0 for low, high in amounts.values()]
    fewest = POINTS / len(amounts)
    return (
        max(fewest, POINTS * fsum(s * s for s in least)),
        min(float(POINTS), POINTS * fsum(s * s for s in most)),
    )


def quality_adjusted(
    tokens: Mapping[str, Mapping[str, float]], quality: Mapping[str, float]
) -> dict[str, Range]:
    """Seller -> model -> tokens, each token counted by its model's quality (0 is worthless).

    A model that nobody scored counts between the lowest and the highest quality known here.
    """
    found = [quality[model] for sold in tokens.values() for model in sold if model in quality]
    if not found:
        raise Undefined(Said("no_quality"))
    if min(found) < 0:
        raise ValueError("A quality is zero or more.")
    span = (min(found), max(found))

    def summed(sold: Mapping[str, float], end: int) -> float:
        return fsum(n * quality.get(model, span[end]) for model, n in sold.items())

    return {name: (summed(sold, 0), summed(sold, 1)) for name, sold in tokens.items()}


class Merger(NamedTuple):
    """What it does if a and b become one. HHI in points, `share` the merged firm's fraction."""

    before: Range
    after: Range
    delta: float
    share: float


def merger(known: Mapping[str, float], a: str, b: str, rest: Rest = NOTHING) -> Merger:
    """Delta = 2 * share of a * share of b: exact, whatever the rest is."""
    for name in (a, b):
        if name not in known:
            raise ValueError(f"{name} is not among the known sellers.")
    if a == b:
        raise ValueError(f"{a} cannot merge with itself.")
    low, high = hhi(known, rest)
    delta = POINTS * 2 * known[a] * known[b]
    return Merger((low, high), (low + delta, high + delta), delta, known[a] + known[b])


def mhhi(
    known: Mapping[str, float], control: Stakes, financial: Stakes, rest: Rest = NOTHING
) -> Range:
    """HHI with cross-stakes: sum over k, j of s_k s_j (sum_i g_ik b_ij) / (sum_i g_ik b_ik).

    g are control weights, b financial shares. A firm without owners in `control` or `financial`
    owns itself, so a stake of one seller in another is written alone. What the named owners do
    not hold of a firm is others', who hold nothing else here: at the low end one block, at the
    high end dust without a say. Unknown sellers have no cross-stakes. Raises Undefined where
    somebody may control a firm without owning any of it.
    """
    low, high = hhi(known, rest)
    pulls = [_pull(known, control, financial, k) for k, share in known.items() if share]
    return low + POINTS * fsum(one for one, _ in pulls), high + POINTS * fsum(b for _, b in pulls)


def concentration(about: About, known: Mapping[str, float], rest: Rest = NOTHING) -> list[Figure]:
    """HHI, effective number and CR4 of one market on one weight (tokens, credit, quality)."""
    return [
        about.of_range("hhi", "points of 10,000", HHI, lambda: hhi(known, rest)),
        about.of_range(
            "effective_number", "sellers", EFFECTIVE, lambda: effective_number(known, rest)
        ),
        about.of_range("cr4", "share", CR4, lambda: largest(known, rest)),
    ]


HHI = "Sum of squared shares in percent; unknown sellers between dust and the largest that fit."
EFFECTIVE = "10,000 / HHI: so many equal sellers would be as concentrated."
CR4 = "Share of the four largest sellers together."
MHHI = "HHI that also weighs what a seller's owners have of its rivals (O'Brien and Salop)."


def _blocks(rest: Rest, at_most: int | None = None) -> list[float]:
    """The rest in the largest pieces allowed; the first `at_most` of them if that is enough.

    A whole number of pieces that a float misses by a hair changes nothing: the hair is small.
    """
    if not rest.share:
        return []
    count = int(rest.share // rest.most)
    if at_most is not None and count >= at_most:
        return [rest.most] * at_most
    return [rest.most] * count + [max(0.0, rest.share - count * rest.most)]


def _whole(known: Mapping[str, float], rest: Rest) -> None:
    for name, share in {**known, "the unknown rest": rest.share}.items():
        if not 0 <= share <= 1 + SLACK:
            raise ValueError(f"{name} has {share}; a share is a fraction from 0 to 1.")
    if rest.share and not 0 < rest.most <= 1:
        raise ValueError(f"An unknown seller has at most {rest.most}; that is no share above 0.")
    total = fsum([*known.values(), rest.share])
    if not known and not rest.share:
        raise Undefined(Said("nothing_sold"))
    if abs(total - 1) > SLACK:
        raise ValueError(f"The shares and the unknown rest add up to {total:.6g}, not to 1.")


def _pull(known: Mapping[str, float], control: Stakes, financial: Stakes, k: str) -> Range:
    """What its controllers' other stakes add to k's share: the rest of k one block, or dust."""
    say, own = control.get(k, {k: 1.0}), financial.get(k, {k: 1.0})
    others = _others(say, k, "votes") * _others(own, k, "profit")
    rivals = fsum(
        known[j] * g * financial.get(j, {j: 1.0}).get(i, 0.0)
        for j in known
        if j != k
        for i, g in say.items()
    )
    if not rivals:
        return 0.0, 0.0
    named = fsum(g * own.get(i, 0.0) for i, g in say.items())
    if not named:
        raise Undefined(f"Whoever controls {k} may own none of it, so its weight has no bound.")
    return known[k] * rivals / (named + others), known[k] * rivals / named


def _others(stakes: Mapping[str, float], firm: str, what: str) -> float:
    total = fsum(stakes.values())
    if min(stakes.values(), default=0.0) < 0 or total > 1 + SLACK:
        raise ValueError(f"The stakes in {firm}'s {what} add up to {total:.6g}, not to 1 or less.")
    return max(0.0, 1 - total)


def layers(by_layer: Mapping[str, Sequence[Figure]], key: str = "hhi") -> list[Figure]:
    """That figure of each layer, the most concentrated first; the undefined last.

    Ordered by the low end: a layer that may be concentrated is not above one that is.
    """
    found = [figure for figures in by_layer.values() for figure in figures if figure.key == key]
    return sorted(found, key=lambda f: (f.low is None, -(f.low or 0.0)))
