"""Dependence: how much comes from elsewhere, through which layers, and what would replace it.

Rule: an unknown origin may be home or not, so a foreign share is a range. A path is as
independent as the product of its layers, and as weak as its weakest. Elasticities are
associations with their standard errors, and say nothing about cause.
Invariant: low <= foreign share <= high for every place that the unknown may be; the product
over layers is never above the strongest dependence's complement.
Worked number: chips 90 % foreign, cloud 60 %, models 50 %: independence 0.1 * 0.4 * 0.5 = 0.02,
weakest chips. Of 100 tokens 60 foreign and 10 unknown: 60 to 70 %.

Sources: reference economics.md 2.5; SWD(2021) 352 for the three indicators (a dated rule).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import fsum, prod
from typing import NamedTuple

from allmende.measure.concentration import Range, hhi, shares
from allmende.measure.dated import Rules
from allmende.measure.figure import About, Figure, Undefined
from allmende.measure.said import Said

FOREIGN = "What comes from outside home, of all; what has no known origin may be either."
INDEPENDENCE = "Product over the layers of 1 - foreign share: the part of paths all at home."


class Origin(NamedTuple):
    """One weight (tokens, credit, critical workloads, users): amounts by country of control."""

    by_country: Mapping[str, float]
    unknown: float = 0.0


class Weakest(NamedTuple):
    """The layers that may be the most foreign; one, unless their ranges overlap."""

    layers: tuple[str, ...]
    foreign: Range


class Screen(NamedTuple):
    """One core dependency indicator against its limit; `value` None is undefined, and says why."""

    name: str
    value: float | None
    limit: float
    exceeded: bool
    why: str


def foreign_share(origin: Origin, home: Collection[str]) -> Range:
    """D: everything but home's, of all. `home` is countries. Raises Undefined of nothing."""
    found = shares(origin.by_country, origin.unknown)
    low = fsum(share for country, share in found.items() if country not in home)
    at_home = fsum(share for country, share in found.items() if country in home)
    return low, max(low, 1 - at_home)


def foreign_shares(
    about: About, weights: Mapping[str, Origin], home: Collection[str]
) -> list[Figure]:
    """One figure a weight, keyed `foreign_<weight>`; side by side, never averaged."""
    return [
        about.of_range(
            f"foreign_{weight}",
            "share",
            FOREIGN,
            lambda origin=origin: foreign_share(origin, home),  # type: ignore[misc]
        )
        for weight, origin in weights.items()
    ]


def path_independence(foreign: Mapping[str, Range]) -> Range:
    """Product of 1 - D over the layers. Raises Undefined without a layer."""
    _layers(foreign)
    return prod(1 - high for _, high in foreign.values()), prod(
        1 - low for low, _ in foreign.values()
    )


def weakest(foreign: Mapping[str, Range]) -> Weakest:
    """The most foreign layer; where the ranges leave it open, all that it may be.

    A layer that is certainly all at home is none, unless every layer is.
    """
    _layers(foreign)
    least, most = (max(pair[end] for pair in foreign.values()) for end in (0, 1))
    may = tuple(
        name for name, (_, high) in foreign.items() if high >= least and (high > 0 or not most)
    )
    return Weakest(may, (least, most))


def supplier_hhi(bought: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Consumer -> HHI of its suppliers in points; who bought nothing has none and is left out."""
    return {
        consumer: hhi(shares(suppliers))[0]
        for consumer, suppliers in bought.items()
        if any(suppliers.values())
    }


def mean_supplier_hhi(bought: Mapping[str, Mapping[str, float]]) -> float:
    """The suppliers' HHI of the average unit bought. Raises Undefined if nothing was."""
    of_each = supplier_hhi(bought)
    spent = {consumer: fsum(bought[consumer].values()) for consumer in of_each}
    return fsum(share * of_each[consumer] for consumer, share in shares(spent).items())


def core_dependency(
    rules: Rules, imports: Mapping[str, float], home: Collection[str], exports: float
) -> list[Screen]:
    """CDI 1 to 3: `imports` by country of origin, `home` the member states, `exports` to outside.

    The screen calls a good dependent where all three are exceeded. Nothing imported from
    outside exceeds nothing; imports without any exports exceed the third, without a number.
    """
    limits = rules.values
    outside = {country: n for country, n in imports.items() if country not in home}
    total, away = fsum(imports.values()), fsum(outside.values())
    return [
        _screen(
            "CDI1",
            hhi(shares(outside))[0] / 10_000 if away else None,
            limits["cdi1_hhi_over"],
            "Nothing is imported from outside.",
        ),
        _screen(
            "CDI2",
            fsum(shares(imports)[country] for country in outside) if total else None,
            limits["cdi2_outside_over"],
            "Nothing is imported.",
        ),
        _screen(
            "CDI3",
            away / exports if exports else None,
            limits["cdi3_cover_over"],
            "Nothing is exported to outside.",
            away > 0,
        ),
    ]


def expected_unserved(
    chances: Mapping[str, float], served: Mapping[str, float], demand: float
) -> float:
    """EUT = sum of P(j) (1 - R without j) * d: tokens that outages leave unserved on average.

    To first order: as if no two fail at once. `served` is R, the share of demand that a drill
    still serves. Raises ValueError naming what has no drill.
    """
    for name, chance in chances.items():
        if name not in served:
            raise ValueError(f"{name} may fail, but no drill says what is served without it.")
        if not (0 <= chance <= 1 and 0 <= served[name] <= 1):
            raise ValueError(f"{name}: a chance and a share served are from 0 to 1.")
    if not demand >= 0:
        raise ValueError(f"Demand is zero or more, not {demand}.")
    return demand * fsum(chance * (1 - served[name]) for name, chance in chances.items())


def _screen(
    name: str, value: float | None, limit: float, why: str, otherwise: bool = False
) -> Screen:
    if value is None:
        return Screen(name, None, limit, otherwise, why)
    return Screen(name, value, limit, value > limit, "")


def _layers(foreign: Mapping[str, Range]) -> None:
    if not foreign:
        raise Undefined(Said("no_layer"))
    for name, (low, high) in foreign.items():
        if not 0 <= low <= high <= 1:
            raise ValueError(f"{name}: {low} to {high} is no range of shares.")
