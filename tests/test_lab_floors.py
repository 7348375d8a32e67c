"""The sovereignty floor under faults: ten thousand requests, and an inspector with a pencil."""

from __future__ import annotations

import pytest

from allmende.core import floors
from allmende.lab import simulation
from allmende.lab.simulation import Report

REQUESTS = 10_000
SEEDS = [seed for seed in range(400) if seed % 8 < 4]
"""Those that have guardians."""


def lives(requests: int) -> list[Report]:
    """Whole markets under faults, until so many requests were made in them."""
    found: list[Report] = []
    seeds = iter(SEEDS)
    while sum(report.asked for report in found) < requests:
        found.append(simulation.run(next(seeds)))
    return found


def test_no_request_of_ten_thousand_goes_below_its_floor():
    reports = lives(REQUESTS)
    assert [report.failure for report in reports if report.failure] == []
    assert sum(report.asked for report in reports) >= REQUESTS
    assert sum(report.judged for report in reports) > REQUESTS // 20
    assert sum(report.starts for report in reports) > 3 * len(reports)
    told = {kind for report in reports for kind in report.told}
    assert told >= {
        *("EvidenceFiled", "EvidenceConfirmed", "EvidenceEnded", "Assessed", "AssessmentEnded"),
        *("FloorSet", "Reserved", "OfferPosted", "OfferWithdrawn"),
    }


@pytest.mark.parametrize("seed", SEEDS[:8])
def test_rights_are_delivered_above_the_floor_too(seed: int):
    report = simulation.run(seed, exchange=True)
    assert report.failure == ""


def test_the_inspector_finds_a_market_that_forgets_the_floor(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(floors, "short", lambda *_: "")
    assert "below the floor" in simulation.run(0).failure


def test_the_inspector_finds_a_market_that_forgets_the_clock(monkeypatch: pytest.MonkeyPatch):
    """Evidence that has expired and that no tick has cleared away yet."""
    true = floors.good
    monkeypatch.setattr(
        floors, "good", lambda state, id_, at: true(state, id_, at - 40 * 86_400_000_000)
    )
    assert any("below the floor" in simulation.run(seed).failure for seed in SEEDS[:8])
