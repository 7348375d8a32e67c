"""Capture: what 90 % of stake can and cannot do, on the tally that the market counts with."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.adapters.chain.voting import PUBLIC
from allmende.lab.capture import (
    DESIGNS,
    MISSION,
    MONEY,
    NINETY,
    ORDINARY,
    PPM,
    VOICES,
    Crowd,
    Town,
    captured,
    cheapest,
    crowd,
    held,
    least_stake,
    main,
)

TOWN = Town()
CROWDS = [crowd(TOWN, seed) for seed in range(4)]
WORKED = Crowd((0.5, 0.5), (True, False), (True, False))
QUADRATIC = DESIGNS["one chamber, quadratic"]


def test_the_terms_are_those_of_a_public_chain() -> None:
    assert (PUBLIC.ordinary, PUBLIC.money, PUBLIC.mission) == (ORDINARY, MONEY, MISSION)


def test_the_mission_holds_against_nine_tenths_of_the_stake() -> None:
    assert held(CROWDS)
    assert all(captured(ORDINARY, one, NINETY, 0) for one in CROWDS), "one chamber does not"
    assert not any(captured(MONEY, one, NINETY, 0) for one in CROWDS)


def test_half_of_the_others_stake_comes_so_a_third_and_one_share_more_wins() -> None:
    assert not captured(ORDINARY, WORKED, PPM // 3, 0)
    assert captured(ORDINARY, WORKED, PPM // 3 + 1, 0)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([*DESIGNS]), st.integers(0, 3), st.integers(0, 98), st.sampled_from(VOICES))
def test_more_stake_never_loses(name: str, seed: int, percent: int, voices: int) -> None:
    terms, others = DESIGNS[name], CROWDS[seed]
    if captured(terms, others, percent * 10_000, voices):
        assert captured(terms, others, percent * 10_000 + 10_000, voices)


def test_the_least_stake_is_the_least() -> None:
    for terms in DESIGNS.values():
        found = least_stake(terms, CROWDS[0], VOICES[-1])
        assert found is not None
        assert captured(terms, CROWDS[0], found, VOICES[-1])
        assert not captured(terms, CROWDS[0], found - 10_000, VOICES[-1])


def test_each_further_wall_costs_more() -> None:
    one, two, mission = [
        sorted(cheapest(terms, other, TOWN).credits for other in CROWDS)[2]
        for terms in (ORDINARY, MONEY, MISSION)
    ]
    assert one < two < mission


def test_square_roots_make_stake_without_voices_dear() -> None:
    alone = least_stake(QUADRATIC, CROWDS[0], 0)
    many = least_stake(QUADRATIC, CROWDS[0], VOICES[-1])
    simple = least_stake(ORDINARY, CROWDS[0], 0)
    assert many is not None
    assert simple is not None
    assert alone is None or alone > simple
    assert many < (alone or PPM)


def test_the_report_ends_well_and_says_what_it_assumed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(2, TOWN) == 0
    said = capsys.readouterr().out
    assert "fails in every seed" in said
    assert "assumed" in said
