"""Indices: the axioms that a price index must pass, and known answers that it must recover."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import date
from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from allmende.measure.gold import beside, deepest, gauge
from allmende.measure.indices import Line, geks, latest, line, matched_model, trend
from allmende.measure.indices_hedonic import (
    Features,
    Unfit,
    hedonic,
    listed_features,
    solve,
)
from allmende.measure.indices_links import (
    Relative,
    Rules,
    compare,
    fisher,
    laspeyres,
    paasche,
    tornqvist,
)
from allmende.measure.indices_quality import Best, Run, Score, cost, lowest, records, slope, solved
from allmende.measure.prices import BLENDS, HEADLINE, Price, last_days
from allmende.measure.prices_cells import Item, Month, Quote

HOSTS = ("x", "y", "z")
LOOSE = Rules(jump=1e9)
"""For properties that hold whatever the prices do."""
rates = st.floats(0.1, 10)
panels = st.dictionaries(st.sampled_from("abcdef"), st.tuples(rates, rates, rates), min_size=1)


def month(
    number: int,
    table: Mapping[str, Sequence[float]],
    spent: float = 0.0,
    context: int | None = None,
) -> Month:
    """Month `number` from January 2024: each cell's input price at x, y and z; output is double.

    With `spent` each listing weighs that, growing by host; else nobody knows what was spent.
    """
    day = last_days(date(2024, 1, 1), date(2030, 1, 1))[number]
    quotes = {
        Item(cell, host, f"{cell}@{host}"): Quote(
            Price(rate, 2 * rate, rate / 4), spent * place if spent else 1.0, context
        )
        for cell, prices in table.items()
        for place, (host, rate) in enumerate(zip(HOSTS, prices, strict=False), 1)
    }
    return Month(day, quotes, spent=bool(spent))


def scaled(one: Month, factor: float, cell: str = "") -> Month:
    def times(quote: Quote) -> Quote:
        price = quote.price
        parts = (price.input, price.output, price.cached)
        return structs.replace(
            quote, price=Price(*(None if p is None else p * factor for p in parts))
        )

    quotes = {
        item: times(quote) if cell in ("", item.cell) else quote
        for item, quote in one.quotes.items()
    }
    return structs.replace(one, quotes=quotes)


def index(before: Month, after: Month, rules: Rules = LOOSE) -> float | None:
    cells = compare(before, after, HEADLINE, rules).cells
    return fisher(cells.values()) if cells else None


# Formulas and axioms --------------------------------------------------------------------


def test_the_worked_number_of_the_formulas():
    cells = [Relative(0.5, 30, 15), Relative(2.0, 10, 20)]
    assert laspeyres(cells) == pytest.approx(0.875)
    assert paasche(cells) == pytest.approx(0.875)
    assert fisher(cells) == pytest.approx(0.875)
    shares = (30 / 40 + 15 / 35) / 2, (10 / 40 + 20 / 35) / 2
    assert tornqvist(cells) == pytest.approx(0.5 ** shares[0] * 2 ** shares[1])


@given(panels, st.sampled_from((0.0, 7.0)))
def test_identity_prices_that_stay_make_no_change(
    table: dict[str, tuple[float, ...]], spent: float
):
    assert index(month(0, table, spent), month(1, table, spent * 3)) == pytest.approx(1.0)


@given(panels, st.floats(0.2, 5))
def test_proportionality_a_factor_on_all_prices_is_the_index(
    table: dict[str, tuple[float, ...]], factor: float
):
    before = month(0, table)
    assert index(before, scaled(month(1, table), factor)) == pytest.approx(factor)


@given(panels, panels, st.sampled_from((0.0, 7.0)))
def test_time_reversal_there_and_back_is_no_change(
    one: dict[str, tuple[float, ...]], other: dict[str, tuple[float, ...]], spent: float
):
    before, after = month(0, one, spent), month(1, other, spent * 2)
    there, back = index(before, after), index(after, before)
    if there is None or back is None:
        assert there is back
    else:
        assert there * back == pytest.approx(1.0)


@given(panels, panels, st.floats(1e-3, 1e3))
def test_units_do_not_matter_neither_of_all_prices_nor_of_one_cell(
    one: dict[str, tuple[float, ...]], other: dict[str, tuple[float, ...]], unit: float
):
    before, after = month(0, one, 5.0), month(1, other, 5.0)
    for cell in ("", "a"):
        again = index(scaled(before, unit, cell), scaled(after, unit, cell))
        assert again == pytest.approx(index(before, after))


@given(panels, st.floats(0.5, 2), st.sets(st.sampled_from("abcdef")), st.sampled_from("pq"))
def test_models_that_come_or_go_change_nothing(
    table: dict[str, tuple[float, ...]], factor: float, gone: set[str], new: str
):
    before = month(0, table)
    left = {cell: prices for cell, prices in table.items() if cell not in gone}
    after = scaled(month(1, {**left, new: (9.0, 9.0, 9.0)}), factor)
    found = index(before, after)
    assert found == (pytest.approx(factor) if left else None)


@given(panels, panels)
def test_fisher_lies_between_its_parts_and_near_tornqvist(
    one: dict[str, tuple[float, ...]], other: dict[str, tuple[float, ...]]
):
    cells = compare(month(0, one), month(1, other), HEADLINE, LOOSE).cells.values()
    if cells:
        low, high = sorted((laspeyres(cells), paasche(cells)))
        assert low * (1 - 1e-9) <= fisher(cells) <= high * (1 + 1e-9)
        assert min(c.ratio for c in cells) * (1 - 1e-9) <= tornqvist(cells)
        assert tornqvist(cells) <= max(c.ratio for c in cells) * (1 + 1e-9)


# The rulebook ---------------------------------------------------------------------------


def test_a_cell_needs_three_hosts_in_both_months():
    two = compare(month(0, {"a": (1, 1)}), month(1, {"a": (2, 2)}))
    assert not two.cells
    assert (two.covered, two.weight) == (0, 2)
    three = compare(month(0, {"a": (1, 1, 1)}), month(1, {"a": (2, 2, 2)}))
    assert three.cells["a"].ratio == 2
    assert compare(month(0, {"a": (1, 1)}), month(1, {"a": (2, 2)}), rules=Rules(hosts=1)).cells


def test_a_host_that_is_far_off_does_not_count():
    five = {"a": (1.0, 1.0, 1.1)}
    before, after = month(0, five), month(1, five)
    slip = Item("a", "w", "a@w")
    before = structs.replace(before, quotes={**before.quotes, slip: Quote(Price(900, 900))})
    after = structs.replace(after, quotes={**after.quotes, slip: Quote(Price(500, 500))})
    link = compare(before, after)
    assert (link.out, link.hosts, link.cells["a"].ratio) == (1, 3, 1.0)


def test_a_jump_of_ten_is_held_back_in_both_directions():
    before, after = month(0, {"a": (1, 1, 1, 1)}), month(1, {"a": (10, 1, 1)})
    assert compare(before, after).held == 1
    assert compare(after, before).held == 1
    assert not compare(before, after).cells, "two hosts are left, and three are needed"


def test_three_listings_of_a_host_have_one_voice():
    quotes = {
        Item("a", "x", "1"): Quote(Price(1, 1)),
        Item("a", "x", "2"): Quote(Price(1, 1)),
        Item("a", "x", "3"): Quote(Price(1, 1)),
        Item("a", "y", "4"): Quote(Price(2, 2)),
        Item("a", "z", "5"): Quote(Price(2, 2)),
    }
    before = Month(date(2024, 1, 31), quotes)
    after = Month(
        date(2024, 2, 29),
        {i: Quote(Price(4, 4)) if i.host != "x" else q for i, q in quotes.items()},
    )
    link = compare(before, after)
    assert (link.hosts, link.cells["a"].ratio) == (3, 2.0)


def test_what_is_free_has_no_relative():
    link = compare(month(0, {"a": (0, 0, 0)}), month(1, {"a": (0, 1, 1)}))
    assert (link.cells, link.weight) == ({}, 2)


def test_weights_are_what_was_spent():
    before = month(0, {"a": (1, 1, 1), "b": (1, 1, 1)}, 1.0)
    after = scaled(month(1, {"a": (1, 1, 1), "b": (1, 1, 1)}, 1.0), 2.0, "a")
    rich = {
        item: structs.replace(quote, weight=quote.weight * (99 if item.cell == "a" else 1))
        for item, quote in after.quotes.items()
    }
    even = index(before, after)
    heavy = index(before, structs.replace(after, quotes=rich))
    assert even is not None
    assert heavy is not None
    assert even < heavy < 2


def test_a_chain_multiplies_its_links():
    months = [month(n, {"a": (rate,) * 3}) for n, rate in enumerate((2.0, 1.0, 0.9))]
    points = matched_model(months)
    assert [value for _, value in line(points)] == pytest.approx([100, 50, 45])
    assert [point.base for point in points] == [True, False, False]
    assert points[1].check == pytest.approx(50)
    found = trend(latest(points))
    assert found is not None
    assert found.yearly == pytest.approx(0.45**6 - 1)


def test_a_gap_has_no_value_and_the_chain_reaches_back_over_it_but_not_for_long():
    def chain(*present: int) -> list[float | None]:
        months = [month(n, {"a": (n + 1.0,) * 3} if n in present else {}) for n in range(8)]
        return [point.value for point in matched_model(months)]

    assert chain(0, 1, 3) == [100, 200, None, pytest.approx(400), None, None, None, None]
    assert chain(0, 1, 6, 7) == [100, 200, None, None, None, None, 100, pytest.approx(800 / 7)]
    assert chain() == [None] * 8
    assert chain(4) == [None] * 8, "one month alone is compared with nothing"
    points = matched_model(
        [month(n, {"a": (1,) * 3} if n in (0, 1, 6, 7) else {}) for n in range(8)]
    )
    assert [day.month for day, _ in latest(points)] == [7, 8]


def test_geks_agrees_with_a_chain_that_does_not_drift():
    table = {"a": (1.0, 1.1, 1.2), "b": (3.0, 3.3, 2.7)}
    months = [scaled(month(n, table), 0.9**n) for n in range(6)]
    told: list[tuple[int, int]] = []
    chained, check = (
        line(matched_model(months)),
        geks(months, step=lambda done, of: told.append((done, of))),
    )
    assert [v for _, v in check] == pytest.approx([v for _, v in chained])
    assert told[-1] == (6, 6)


def test_geks_shows_drift_where_prices_bounce_and_weights_follow():
    """A model on sale sells much: chained, the index does not come back; GEKS does."""
    months = []
    for n in range(5):
        sale = n % 2
        one = month(n, {"a": (1.0 - 0.5 * sale,) * 3, "b": (1.0,) * 3}, 1.0)
        quotes = {
            item: structs.replace(q, weight=(20.0 if sale else 0.1) if item.cell == "a" else 1.0)
            for item, q in one.quotes.items()
        }
        months.append(structs.replace(one, quotes=quotes))
    months[2] = structs.replace(months[2], quotes={
        item: structs.replace(q, weight=5.0) for item, q in months[2].quotes.items()
    })  # fmt: skip
    chained, check = line(matched_model(months))[-1][1], geks(months)[-1][1]
    assert abs(check - 100) < abs(chained - 100)


# Constant quality and tasks -------------------------------------------------------------


def scores(**reached: float) -> list[Score]:
    return [
        Score(date(2024, 1, 1), "exam", f"org/{m.upper()}", s, "us") for m, s in reached.items()
    ]


def test_the_lowest_price_that_reaches_a_score():
    months = [
        month(0, {"a": (5, 6, 7), "b": (1, 1, 1)}),
        month(1, {"a": (4, 6, 7), "b": (1, 1, 1)}),
    ]
    found = lowest(months, scores(a=60, b=40), "exam", 50)
    assert [(best.cell, best.host, best.value) for best in found] == [
        ("a", "x", pytest.approx(5 * 1.2)),
        ("a", "x", pytest.approx(4 * 1.2)),
    ]
    assert lowest(months, scores(a=60, b=40), "exam", 30)[0].cell == "b"
    assert not lowest(months, scores(a=60), "exam", 61)
    assert not lowest(months, scores(a=60), "another", 1)


def test_a_model_counts_from_the_day_of_its_score():
    months = [month(n, {"a": (1, 1, 1)}) for n in range(3)]
    late = [Score(date(2024, 2, 15), "exam", "a", 60, "us")]
    assert [best.day.month for best in lowest(months, late, "exam", 50)] == [2, 3]


@given(panels, st.floats(0, 100), st.floats(0, 100))
def test_more_quality_is_never_cheaper(
    table: dict[str, tuple[float, ...]], one: float, other: float
):
    reached = scores(**{cell: 20.0 * place for place, cell in enumerate("abcdef")})
    low, high = (lowest([month(0, table)], reached, "exam", t) for t in sorted((one, other)))
    assert not high or low[0].value <= high[0].value


def test_the_slope_of_record_lows_is_recovered_with_its_interval():
    days = last_days(date(2023, 1, 1), date(2025, 12, 31))
    clean = [Best(day, 60 * exp(-log(10) * n / 12), "a", "x") for n, day in enumerate(days)]
    found = slope(clean)
    assert found is not None
    assert found.factor == pytest.approx(10, rel=0.01)
    assert found.low < 10.05
    assert found.high > 9.95
    luck = random.Random(1)
    noisy = [structs.replace(b, value=b.value * exp(luck.gauss(0, 0.2))) for b in clean]
    rough = slope(noisy)
    assert rough is not None
    assert rough.low < 10 < rough.high
    assert rough.high - rough.low > found.high - found.low


def test_only_records_count_and_two_bear_no_slope():
    best = [Best(date(2024, n, 28), v, "a", "x") for n, v in enumerate((5.0, 6.0, 4.0, 4.0), 1)]
    assert [low.value for low in records(best)] == [5.0, 4.0]
    assert slope(best) is None


def test_a_solved_task_costs_what_all_attempts_did():
    one = month(0, {"a": (3, 3, 3)})
    runs = [
        Run(date(2024, 1, 9), "s", "Org/A", 10, 7, 2_000_000, 0, 1_000_000, "us"),
        Run(date(2024, 1, 9), "s", "a", 5, 0, 1_000_000, 1_000_000, 0, "us"),
        Run(date(2024, 1, 9), "s", "unknown", 5, 5, 1, 0, 1, "us"),
        Run(date(2024, 3, 9), "s", "a", 5, 5, 1, 0, 1, "us"),
    ]
    (found,) = solved([one], runs, "s")
    assert found.cost == pytest.approx((2 * 3 + 6 + 3 + 0.75) / 7)
    assert (found.solved, found.attempts, found.unpriced) == (7, 15, 1)
    assert cost(runs[2], one) is None
    assert not solved([one], runs[1:2], "s"), "nothing solved has no cost a task"


# Hedonic --------------------------------------------------------------------------------


def synthetic(
    noise: float, months: int = 18, fall: float = 0.05
) -> tuple[list[Month], dict[str, Features]]:
    """Models of two features, better ones arriving; every month takes `fall` off ln(price)."""
    luck = random.Random(7)
    features: dict[str, Features] = {}
    found = []
    for n in range(months):
        table = {}
        for m in range(n, n + 20):
            model = features.setdefault(
                f"m{m}", {"size": luck.uniform(0, 3) + m / 10, "fast": float(luck.random() < 0.5)}
            )
            level = 0.8 * model["size"] + 0.3 * model["fast"] - fall * n
            table[f"m{m}"] = (exp(level + luck.gauss(0, noise)),) * 3
        found.append(month(n, table))
    return found, features


def test_hedonic_recovers_the_fall_and_the_worth_of_features():
    months, features = synthetic(0.0)
    found = hedonic(months, lambda one: features, window=6)
    assert [value for _, value in found.line] == pytest.approx(
        [100 * exp(-0.05 * n) for n in range(18)]
    )
    for low, high in found.spread().values():
        assert low == pytest.approx(high)
    assert found.fits[0].coefficients == pytest.approx({"size": 0.8, "fast": 0.3})
    assert all(fit.r2 == pytest.approx(1) for fit in found.fits)


def test_hedonic_recovers_them_from_noise_nearly():
    months, features = synthetic(0.1)
    found = hedonic(months, lambda one: features, window=12)
    assert found.line[-1][1] == pytest.approx(100 * exp(-0.05 * 17), rel=0.1)
    assert found.fits[0].coefficients["size"] == pytest.approx(0.8, abs=0.05)
    assert 0.9 < found.fits[0].within < found.fits[0].r2 + 1e-9 < 1


def test_the_matched_index_alone_does_not_see_that_new_models_are_better_for_less():
    """Every model keeps its price; newer ones do the same for less."""
    features = {f"m{m}": {"size": float(m % 4)} for m in range(40)}
    table = {
        name: (exp(0.5 * f["size"] - 0.05 * int(name[1:])),) * 3 for name, f in features.items()
    }
    months = [month(n, {f"m{m}": table[f"m{m}"] for m in range(n, n + 12)}) for n in range(24)]
    assert matched_model(months)[-1].value == pytest.approx(100)
    assert hedonic(months, lambda one: features, window=6).line[-1][1] < 60


def test_a_regression_that_the_data_cannot_bear_is_refused():
    months, features = synthetic(0.0, 6)
    with pytest.raises(Unfit, match="6 months"):
        hedonic(months, lambda one: features, window=12)
    with pytest.raises(Unfit, match="the same for every model"):
        hedonic(months, lambda one: {name: {"one": 1.0} for name in features}, window=6)
    twice = {name: {"x": f["size"], "y": 2 * f["size"]} for name, f in features.items()}
    with pytest.raises(Unfit, match="follows from"):
        hedonic(months, lambda one: twice, window=6)
    with pytest.raises(Unfit, match="unknowns"):
        hedonic([month(n, {"m1": (1,)}) for n in range(6)], lambda one: features, window=6)
    with pytest.raises(Unfit, match="two months"):
        hedonic(months, lambda one: features, window=1)


def test_normal_equations_are_solved():
    assert solve([[4.0, 2.0], [2.0, 3.0]], [10.0, 8.0], ["x", "y"]) == pytest.approx([1.75, 1.5])


def test_features_are_what_lists_and_scores_tell():
    one = month(0, {"a": (1, 1, 1), "b": (1, 1, 1)}, context=1000)
    assert listed_features()(one)["a"] == {"ln_context": log(1000), "cached_price": 1.0}
    told = listed_features(scores(a=60), "exam")(one)
    assert {name: row["exam"] for name, row in told.items()} == {"a": 60}
    assert listed_features()(month(0, {"a": (1, 1, 1)})) == {}


# Gold -----------------------------------------------------------------------------------


def series(*values: float) -> Line:
    return list(zip(last_days(date(2024, 1, 1), date(2030, 1, 1)), values, strict=False))


def test_what_never_moves_has_no_volatility_and_no_drawdown():
    found = gauge(series(5, 5, 5, 5))
    assert (found.volatility, found.drawdown, found.yearly) == (0, 0, 0)


def test_the_deepest_fall_is_dated():
    found = gauge(series(100, 110, 99, 120, 90, 130))
    assert found.drawdown == pytest.approx(0.25)
    assert (found.peak.month, found.trough.month) == (4, 5)
    assert deepest(series(1, 2, 3))[0].month == 1


@given(st.lists(rates, min_size=3, max_size=9), st.floats(0.01, 100))
def test_a_factor_changes_the_level_alone(values: list[float], factor: float):
    one, other = gauge(series(*values)), gauge(series(*(v * factor for v in values)))
    assert other.volatility == pytest.approx(one.volatility, abs=1e-9)
    assert (other.drawdown, other.yearly) == (
        pytest.approx(one.drawdown, abs=1e-9),
        pytest.approx(one.yearly),
    )


def test_a_missing_month_leaves_no_volatility():
    gappy = series(1, 2, 3, 4)
    assert gauge([*gappy[:2], gappy[3]]).volatility is None
    with pytest.raises(ValueError, match="two months"):
        gauge(series(1))


def test_series_are_matched_by_month_and_start_at_100():
    gold = [(date(2024, n, 1), 2000.0 + 100 * n) for n in range(1, 6)]
    tokens = series(50, 25)
    one, other = beside(gold, tokens)
    assert [v for _, v in one] == pytest.approx([100, 100 * 2200 / 2100])
    assert [v for _, v in other] == pytest.approx([100, 50])
    assert beside(gold, []) == [[], []]


def test_all_blends_give_an_index():
    months = [month(n, {"a": (2.0 - n,) * 3}) for n in range(2)]
    for blend in BLENDS:
        assert matched_model(months, blend)[-1].value == pytest.approx(50)
