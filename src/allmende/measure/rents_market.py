"""Rents of a market: how far its standing asks are above the floor of the same weights.

Rule: alike are offers of one title with one context window; one owner is one host, at its lowest
ask. Prices are blended 80/20; an offer that does not sell both input and output is not asked.
Offers say nothing of quantisation, so a floor may be of weights that are coarser: it is reported.
Invariant: a title with fewer than three owners has no floor and says so; all its asks are named.
Worked number: asks of 10, 20, 30 and 60 by four owners, volumes alike: floor 20, and the dearest
is two thirds above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from allmende.core.nouns import Offer
from allmende.measure.figure import Undefined
from allmende.measure.prices import HEADLINE, Price
from allmende.measure.rents import Host, above_floor, floor


class Ask(NamedTuple):
    """One standing offer: `price` in pico-credits per blended token; `above` the part of it that
    the floor does not explain, None where there is no floor or the price is zero."""

    offer: str
    provider: str
    model: str
    owner: str
    price: float
    above: float | None


class Alike(NamedTuple):
    """Offers of the same weights, served alike, cheapest first. `why` there is no floor."""

    title: str
    context: int
    asset: str
    floor: float | None
    why: str
    asks: tuple[Ask, ...]


def alike(
    offers: Iterable[Offer], volumes: Mapping[str, float], owners: Mapping[str, str]
) -> list[Alike]:
    """`volumes`: offer -> tokens served; `owners`: provider -> who owns it in the end."""
    groups: dict[tuple[str, int, str], list[tuple[Offer, float]]] = {}
    for offer in offers:
        price = blended(offer)
        if price is not None:
            key = (offer.title, offer.context, offer.asset)
            groups.setdefault(key, []).append((offer, price))
    return [_alike(key, rows, volumes, owners) for key, rows in sorted(groups.items())]


def blended(offer: Offer) -> float | None:
    """Pico-credits per token at 80/20; None if it does not sell both."""
    tariff = offer.tariff
    if tariff.input is None or tariff.output is None:
        return None
    return HEADLINE.of(Price(float(tariff.input), float(tariff.output)))


def _alike(
    key: tuple[str, int, str],
    rows: list[tuple[Offer, float]],
    volumes: Mapping[str, float],
    owners: Mapping[str, str],
) -> Alike:
    hosts: dict[str, Host] = {}
    for offer, price in rows:
        name = owners.get(offer.provider, offer.provider)
        before = hosts.get(name, Host(name, price, 0.0, offer.context, ""))
        volume = before.volume + volumes.get(offer.id, 0.0)
        hosts[name] = before._replace(price=min(before.price, price), volume=volume)
    try:
        lowest, why = floor(hosts.values(), key[1], ""), ""
    except Undefined as error:
        lowest, why = None, str(error)
    asks = [
        Ask(
            *(offer.id, offer.provider, offer.model),
            *(owners.get(offer.provider, offer.provider), price),
            above_floor(price, lowest) if lowest is not None and price else None,
        )
        for offer, price in rows
    ]
    ordered = tuple(sorted(asks, key=lambda ask: (ask.price, ask.offer)))
    return Alike(key[0], key[1], key[2], lowest, why, ordered)
