"""Trades as prices: what a market's own verified receipts say a million tokens cost.

Rule: a receipt counts once it is final, agrees with our own count, was paid in credit and at
arm's length, and not by a right, whose price was agreed in another month. A month is cut into
four parts; in each the price of a listing is the median by volume, and the month's price is the
mean of the parts that had trade, so that one large order at the right hour moves a quarter at most.
Invariant: weights are what was spent; every receipt is counted, or counted as left out and why.
Worked number: a tariff of 150_000 pico-credits a token is 0.15 credits a million; a listing at
0.15 in one quarter and 0.17 in another has 0.16 in that month.
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime

from msgspec import Struct, structs

from allmende.core import events as e
from allmende.core.nouns import Receipt
from allmende.core.units import CREDIT, PPM, SECOND, Amount
from allmende.measure.owners import Owners
from allmende.measure.prices import Price, last_days
from allmende.measure.prices_cells import Item, Month, Quote, weighted_median

PARTS = 4
ASSET = "credit"
WHY = {
    "unverified": "not counted by us, or counted otherwise",
    "right": "paid by a right",
    "asset": "paid in another asset",
    "related": "payer and provider have one owner",
    "free": "no tokens, or for nothing",
}
"""Why a receipt is left out, in the order in which it is asked."""


class Trade(Struct, frozen=True):
    """One receipt: prices in credits per million tokens, `spent` in credits."""

    day: date
    item: Item
    price: Price
    tokens: int
    spent: float


class TradeTape:
    """Feed it a market's events in order; `trades` are those that count, `left` the others.

    Who owns whom is known best at the end, so hosts are told apart there.
    """

    def __init__(self) -> None:
        self._owners = Owners()
        self._found: list[tuple[Trade, str]] = []
        self._left = Counter[str]()

    def feed(self, event: e.Event) -> None:
        self._owners.feed(event)
        if isinstance(event, e.Captured | e.Finalised) and event.receipt.verdict != "pending":
            why = reason(event.receipt)
            if why:
                self._left[why] += 1
            else:
                self._found.append((trade(event.receipt), event.receipt.account))

    @property
    def trades(self) -> list[Trade]:
        return [
            structs.replace(one, item=one.item._replace(host=self._owners.owner(one.item.host)))
            for one, payer in self._found
            if not self._owners.same(payer, one.item.host)
        ]

    @property
    def left(self) -> dict[str, int]:
        """How many receipts do not count, by the reasons of WHY."""
        related = sum(self._owners.same(payer, one.item.host) for one, payer in self._found)
        return {why: n for why in WHY if (n := {**self._left, "related": related}.get(why, 0))}


def reason(receipt: Receipt) -> str:
    """Why a final receipt does not count, as a key of WHY; empty if it may."""
    units = receipt.units
    if receipt.verdict != "agrees":
        return "unverified"
    if receipt.right:
        return "right"
    if receipt.asset != ASSET:
        return "asset"
    return "" if receipt.price and units.input + units.cached + units.output else "free"


def trade(receipt: Receipt) -> Trade:
    """A receipt as a trade; its host is the provider, until its owner is looked up."""
    units, tariff = receipt.units, receipt.tariff
    return Trade(
        day=datetime.fromtimestamp(receipt.at / SECOND, UTC).date(),
        item=Item(receipt.model.lower(), receipt.provider, receipt.title),
        price=Price(_million(tariff.input), _million(tariff.output), _million(tariff.cached)),
        tokens=units.input + units.cached + units.output,
        spent=receipt.price / CREDIT,
    )


def trade_months(found: Sequence[Trade]) -> Iterator[Month]:
    """Month by month, months without trade included."""
    if not found:
        return
    by_month: dict[tuple[int, int], list[Trade]] = {}
    for one in found:
        by_month.setdefault((one.day.year, one.day.month), []).append(one)
    days = [one.day for one in found]
    for day in last_days(min(days), max(days)):
        yield Month(day, _quotes(by_month.get((day.year, day.month), [])), spent=True)


def _quotes(found: Iterable[Trade]) -> dict[Item, Quote]:
    by_item: dict[Item, list[Trade]] = {}
    for one in found:
        by_item.setdefault(one.item, []).append(one)
    return {item: Quote(_price(rows), sum(r.spent for r in rows)) for item, rows in by_item.items()}


def _price(rows: Sequence[Trade]) -> Price:
    return Price(*(_meter(rows, meter) for meter in ("input", "output", "cached")))


def _meter(rows: Sequence[Trade], meter: str) -> float | None:
    parts: dict[int, list[tuple[float, float]]] = {}
    for row in rows:
        value = getattr(row.price, meter)
        if value:
            parts.setdefault(_part(row.day), []).append((value, row.tokens))
    medians = [weighted_median(pairs) for pairs in parts.values()]
    return sum(medians) / len(medians) if medians else None


def _part(day: date) -> int:
    return (day.day - 1) * PARTS // monthrange(day.year, day.month)[1]


def _million(amount: Amount | None) -> float | None:
    """Pico-credits a token are micro-credits a million tokens."""
    return None if amount is None else amount / PPM
