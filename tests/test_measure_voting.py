"""Voting: power, turnout and success, against published values, hands and brute force."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.measure import voting
from allmende.measure.figure import About, Undefined
from allmende.measure.voting import Decided, banzhaf, nakamoto

EEC_1958 = {"DEU": 4, "FRA": 4, "ITA": 4, "NLD": 2, "BEL": 2, "LUX": 1}
weights = st.dictionaries(st.sampled_from("abcdefg"), st.integers(0, 12), min_size=1)


def exact(found: voting.Power) -> dict[str, Fraction]:
    assert found.exact
    assert all(low == high for low, high in found.shares.values())
    return {name: low for name, (low, _) in found.shares.items()}


def slow(of: dict[str, int], quota: int) -> dict[str, int]:
    """Swings, one coalition after another."""
    found = dict.fromkeys(of, 0)
    for size in range(len(of) + 1):
        for group in combinations(of, size):
            held = sum(of[name] for name in group)
            for name in group:
                found[name] += held >= quota > held - of[name]
    return found


def test_banzhafs_own_example_of_the_one_that_is_worth_as_much_as_the_49() -> None:
    found = exact(banzhaf({"a": 50, "b": 49, "c": 1}, 51))
    assert found == {"a": Fraction(3, 5), "b": Fraction(1, 5), "c": Fraction(1, 5)}


def test_the_council_of_1958_gave_luxembourg_a_vote_without_power() -> None:
    found = exact(banzhaf(EEC_1958, 12))
    assert found["DEU"] == found["FRA"] == found["ITA"] == Fraction(5, 21)
    assert found["NLD"] == found["BEL"] == Fraction(1, 7)
    assert found["LUX"] == 0


@given(weights, st.integers(1, 90))
def test_both_ways_of_counting_are_the_coalitions_one_by_one(of: dict[str, int], part: int) -> None:
    total = sum(of.values())
    quota = max(1, total * part // 90)
    if total:
        told = slow(of, quota)
        assert voting._swings_of_sums(of, quota) == told
        assert voting._swings_of_subsets(of, quota) == told
        assert sum(exact(banzhaf(of, quota)).values()) == 1


def test_wei_are_counted_as_whole_shares_are() -> None:
    few = {name: weight * 10**18 for name, weight in EEC_1958.items()}
    assert exact(banzhaf(few, 12 * 10**18)) == exact(banzhaf(EEC_1958, 12))
    odd = {name: weight * 10**18 + place for place, (name, weight) in enumerate(few.items())}
    assert banzhaf(odd, sum(odd.values()) // 2 + 1).exact


def test_hundreds_of_voters_are_counted_exactly() -> None:
    many = {f"v{place}": 1 + place % 7 for place in range(300)}
    found = exact(banzhaf(many, sum(many.values()) // 2 + 1))
    assert sum(found.values()) == 1
    assert found["v6"] > found["v0"]


def test_what_cannot_be_counted_is_drawn_and_its_range_holds_the_truth() -> None:
    drawn = voting._drawn(EEC_1958, 12, voting.Random(1))
    counted = banzhaf(EEC_1958, 12)
    assert not drawn.exact
    for name, (low, high) in drawn.shares.items():
        assert low <= counted.shares[name][0] <= high
        assert drawn.swings[name][0] <= counted.swings[name][0] <= drawn.swings[name][1]
    assert drawn == voting._drawn(EEC_1958, 12, voting.Random(1)), "another from the same seed"


def test_nakamoto_asks_for_more_than_half() -> None:
    assert nakamoto({"a": 50, "b": 49, "c": 1}) == 2
    assert nakamoto({"a": 51, "b": 49}) == 1
    assert nakamoto(dict.fromkeys("abcde", 1)) == 3
    assert nakamoto({"a": 90, "b": 10}, 666_666) == 1


def test_nobody_and_nothing_have_no_power() -> None:
    with pytest.raises(Undefined):
        nakamoto({})
    with pytest.raises(Undefined):
        banzhaf({"a": 0}, 1)
    with pytest.raises(Undefined):
        banzhaf({"a": 3}, 4)
    with pytest.raises(ValueError, match="zero or more"):
        banzhaf({"a": -1, "b": 2}, 1)


VOTES = [
    Decided("ada", True, (50, 100), (2, 4)),
    Decided("nobody", False, (100, 100), (4, 4)),
    Decided("big", True, (90, 100), None),
    Decided("big", True, (20, 50), (1, 4)),
]
STAKES = {"ada": 5, "bo": 5, "cy": 10, "big": 80}


def test_turnout_and_success_by_hand() -> None:
    about = About(of="m", window="all", denominator="stake", grade="ledger")
    found = {one.key: one for one in voting.figures(about, STAKES, VOTES)}
    assert found["turnout_stake"].value == 0.7
    assert found["turnout_members"].value == pytest.approx(1.75 / 3)
    assert found["success_small"].value == 0.5
    assert found["success_large"].value == 1.0
    assert found["nakamoto"].value == 1
    assert found["banzhaf_top"].value == 1
    assert found["voting_gini"].value == pytest.approx(0.575)


def test_figures_without_votes_say_why() -> None:
    about = About(of="m", window="all", denominator="stake", grade="ledger")
    found = {one.key: one for one in voting.figures(about, {}, [])}
    assert not any(one.defined for one in found.values())
    assert all(one.why for one in found.values())


def test_the_smaller_half_are_those_at_or_below_the_median() -> None:
    assert voting.smaller_half({"a": 1, "b": 2, "c": 3, "d": 4}) == {"a", "b"}
    assert voting.smaller_half({"a": 1, "b": 1, "c": 1}) == {"a", "b", "c"}
    assert voting.smaller_half({}) == frozenset()
