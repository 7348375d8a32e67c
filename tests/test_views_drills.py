"""Drills in the read models, held against all of history counted again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from test_views_fold import folded
from views_history import Market

from allmende.adapters.views import SqliteViews
from allmende.core import drill_events as d
from allmende.core import events as e


@pytest.mark.parametrize("seed", range(3))
def test_each_drill_says_what_became_of_requests_meanwhile(seed: int, tmp_path: Path) -> None:
    market = Market(seed).run(1_500)
    views = SqliteViews(folded(tmp_path, market.events))

    async def ask() -> list[dict[str, Any]]:
        try:
            return await views.rows("drills", limit=1_000)
        finally:
            await views.close()

    rows = asyncio.run(ask())
    assert len(rows) > 5
    assert "over" in {row["cause"] for row in rows}
    assert any(row["served"] for row in rows)
    assert {row["number"]: row for row in rows} == counted(market.events)


def counted(events: list[e.Event]) -> dict[int, dict[str, Any]]:
    """Every drill from its start to its end, one event after the other."""
    found: dict[int, dict[str, Any]] = {}
    models: dict[str, set[str]] = {}
    for event in events:
        if isinstance(event, e.OfferPosted):
            models.setdefault(event.offer.id, set()).add(event.offer.model)
    for number, event in enumerate(events, 1):
        if isinstance(event, d.DrillStarted):
            drill = event.drill
            found[number] = {
                "number": number, "id": drill.id, "at": event.at, "label": drill.label,
                "offers": list(drill.offers), "until": drill.until, "ended": None,
                "cause": None, "refused": 0, "served": 0, "finished": 0,
                "first_elsewhere": None,
            }  # fmt: skip
        for row in found.values():
            if row["ended"] is None:
                sells = set().union(*(models[id_] for id_ in row["offers"]))
                happened(row, event, sells)
    return found


def happened(row: dict[str, Any], event: e.Event, sells: set[str]) -> None:
    if isinstance(event, d.DrillEnded) and event.id == row["id"]:
        row["ended"], row["cause"] = event.at, event.cause
    elif isinstance(event, d.DrillNoted) and event.id == row["id"]:
        row["refused"] += event.refused
    elif isinstance(event, e.Captured) and event.receipt.model in sells:
        if event.receipt.offer in row["offers"]:
            row["finished"] += 1
        else:
            row["served"] += 1
            row["first_elsewhere"] = row["first_elsewhere"] or event.receipt.at
