"""Rents as figures: each with its definition, ready to be shown beside what it is of.

Rule: what has no value says why, as everywhere; a split is shown as its two ranges.
Invariant: no number here is computed here; measure/rents.py does that.
Worked number: price 10, cost 4: a figure `lerner` of 0.6, "(p - mc) / p".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from allmende.measure.figure import About, Figure
from allmende.measure.rents import (
    CHEAPEST,
    Host,
    Split,
    above_floor,
    floor,
    implied_elasticity,
    lerner,
    take_rate,
    technology_rent,
)

LERNER = "(p - mc) / p: the part of the price that is not the cost of one more token."
FLOOR = f"Volume-weighted median of the {CHEAPEST} cheapest hosts of the same weights, alike."
ABOVE = "1 - floor / p: an upper bound of the rent where a closed model has no equivalent."
RENT = "(price - long-run cost with training) * quantity."
LOCK_IN = "What of the rent may be for not being able to leave: at most switching cost / time."
SCARCITY = "What of the rent is for quality or scarcity: the rest."
TAKE = "The platform's revenue over all that was paid through it."
ELASTICITY = "HHI / sum of s L: the elasticity at which Cournot's market has these margins."


def margin(about: About, price: float, marginal_cost: float) -> Figure:
    return about.of_value("lerner", "share of price", LERNER, lambda: lerner(price, marginal_cost))


def open_floor(
    about: About, price: float, hosts: Iterable[Host], context: int, quantisation: str, unit: str
) -> list[Figure]:
    """The floor, in `unit`, and how far the price stands above it."""
    asks = list(hosts)
    return [
        about.of_value("floor", unit, FLOOR, lambda: floor(asks, context, quantisation)),
        about.of_value(
            "above_floor",
            "share of price",
            ABOVE,
            lambda: above_floor(price, floor(asks, context, quantisation)),
        ),
    ]


def technology(
    about: About,
    price: float,
    long_run: float,
    quantity: float,
    switching_cost: float,
    periods: float,
    unit: str,
) -> list[Figure]:
    """The rent of a period, in `unit`, and its two parts."""

    def split() -> Split:
        return technology_rent(price, long_run, quantity, switching_cost, periods)

    return [
        about.of_value("technology_rent", unit, RENT, lambda: split().rent),
        about.of_range("lock_in_rent", unit, LOCK_IN, lambda: split().lock_in),
        about.of_range("scarcity_rent", unit, SCARCITY, lambda: split().scarcity),
    ]


def taken(about: About, platform: float, volume: float) -> Figure:
    return about.of_value("take_rate", "share", TAKE, lambda: take_rate(platform, volume))


def plausible(about: About, shares: Mapping[str, float], lerners: Mapping[str, float]) -> Figure:
    return about.of_value(
        "implied_elasticity", "elasticity", ELASTICITY, lambda: implied_elasticity(shares, lerners)
    )
