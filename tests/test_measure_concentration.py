"""Concentration: the bounds hold every market that they may be of, and are reached."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.adapters.rules import all_rules, rules
from allmende.measure.concentration import (
    Rest,
    concentration,
    effective_number,
    hhi,
    hhi_of_ranges,
    largest,
    layers,
    merger,
    mhhi,
    quality_adjusted,
    shares,
)
from allmende.measure.figure import About, Undefined
from allmende.measure.thresholds import gatekeeper, presumptions

ABOUT = About(of="serving", window="2026-11", denominator="all tokens", grade="ledger")
CLOUD = {"AWS": 0.29, "Microsoft": 0.20, "Google": 0.13}
amounts = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.01, 1e6), min_size=1)


def partitions(whole: int, most: int) -> Iterator[list[int]]:
    """Every way of dividing `whole` points among sellers of 1 to `most` points."""
    if not whole:
        yield []
    for first in range(min(whole, most), 0, -1):
        yield from ([first, *others] for others in partitions(whole - first, first))


@st.composite
def markets(draw: st.DrawFn) -> tuple[list[int], int, int]:
    """Known shares in points, the rest, and what an unknown seller has at most."""
    rest = draw(st.integers(0, 18))
    known, left = [], 100 - rest
    while left:
        known.append(draw(st.integers(1, left)))
        left -= known[-1]
    return known, rest, draw(st.integers(1, 18))


@given(markets())
def test_every_division_of_the_rest_is_within_the_bounds_and_one_reaches_the_highest(
    market: tuple[list[int], int, int],
) -> None:
    points, left, most = market
    known = {str(i): n / 100 for i, n in enumerate(points)}
    rest = Rest(left / 100, most / 100)
    low, high = hhi(known, rest)
    few, many = largest(known, rest)
    found = [[*points, *others] for others in partitions(left, most)]
    squares = [sum(n * n for n in one) for one in found]
    fours = [sum(sorted(one)[-4:]) / 100 for one in found]
    assert low == pytest.approx(sum(n * n for n in points))
    assert high == pytest.approx(max(squares))
    assert low <= min(squares) + 1e-6
    assert many == pytest.approx(max(fours))
    assert few <= min(fours) + 1e-9
    assert low + left == pytest.approx(min(squares)), "in sellers of one point"


def test_the_worked_numbers() -> None:
    four = {"a": 0.3, "b": 0.3, "c": 0.2, "d": 0.2}
    assert hhi(four) == pytest.approx((2600, 2600))
    assert effective_number(four)[0] == pytest.approx(10_000 / 2600)
    assert largest(four) == pytest.approx((1, 1))
    assert hhi(CLOUD, Rest(0.38, 0.13)) == pytest.approx((1410, 1892))
    assert merger(CLOUD, "AWS", "Google", Rest(0.38, 0.13)).delta == pytest.approx(754)


@given(amounts)
def test_a_merger_adds_what_the_market_after_it_has_more(sold: dict[str, float]) -> None:
    known = shares(sold)
    if len(known) < 2:
        return
    a, b, *_ = known
    after = {**{k: v for k, v in known.items() if k not in (a, b)}, "ab": known[a] + known[b]}
    merged = merger(known, a, b)
    assert merged.after == pytest.approx(hhi(after))
    assert merged.delta == pytest.approx(hhi(after)[0] - hhi(known)[0], abs=1e-6)


@given(amounts, st.data())
def test_the_bound_of_ranges_holds_every_case(sold: dict[str, float], data: st.DataObject) -> None:
    wide = {name: (n, n * data.draw(st.floats(1, 3))) for name, n in sold.items()}
    low, high = hhi_of_ranges(wide)
    case = {name: data.draw(st.floats(*pair)) for name, pair in wide.items()}
    assert low - 1e-6 <= hhi(shares(case))[0] <= high + 1e-6


def slow_mhhi(
    known: dict[str, float], control: dict[str, dict[str, float]], own: dict[str, dict[str, float]]
) -> float:
    """The formula as it is printed, over every owner."""
    total = 0.0
    for k, s_k in known.items():
        for j, s_j in known.items():
            above = sum(g * own[j].get(i, 0.0) for i, g in control[k].items())
            below = sum(g * own[k].get(i, 0.0) for i, g in control[k].items())
            total += s_k * s_j * above / below
    return 10_000 * total


@given(st.floats(0.05, 0.95), st.floats(0.01, 0.9), st.floats(0.01, 0.9), st.integers(1, 40))
def test_the_mhhi_holds_every_number_of_other_owners(
    share: float, first: float, second: float, holders: int
) -> None:
    known = {"x": share, "y": 1 - share}
    stakes = {"x": {"fund": first}, "y": {"fund": second}}
    low, high = mhhi(known, stakes, stakes)
    full = {
        firm: {**held, **{f"{firm}{n}": (1 - held["fund"]) / holders for n in range(holders)}}
        for firm, held in stakes.items()
    }
    assert low * (1 - 1e-9) <= slow_mhhi(known, full, full) <= high * (1 + 1e-9)
    if holders == 1:
        assert low == pytest.approx(slow_mhhi(known, full, full))


def test_without_cross_stakes_the_mhhi_is_the_hhi_and_a_stake_adds_to_it() -> None:
    assert mhhi(CLOUD, {}, {}, Rest(0.38, 0.13)) == hhi(CLOUD, Rest(0.38, 0.13))
    two = {"Microsoft": 0.5, "OpenAI": 0.5}
    assert mhhi(two, {}, {"OpenAI": {"Microsoft": 0.27}}) == pytest.approx((5675, 5675))
    half = {"x": {"fund": 0.5}, "y": {"fund": 0.5}}
    assert mhhi({"x": 0.5, "y": 0.5}, half, half)[0] == pytest.approx(7500)
    with pytest.raises(Undefined, match="controls x may own none"):
        mhhi({"x": 0.5, "y": 0.5}, {"x": {"fund": 1.0}}, {"y": {"fund": 1.0}, "x": {"bank": 1.0}})
    with pytest.raises(ValueError, match=r"stakes in x's votes add up to 1\.2"):
        mhhi({"x": 1.0}, {"x": {"a": 0.6, "b": 0.6}}, {})


def test_nothing_sold_has_no_figure_and_says_so() -> None:
    with pytest.raises(Undefined, match="Nothing was sold"):
        shares({"a": 0.0})
    figures = concentration(ABOUT, {})
    assert [(one.key, one.defined) for one in figures] == [
        ("hhi", False),
        ("effective_number", False),
        ("cr4", False),
    ]
    assert "Nothing was sold" in figures[0].why


def test_what_cannot_be_shares_is_refused() -> None:
    with pytest.raises(ValueError, match="a sold -1"):
        shares({"a": -1.0})
    with pytest.raises(ValueError, match=r"add up to 0\.62, not to 1"):
        hhi(CLOUD)
    with pytest.raises(ValueError, match="at most 0"):
        hhi(CLOUD, Rest(0.38, 0))
    with pytest.raises(ValueError, match="b is not among"):
        merger({"a": 1.0}, "a", "b")


def test_one_market_on_several_weights_and_unscored_models_as_a_range() -> None:
    sold = {"a": {"big": 10.0, "new": 10.0}, "b": {"small": 20.0}}
    found = quality_adjusted(sold, {"big": 3.0, "small": 1.0})
    assert found == {"a": (40, 60), "b": (20, 20)}
    low, high = hhi_of_ranges(found)
    assert low <= hhi(shares({"a": 50, "b": 20}))[0] <= high
    with pytest.raises(Undefined, match="No model"):
        quality_adjusted(sold, {})


def test_layers_come_most_concentrated_first() -> None:
    chips = concentration(ABOUT, {"one": 1.0})
    cloud = concentration(ABOUT, CLOUD, Rest(0.38, 0.13))
    none = concentration(ABOUT, {})
    ordered = layers({"cloud": cloud, "apps": none, "chips": chips})
    assert [one.text(0) for one in ordered] == ["10,000", "1,410 to 1,892", "undefined"]


# Thresholds -----------------------------------------------------------------------------------


def answers(merged: object, at: date = date(2026, 11, 20)) -> dict[str, tuple[str, str]]:
    found = presumptions(all_rules(), merged, at)  # type: ignore[arg-type]
    return {one.rules: (one.status, one.answer) for one in found}


def test_each_regime_answers_by_its_version_of_the_day() -> None:
    found = answers(merger(CLOUD, "AWS", "Google", Rest(0.38, 0.13)))
    assert found == {
        "us/merger-guidelines@2023-12-18": ("in force", "yes"),
        "eu/horizontal-mergers@2004-02-05": ("in force", "no"),
        "eu/merger-guidelines@2026-04-30": ("draft", "yes"),
    }
    early = answers(merger({"a": 0.5, "b": 0.5}, "a", "b"), date(2010, 1, 1))
    assert early == {"eu/horizontal-mergers@2004-02-05": ("in force", "no")}


def crowd(**known: float) -> object:
    """A merger of a and b among the known and many of half a percent."""
    left = round((1 - sum(known.values())) / 0.005)
    return merger({**known, **{f"_{n}": 0.005 for n in range(left)}}, "a", "b")


@pytest.mark.parametrize(
    ("merged", "us", "eu", "draft"),
    [
        (crowd(a=0.05, b=0.05), "no", "yes", "no"),  # HHI 145
        (crowd(a=0.20, b=0.11, c=0.1), "yes", "no", "no"),  # above 30 % together, HHI 1,091
        (crowd(a=0.40, b=0.01, c=0.30), "no", "yes", "yes"),  # delta 80 in a market of 2,596
        (crowd(a=0.25, b=0.02, c=0.45), "no", "yes", "yes"),  # delta 100, not above it
        (crowd(a=0.25, b=0.04, c=0.20), "no", "yes", "no"),  # delta 200, HHI 1,266
    ],
)
def test_thresholds_on_their_edges(merged: object, us: str, eu: str, draft: str) -> None:
    assert [answer for _, answer in answers(merged).values()] == [us, eu, draft]


def test_what_the_rest_decides_is_open() -> None:
    merged = merger(
        {"a": 0.2, "b": 0.1, "c": 0.2}, "a", "b", Rest(0.5, 0.5)
    )  # 30 % is not above 30 %
    found = [answer for _, answer in answers(merged).values()]
    assert found == ["open", "no", "open"], "30 % is not above 30 %"


def test_a_gatekeeper_needs_size_and_both_numbers_of_users() -> None:
    dma = rules("eu/dma", date(2026, 11, 20))
    large = {"turnover_eea_eur": 8e9, "monthly_end_users_eu": 5e7}
    assert gatekeeper(dma, large).answer == "open"
    assert "yearly_business_users_eu" in gatekeeper(dma, large).why
    assert gatekeeper(dma, {**large, "yearly_business_users_eu": 10_000}).answer == "yes"
    assert gatekeeper(dma, {**large, "yearly_business_users_eu": 9_999}).answer == "no"
    small = {"turnover_eea_eur": 1e9, "market_capitalisation_eur": 1e9}
    assert gatekeeper(dma, small).answer == "no"


@pytest.mark.parametrize(
    ("share", "level"),
    [
        (0.05, "low"),
        (0.0999, "low"),
        (0.1, "moderate"),
        (0.25, "moderate"),
        (0.26, "material"),
        (0.5, "high"),
        (0.51, "very high"),
    ],
)
def test_the_draft_of_2026_calls_a_share_of_ten_percent_moderate(share: float, level: str) -> None:
    known = {"a": share / 2, "b": share / 2, "c": 1 - share}
    found = presumptions(all_rules(), merger(known, "a", "b"), date(2026, 11, 20))
    (draft,) = [one for one in found if one.rules.startswith("eu/merger-guidelines")]
    assert {"level": level} in [said.facts for said in draft.because]
