"""Sellers: who sold how much in each layer, of all models and of each.

Rule: what one offer sold is its host's in serving, its title's owner's in models, and in clouds
and chips its only supplier's; of several suppliers nobody told who supplied what.
Invariant: each layer of a segment has the same tokens and credit, the unknown's among them.
Worked number: 85 tokens of one host and 15 of another, both on chips of one maker: two sellers
in serving, and in chips one with 100.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from allmende.core.actors import NOBODY, Supply
from allmende.core.state import State
from allmende.core.units import METERS
from allmende.doors.observatory.actors import Actors
from allmende.measure import concentration
from allmende.measure.cells import Cell, publish
from allmende.measure.concentration import Range
from allmende.measure.control import supplied
from allmende.measure.figure import Undefined
from allmende.measure.indices_quality import Score
from allmende.measure.said import Said
from allmende.measure.value import UNKNOWN, Actor

LAYERS = ("serving", "model", "cloud", "chip")
ALL = "all"


class Sold(NamedTuple):
    """What one offer sold of one title: counts by weight, and who is behind each layer."""

    model: str
    receipts: int
    tokens: int
    credit: int
    sellers: Mapping[str, str]


class Market(NamedTuple):
    """One layer and segment. `counts`: seller -> weight -> amount; UNKNOWN is a seller too."""

    layer: str
    segment: str
    receipts: int
    cells: Mapping[str, Mapping[str, int]]

    def amounts(self, weight: str) -> tuple[dict[str, float], float]:
        """Known sellers' amounts, and the unknown's."""
        found = {name: float(counts[weight]) for name, counts in self.cells.items()}
        return found, found.pop(UNKNOWN, 0.0)


def sold_of(row: Mapping[str, Any], who: Actors, state: State, entity: str) -> Sold:
    title = state.titles.get(row["title"])
    provider, offer = str(row["provider"]), str(row["offer"])
    serving = _seller(who, provider, entity, row["operator"], row["parent"])
    actor = who.control.behind.get(provider, "")
    sellers = {
        "serving": serving,
        "model": _seller(who, title.owner, entity) if title else UNKNOWN,
    }
    for layer in ("cloud", "chip"):
        found = supplied(who.control, layer, offer, provider, actor)
        sellers[layer] = _supplier(found, serving, who)
    tokens = sum(int(row[meter]) for meter in METERS[:4])
    return Sold(row["model"], int(row["receipts"]), tokens, int(row["price"]), sellers)


def _seller(who: Actors, account: str, entity: str, brand: str = "", parent: str = "") -> str:
    """As `measure.value.actor` names a host."""
    known = who.known.get(account, Actor())
    if entity == "brand":
        return known.brand or brand or account
    if entity == "parent":
        return known.owner or parent or account
    return account


def _supplier(found: Sequence[Supply], own: str, who: Actors) -> str:
    """The ultimate parent of a layer's only supplier; the host itself where it has none. Of
    several nobody told who supplied what, so that they are unknown."""
    if len(found) != 1:
        return UNKNOWN
    return own if found[0].supplier == NOBODY else who.top(found[0].supplier)


def split(sold: Sequence[Sold]) -> list[Market]:
    """Every layer, of all models and of each; models with most receipts first."""
    counts: dict[str, int] = {}
    for one in sold:
        counts[one.model] = counts.get(one.model, 0) + one.receipts
    models = sorted(counts, key=lambda name: (-counts[name], name))
    found = []
    for layer in LAYERS:
        for segment in (ALL, *models):
            rows = [one for one in sold if segment in (ALL, one.model)]
            if rows:
                found.append(_market(layer, segment, rows))
    return found


def _market(layer: str, segment: str, rows: Iterable[Sold]) -> Market:
    cells: dict[str, dict[str, int]] = {}
    receipts = 0
    for one in rows:
        receipts += one.receipts
        cell = cells.setdefault(one.sellers[layer], {"receipts": 0, "tokens": 0, "credit": 0})
        cell["receipts"] += one.receipts
        cell["tokens"] += one.tokens
        cell["credit"] += one.credit
    return Market(layer, segment, receipts, cells)


def hushed(market: Market, k: int) -> Market:
    """For figures: whoever is not shown by itself is one of the unknown, or else a figure of few
    sellers would tell what the bars do not."""
    cells = {name: Cell(n["receipts"], n["credit"]) for name, n in market.cells.items()}
    shown = publish(cells, k, apart=True).shown
    others = [counts for name, counts in market.cells.items() if name not in shown]
    kept = {name: counts for name, counts in market.cells.items() if name in shown}
    for counts in others:
        had = kept.get(UNKNOWN, {})
        kept[UNKNOWN] = {name: had.get(name, 0) + count for name, count in counts.items()}
    return market._replace(cells=kept)


def by_benchmark(scores: Sequence[Score]) -> dict[str, dict[str, float]]:
    """Benchmark -> model -> its latest score, of the benchmarks that have none below zero."""
    found: dict[str, dict[str, float]] = {}
    for score in sorted(scores, key=lambda one: one.day):
        found.setdefault(score.benchmark, {})[score.model] = score.score
    return {name: of for name, of in sorted(found.items()) if min(of.values()) >= 0}


class Quality(NamedTuple):
    """The market's segments, and model -> score on one benchmark."""

    markets: Sequence[Market]
    scores: Mapping[str, float]

    def of(self, market: Market) -> dict[str, Range]:
        """Seller -> tokens, each counted by its model's score. Undefined where nothing that was
        sold has one, or where it cannot be told of some of it who sold it."""
        tokens: dict[str, dict[str, float]] = {}
        for part in self.markets:
            if part.layer == market.layer and part.segment in _parts(market, self.markets):
                for name, counts in part.cells.items():
                    tokens.setdefault(name, {})[part.segment] = counts["tokens"]
        if not any(model in self.scores for sold in tokens.values() for model in sold):
            raise Undefined(Said("no_score"))
        whole = sum(counts["tokens"] for counts in market.cells.values())
        if UNKNOWN in tokens or whole != sum(sum(sold.values()) for sold in tokens.values()):
            raise Undefined(Said("quality_partly"))
        return concentration.quality_adjusted(tokens, self.scores)


def _parts(market: Market, markets: Sequence[Market]) -> frozenset[str]:
    """The models that a market is of."""
    models = {one.segment for one in markets} - {ALL}
    return frozenset(models if market.segment == ALL else {market.segment})
