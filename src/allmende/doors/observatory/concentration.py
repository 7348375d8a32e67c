"""Concentration: how few sell, per layer and model, by tokens, credit and quality, in parallel.

Rule: sellers are ultimate parents, brands or legal entities, as the reader chooses; a layer
whose supplier nobody told is an unknown rest, and the figures are ranges.
Invariant: for each layer, segment and weight, known shares and the unknown rest sum to one.
Worked number: one host with 85 % of the tokens and one with 15 %: HHI 7,450, effective 1.34.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from allmende.core.actors import NOBODY, Supply
from allmende.core.state import State
from allmende.core.units import METERS
from allmende.doors.observatory.actors import Actors, actors
from allmende.doors.observatory.frame import Asked, Found, Row, Sources, Table
from allmende.measure import concentration as con
from allmende.measure.cells import Cell, publish
from allmende.measure.concentration import Rest
from allmende.measure.control import supplied
from allmende.measure.figure import About, Figure
from allmende.measure.said import Said
from allmende.measure.thresholds import Finding, presumptions
from allmende.measure.value import ENTITIES, UNKNOWN, Actor

LAYERS = ("serving", "model", "cloud", "chip")
WEIGHTS = ("tokens", "credit", "quality")
ALL = "all"
SHOWN = 8


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


class Concentrated:
    """The section. `gather` is what the page shows."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def gather(self, asked: Asked) -> Found:
        state = self._sources.desk.state
        asset = asked.choice("asset", list(state.assets), next(iter(state.assets)))
        entity = asked.choice("entity", ENTITIES, "parent")
        weight = asked.choice("weight", WEIGHTS, "tokens")
        who = await actors(self._sources.history, state, asked.operates)
        rows = await self._sources.views.rows("sold", asset=asset, **asked.window.bounds())
        sold = [_sold(row, who, state, entity) for row in rows]
        k = 0 if asked.operates else self._sources.min_cell
        markets = [one for one in split(sold) if one.receipts >= k]
        told = [hushed(one, k) for one in markets]
        window = f"{asked.window.since or '…'} – {asked.window.last}"
        pair = _pair(told, weight)
        shows = {
            "asset": asset,
            "assets": list(state.assets),
            "entity": entity,
            "entities": ENTITIES,
            "weight": weight,
            "weights": WEIGHTS,
            "receipts": sum(one.receipts for one in sold),
            "layers": [
                _shown(one, weight, window, k, who) for one in markets if one.segment == ALL
            ],
            "segments": _segments(told, window),
            "merged": [who.name(name) for name in pair],
            "findings": _findings(told, weight, pair, self._sources, asked),
        }
        figures = [_row(f) for one in told for w in WEIGHTS for f in figured(one, w, window)]
        sellers = [row for one in markets for row in _sellers(one, k)]
        return Found(
            shows, {"figures": Table(figures), "sellers": Table(sellers, ("tokens", "credit"))}
        )


def _sold(row: Mapping[str, Any], who: Actors, state: State, entity: str) -> Sold:
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


def figured(market: Market, weight: str, window: str) -> list[Figure]:
    """HHI, effective number and CR4, as ranges where somebody is unknown."""
    about = About(
        of=f"{market.layer}, {market.segment}, {weight}",
        window=window,
        denominator=weight,
        grade="reported" if market.layer in ("cloud", "chip") else "ledger",
    )
    if weight == "quality":
        return [about.undefined("hhi", "points of 10,000", con.HHI, Said("no_score"))]
    known, unknown = market.amounts(weight)
    total = sum(known.values()) + unknown
    if not total:
        return [about.undefined("hhi", "points of 10,000", con.HHI, Said("nothing_sold"))]
    shares = con.shares(known, unknown)
    return con.concentration(about, shares, Rest(unknown / total) if unknown else con.NOTHING)


def _shown(market: Market, weight: str, window: str, k: int, who: Actors) -> dict[str, Any]:
    by = "tokens" if weight == "quality" else weight
    cells = {name: Cell(counts["receipts"], counts[by]) for name, counts in market.cells.items()}
    found = publish(cells, k, apart=True)
    whole = sum(cell.amount for cell in cells.values()) or 1
    bars = [
        ("" if name == UNKNOWN else who.name(name), 100 * cell.amount / whole)
        for name, cell in list(found.shown.items())[:SHOWN]
    ]
    return {
        "layer": market.layer,
        "figures": figured(hushed(market, k), weight, window),
        "bars": bars,
        "merged": found.merged,
    }


def _segments(markets: Sequence[Market], window: str) -> dict[str, list[dict[str, Figure]]]:
    """Model -> its HHI by tokens and by credit, layer by layer."""
    found: dict[str, list[dict[str, Figure]]] = {}
    for one in markets:
        if one.segment != ALL:
            hhi = {weight: figured(one, weight, window)[0] for weight in WEIGHTS}
            found.setdefault(one.segment, []).append(hhi)
    return found


def _hosts(markets: Sequence[Market]) -> Market | None:
    return next((one for one in markets if (one.layer, one.segment) == ("serving", ALL)), None)


def _pair(markets: Sequence[Market], weight: str) -> list[str]:
    """The two hosts that sold most, of those that may be named."""
    hosts = _hosts(markets)
    if hosts is None or weight == "quality":
        return []
    known, _ = hosts.amounts(weight)
    two = sorted(known, key=lambda name: (-known[name], name))[:2]
    return two if len(two) == 2 and all(known[name] for name in two) else []


def _findings(
    markets: Sequence[Market], weight: str, pair: Sequence[str], sources: Sources, asked: Asked
) -> list[Finding]:
    """What each regime would say if the two largest hosts became one."""
    hosts = _hosts(markets)
    if hosts is None or not pair:
        return []
    known, unknown = hosts.amounts(weight)
    shares = con.shares(known, unknown)
    rest = Rest(unknown / (sum(known.values()) + unknown)) if unknown else con.NOTHING
    merged = con.merger(shares, pair[0], pair[1], rest)
    return presumptions(sources.rules, merged, date.fromisoformat(asked.window.last))


def _row(figure: Figure) -> Row:
    names = ("of", "key", "low", "high", "unit", "window", "denominator", "grade", "why")
    return {name: getattr(figure, name) for name in names}


def _sellers(market: Market, k: int) -> list[Row]:
    """Sellers with their counts; what is too small to be published is left in the rest."""
    cells = {name: Cell(n["receipts"], n["credit"]) for name, n in market.cells.items()}
    found = publish(cells, k, apart=True)
    rows: list[Row] = [
        {
            "layer": market.layer,
            "model": market.segment,
            "seller": name,
            "receipts": cell.receipts,
            "tokens": str(market.cells[name]["tokens"]),
            "credit": str(cell.amount),
        }
        for name, cell in found.shown.items()
    ]
    if found.rest is not None and not found.withheld:
        others = [n for name, n in market.cells.items() if name not in found.shown]
        rest = {"layer": market.layer, "model": market.segment, "seller": "(rest)"}
        rows.append(
            {
                **rest,
                "receipts": found.rest.receipts,
                "tokens": str(sum(n["tokens"] for n in others)),
                "credit": str(found.rest.amount),
            }
        )
    return rows
