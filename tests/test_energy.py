"""Energy ranges: worked numbers, and the same numbers from EcoLogits itself."""

from __future__ import annotations

import math

import pytest
from ecologits.impacts.llm import compute_llm_impacts_dag
from hypothesis import given
from hypothesis import strategies as st

from allmende.adapters.energy import (
    ecologits_j,
    energy_rate,
    gpus,
    grid_g_per_kwh,
    h100_fit_j,
    metered_rate,
    prefill_j,
    server_j,
)
from allmende.core.units import EnergyRate, Units, Water, energy, water


def test_eight_billion_parameters_by_hand() -> None:
    gpu_wh = 1.16653e-6 * math.exp(-0.0112059 * 64) * 8 + 4.05293e-5
    latency_s = 6.785e-4 * 8 + 3.119e-4 * 64 + 0.01947
    server_wh = latency_s / 3600 * 1200 * (1 / 8) / 64
    assert gpus(8) == 1
    assert ecologits_j(8, 8, 64) == pytest.approx((gpu_wh + server_wh) * 3600, rel=1e-3)
    assert ecologits_j(8, 8, 64) == pytest.approx(0.267, abs=0.001)
    assert h100_fit_j(8, 8, 64) == pytest.approx(0.153, abs=0.001)
    assert h100_fit_j(8, 8, 64, fp8=True) == pytest.approx(0.119, abs=0.001)
    assert prefill_j(8, 0.4) == pytest.approx(16e9 / (0.4 * 989e12) * 850)


@pytest.mark.parametrize(("active", "total"), [(0.135, 0.135), (8, 8), (3, 30), (37, 671)])
@pytest.mark.parametrize("batch", [8, 64, 512])
def test_it_is_what_ecologits_computes(active: float, total: float, batch: int) -> None:
    theirs = compute_llm_impacts_dag(
        model_active_parameter_count=active,
        model_total_parameter_count=total,
        output_token_count=1000,
        request_latency=math.inf,
        if_electricity_mix_adpe=0,
        if_electricity_mix_pe=0,
        if_electricity_mix_gwp=0,
        if_electricity_mix_wue=0,
        datacenter_pue=1.0,
        datacenter_wue=0.0,
        batch_size=batch,
    )
    kwh = theirs["request_energy"]
    assert isinstance(kwh, float)
    assert ecologits_j(active, total, batch) == pytest.approx(kwh * 3.6e6 / 1000)


def test_the_fit_says_six_to_nine_times_from_full_to_quiet() -> None:
    assert h100_fit_j(8, 8, 8) / h100_fit_j(8, 8, 512) == pytest.approx(64**0.509)
    full, quiet = (h100_fit_j(8, 8, b) + server_j(8, 8, b) for b in (512, 8))
    assert 6 < quiet / full < 15


def test_a_rate_is_a_named_range_of_integers() -> None:
    rate = energy_rate(8, 8, "DEU")
    assert rate.output_nj == (97_033_087, 1_420_867_727)
    assert rate.input_nj == (24_981_462, 82_507_584)
    assert rate.grid_g_per_kwh == (329, 330)
    assert rate.grid_ml_per_kwh == (1_947, 1_947)
    assert rate.site_ml_per_kwh == (75, 1_652)  # 0.09 / 1.20 and 1.8 / 1.09 litres
    assert rate.method == "ecologits-0.11.3+h100-fit-177"
    spent = energy(rate, Units(input=1000, output=500))
    assert spent.uj == (73_498_006, 792_941_448)  # 73 to 793 J
    assert spent.ug == (6_717, 72_687)  # 7 to 73 mg
    drunk = water(rate, Units(input=1000, output=500))
    assert drunk == Water((2, 364), (40, 429))  # microlitres


def test_water_is_stated_part_by_part_or_not_at_all() -> None:
    used = Units(output=1_000)
    for method, site, drunk in (
        ("none", (1, 1), None),
        ("x", None, None),
        ("x", (0, 1_800), Water((0, 306))),
    ):
        rate = EnergyRate((0, 0), (612_000_000, 612_000_000), (350, 350), method, site)
        assert water(rate, used) == drunk


@pytest.mark.parametrize(
    ("country", "kg"),
    [("DEU", 0.330), ("FRA", 0.041), ("USA", 0.384), ("SWE", 0.035), ("WOR", 0.458)],
)
def test_the_grids_are_those_of_the_reference(country: str, kg: float) -> None:
    low, high = grid_g_per_kwh(country)
    assert low <= kg * 1000 <= high
    assert high - low == 1


def test_an_unknown_country_may_be_any() -> None:
    low, high = grid_g_per_kwh("")
    assert low < grid_g_per_kwh("SWE")[0]
    assert high > grid_g_per_kwh("WOR")[1]


def test_a_metered_machine_is_watts_over_tokens() -> None:
    rate = metered_rate((10_200, 10_200), 20_000, 20_000, "DEU", (1.2, 1.2))
    assert rate.output_nj == rate.input_nj == (612_000_000, 612_000_000)
    assert rate.method == "metered"
    with pytest.raises(ValueError, match="not a measurement"):
        metered_rate((100, 90), 1, 1, "DEU")


@given(
    total=st.floats(0.05, 3000),
    share=st.floats(0.02, 1),
    batch=st.tuples(st.integers(1, 64), st.integers(64, 1024)),
    fp8=st.booleans(),
)
def test_low_is_never_above_high_and_never_nothing(
    total: float, share: float, batch: tuple[int, int], fp8: bool
) -> None:
    rate = energy_rate(total * share, total, "FRA", batch=batch, fp8=fp8)
    assert 0 < rate.output_nj[0] < rate.output_nj[1]
    assert 0 < rate.input_nj[0] < rate.input_nj[1]


@pytest.mark.parametrize(
    ("active", "total", "batch"),
    [(0, 1, (8, 512)), (2, 1, (8, 512)), (1, 1, (0, 8)), (1, 1, (9, 8))],
)
def test_what_is_no_model_is_refused(active: float, total: float, batch: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="not a model"):
        energy_rate(active, total, "DEU", batch=batch)
