"""Units: exact prices, exact splits, exact text."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.core.units import (
    CREDIT,
    PPM,
    EnergyRate,
    Tariff,
    Units,
    Unpriced,
    clip,
    credits,
    energy,
    pico,
    price,
    split,
    worst_price,
)

TARIFF = Tariff(input=150_000, output=600_000)
counts = st.integers(min_value=-(10**6), max_value=10**12)
prices = st.integers(min_value=0, max_value=10**15)
some_units = st.builds(Units, *[counts] * 7)
bounds = st.builds(Units, *[st.integers(0, 10**12)] * 7)
full_tariffs = st.builds(Tariff, *[prices] * 7)


def test_the_worked_number_of_the_module():
    cost = price(TARIFF, Units(input=1_234))
    assert cost == 185_100_000
    assert credits(cost) == "0.0001851"


def test_a_missing_cached_price_is_the_input_price():
    assert price(TARIFF, Units(cached=10)) == 10 * 150_000
    assert price(Tariff(input=5, cached=0), Units(cached=10)) == 0


@pytest.mark.parametrize("meter", ["input", "cached", "output", "embedding", "image", "audio"])
def test_a_used_meter_without_a_price_is_an_error_and_never_free(meter: str):
    with pytest.raises(Unpriced, match=meter):
        price(Tariff(), Units(**{meter: 1}))
    assert price(Tariff(), Units()) == 0


@given(full_tariffs, bounds, some_units)
def test_within_its_bound_nothing_costs_more_than_the_hold(tariff, bound, units):
    charged = clip(units, bound)
    assert 0 <= price(tariff, charged) <= worst_price(tariff, bound)


@given(bounds, some_units)
def test_clip_stays_within_the_bound_and_never_below_zero(bound, units):
    charged = clip(units, bound)
    assert charged.input + charged.cached <= bound.input
    assert min(charged.input, charged.cached, charged.output, charged.image) >= 0
    assert charged.output <= max(0, units.output)
    assert clip(charged, bound) == charged


def test_clip_keeps_the_cached_part_of_a_cut_prompt():
    assert clip(Units(input=6, cached=5), Units(input=8)) == Units(input=3, cached=5)


@given(st.integers(0, 10**30), st.lists(st.integers(0, PPM // 8), max_size=8))
def test_a_split_sums_to_its_total_and_its_remainder_is_small(total, shares):
    parts, rest = split(total, tuple(shares))
    assert sum(parts) + rest == total
    assert all(
        part * PPM <= total * ppm < (part + 1) * PPM
        for part, ppm in zip(parts, shares, strict=True)
    )
    assert rest >= 0


def test_energy_is_rounded_up_and_carbon_follows_the_grid():
    rate = EnergyRate((0, 0), (3_600, 36_000), (100, 500), "test")
    spent = energy(rate, Units(output=1_000_000))
    assert spent.uj == (3_600_000, 36_000_000)
    assert spent.ug == (100, 5_000), "1e-6 kWh at 100 g/kWh are 1e-4 g"
    assert energy(rate, Units(output=1)).uj == (4, 36), "a started microjoule counts"
    assert spent.method == "test"


@given(st.integers(-(10**36), 10**36))
def test_amounts_survive_as_text(amount):
    assert pico(credits(amount)) == amount
    assert Fraction(credits(amount)) * CREDIT == amount


@pytest.mark.parametrize(
    "text", ["", "x", "nan", "inf", "-inf", "0.0000000000001", "1e-13", "1e99"]
)
def test_text_that_is_no_exact_amount_is_refused(text: str):
    with pytest.raises(ValueError, match=r"not a|decimals"):
        pico(text)


@pytest.mark.parametrize(
    ("text", "amount"), [("1", CREDIT), ("-0.5", -CREDIT // 2), ("1e3", 1000 * CREDIT), ("0", 0)]
)
def test_text_in_other_spellings(text: str, amount: int):
    assert pico(text) == amount
