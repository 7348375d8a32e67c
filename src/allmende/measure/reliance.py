"""Reliance: the dependence of one market's buyers, out of its receipts' waterfalls.

Rule: foreign is what is owned in the end outside `home`, whoever runs the machines where; what
nobody knows may be either. Users count one each, split as their credit is. The ledger knows no
critical workloads, so that weight is undefined until somebody says which they are.
Invariant: an amount is at home, foreign or unknown, and in one of them only; a layer that
nobody was paid for is no layer of the path.
Worked number: one buyer spends 100 at home, another 100 abroad and 200 with an unknown owner:
credit 25 to 75 % foreign, users 17 to 50 %.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from msgspec import structs

from allmende.measure.concentration import Range
from allmende.measure.dependence import (
    INDEPENDENCE,
    Origin,
    Weakest,
    foreign_share,
    foreign_shares,
    mean_supplier_hhi,
    path_independence,
    weakest,
)
from allmende.measure.figure import About, Figure, Undefined
from allmende.measure.said import Said
from allmende.measure.value import UNKNOWN, Actor, Line, layer, owner

SUPPLIERS = "HHI of each buyer's hosts, of the average credit spent."


CRITICAL = Said("critical")


class Reliance(NamedTuple):
    """`weights`: foreign share by tokens, credit, critical workloads, users. `layers`: by credit
    of each layer that was paid. `weakest` is None where no layer was."""

    weights: list[Figure]
    layers: dict[str, Range]
    weakest: Weakest | None
    independence: Figure
    suppliers: Figure


def reliance(
    about: About,
    found: Iterable[Line],
    tokens: Mapping[str, float],
    actors: Mapping[str, Actor],
    home: Collection[str],
) -> Reliance:
    """`tokens` by provider, of the same receipts as the lines. Figures are keyed for pages."""
    lines = list(found)
    layers = by_layer(lines, actors, home)
    weights = {
        "tokens": _tokens(lines, tokens, actors),
        "credit": _origin((owner(line, actors), float(line.amount)) for line in lines),
        "critical": Origin({}),
        "users": _users(lines, actors),
    }
    figures = [
        structs.replace(figure, why=CRITICAL.text(), because=CRITICAL)
        if figure.key == "foreign_critical"
        else figure
        for figure in foreign_shares(about, weights, home)
    ]
    return Reliance(
        weights=figures,
        layers=layers,
        weakest=weakest(layers) if layers else None,
        independence=about.of_range(
            "path_independence", "share", INDEPENDENCE, lambda: path_independence(layers)
        ),
        suppliers=about.of_value(
            "supplier_hhi", "points of 10,000", SUPPLIERS, lambda: mean_supplier_hhi(_hosts(lines))
        ),
    )


def _unsaid(figure: Figure) -> Figure:
    return structs.replace(figure, why=CRITICAL.text(), because=CRITICAL)


def by_layer(
    found: Iterable[Line], actors: Mapping[str, Actor], home: Collection[str]
) -> dict[str, Range]:
    """Layer -> foreign share of what it was paid; a layer without pay is left out."""
    paid: dict[str, list[tuple[str, float]]] = {}
    for line in found:
        paid.setdefault(layer(line.role), []).append((owner(line, actors), float(line.amount)))
    ranges = {}
    for name, rows in paid.items():
        try:
            ranges[name] = foreign_share(_origin(rows), home)
        except Undefined:
            continue  # all its lines are zero: free answers have no path of payments
    return ranges


def _origin(rows: Iterable[tuple[str, float]]) -> Origin:
    """Amounts by country; the unknown ones apart."""
    amounts: dict[str, float] = {}
    for country, amount in rows:
        amounts[country] = amounts.get(country, 0.0) + amount
    return Origin(amounts, amounts.pop(UNKNOWN, 0.0))


def _tokens(
    found: Iterable[Line], tokens: Mapping[str, float], actors: Mapping[str, Actor]
) -> Origin:
    """A provider's tokens in its owner's country; unknown where its offers named several."""
    owners: dict[str, set[str]] = {}
    for line in found:
        if line.role == "host":
            owners.setdefault(line.provider, set()).add(owner(line, actors))
    return _origin((_only(owners.get(name, set())), amount) for name, amount in tokens.items())


def _only(countries: Collection[str]) -> str:
    return next(iter(countries)) if len(countries) == 1 else UNKNOWN


def _users(found: Iterable[Line], actors: Mapping[str, Actor]) -> Origin:
    spent: dict[str, dict[str, float]] = {}
    for line in found:
        country, of = owner(line, actors), spent.setdefault(line.payer, {})
        of[country] = of.get(country, 0.0) + float(line.amount)
    sums = {payer: sum(of.values()) for payer, of in spent.items()}
    return _origin(
        (country, amount / sums[payer])
        for payer, of in spent.items()
        for country, amount in of.items()
        if sums[payer]
    )


def _hosts(found: Iterable[Line]) -> dict[str, dict[str, float]]:
    """Payer -> provider -> what was paid through it."""
    bought: dict[str, dict[str, float]] = {}
    for line in found:
        of = bought.setdefault(line.payer, {})
        of[line.provider] = of.get(line.provider, 0.0) + float(line.amount)
    return bought
