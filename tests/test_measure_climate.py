"""Climate: the published worked numbers, sums as ranges, and what nobody stated bounded beside."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.adapters.energy import by_batch
from allmende.adapters.rules import rules
from allmende.measure import climate
from allmende.measure.climate import Used, figures, hardware

ASSUMED = hardware(rules("world/inference-hardware", date(2026, 11, 21)).values)


def row(value: str = "DEU", **more: int) -> dict[str, object]:
    names = ("uj", "ug", "site_ul", "grid_ul")
    ends = {f"{name}_{end}": 0 for name in names for end in ("low", "high")}
    units = {"receipts": 1, "input": 0, "cached": 0, "embedding": 0, "output": 0}
    return {"value": value, **units, **ends, "unstated_tokens": 0, "unstated_output": 0,
            "dry_uj": 0, **more}  # fmt: skip


def test_sci_is_what_a_hand_figures():
    used = climate.used([row(output=2_000, uj_low=10**9, uj_high=2 * 10**9, ug_low=100_000,
                             ug_high=400_000)])["DEU"]  # fmt: skip
    told = {f.key: f for f in figures("DEU", "all", used, ASSUMED, (0.0, 50.0))}
    assert (told["sci_operational"].low, told["sci_operational"].high) == (0.05, 0.2)
    made = 7_884e3 / (5 * 31_536_000 * 20_000) * 1_000, 7_884e3 / (3 * 31_536_000 * 500) * 1_000
    assert climate.embodied_g(ASSUMED) == pytest.approx(made)
    assert told["sci"].low == pytest.approx(0.05 + made[0])
    assert told["sci"].high == pytest.approx(0.2 + made[1])
    assert told["sci_market"].low == pytest.approx(made[0])
    assert told["sci_market"].high == pytest.approx(2_000 / 3.6e6 * 50 / 2 + made[1])
    assert "Location-based" in told["carbon"].definition


def test_what_nobody_stated_is_in_no_sum_and_bounded_beside_it():
    stated = row(output=1_000, uj_low=10**6, uj_high=10**6, ug_low=1, ug_high=1)
    used = climate.used([stated, row(output=500, unstated_tokens=700, unstated_output=500)])["DEU"]
    assert (used.output, used.stated_output, used.unstated) == (1_500, 1_000, 700)
    told = {f.key: f for f in figures("DEU", "all", used, ASSUMED, None)}
    assert told["energy"].value == 1.0
    assert (told["energy_bounded"].low, told["energy_bounded"].high) == (1 + 7, 1 + 14_000)
    assert "700 tokens state no energy" in told["energy"].denominator
    assert told["sci_operational"].value == pytest.approx(1e-6)


def test_water_that_is_not_stated_is_said_so():
    wet = row(output=1, uj_low=1, uj_high=10**6, site_ul_high=10**6, grid_ul_high=3 * 10**6)
    used = climate.used([wet])["DEU"]
    assert used.litres == (0, 4)
    dry = climate.used([wet, row(output=1, uj_high=3 * 10**6, dry_uj=3 * 10**6)])["DEU"]
    told = {f.key: f for f in figures("x", "all", dry, ASSUMED, None)}
    assert "Of 25 % of the energy" in told["water_site"].why
    alone = climate.used([row(output=1, uj_high=1, dry_uj=1)])["DEU"]
    told = {f.key: f for f in figures("x", "all", alone, ASSUMED, None)}
    assert told["water_site"].why == "No offer stated it."


def test_nothing_used_and_nothing_stated_are_two_things():
    (nothing,) = figures("x", "all", Used(), ASSUMED, None)
    assert nothing.why == "Nothing was used."
    silent = Used(receipts=3, output=10, unstated=10, unstated_output=10)
    (unsaid,) = figures("x", "all", silent, ASSUMED, None)
    assert "no offer stated its energy" in unsaid.why
    vectors = climate.used([row(embedding=9, uj_high=10**6)])["DEU"]
    told = {f.key: f for f in figures("x", "all", vectors, ASSUMED, None)}
    assert not told["sci"].defined


def test_a_full_server_takes_about_a_sixth_of_a_quiet_one_per_token():
    rates = by_batch(8, 8, "DEU")
    assert [size for size, _ in rates] == [8, 16, 32, 64, 128, 256, 512]
    highs = [rate.output_nj[1] for _, rate in rates]
    assert highs == sorted(highs, reverse=True)
    assert 5.5 < highs[0] / highs[-1] < 6.5


parts = st.lists(
    st.tuples(*[st.integers(0, 10**9)] * 4, st.integers(0, 500), st.booleans()), max_size=6
)


@given(parts)
def test_every_figure_is_a_range_and_sums_are_of_their_parts(found):
    rows = [
        row(str(n % 2), output=o, uj_low=min(a, b), uj_high=max(a, b), ug_low=min(c, d),
            ug_high=max(c, d), unstated_tokens=o * u, unstated_output=o * u)
        for n, (a, b, c, d, o, u) in enumerate(found)
    ]  # fmt: skip
    by_value = climate.used(rows)
    whole = climate.used([{**r, "value": "all"} for r in rows]).get("all", Used())
    total = Used()
    for used in by_value.values():
        total = climate.add(total, used)
    assert total.joules == pytest.approx(whole.joules)
    assert (total.output, total.unstated) == (whole.output, whole.unstated)
    for figure in figures("all", "w", whole, ASSUMED, (0.0, 1.0)):
        assert not figure.defined or figure.low <= figure.high
