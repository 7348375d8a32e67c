"""Crash: a market killed twice under load; and the inspection that would notice."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from allmende.lab import crash
from allmende.lab.caller import Told
from allmende.lab.crash import Crash
from allmende.lab.provider import Provider


def test_a_market_that_is_killed_loses_nothing_that_anyone_was_told(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(crash, "LOAD_S", (1.0, 2.0))
    said: list[str] = []
    assert crash.main(2, said.append, seed=5) == 0, said
    assert said[-1].startswith("No receipt lost and no hold left after 2 kills")
    prices = int(said[0].split(" requests, ")[1].split(" ")[0])
    assert prices > 0, said


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (Told("q1", 200, "r_1", price=5), "lost"),
        (Told("q1", 200, "r_1"), "no end"),
    ],
)
def test_a_receipt_that_is_not_there_is_noticed(tmp_path: Path, told: Told, says: str):
    inspected = Crash(tmp_path, Provider(), Random(0))
    with pytest.raises(AssertionError, match=says):
        inspected._ended(told)
