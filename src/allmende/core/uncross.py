"""Uncross: the one price at which a call auction trades.

Rule: the price with the largest volume; of those the smallest imbalance; of those the
nearest to the reference. Candidates are the orders' own prices and the reference.
Invariant: the volume is what both sides can trade at that price; walking each side in
price-time priority until it is exhausted conserves every grain. No tie is left: of two
prices equally good and equally near, the reference lies between, and is as good as they.
Worked number: bids 10 at 105 and 10 at 103, asks 10 at 101 and 10 at 104, reference 104:
at 101 and 103 volume is 10 with 10 buyers' left over, at 104 it is 10 with 10 sellers'
left over, at 105 the same; 104 is nearest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from allmende.core.units import Amount


class Clearing(NamedTuple):
    """`grains` trade at `price`; `imbalance` is left over there, buyers' positive."""

    price: Amount
    grains: int
    imbalance: int


def clearing(
    bids: Iterable[tuple[Amount, int]],
    asks: Iterable[tuple[Amount, int]],
    reference: Amount,
    *,
    lowest: bool = False,
) -> Clearing | None:
    """The auction of (price, grains) on both sides. None where nothing crosses.

    `lowest` takes the lowest price of the largest volume: for those who ration, not bid.
    """
    demand, supply = _sum(bids), _sum(asks)
    prices = sorted({*demand, *supply, reference})
    wanted = sum(demand.values())
    offered = 0
    found: Clearing | None = None
    for price in prices:
        offered += supply.get(price, 0)
        at = Clearing(price, min(wanted, offered), wanted - offered)
        wanted -= demand.get(price, 0)
        better = found is None or (
            at.grains > found.grains if lowest else _better(at, found, reference)
        )
        if at.grains and better:
            found = at
    return found


def _sum(orders: Iterable[tuple[Amount, int]]) -> dict[Amount, int]:
    total: dict[Amount, int] = {}
    for price, grains in orders:
        total[price] = total.get(price, 0) + grains
    return total


def _better(new: Clearing, old: Clearing, reference: Amount) -> bool:
    keys = [(-c.grains, abs(c.imbalance), abs(c.price - reference)) for c in (new, old)]
    return keys[0] < keys[1]
