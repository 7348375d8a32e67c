"""Overshoot: over HTTP, against a served market, to the last pico-credit."""

from __future__ import annotations

from pathlib import Path

import pytest

from allmende.lab import overshoot
from allmende.lab.caller import Told
from allmende.lab.inspector import Inspector


def test_200_requests_at_once_against_a_budget_for_37():
    said: list[str] = []
    assert overshoot.main(200, 37, said.append) == 0, said
    assert said[-1].startswith("37 receipts, 163 refusals with 402, 0.000592 of 0.000592 credits")


def test_a_receipt_too_many_is_noticed(tmp_path: Path):
    told = [Told(f"q{n}", 200, f"r{n}", overshoot.PRICE) for n in range(38)]
    told += [Told("x", 402, error="budget_spent")] * 162
    with pytest.raises(AssertionError, match="ends"):
        overshoot._judge(Inspector(tmp_path), told, 37)
