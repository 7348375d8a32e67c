"""Rents: what is paid above cost, and how much of that is for not being able to leave.

Rule: a price is held against what serving one more token costs, against what the cheapest
hosts of the same open weights ask, and against long-run cost with training in it. The split is
a range: at most S / (q T) of the rent is lock-in, for above that a buyer would rather leave.
Invariant: lock-in + scarcity = rent at both ends of the ranges; in Cournot's market the
share-weighted Lerner index is HHI / elasticity, whatever the costs.
Worked number: a price of 10 where long-run cost is 6, a switch costs 1,200, and 100 are bought
a month for 6 months: rent 4 each, lock-in 0 to 2, scarcity 2 to 4.

Sources: reference economics.md 2.4 and 4.6; Lerner 1934; Cowling and Waterson 1976; Areeda and
Turner 1975. Prices and costs in one unit of money per one unit of tokens, whichever they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import fsum, inf
from typing import Literal, NamedTuple

from allmende.measure.concentration import Range, hhi
from allmende.measure.figure import Undefined
from allmende.measure.said import Said

CHEAPEST = 3
"""Hosts in the floor: fewer are no market, and one low offer is not a price."""
KWH_J = 3.6e6


class Host(NamedTuple):
    """An ask for open weights. Only like is compared: same context window and quantisation."""

    name: str
    price: float
    volume: float
    context: int
    quantisation: str


class Split(NamedTuple):
    """A technology rent for `quantity`: in all, and what of it is lock-in and what scarcity."""

    rent: float
    lock_in: Range
    scarcity: Range


class Free(NamedTuple):
    """What is given away: its share of units, its cost over paid revenue, and why it is flagged."""

    share: float
    cost_to_revenue: float
    flags: tuple[str, ...]


def lerner(price: float, marginal_cost: float) -> float:
    """(p - mc) / p: the part of the price that is not the cost of one more. Below cost: negative.

    Raises Undefined for a price of zero, which no part can be of.
    """
    _not_negative(price=price, marginal_cost=marginal_cost)
    if not price:
        raise Undefined("The price is zero; a free good has no margin, only a cost.")
    return (price - marginal_cost) / price


def marginal_cost(
    gpu_hour: float,
    tokens_per_hour: float,
    token_j: float = 0.0,
    pue: float = 1.0,
    kwh: float = 0.0,
    network: float = 0.0,
) -> float:
    """One token: its time on the GPU at the price of renting it out, electricity, and network.

    `gpu_hour` is the opportunity price of all GPUs that serve at `tokens_per_hour`; `token_j`
    joules a token before the building's overhead `pue`. Leave the energy out where the hour's
    price has it in. Raises Undefined if nothing is served.
    """
    _not_negative(gpu_hour=gpu_hour, token_j=token_j, kwh=kwh, network=network)
    if pue < 1:
        raise ValueError(f"A PUE is 1 or more, not {pue}: it counts the computers themselves.")
    if not tokens_per_hour > 0:
        raise Undefined("No tokens are served in the hour, so one of them has no cost.")
    return gpu_hour / tokens_per_hour + token_j * pue / KWH_J * kwh + network


def floor(hosts: Iterable[Host], context: int, quantisation: str) -> float:
    """Volume-weighted median of the three cheapest hosts of the same weights, served alike.

    The lower of two prices that share the middle; without any volume each host counts as one.
    Raises Undefined with fewer than three hosts.
    """
    like = [h for h in hosts if (h.context, h.quantisation) == (context, quantisation)]
    for host in like:
        _not_negative(**{f"{host.name}'s price": host.price, "volume": host.volume})
    if len({host.name for host in like}) < len(like):
        raise ValueError("A host is named twice; give each its lowest ask once.")
    if len(like) < CHEAPEST:
        raise Undefined(f"{len(like)} hosts serve these weights alike; a floor needs {CHEAPEST}.")
    cheapest = sorted(like, key=lambda host: (host.price, host.name))[:CHEAPEST]
    volumes = [host.volume for host in cheapest]
    if not any(volumes):
        volumes = [1.0] * CHEAPEST
    below, half = 0.0, fsum(volumes) / 2
    for host, volume in zip(cheapest, volumes, strict=True):
        below += volume
        if below >= half:
            return host.price
    return cheapest[-1].price


def above_floor(price: float, lowest: float) -> float:
    """1 - floor / p: an upper bound of the rent where a closed model has no equivalent."""
    return lerner(price, lowest)


def long_run_cost(
    marginal: float, training: float, lifetime_tokens: float, others: float = 0.0
) -> float:
    """LRAC: a token's marginal cost, its part of the training, and `others` per token."""
    _not_negative(marginal=marginal, training=training, others=others)
    if not lifetime_tokens > 0:
        raise Undefined("Training is spread over no tokens.")
    return marginal + training / lifetime_tokens + others


def technology_rent(
    price: float, long_run: float, quantity: float, switching_cost: float, periods: float
) -> Split:
    """The rent on `quantity` a period, and its split: lock-in per token is at most S / (q T).

    T is how many `periods` a switch would pay for. A price below cost is a negative rent with
    nothing to split. Raises Undefined where nothing is bought.
    """
    _not_negative(price=price, long_run=long_run, switching_cost=switching_cost)
    if not (quantity > 0 and periods > 0):
        raise Undefined("Nothing is bought over the time, so there is no rent on it.")
    rent = (price - long_run) * quantity
    most = min(max(rent, 0.0), switching_cost / periods)
    return Split(rent, (0.0, most), (rent - most, rent))


def take_rate(platform: float, volume: float) -> float:
    """The platform's revenue over all that was paid through it (GMV)."""
    _not_negative(platform=platform, volume=volume)
    if not volume:
        raise Undefined(Said("nothing_paid"))
    if platform > volume:
        raise ValueError(f"The platform took {platform:g} of {volume:g}; check the two periods.")
    return platform / volume


def weighted_lerner(shares: Mapping[str, float], lerners: Mapping[str, float]) -> float:
    """Sum of s_i L_i. Raises ValueError naming a seller whose margin is not given."""
    for name in shares:
        if name not in lerners:
            raise ValueError(f"{name} has a share but no Lerner index.")
    return fsum(share * lerners[name] for name, share in shares.items())


def implied_elasticity(shares: Mapping[str, float], lerners: Mapping[str, float]) -> float:
    """The demand elasticity that margins and HHI would mean in Cournot's market: a plausibility
    check (Cowling and Waterson). Raises Undefined where there are no margins to explain."""
    margin = weighted_lerner(shares, lerners)
    if margin <= 0:
        raise Undefined("The margins are zero or below, which no elasticity explains.")
    return hhi(shares)[0] / 10_000 / margin


class Cournot(NamedTuple):
    """An equilibrium of linear demand P = a - b Q: `elasticity` is -(dQ/dP) P/Q there."""

    price: float
    quantities: tuple[float, ...]
    lerners: tuple[float, ...]
    elasticity: float


def cournot(a: float, b: float, costs: Sequence[float]) -> Cournot:
    """With one marginal cost per seller. Raises Undefined if one of them would not sell."""
    if not (a > 0 and b > 0 and costs):
        raise ValueError("Demand slopes down from above zero, and somebody sells.")
    price = (a + fsum(costs)) / (len(costs) + 1)
    quantities = tuple((price - cost) / b for cost in costs)
    if min(quantities) <= 0:
        raise Undefined("A seller's cost is above the price, so it would not sell.")
    lerners = tuple(lerner(price, cost) for cost in costs)
    return Cournot(price, quantities, lerners, price / (b * fsum(quantities)))


def free_share(
    free: float, paid: float, free_cost: float, paid_revenue: float, limit: float
) -> Free:
    """Units given away, and whether paid ones carry them.

    Flagged if what is free costs more than `limit` of paid revenue, or if there is none at all
    to carry it. `limit` comes from a dated rule. Raises Undefined where nothing was served.
    """
    _not_negative(free=free, paid=paid, free_cost=free_cost, paid_revenue=paid_revenue)
    if not free + paid:
        raise Undefined("Nothing was served, free or paid.")
    unpaid = inf if free_cost else 0.0
    ratio = free_cost / paid_revenue if paid_revenue else unpaid
    flags = (f"free use costs {ratio:.1%} of paid revenue",) if ratio > limit else ()
    return Free(free / (free + paid), ratio, flags)


Below = Literal["below avoidable cost", "between avoidable and total cost", "at or above cost"]


def price_cost_test(price: float, avoidable: float, total: float) -> Below:
    """Areeda and Turner's test: a price below average avoidable cost is taken for predation; one
    above it and below total cost only with a plan to exclude, which no figure shows."""
    _not_negative(price=price, avoidable=avoidable, total=total)
    if avoidable > total:
        raise ValueError(f"Avoidable cost {avoidable:g} is part of total cost {total:g}.")
    if price < avoidable:
        return "below avoidable cost"
    return "between avoidable and total cost" if price < total else "at or above cost"


def _not_negative(**numbers: float) -> None:
    for name, number in numbers.items():
        if not number >= 0:
            raise ValueError(f"{name.replace('_', ' ')} is {number}; it is zero or more.")
