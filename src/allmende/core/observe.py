"""Observe: units, money and receipts by member, provider, zone and title.

Rule: a fold over events; nothing decides from it.
Invariant: for every dimension, money over all its values equals the sum of receipts.
Worked number: two receipts of 66_000_000 pico in DEU make `zone` DEU 132_000_000.
"""

from __future__ import annotations

from msgspec import Struct, field

from allmende.core import events as e
from allmende.core import exchange_events as x
from allmende.core.nouns import Receipt
from allmende.core.units import Amount

DIMENSIONS = ("account", "provider", "zone", "title")


class Total(Struct):
    """Receipts, tokens, pico-credits, microjoules and micrograms (low, high)."""

    receipts: int = 0
    input: int = 0
    output: int = 0
    money: Amount = 0
    uj: tuple[int, int] = (0, 0)
    ug: tuple[int, int] = (0, 0)


class Totals(Struct):
    """dimension -> value -> asset -> Total, and who earned what in which role."""

    by: dict[str, dict[str, dict[str, Total]]] = field(
        default_factory=lambda: {dimension: {} for dimension in DIMENSIONS}
    )
    earned: dict[str, dict[str, dict[str, Amount]]] = field(default_factory=dict)
    """account -> role -> asset -> pico-credits"""


def observe(totals: Totals, event: e.Event) -> None:
    """Fold one event: a receipt counts once, when it is final."""
    receipts = e.Captured | e.Finalised | x.Redeemed
    if isinstance(event, receipts) and event.receipt.verdict != "pending":
        _add(totals, event.receipt)


def _add(totals: Totals, receipt: Receipt) -> None:
    values = (receipt.account, receipt.provider, receipt.zone.country, receipt.title)
    for dimension, value in zip(DIMENSIONS, values, strict=True):
        by_asset = totals.by[dimension].setdefault(value, {})
        total = by_asset.setdefault(receipt.asset, Total())
        total.receipts += 1
        total.input += receipt.units.input + receipt.units.cached + receipt.units.embedding
        total.output += receipt.units.output
        total.money += receipt.price
        total.uj = _sum(total.uj, receipt.energy.uj)
        total.ug = _sum(total.ug, receipt.energy.ug)
    for payment in receipt.waterfall:
        roles = totals.earned.setdefault(payment.account, {})
        assets = roles.setdefault(payment.role, {})
        assets[receipt.asset] = assets.get(receipt.asset, 0) + payment.amount


def _sum(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]
