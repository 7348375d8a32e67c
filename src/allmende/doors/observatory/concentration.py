"""Concentration: how few sell, per layer and model, by tokens, credit and quality, in parallel.

Rule: sellers are ultimate parents, brands or legal entities, as the reader chooses; a layer
whose supplier nobody told is an unknown rest, and the figures are ranges.
Invariant: for each layer, segment and weight, known shares and the unknown rest sum to one.
Worked number: one host with 85 % of the tokens and one with 15 %: HHI 7,450, effective 1.34.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple, TypeAlias

from allmende.doors.observatory.actors import Actors, actors
from allmende.doors.observatory.frame import Asked, Found, Row, Sources, Table
from allmende.doors.observatory.sellers import (
    ALL,
    Market,
    Quality,
    by_benchmark,
    hushed,
    sold_of,
    split,
)
from allmende.measure import concentration as con
from allmende.measure.cells import Cell, publish
from allmende.measure.concentration import Rest
from allmende.measure.control import Control
from allmende.measure.figure import About, Figure
from allmende.measure.interests import Weights, weights
from allmende.measure.said import Said
from allmende.measure.thresholds import Finding, presumptions
from allmende.measure.value import ENTITIES, UNKNOWN

WEIGHTS = ("tokens", "credit", "quality")
SHOWN = 8

Interests: TypeAlias = Callable[[Iterable[str]], Weights]
"""Sellers -> who has what of each, as the registry says."""


class By(NamedTuple):
    """What a market's figures also go by; nothing is `held` by brands."""

    window: str
    quality: Quality
    held: Interests | None = None


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
        sold = [sold_of(row, who, state, entity) for row in rows]
        k = 0 if asked.operates else self._sources.min_cell
        markets = [one for one in split(sold) if one.receipts >= k]
        told = [hushed(one, k) for one in markets]
        pair = _pair(told, weight)
        scores = by_benchmark(self._sources.public.scores())
        benchmark = asked.choice("benchmark", ["", *scores], next(iter(scores), ""))
        by = By(
            window=f"{asked.window.since or '…'} – {asked.window.last}",
            quality=Quality(told, scores.get(benchmark, {})),
            held=None if entity == "brand" else interests(who.control),
        )
        shows = {
            "asset": asset,
            "assets": list(state.assets),
            "entity": entity,
            "entities": ENTITIES,
            "weight": weight,
            "weights": WEIGHTS,
            "benchmark": benchmark,
            "benchmarks": list(scores) if weight == "quality" else [],
            "receipts": sum(one.receipts for one in sold),
            "layers": [_shown(one, weight, by, k, who) for one in markets if one.segment == ALL],
            "segments": _segments(told, by),
            "merged": [who.name(name) for name in pair],
            "findings": _findings(told, weight, pair, self._sources, asked),
        }
        figures = [_row(f) for one in told for w in WEIGHTS for f in figured(one, w, by)]
        sellers = [row for one in markets for row in _sellers(one, k)]
        return Found(
            shows, {"figures": Table(figures), "sellers": Table(sellers, ("tokens", "credit"))}
        )


def interests(control: Control) -> Interests:
    """A brand has no owners of its own, so it is not asked for brands."""

    def found(sellers: Iterable[str]) -> Weights:
        actors = {name: control.behind.get(name, name) for name in sellers}
        said, profit = weights(control, actors.values())
        return Weights(
            {name: said[actor] for name, actor in actors.items()},
            {name: profit[actor] for name, actor in actors.items()},
        )

    return found


def figured(market: Market, weight: str, by: By) -> list[Figure]:
    """HHI, effective number and CR4, as ranges where somebody is unknown; of all models together
    also what the sellers hold of each other."""
    about = About(
        of=f"{market.layer}, {market.segment}, {weight}",
        window=by.window,
        denominator=weight,
        grade="reported" if market.layer in ("cloud", "chip") else "ledger",
    )
    if weight == "quality":
        return [
            about.of_range(
                "hhi", "points of 10,000", con.HHI, lambda: con.hhi_of_ranges(by.quality.of(market))
            )
        ]
    known, unknown = market.amounts(weight)
    total = sum(known.values()) + unknown
    if not total:
        return [about.undefined("hhi", "points of 10,000", con.HHI, Said("nothing_sold"))]
    shares, rest = con.shares(known, unknown), Rest(unknown / total) if unknown else con.NOTHING
    found = con.concentration(about, shares, rest)
    if by.held is None or market.segment != ALL:
        return found
    own = by.held(shares)
    mhhi = about.of_range(
        "mhhi",
        "points of 10,000",
        con.MHHI,
        lambda: con.mhhi(shares, own.control, own.financial, rest),
    )
    return [*found, mhhi]


def _shown(market: Market, weight: str, by: By, k: int, who: Actors) -> dict[str, Any]:
    drawn = "tokens" if weight == "quality" else weight
    cells = {name: Cell(counts["receipts"], counts[drawn]) for name, counts in market.cells.items()}
    found = publish(cells, k, apart=True)
    whole = sum(cell.amount for cell in cells.values()) or 1
    bars = [
        ("" if name == UNKNOWN else who.name(name), 100 * cell.amount / whole)
        for name, cell in list(found.shown.items())[:SHOWN]
    ]
    return {
        "layer": market.layer,
        "figures": figured(hushed(market, k), weight, by),
        "bars": bars,
        "merged": found.merged,
    }


def _segments(markets: Sequence[Market], by: By) -> dict[str, list[dict[str, Figure]]]:
    """Model -> its HHI by tokens and by credit, layer by layer."""
    found: dict[str, list[dict[str, Figure]]] = {}
    for one in markets:
        if one.segment != ALL:
            hhi = {weight: figured(one, weight, by)[0] for weight in WEIGHTS}
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
