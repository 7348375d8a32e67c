"""Levels are gates and never averaged; the score ranks; assurance levels are cumulative."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.adapters.rules import rules
from allmende.measure.sovereignty import assurance, seals

CSF = rules("eu/csf", date(2026, 11, 20))
CADA = rules("eu/cada", date(2026, 11, 20), "proposal")
IDS = [f"SOV-{number}" for number in range(1, 9)]
FIXTURE = dict(zip(IDS, (2, 1, 3, 2, 1, 3, 3, 2), strict=True))
LEVELS = st.fixed_dictionaries(dict.fromkeys(IDS, st.integers(0, 4)))


def test_the_published_example_scores_51_25_and_is_of_level_1() -> None:
    found = seals(CSF, FIXTURE)
    assert [one.weight for one in found.objectives] == [15, 10, 10, 15, 20, 15, 10, 5]
    assert (found.low, found.high, found.level) == (51.25, 51.25, 1)


def test_a_gate_is_per_objective_and_a_good_score_does_not_buy_it() -> None:
    found = seals(CSF, {**dict.fromkeys(IDS, 4), "SOV-2": 1}, {"SOV-2": 2, "SOV-3": 3})
    assert (found.failed, found.level) == (("SOV-2",), 1)
    assert found.low == 92.5


def test_what_nobody_has_shown_is_level_0_and_bounds_the_score() -> None:
    shown = {id_: level for id_, level in FIXTURE.items() if id_ != "SOV-5"}
    found = seals(CSF, shown)
    assert (found.level, found.low, found.high) == (0, 46.25, 66.25)
    assert seals(CSF, {}).high == 100


def test_points_of_criteria_count_instead_of_the_level() -> None:
    found = seals(CSF, FIXTURE, points={"SOV-1": (9, 12)})
    assert found.low == 51.25 - 7.5 + 11.25


@given(LEVELS, st.sampled_from(IDS))
def test_raising_one_level_lowers_nothing(levels: dict[str, int], id_: str) -> None:
    before = seals(CSF, levels)
    after = seals(CSF, {**levels, id_: min(4, levels[id_] + 1)})
    assert after.low >= before.low
    assert after.level >= before.level == min(levels.values())
    assert 0 <= before.low <= 100


@pytest.mark.parametrize("bad", [{"SOV-9": 1}, {"SOV-1": 5}, {"SOV-1": -1}])
def test_what_the_rules_do_not_know_is_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="SOV"):
        seals(CSF, bad)
    with pytest.raises(ValueError, match="SOV"):
        seals(CSF, FIXTURE, bad)
    with pytest.raises(ValueError, match="cannot be"):
        seals(CSF, FIXTURE, points={"SOV-1": (3, 2)})


def test_assurance_levels_are_cumulative_and_a_proposal() -> None:
    every = [ask.id for ask in assurance(CADA, {}).asks]
    assert len(every) == 10
    assert (assurance(CADA, {}).low, assurance(CADA, {}).high) == (0, 4)
    assert assurance(CADA, dict.fromkeys(every, True)).low == 4
    first = dict.fromkeys(every[:3], True)
    assert assurance(CADA, first).low == 1
    # level 4 is all there, but the audit of level 2 is not
    missed = assurance(CADA, {**dict.fromkeys(every, True), "audit": False})
    assert (missed.low, missed.high, missed.status) == (1, 1, "proposal")
    with pytest.raises(ValueError, match="magic"):
        assurance(CADA, {"magic": True})


def test_the_union_has_27_members() -> None:
    countries = rules("eu/members", date(2026, 11, 20)).values["countries"]
    assert len(set(countries)) == 27
