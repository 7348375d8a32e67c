"""Evidence, assessments and floors in the read models, held against the journal read again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from test_core_evidence import ROOT, file, paper, word
from test_views_fold import folded

from allmende.adapters.views import SqliteViews
from allmende.core import commands as c
from allmende.core import evidence_commands as v
from allmende.core.units import DAY
from allmende.lab.world import START, World


def tables(path: Path, **asked: Any) -> dict[str, list[dict[str, Any]]]:
    views = SqliteViews(path)

    async def ask() -> dict[str, list[dict[str, Any]]]:
        try:
            names = ("evidence", "assessments", "floors")
            return {name: [*await views.rows(name, **asked)] for name in names}
        finally:
            await views.close()

    return asyncio.run(ask())


@pytest.fixture
def world() -> World:
    made = World()
    file(made, "gone")
    made.do(v.WithdrawEvidence(id="gone", by=ROOT))
    file(made, "gone", level=2)
    made.do(v.FileEvidence(evidence=paper("claim", rests_on=("gone",)), by=ROOT))
    made.do(word())
    made.do(word(exposure=2))
    made.do(v.SetFloor(budget="uni", min_seal=(("SOV-3", 2),), max_exposure=(("US", 1),), by=ROOT))
    made.do(v.SetFloor(budget="ada", max_kill_switch=(("CN", 0),), by=ROOT))
    made.do(v.SetFloor(budget="uni", by=ROOT))
    return made


def test_what_stood_and_how_it_ended_is_told(world: World, tmp_path: Path) -> None:
    found = tables(folded(tmp_path, world.events))
    papers = [(row["id"], row["level"], row["confirmed_by"], row["cause"])
              for row in found["evidence"]]  # fmt: skip
    assert papers == [
        ("claim", 3, "", None), ("gone", 2, "root", None), ("gone", 3, "root", "withdrawn"),
    ]  # fmt: skip
    assert found["evidence"][0]["rests_on"] == ["gone"]
    signed = [(row["exposure"], row["signer"], row["cause"]) for row in found["assessments"]]
    assert signed == [(2, "Grace Hopper", None), (0, "Grace Hopper", "replaced")]
    budgets = [(row["budget"], row["ended"]) for row in found["floors"]]
    assert budgets == [("ada", None), ("uni", START)]
    assert found["floors"][1]["min_seal"] == {"SOV-3": 2}


def test_what_has_expired_is_ended_by_time(world: World, tmp_path: Path) -> None:
    world.now += 30 * DAY
    world.do(c.Tick())
    path = folded(tmp_path, world.events)
    causes = {row["cause"] for row in tables(path, live=0)["evidence"]}
    assert causes == {"withdrawn", "expired"}
    assert tables(path, live=1)["evidence"] == []
    assert tables(path, live=0)["assessments"][0]["ended_by"] == "system"
