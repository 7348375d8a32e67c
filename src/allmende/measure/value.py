"""Value: who captured what of each price, and where, from the receipts' waterfalls.

Rule: a line of a waterfall counts for its role, its layer, its actor, the place where it was
produced and the country of its ultimate owner; what nobody knows is called unknown and kept.
Invariant: each of the five tables sums to the prices of the final receipts, to the pico-credit.
Worked number: of 101 pico with author 10, fee 5, levy 1 and host 85 by a host in SWE owned in
USA, and an author nobody knows: place SWE 85, unknown 16; owner USA 85, unknown 16.

A receipt counts when it is final, as it then stands: a recount that corrected it is in it, a
provisional one is not yet. Where rights paid, the credit came out of the issuer's bond and is
value captured all the same (`paid_with`). Assets are never added up: one table is of one asset.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct

from allmende.core.actors import Registry
from allmende.core.nouns import Receipt
from allmende.core.units import Amount
from allmende.measure.cells import Cell
from allmende.measure.control import Control

UNKNOWN = "unknown"
DIMENSIONS = ("role", "layer", "actor", "place", "owner")
ENTITIES = ("parent", "brand", "legal")
LAYERS = (
    *("chip", "energy", "cloud", "serving", "network", "data", "model"),
    *("application", "platform", "commons", "tax", "other"),
)
"""From what is bought first to what is met last: the order of a smile curve."""
ROLE_LAYER = {
    **{layer: layer for layer in LAYERS},
    "host": "serving",
    "gpu": "cloud",
    "author": "model",
    "labour": "data",
    "app": "application",
    "operator": "platform",
}
"""A title's waterfall may name any role; one that is not here is of the layer `other`."""


class Line(Struct, frozen=True):
    """One line of a waterfall, or the sum of several that differ in nothing but the amount.

    `country` to `parent_country` are the zone of the receipt: where the host delivered, and who
    it says controls it. `paid_with` is the instrument whose rights paid, "" for credit.
    """

    role: str
    account: str
    payer: str
    paid_with: str
    provider: str
    title: str
    model: str
    country: str
    operator: str
    parent: str
    parent_country: str
    payments: int
    amount: Amount


class Actor(NamedTuple):
    """What a registry knows of an account: who it is, where, its ultimate parent and where."""

    brand: str = ""
    country: str = ""
    owner: str = ""
    owner_country: str = ""


NOBODY = Actor()


class Capture(NamedTuple):
    """`by`: dimension -> value -> cell, the largest amount first."""

    total: Amount
    with_rights: Amount
    by: dict[str, dict[str, Cell]]


class Leakage(NamedTuple):
    """Of `spent` by payers who are not known to be elsewhere, `kept` was earned at home and of
    `unknown` nobody knows; `elsewhere` was spent by payers of other countries and is not in it."""

    spent: Amount
    kept: Amount
    unknown: Amount
    elsewhere: Amount

    @property
    def bounds(self) -> tuple[float, float]:
        """1 - kept / spent: with all of the unknown at home, and with none of it."""
        if not self.spent:
            return 0.0, 0.0
        return 1 - (self.kept + self.unknown) / self.spent, 1 - self.kept / self.spent


def known(registry: Registry) -> dict[str, Actor]:
    """Account -> what the registry knows of it. An account that it does not name is not here."""
    control = Control(registry)
    found = {}
    for one in registry.actors:
        top = control.ultimate(one.id)
        for account in one.accounts:
            found[account] = Actor(
                one.brand or one.name, one.jurisdiction, top, control.jurisdiction(top)
            )
    return found


def lines(receipt: Receipt) -> Iterator[Line]:
    """Lines of a final receipt."""
    zone = receipt.zone
    for payment in receipt.waterfall:
        yield Line(
            *(payment.role, payment.account, receipt.account, receipt.right),
            *(receipt.provider, receipt.title, receipt.model),
            *(zone.country, zone.operator, zone.parent, zone.parent_country),
            *(1, payment.amount),
        )


def layer(role: str) -> str:
    return ROLE_LAYER.get(role, "other")


def place(line: Line, actors: Mapping[str, Actor]) -> str:
    """Where it was produced: the host's part where the receipt says, others at their own seat."""
    if line.role == "host" and line.country:
        return line.country
    return actors.get(line.account, NOBODY).country or UNKNOWN


def owner(line: Line, actors: Mapping[str, Actor]) -> str:
    """Whose profit it is in the end: the registry's word, else what the host's offer says."""
    known = actors.get(line.account, NOBODY).owner_country
    return known or (line.parent_country if line.role == "host" else "") or UNKNOWN


def actor(line: Line, actors: Mapping[str, Actor], entity: str) -> str:
    """The account (`legal`), the name that people know it by (`brand`), or the ultimate `parent`.

    Where the registry knows nothing, a host has the operator and the parent of its receipts.
    """
    host = line.role == "host"
    if entity == "brand":
        said = actors.get(line.account, NOBODY).brand
        return said or (line.operator if host else "") or line.account
    if entity == "parent":
        known = actors.get(line.account, NOBODY).owner
        return known or (line.parent if host else "") or line.account
    return line.account


def capture(found: Iterable[Line], actors: Mapping[str, Actor], entity: str = "legal") -> Capture:
    """All five tables of one asset's lines."""
    assert entity in ENTITIES, entity
    cells: dict[str, dict[str, _Sum]] = {name: {} for name in DIMENSIONS}
    total = with_rights = 0
    for line in found:
        total += line.amount
        with_rights += line.amount if line.paid_with else 0
        keys = (
            *(line.role, layer(line.role), actor(line, actors, entity)),
            *(place(line, actors), owner(line, actors)),
        )
        for dimension, key in zip(DIMENSIONS, keys, strict=True):
            cells[dimension].setdefault(key, _Sum()).add(line)
    by = {name: _ordered(values) for name, values in cells.items()}
    return Capture(total, with_rights, by)


def matrix(
    found: Iterable[Line], actors: Mapping[str, Actor], entity: str = "legal"
) -> dict[tuple[str, str, str, str], Cell]:
    """Who earned what, where: (actor, role, place, owner's country) -> cell."""
    cells: dict[tuple[str, str, str, str], _Sum] = {}
    for line in found:
        key = actor(line, actors, entity), line.role, place(line, actors), owner(line, actors)
        cells.setdefault(key, _Sum()).add(line)
    ordered = sorted(cells.items(), key=lambda item: (-item[1].amount, item[0]))
    return {key: total.cell() for key, total in ordered}


def leakage(found: Iterable[Line], actors: Mapping[str, Actor], home: str, by: str) -> Leakage:
    """What leaves `home`, by `place` of production or by country of the `owner`."""
    where = {"place": place, "owner": owner}[by]
    spent = kept = unknown = elsewhere = 0
    for line in found:
        if actors.get(line.payer, NOBODY).country not in ("", home):
            elsewhere += line.amount
            continue
        spent += line.amount
        country = where(line, actors)
        kept += line.amount if country == home else 0
        unknown += line.amount if country == UNKNOWN else 0
    return Leakage(spent, kept, unknown, elsewhere)


def spent_where(found: Iterable[Line], actors: Mapping[str, Actor], home: str) -> tuple[int, int]:
    """How many receipts at least are behind what is spent here, and elsewhere, in a `leakage`."""
    sums = _Sum(), _Sum()
    for line in found:
        sums[actors.get(line.payer, NOBODY).country not in ("", home)].add(line)
    return sums[0].cell().receipts, sums[1].cell().receipts


def added(
    captured: Mapping[str, Amount], purchased: Mapping[str, Amount]
) -> dict[str, tuple[Amount, Amount]]:
    """Value added per layer, revenue less purchased inputs: (least, most).

    What a layer bought on this market is another line of the same waterfall and not in its
    revenue; what it bought elsewhere is in `purchased` where it is known. Where it is not, the
    value added is between nothing and the revenue.
    """
    return {
        name: (amount - purchased[name],) * 2 if name in purchased else (0, amount)
        for name, amount in captured.items()
    }


def smile(captured: Mapping[str, Cell]) -> list[tuple[str, Cell]]:
    """Layers that captured anything, in the order of the chain."""
    return [(name, captured[name]) for name in LAYERS if name in captured]


def gross_profit_shares(
    revenue: Mapping[str, float], margin: Mapping[str, float]
) -> dict[str, float]:
    """Shares of layers in the gross profit of all, from revenues and gross margins."""
    profit = {name: amount * margin[name] for name, amount in revenue.items()}
    whole = sum(profit.values())
    return {name: part / whole for name, part in profit.items()}


class _Sum:
    """A cell as it fills. A receipt has one provider, and pays a role of an account once; so the
    largest count of one account's role, over providers, is no more than the receipts behind it."""

    def __init__(self) -> None:
        self.amount = 0
        self._counts: dict[tuple[str, str, str], int] = {}

    def add(self, line: Line) -> None:
        self.amount += line.amount
        key = (line.provider, line.role, line.account)
        self._counts[key] = self._counts.get(key, 0) + line.payments

    def cell(self) -> Cell:
        most: dict[str, int] = {}
        for (provider, _, _), count in self._counts.items():
            most[provider] = max(most.get(provider, 0), count)
        return Cell(sum(most.values()), self.amount)


def _ordered(values: Mapping[str, _Sum]) -> dict[str, Cell]:
    cells = {name: total.cell() for name, total in values.items()}
    return dict(sorted(cells.items(), key=lambda item: (-item[1].amount, item[0])))
