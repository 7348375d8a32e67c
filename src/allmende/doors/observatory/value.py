"""Value: who earned what, where, out of the receipts' waterfalls.

Rule: lines come from the read model `earnings` of final receipts; provisional ones are named
beside the total and not in it. One asset at a time.
Invariant: all tables sum to the prices of the receipts in the window; the page says whether the
two folds, of waterfalls and of prices, agree.
Worked number: the demo's 10,000 and some answers by three hosts are nine rows of `earned`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from allmende.core.state import State
from allmende.core.units import Amount, credits
from allmende.doors.observatory.actors import Actors, actors
from allmende.doors.observatory.frame import Asked, Found, Row, Sources, Table
from allmende.measure import value
from allmende.measure.cells import Cell, Published, publish
from allmende.measure.value import Actor, Capture, Line

WIDTH = 1_000
PPM = 1_000_000
REST = "(rest)"
"""In files: the cells that were put together because each rests on too few receipts."""


class ValueCaptured:
    """The section. `gather` is what the page shows."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def gather(self, asked: Asked) -> Found:
        state = self._sources.desk.state
        asset = asked.choice("asset", list(state.assets), next(iter(state.assets)))
        entity = asked.choice("entity", value.ENTITIES, "parent")
        found = await captured(self._sources, asked, asset)
        who = await actors(self._sources.history, state, asked.operates)
        known = who.known
        capture = value.capture(found, known, entity)
        k = 0 if asked.operates else self._sources.min_cell
        cells = {name: publish(capture.by[name], k) for name in value.DIMENSIONS}
        matrix = publish(value.matrix(found, known, entity), k)
        receipts, paid = await self._paid(asked, asset)
        homes = _countries(cells)
        home = asked.choice("home", homes, homes[0]) if homes else ""
        shows = {
            "asset": asset,
            "assets": list(state.assets),
            "entity": entity,
            "entities": value.ENTITIES,
            "enough": receipts >= k,
            "receipts": receipts,
            "total": credits(capture.total),
            "total_pico": capture.total,
            "with_rights": credits(capture.with_rights),
            "agree": paid == capture.total,
            "pending": _pending(state, asset, k),
            "cells": {name: _bars(cells[name], who) for name in cells},
            "smile": _smile(cells["layer"], capture.total),
            "flags": _flags(cells, capture.total),
            "earned": _earned(matrix, who),
            "home": home,
            "homes": homes,
            "leaks": _leaks(found, known, home, k),
        }
        return Found(shows, _tables(asset, capture, cells, matrix))

    async def _paid(self, asked: Asked, asset: str) -> tuple[int, Amount]:
        """How many receipts, and the sum of their prices, folded by themselves."""
        rows = await self._sources.views.rows(
            "totals", dimension="asset", asset=asset, **asked.window.bounds()
        )
        receipts = sum(int(str(row["receipts"])) for row in rows)
        return receipts, sum(int(str(row["price"])) for row in rows)


async def captured(sources: Sources, asked: Asked, asset: str, model: str = "") -> list[Line]:
    """The lines of final receipts in the window, summed by what they say."""
    rows = await sources.views.rows(
        "captured", asset=asset, model=model or None, **asked.window.bounds()
    )
    return [msgspec.convert({**row, "amount": int(str(row["amount"]))}, Line) for row in rows]


def _pending(state: State, asset: str, k: int) -> Row:
    """Receipts that wait for their recount: theirs may still change. None where they are few:
    seen twice, a sum of few is a price."""
    waiting = [one.receipt for one in state.provisional.values() if one.receipt.asset == asset]
    waiting = waiting if len(waiting) >= k else []
    return {"receipts": len(waiting), "amount": credits(sum(one.price for one in waiting))}


def _bars(found: Published[str], who: Actors) -> list[dict[str, Any]]:
    """Rows with bars; the rest last, without an amount where even that is too little."""
    most = max([cell.amount for cell in found.shown.values()] or [1]) or 1
    rows = [
        {
            "value": key,
            "label": who.name(key),
            "receipts": cell.receipts,
            "amount": credits(cell.amount),
            "pico": cell.amount,
            "width": cell.amount * WIDTH // most,
        }
        for key, cell in found.shown.items()
    ]
    return [*rows, *_rest(found)]


def _rest(found: Published[Any]) -> list[dict[str, Any]]:
    if found.rest is None:
        return []
    shown = not found.withheld
    return [
        {
            "value": REST,
            "label": "",
            "merged": found.merged,
            "receipts": found.rest.receipts if shown else None,
            "amount": credits(found.rest.amount) if shown else None,
            "pico": found.rest.amount if shown else None,
            "width": 0,
        }
    ]


def _earned(found: Published[tuple[str, str, str, str]], who: Actors) -> list[dict[str, Any]]:
    names = ("actor", "role", "place", "owner")
    rows = [
        {
            **dict(zip(names, key, strict=True)),
            "value": key[0],
            "label": who.name(key[0]),
            "receipts": cell.receipts,
            "amount": credits(cell.amount),
            "pico": cell.amount,
        }
        for key, cell in found.shown.items()
    ]
    return [*rows, *_rest(found)]


def _smile(layers: Published[str], total: Amount) -> list[tuple[str, float]]:
    """Layers in the order of the chain, with their share in percent."""
    return [(name, 100 * cell.amount / (total or 1)) for name, cell in value.smile(layers.shown)]


def _flags(cells: Mapping[str, Published[str]], total: Amount) -> list[tuple[str, list[Any]]]:
    """Where it was made above where it is owned: shares in percent, the rest of a row last."""
    rows = []
    for name in ("place", "owner"):
        found = cells[name]
        parts = [(key, 100 * cell.amount / (total or 1)) for key, cell in found.shown.items()]
        if found.rest is not None and not found.withheld:
            parts.append(("rest", 100 * found.rest.amount / (total or 1)))
        rows.append((f"value.by.{name}", parts))
    return rows


def _countries(cells: Mapping[str, Published[str]]) -> list[str]:
    """Those that may be asked about, the one where most is produced first."""
    names = [*cells["place"].shown, *cells["owner"].shown]
    return [name for name in dict.fromkeys(names) if name != value.UNKNOWN]


def _leaks(
    found: Sequence[Line], known: Mapping[str, Actor], home: str, k: int
) -> list[dict[str, Any]]:
    """What leaves, by place of production and by country of the owner, in millionths; nothing
    where what was spent here, or elsewhere, is of few receipts."""
    if not all(receipts >= k for receipts in value.spent_where(found, known, home) if receipts):
        return []
    rows = []
    for by in ("place", "owner"):
        leak = value.leakage(found, known, home, by)
        rows.append(
            {
                "by": by,
                "low": (leak.spent - leak.kept - leak.unknown) * PPM // (leak.spent or 1),
                "high": (leak.spent - leak.kept) * PPM // (leak.spent or 1),
                "spent": credits(leak.spent),
                "elsewhere": credits(leak.elsewhere),
            }
        )
    return rows if home else []


def _tables(
    asset: str,
    capture: Capture,
    cells: Mapping[str, Published[str]],
    matrix: Published[tuple[str, str, str, str]],
) -> dict[str, Table]:
    """The same as files: pico-credits, shares in millionths."""

    def row(names: Mapping[str, str], cell: Cell, shown: bool) -> Row:
        share = cell.amount * PPM // capture.total if capture.total else 0
        return {
            "asset": asset,
            **names,
            "receipts_at_least": cell.receipts if shown else None,
            "pico_credits": str(cell.amount) if shown else None,
            "share_ppm": share if shown else None,
        }

    def rows(found: Published[Any], names: Sequence[str]) -> list[Row]:
        several = len(names) > 1
        keys = [(key if several else (key,), cell) for key, cell in found.shown.items()]
        table = [row(dict(zip(names, key, strict=True)), cell, True) for key, cell in keys]
        if found.rest is not None:
            table.append(row(dict.fromkeys(names, REST), found.rest, not found.withheld))
        return table

    amounts = ("pico_credits",)
    tables = {name: Table(rows(cells[name], (name,)), amounts) for name in value.DIMENSIONS}
    earned = rows(matrix, ("actor", "role", "place", "owner_country"))
    return {"earned": Table(earned, amounts), **tables}
