"""Dependence: ranges that hold every origin, layers, screens; substitution by least squares."""

from __future__ import annotations

from datetime import date
from math import exp

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from allmende.adapters.rules import rules
from allmende.measure.dependence import (
    Origin,
    core_dependency,
    expected_unserved,
    foreign_share,
    foreign_shares,
    mean_supplier_hhi,
    path_independence,
    supplier_hhi,
    weakest,
)
from allmende.measure.figure import About, Undefined
from allmende.measure.substitution import Pair, cross_elasticities, logit, substitution

HOME = frozenset({"DEU", "FRA"})
amounts = st.dictionaries(st.sampled_from(["DEU", "FRA", "USA", "CHN"]), st.floats(0, 1e6))


def test_the_worked_numbers() -> None:
    assert foreign_share(Origin({"DEU": 30, "USA": 60}, 10), HOME) == pytest.approx((0.6, 0.7))
    layers = {"chips": (0.9, 0.9), "cloud": (0.6, 0.6), "models": (0.5, 0.5)}
    assert path_independence(layers) == pytest.approx((0.02, 0.02))
    assert weakest(layers) == (("chips",), (0.9, 0.9))


@given(amounts, st.floats(0, 1e6), st.floats(0, 1))
def test_the_range_holds_wherever_the_unknown_is(
    found: dict[str, float], unknown: float, part: float
) -> None:
    total = sum(found.values()) + unknown
    assume(total > 1e-6)
    low, high = foreign_share(Origin(found, unknown), HOME)
    outside = sum(n for country, n in found.items() if country not in HOME)
    assert low - 1e-9 <= (outside + part * unknown) / total <= high + 1e-9
    assert (low, high) == pytest.approx((outside / total, (outside + unknown) / total))


def test_four_weights_stand_side_by_side_and_an_empty_one_says_so() -> None:
    about = About(of="market", window="2026-11", denominator="all", grade="ledger")
    weights = {"tokens": Origin({"USA": 3, "DEU": 1}), "users": Origin({})}
    tokens, users = foreign_shares(about, weights, HOME)
    assert (tokens.key, tokens.value) == ("foreign_tokens", 0.75)
    assert (users.defined, users.why[:16]) == (False, "Nothing was sold")


def test_overlapping_ranges_leave_the_weakest_layer_open() -> None:
    assert weakest({"a": (0.2, 0.7), "b": (0.6, 0.6), "c": (0.1, 0.3)}) == (("a", "b"), (0.6, 0.7))
    assert weakest({"a": (0, 0), "b": (0, 1)}).layers == ("b",), "a is all at home"
    assert weakest({"a": (0, 0), "b": (0, 0)}).layers == ("a", "b")
    low, high = path_independence({"a": (0.2, 0.7), "b": (0.6, 0.6)})
    assert (low, high) == pytest.approx((0.3 * 0.4, 0.8 * 0.4))
    with pytest.raises(Undefined, match="No layer"):
        path_independence({})
    with pytest.raises(ValueError, match=r"a: 0\.5 to 1\.5"):
        weakest({"a": (0.5, 1.5)})


def test_suppliers_of_each_and_of_the_average_unit() -> None:
    bought = {"uni": {"a": 1.0}, "city": {"a": 1.5, "b": 1.5}, "none": {"a": 0.0}}
    assert supplier_hhi(bought) == {"uni": 10_000, "city": 5_000}
    assert mean_supplier_hhi(bought) == pytest.approx(10_000 / 4 + 5_000 * 3 / 4)
    with pytest.raises(Undefined):
        mean_supplier_hhi({"none": {}})


def test_the_three_core_dependency_indicators() -> None:
    rule = rules("eu/strategic-dependencies", date(2026, 11, 20))
    found = core_dependency(rule, {"USA": 80, "CHN": 10, "FRA": 10}, HOME, exports=60)
    assert [(one.name, one.exceeded) for one in found] == [
        ("CDI1", True),
        ("CDI2", True),
        ("CDI3", True),
    ]
    assert [one.value for one in found] == pytest.approx([6500 / 8100, 0.9, 1.5])
    none = core_dependency(rule, {"FRA": 10}, HOME, exports=0)
    assert [(one.value, one.exceeded) for one in none] == [(None, False), (0, False), (None, False)]
    only = core_dependency(rule, {"USA": 10}, HOME, exports=0)[2]
    assert (only.value, only.exceeded, only.why) == (None, True, "Nothing is exported to outside.")


def test_expected_unserved_tokens() -> None:
    found = expected_unserved({"a": 0.1, "b": 0.01}, {"a": 0.8, "b": 0.0}, 1000)
    assert found == pytest.approx(30)
    with pytest.raises(ValueError, match="b may fail, but no drill"):
        expected_unserved({"b": 0.1}, {}, 1)


# Substitution ---------------------------------------------------------------------------------


def test_the_worked_slope_and_a_row_without_a_logarithm() -> None:
    pairs = [Pair(1, 1, 1, 1), Pair(1, 4, 2, 1), Pair(1, 16, 4, 1)]
    found = substitution(pairs)
    assert (found.value, found.error, found.r2) == pytest.approx((2, 0, 1), abs=1e-9)
    with pytest.raises(ValueError, match="Row 2: quantity of i is 0"):
        substitution([pairs[0], Pair(0, 1, 1, 1), pairs[1]])
    with pytest.raises(Undefined, match="2 rows"):
        substitution(pairs[:2])
    with pytest.raises(Undefined, match="the price is the same"):
        substitution([Pair(n, 1, 2, 1) for n in (1, 2, 3)])
    with pytest.raises(ValueError, match="quality has 1 values for 4"):
        substitution([*pairs, pairs[0]], {"quality": [1]})


@given(
    st.floats(-1, 8),
    st.lists(st.tuples(st.floats(0.2, 5), st.floats(-1, 1)), min_size=6, max_size=20),
    st.floats(1e-3, 1e3),
)
def test_sigma_is_recovered_with_a_control_whatever_the_units(
    sigma: float, rows: list[tuple[float, float]], unit: float
) -> None:
    ratios, quality = [r for r, _ in rows], [q for _, q in rows]
    assume(max(ratios) > 1.5 * min(ratios))
    assume(max(quality) - min(quality) > 0.2)
    pairs = [
        Pair(unit * exp(0.3 + 0.7 * q) * r**-sigma, 1, unit * r, unit)
        for r, q in zip(ratios, quality, strict=True)
    ]
    try:
        found = substitution(pairs, {"quality": quality})
    except Undefined:
        return assume(False)
    assert found.value == pytest.approx(sigma, abs=1e-4)
    assert found.controls["quality"] == pytest.approx(0.7, abs=1e-4)
    return None


def test_the_standard_error_is_the_textbook_one() -> None:
    xs, ys = [0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 1.0, 3.0]
    pairs = [Pair(exp(-y), 1, exp(x), 1) for x, y in zip(xs, ys, strict=True)]
    found = substitution(pairs)
    slope = 4.5 / 5  # cov / var of the four points
    rest = sum((y - 1.25 - slope * (x - 1.5)) ** 2 for x, y in zip(xs, ys, strict=True))
    assert found.value == pytest.approx(slope)
    assert found.error == pytest.approx((rest / 2 / 5) ** 0.5)


@given(st.dictionaries(st.sampled_from("abcd"), st.floats(0.1, 5), min_size=2), st.floats(0.1, 2))
def test_cross_elasticities_are_the_slopes_of_logit_shares(
    prices: dict[str, float], alpha: float
) -> None:
    def share_of(at: dict[str, float]) -> dict[str, float]:
        total = 1 + sum(exp(-alpha * p) for p in at.values())
        return {name: exp(-alpha * p) / total for name, p in at.items()}

    step = 1e-6
    before = share_of(prices)
    for (j, k), found in cross_elasticities(before, prices, alpha).items():
        after = share_of({**prices, k: prices[k] * (1 + step)})
        assert found == pytest.approx((after[j] / before[j] - 1) / step, abs=1e-4)


def test_the_logit_slope_is_recovered() -> None:
    pairs = [Pair(exp(1 - 0.5 * (p - 2)), 1, p, 2) for p in (0.0, 1.0, 2.0, 5.0)]
    assert logit(pairs).value == pytest.approx(0.5)
    with pytest.raises(ValueError, match="b has a share but no price"):
        cross_elasticities({"b": 0.5}, {}, 1)
