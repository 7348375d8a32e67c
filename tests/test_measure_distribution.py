"""Distribution: the measures are what their sums say, and Theil adds up exactly."""

from __future__ import annotations

from math import fsum, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.measure.distribution import (
    atkinson,
    distribution,
    gini,
    jain,
    jain_of_needs,
    lorenz,
    palma,
    theil,
)
from allmende.measure.figure import About, Undefined

positive = st.floats(1e-3, 1e6)
amount = st.one_of(st.just(0.0), positive)
values = st.lists(amount, min_size=1, max_size=12).filter(any)
regions = st.dictionaries(
    st.sampled_from("ABCDE"),
    st.lists(
        st.tuples(st.one_of(st.just(0.0), positive), st.integers(1, 5)), min_size=1, max_size=6
    ),
    min_size=1,
).filter(lambda found: any(x for rows in found.values() for x, _ in rows))


def test_the_worked_numbers() -> None:
    assert gini([1, 2, 3, 4]) == pytest.approx(0.25)
    found = theil({"a": [1, 2, 3], "b": [10, 20], "c": [5, 5, 5, 5]})
    assert round(found.within, 7) == 0.0396828
    assert round(found.between, 7) == 0.2716791
    assert round(found.total, 7) == 0.3113619
    assert jain([1, 1, 0, 0]) == 0.5


@given(values)
def test_gini_is_its_printed_sum_and_the_area_of_the_lorenz_line(xs: list[float]) -> None:
    n, ordered = len(xs), sorted(xs)
    printed = sum((2 * i - n - 1) * x for i, x in enumerate(ordered, 1)) / (n * sum(xs))
    assert gini(xs) == pytest.approx(printed, abs=1e-9)
    line = lorenz(xs)
    assert (line[0], line[-1]) == ((0, 0), (1, 1))
    assert all(y <= x + 1e-9 for x, y in line)


@given(regions)
def test_theil_adds_up_for_every_grouping_and_does_not_depend_on_it(
    found: dict[str, list[tuple[float, int]]],
) -> None:
    rows = {name: [x for x, _ in of] for name, of in found.items()}
    heads = {name: [float(n) for _, n in of] for name, of in found.items()}
    split = theil(rows, heads)
    assert split.within + split.between == pytest.approx(split.total, abs=1e-9)
    assert fsum(region.share for region in split.regions.values()) == pytest.approx(1)
    assert min(split.total, split.within, split.between) >= -1e-9
    people = [x for of in found.values() for x, n in of for _ in range(n)]
    mean = sum(people) / len(people)
    slow = sum(x / mean * log(x / mean) for x in people if x) / len(people)
    assert split.total == pytest.approx(slow, abs=1e-9)
    assert theil({"all": people}).total == pytest.approx(slow, abs=1e-9)


@given(regions)
def test_heads_are_the_same_as_so_many_people(found: dict[str, list[tuple[float, int]]]) -> None:
    rows = [row for of in found.values() for row in of]
    xs, heads = [x for x, _ in rows], [float(n) for _, n in rows]
    people = [x for x, n in rows for _ in range(n)]
    assert gini(xs, heads) == pytest.approx(gini(people), abs=1e-9)
    for epsilon in (0.0, 0.5, 1.0, 2.0):
        ours = atkinson(xs, epsilon, heads)
        assert ours == pytest.approx(atkinson(people, epsilon), abs=1e-9)


@given(values, st.floats(1e-3, 1e3))
def test_doubling_everything_changes_nothing(xs: list[float], factor: float) -> None:
    more = [x * factor for x in xs]
    assert gini(more) == pytest.approx(gini(xs), abs=1e-9)
    assert jain(more) == pytest.approx(jain(xs), abs=1e-9)
    assert theil({"": more}).total == pytest.approx(theil({"": xs}).total, abs=1e-9)


@given(st.lists(positive, min_size=2, max_size=8), st.floats(0, 3), st.floats(0, 3))
def test_atkinson_grows_with_aversion_and_is_its_printed_mean(
    xs: list[float], one: float, other: float
) -> None:
    low, high = sorted((one, other))
    assert 0 <= atkinson(xs, low) <= atkinson(xs, high) + 1e-6 <= 1 + 1e-6
    mean = sum(xs) / len(xs)
    if abs(high - 1) > 0.05:
        printed = 1 - (sum(x ** (1 - high) for x in xs) / len(xs)) ** (1 / (1 - high)) / mean
        assert atkinson(xs, high) == pytest.approx(printed, abs=1e-6)


def test_atkinson_of_somebody_with_nothing() -> None:
    assert atkinson([0, 1], 1) == atkinson([0, 1], 2) == 1
    assert atkinson([0, 1], 0.5) == pytest.approx(0.5)
    assert atkinson([0, 1], 0) == pytest.approx(0)
    assert atkinson([1e-300, 1], 50) == pytest.approx(1)


def test_palma_is_the_top_tenth_over_the_lowest_two_fifths() -> None:
    assert palma([1] * 4 + [2] * 5 + [10]) == pytest.approx(10 / 4)
    assert palma([1] * 7) == pytest.approx(0.1 / 0.4)
    assert palma([1, 3], [4, 6]) == pytest.approx(3 / 4)
    with pytest.raises(Undefined, match="poorest two fifths"):
        palma([0] * 5 + [1] * 5)


def test_needs_make_unlike_amounts_fair() -> None:
    needs = {"ada": 1.0, "bob": 10.0, "eve": 4.0}
    assert jain_of_needs({"ada": 0.5, "bob": 5.0, "eve": 2.0}, needs) == pytest.approx(1)
    assert jain_of_needs({"ada": 1.0, "bob": 10.0}, needs) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="ada needs 0"):
        jain_of_needs({}, {"ada": 0.0})
    with pytest.raises(ValueError, match="max got something"):
        jain_of_needs({"max": 1.0}, needs)


def test_nothing_to_share_is_undefined_and_bad_values_are_refused() -> None:
    about = About(of="credit", window="2026-11", denominator="members", grade="ledger")
    for empty in ([], [0.0, 0.0]):
        assert not any(figure.defined for figure in distribution(about, empty))
    alone = {one.key: one.value for one in distribution(about, [7.0])}
    assert (alone["gini"], alone["jain"], alone["atkinson_2"]) == (0, 1, 0)
    with pytest.raises(Undefined, match="Nobody has anything"):
        theil({"a": [0.0]})
    with pytest.raises(ValueError, match="-1 is not"):
        gini([1, -1])
    with pytest.raises(ValueError, match="2 values for 1"):
        gini([1, 2], [1])
    with pytest.raises(ValueError, match="aversion"):
        atkinson([1, 2], -1)
