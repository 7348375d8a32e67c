"""Distribution: how evenly is earned and used: Lorenz, Gini, Jain, Theil within and between.

Rule: what is shared is value earned per actor, and tokens used per member; regions are places of
production or countries of owners, the unknown one of them.
Invariant: Theil within and between regions sum to the total; nobody who earned or used is left
out, and who did neither is not known here and not in it.
Worked number: two actors with 10 each and two with 5 each in other countries: Gini 0.17.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from allmende.core.units import METERS
from allmende.doors.observatory.actors import actors
from allmende.doors.observatory.frame import Asked, Found, Row, Sources, Table
from allmende.doors.observatory.value import REST, captured
from allmende.measure import value
from allmende.measure.cells import Cell, publish
from allmende.measure.distribution import Region, distribution, lorenz, theil
from allmende.measure.figure import About, Figure, Undefined
from allmende.measure.said import Said

REGIONS = ("place", "owner")


class Part(NamedTuple):
    """One of those among whom it is shared, in a region."""

    name: str
    region: str
    cell: Cell


class Distributed:
    """The section. `gather` is what the page shows."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def gather(self, asked: Asked) -> Found:
        state = self._sources.desk.state
        asset = asked.choice("asset", list(state.assets), next(iter(state.assets)))
        entity = asked.choice("entity", value.ENTITIES, "parent")
        by = asked.choice("by", REGIONS, "owner")
        who = await actors(self._sources.history, state)
        lines = await captured(self._sources, asked, asset)
        earned = _earned(value.matrix(lines, who.known, entity), by)
        groups = {"earned": earned, "used": await self._used(asked, asset)}
        k = 0 if asked.operates else self._sources.min_cell
        window = f"{asked.window.since or '…'} – {asked.window.last}"
        enough = _receipts(groups["used"]) >= k
        figures = {
            name: _public(_figures(name, parts, window), parts, k)
            for name, parts in groups.items()
            if enough
        }
        curves = {name: _curve(parts, k) for name, parts in groups.items() if enough}
        regions = _regions(earned, k) if enough and not _telling(earned, k) else []
        shows = {
            "asset": asset,
            "assets": list(state.assets),
            "entity": entity,
            "by": by,
            "receipts": _receipts(groups["used"]),
            "enough": enough,
            "figures": figures,
            "curves": [(f"distribution.{name}", line) for name, line in curves.items() if line],
            "regions": regions,
            "theil": _public(_theil(earned, window, by), earned, k) if enough else [],
        }
        return Found(shows, _tables(figures, curves, regions))

    async def _used(self, asked: Asked, asset: str) -> list[Part]:
        rows = await self._sources.views.rows(
            "totals", dimension="account", asset=asset, **asked.window.bounds()
        )
        return [
            Part(str(row["value"]), "", Cell(int(str(row["receipts"])), _tokens(row)))
            for row in rows
        ]


def _tokens(row: Mapping[str, Any]) -> int:
    return sum(int(row[meter]) for meter in METERS[:4])


def _receipts(parts: Sequence[Part]) -> int:
    return sum(part.cell.receipts for part in parts)


def _earned(matrix: Mapping[tuple[str, str, str, str], Cell], by: str) -> list[Part]:
    """One part for each actor and region, its roles together."""
    cells: dict[tuple[str, str], Cell] = {}
    for (actor, _, place, owner), cell in matrix.items():
        key = actor, {"place": place, "owner": owner}[by]
        had = cells.get(key, Cell(0, 0))
        cells[key] = Cell(max(had.receipts, cell.receipts), had.amount + cell.amount)
    return [Part(name, region, cell) for (name, region), cell in cells.items()]


def _values(parts: Sequence[Part]) -> list[float]:
    return [float(part.cell.amount) for part in parts]


def _figures(name: str, parts: Sequence[Part], window: str) -> list[Figure]:
    denominator = Said(name, {"count": len(parts)})
    about = About(of=name, window=window, denominator=denominator, grade="ledger")
    return distribution(about, _values(parts))


def _telling(parts: Sequence[Part], k: int) -> bool:
    """Few share, and one of them has too few receipts: steps of a curve, and several figures of
    the same few, would tell its amount."""
    return len(parts) < k and any(part.cell.receipts < k for part in parts)


def _public(figures: Sequence[Figure], parts: Sequence[Part], k: int) -> list[Figure]:
    return [one.withheld() if _telling(parts, k) else one for one in figures]


def _curve(parts: Sequence[Part], k: int) -> list[tuple[float, float]]:
    if _telling(parts, k):
        return []
    try:
        return lorenz(_values(parts))
    except Undefined:
        return []


def _grouped(parts: Sequence[Part]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for part in parts:
        found.setdefault(part.region, []).append(float(part.cell.amount))
    return found


def _theil(parts: Sequence[Part], window: str, by: str) -> list[Figure]:
    """Total, within and between, as figures."""
    about = About(
        of=f"earned, by {by}",
        window=window,
        denominator=Said("earned", {"count": len(parts)}),
        grade="reported",
    )

    def of(name: str) -> Figure:
        return about.of_value(
            f"theil_{name}", "nats", THEIL[name], lambda: getattr(theil(_grouped(parts)), name)
        )

    return [of(name) for name in THEIL]


THEIL = {
    "total": "Theil's T of all: 0 is equal; the part within regions and the part between add up.",
    "within": "What inequality inside the regions adds.",
    "between": "What inequality between the regions adds.",
}


def _regions(parts: Sequence[Part], k: int) -> list[dict[str, Any]]:
    """What each region adds within and between; small regions together, their sums kept."""
    try:
        found = theil(_grouped(parts)).regions
    except Undefined:
        return []
    cells = {
        name: Cell(
            max(part.cell.receipts for part in parts if part.region == name),
            sum(part.cell.amount for part in parts if part.region == name),
        )
        for name in found
    }
    published = publish(cells, k)
    rows = [_region(name, 0, [found[name]]) for name in published.shown]
    if published.rest is not None:
        others = [region for name, region in found.items() if name not in published.shown]
        rows.append(_region(REST, published.merged, others))
    return rows


def _region(name: str, merged: int, regions: Sequence[Region]) -> dict[str, Any]:
    return {
        "region": name,
        "merged": merged,
        "share": sum(one.share for one in regions),
        "within": sum(one.within for one in regions),
        "between": sum(one.between for one in regions),
    }


def _tables(
    figures: Mapping[str, Sequence[Figure]],
    curves: Mapping[str, Sequence[tuple[float, float]]],
    regions: Sequence[dict[str, Any]],
) -> dict[str, Table]:
    names = ("of", "key", "low", "high", "unit", "window", "denominator", "grade", "why")
    rows: list[Row] = [
        {name: getattr(one, name) for name in names} for found in figures.values() for one in found
    ]
    points: list[Row] = [
        {"of": name, "share_of_heads": x, "share_of_value": y}
        for name, line in curves.items()
        for x, y in line
    ]
    return {"figures": Table(rows), "lorenz": Table(points), "regions": Table(regions)}
