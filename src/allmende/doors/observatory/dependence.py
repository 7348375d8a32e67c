"""Dependence: how much of what is used here is owned elsewhere, by weight and by layer.

Rule: home is a country or the EU (its members by the dated rule of the window's last day). For
everybody a part is shown if what is home's, foreign and unknown each rests on enough receipts,
and what is said of users if there are that many; else it says why it is not.
Invariant: a page and its files say the same; nothing unknown is counted as home's or foreign.
Worked number: 24 answers by a host that no one registered: 0 to 100 % foreign, on all weights.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from allmende.doors.observatory.actors import actors
from allmende.doors.observatory.frame import Asked, Found, Row, Sources, Table
from allmende.doors.observatory.value import captured
from allmende.measure import value
from allmende.measure.cells import Cell, publish
from allmende.measure.dated import NoRules, Rules, in_force
from allmende.measure.figure import About, Figure
from allmende.measure.reliance import Reliance, reliance
from allmende.measure.value import Actor, Line

EU, MEMBERS = "EU", "eu/members"
UNITS = ("input", "cached", "output", "embedding")
PPM = 1_000_000


class Dependence:
    """The section. `gather` is what /observe/dependence shows."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def gather(self, asked: Asked) -> Found:
        state = self._sources.desk.state
        asset = asked.choice("asset", list(state.assets), next(iter(state.assets)))
        found = await captured(self._sources, asked, asset)
        known = (await actors(self._sources.history, state)).known
        k = 0 if asked.operates else self._sources.min_cell
        cells = value.capture(found, known).by["owner"]
        union = _union(self._sources.rules, asked)
        homes = choices(cells, publish(cells, k).shown, union)
        home = asked.choice("home", homes, homes[0]) if homes else ""
        inside = union if home == EU else frozenset((home,))
        about = About(
            of=asset, window=f"{asked.window.since or '…'} – {asked.window.last}",
            denominator="final receipts", grade="reported",
        )  # fmt: skip
        told = reliance(about, found, await self._tokens(asked, asset), known, inside)
        told = hushed(told, found, known, inside, k) if k else told
        receipts = max((cell.receipts for cell in cells.values()), default=0)
        shows = {
            "asset": asset,
            "assets": list(state.assets),
            "home": home,
            "homes": homes,
            "receipts": receipts,
            "enough": receipts >= k,
            "told": told,
            "layers": _layers(told),
        }
        return Found(shows, _tables(told))

    async def _tokens(self, asked: Asked, asset: str) -> dict[str, float]:
        """Provider -> tokens of final receipts in the asset."""
        rows = await self._sources.history.total("provider", **asked.window.bounds())
        return {
            row["value"]: float(sum(int(row[name]) for name in UNITS))
            for row in rows
            if row["asset"] == asset
        }


def choices(cells: Collection[str], shown: Collection[str], union: frozenset[str]) -> list[str]:
    """Which homes may be asked about: countries that are shown, and the EU before them.

    The EU is left out where one of its countries is not shown by itself: its part would be the
    difference between two homes.
    """
    countries = [name for name in shown if name != value.UNKNOWN]
    whole = bool(union) and union & set(cells) <= set(shown)
    return [*([EU] if whole else []), *countries]


def hushed(
    told: Reliance,
    found: Sequence[Line],
    known: Mapping[str, Actor],
    home: Collection[str],
    k: int,
) -> Reliance:
    """Without what rests on fewer than k receipts, or says something of fewer than k users."""
    all_of = _enough(found, known, home, k)
    users = len({line.payer for line in found}) >= k
    layers = {
        name: bounds
        for name, bounds in told.layers.items()
        if _enough([one for one in found if value.layer(one.role) == name], known, home, k)
    }
    whole = len(layers) == len(told.layers)
    return told._replace(
        weights=[
            figure if all_of and (users or figure.key != "foreign_users") else figure.withheld()
            for figure in told.weights
        ],
        layers=layers,
        weakest=told.weakest if whole else None,
        independence=told.independence if whole else told.independence.withheld(),
        suppliers=told.suppliers if users else told.suppliers.withheld(),
    )


def _enough(
    found: Iterable[Line], known: Mapping[str, Actor], home: Collection[str], k: int
) -> bool:
    """Home's, the foreign and the unknown part each rest on k receipts, or there is none."""
    parts: dict[str, list[Cell]] = {}
    for country, cell in value.capture(found, known).by["owner"].items():
        part = country if country == value.UNKNOWN else str(country in home)
        parts.setdefault(part, []).append(cell)
    return all(max(cell.receipts for cell in part) >= k for part in parts.values())


def _union(rules: Sequence[Rules], asked: Asked) -> frozenset[str]:
    try:
        members = in_force(rules, MEMBERS, date.fromisoformat(asked.window.last))
    except NoRules:
        return frozenset()  # a market without that rule file, or a window before the rule began
    return frozenset(members.values["countries"])


def _ppm(share: float) -> int:
    return round(share * PPM)


def _layers(told: Reliance) -> list[dict[str, Any]]:
    """In the order of the chain, with bounds in millionths and whether it may be the weakest."""
    may = told.weakest.layers if told.weakest else ()
    return [
        {"layer": name, "low": _ppm(low), "high": _ppm(high), "weakest": name in may}
        for name in value.LAYERS
        if name in told.layers
        for low, high in [told.layers[name]]
    ]


def _tables(told: Reliance) -> dict[str, Table]:
    """Shares in millionths; what is undefined or withheld has none, and says why."""

    def row(figure: Figure) -> Row:
        known = figure.low is not None and figure.high is not None
        return {
            "weight": figure.key.removeprefix("foreign_"),
            "low_ppm": _ppm(figure.low or 0.0) if known else None,
            "high_ppm": _ppm(figure.high or 0.0) if known else None,
            "why": figure.why,
        }

    layers: list[Row] = [
        {"layer": one["layer"], "low_ppm": one["low"], "high_ppm": one["high"]}
        for one in _layers(told)
    ]
    return {"weights": Table([row(figure) for figure in told.weights]), "layers": Table(layers)}
