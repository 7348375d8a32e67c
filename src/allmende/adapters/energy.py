"""Energy: what a token costs in joules and grams, as an honest range.

Rule: two independent methods at both ends of a batch range; the lowest of the four, with
the best overhead, to the highest, with the worst. An estimate is never one number.
Invariant: low <= high, all integers, and the method is named with its version.
Worked number: 8 billion parameters, 64 at a time: EcoLogits says 0.267 J per output token
in the server, the fit to measured H100s 0.153 J for the GPU alone; between batches of 512
and of 8, with errors and overhead, it is 0.10 to 1.42 J, and 25 to 83 mJ per input token.

Sources. EcoLogits 0.11.3 (its constants, fitted to ML.ENERGY runs): output tokens, GPU and
server. A fit to 177 measured H100 configurations: output tokens, GPU only, error factor
1.52 on a model left out; EcoLogits' server share is added to it. Input tokens, in neither:
2 floating-point operations per active parameter and token (Kaplan et al. 2020, arXiv
2001.08361) on an H100 SXM (NVIDIA data sheet: 989 dense BF16 or 1_979 FP8 teraFLOPS, 700 W)
and its eighth of a 1.2 kW server, at an assumed use of 60 to 20 % of that peak. Power usage
effectiveness 1.09 to 1.20. Grids: location-based averages by country, from the table of the
installed `ecologits` package, and so the water in making the electricity. Water for cooling on
site: rules/world/data-centre-water. Training, hardware and idle time are not in it.
"""

from __future__ import annotations

import json
import math
from datetime import date
from functools import cache
from importlib.metadata import files, version

from allmende.adapters.rules import rules
from allmende.core.units import EnergyRate

PUE = (1.09, 1.20)
BATCH = (8, 512)
"""Requests served together, from a quiet server to a full one."""
SIZES = (8, 16, 32, 64, 128, 256, 512)
FIT_ERROR = 1.52
PREFILL_USE = (0.60, 0.20)
H100_FLOPS = 989e12
H100_W, SERVER_W, SERVER_GPUS, GPU_GB = 700.0, 1200.0, 8, 80.0
WATER, WATER_SEEN = "world/data-centre-water", date(2026, 11, 21)
"""The rule and the day that its figures are taken as of: a rate is a fact, dated by its event."""
WH_J, NJ = 3600.0, 1e9


def energy_rate(
    active_b: float,
    total_b: float,
    country: str,
    *,
    batch: tuple[int, int] = BATCH,
    fp8: bool = False,
) -> EnergyRate:
    """The rate of a model on H100-class servers, from its parameters in billions.

    `country` is ISO 3166 alpha-3; an unknown one gets the range of all countries.
    Raises ValueError unless 0 < active <= total and 0 < batch low <= high.
    """
    if not 0 < active_b <= total_b or not 0 < batch[0] <= batch[1]:
        raise ValueError(f"not a model: {active_b} of {total_b} billion, batch {batch}")
    output: list[float] = []
    for size in batch:
        fit = h100_fit_j(active_b, total_b, size, fp8)
        server = server_j(active_b, total_b, size)
        output += [ecologits_j(active_b, total_b, size), fit / FIT_ERROR + server]
        output.append(fit * FIT_ERROR + server)
    prefill = [prefill_j(active_b, use, fp8) for use in PREFILL_USE]
    return EnergyRate(
        input_nj=_range_nj(min(prefill), max(prefill)),
        output_nj=_range_nj(min(output), max(output)),
        grid_g_per_kwh=grid_g_per_kwh(country),
        method=f"ecologits-{version('ecologits')}+h100-fit-177",
        site_ml_per_kwh=site_ml_per_kwh(PUE),
        grid_ml_per_kwh=grid_ml_per_kwh(country),
    )


def by_batch(
    active_b: float, total_b: float, country: str, sizes: tuple[int, ...] = SIZES
) -> list[tuple[int, EnergyRate]]:
    """How the rate depends on how many requests a server answers together."""
    return [(size, energy_rate(active_b, total_b, country, batch=(size, size))) for size in sizes]


def metered_rate(
    watts: tuple[float, float],
    input_per_s: float,
    output_per_s: float,
    country: str,
    pue: tuple[float, float] = (1.0, 1.0),
    method: str = "metered",
) -> EnergyRate:
    """The rate of a machine whose power and throughput are known: watts over tokens/s.

    10.2 kW at 20_000 tokens/s and a PUE of 1.2 are 0.612 J per token.
    """
    if not (0 < watts[0] <= watts[1] and input_per_s > 0 and output_per_s > 0):
        raise ValueError(f"not a measurement: {watts} W, {input_per_s} and {output_per_s} a second")
    low, high = watts[0] * pue[0], watts[1] * pue[1]
    return EnergyRate(
        input_nj=_nj(low / input_per_s, high / input_per_s),
        output_nj=_nj(low / output_per_s, high / output_per_s),
        grid_g_per_kwh=grid_g_per_kwh(country),
        method=method,
        site_ml_per_kwh=site_ml_per_kwh(pue),
        grid_ml_per_kwh=grid_ml_per_kwh(country),
    )


def measured_rate(
    joules: tuple[float, float],
    prompt: int,
    output: int,
    country: str,
    pue: tuple[float, float] = (1.0, 1.0),
    method: str = "metered",
) -> EnergyRate:
    """The rate of a machine that took so many joules for so many tokens, prompts and output mixed.

    Nobody meters the two apart. A prompt token is taken to need no more than one of output: so
    between nothing and an equal share, and one of output between an equal share and all.
    10 J for 30 in and 10 out: 0 to 0.25 J in, 0.25 to 1 J out. ValueError if nothing was served.
    """
    if not 0 < joules[0] <= joules[1] or min(prompt, output) < 0 or not prompt + output:
        raise ValueError(f"not a measurement: {joules} J for {prompt} and {output} tokens")
    low, high = joules[0] * pue[0], joules[1] * pue[1]
    equal = _nj(low / (prompt + output), high / (prompt + output))
    return EnergyRate(
        input_nj=(0, equal[1]) if output else equal,
        output_nj=(equal[0], _nj(0, high / output)[1]) if output else equal,
        grid_g_per_kwh=grid_g_per_kwh(country),
        method=method,
        site_ml_per_kwh=site_ml_per_kwh(pue),
        grid_ml_per_kwh=grid_ml_per_kwh(country),
    )


def ecologits_j(active_b: float, total_b: float, batch: int) -> float:
    """EcoLogits: joules per output token at the server's plug, without PUE."""
    gpu_wh = 1.1665273170451914e-06 * math.exp(-0.011205921025579175 * batch) * active_b
    gpu_wh += 4.052928146734005e-05
    return gpus(total_b) * gpu_wh * WH_J + server_j(active_b, total_b, batch)


def server_j(active_b: float, total_b: float, batch: int) -> float:
    """EcoLogits' share for what surrounds the GPUs, joules per output token."""
    latency_s = 0.0006785088094353663 * active_b + 0.0003119310311688259 * batch
    latency_s += 0.019473717579473387
    return latency_s * SERVER_W * gpus(total_b) / SERVER_GPUS / batch


def gpus(total_b: float) -> int:
    """H100s that hold the weights in 16 bits and a fifth more, a power of two."""
    return int(2 ** math.ceil(math.log2(math.ceil(1.2 * total_b * 16 / 8 / GPU_GB))))


def h100_fit_j(active_b: float, total_b: float, batch: int, fp8: bool = False) -> float:
    """The fit to measured H100s: joules per output token, GPUs only, without PUE."""
    joules = math.exp(-1.613) * active_b**0.213 * total_b**0.678 * batch**-0.509
    return float(joules * (0.78 if fp8 else 1.0))


def prefill_j(active_b: float, use: float, fp8: bool = False) -> float:
    """Joules per input token where arithmetic is the limit, `use` being the share of peak."""
    flops = H100_FLOPS * (2 if fp8 else 1) * use
    return 2e9 * active_b / flops * (H100_W + SERVER_W / SERVER_GPUS)


def grid_g_per_kwh(country: str) -> tuple[int, int]:
    """Grams of CO2-equivalent per kWh, rounded outwards; of all countries if unknown."""
    grids = _grids()
    if country in grids:
        return _outwards(grids[country], grids[country], 1000.0)
    return _outwards(min(grids.values()), max(grids.values()), 1000.0)


def grid_ml_per_kwh(country: str) -> tuple[int, int]:
    """Millilitres used in making a kWh, rounded outwards; of all countries if unknown."""
    waters = {name: row["wue"] for name, row in _mixes().items()}
    if country in waters:
        return _outwards(waters[country], waters[country], 1000.0)
    return _outwards(min(waters.values()), max(waters.values()), 1000.0)


def site_ml_per_kwh(pue: tuple[float, float]) -> tuple[int, int]:
    """Millilitres for cooling on site, per kWh with the overhead `pue` in it."""
    low, high = rules(WATER, WATER_SEEN).values["wue_l_per_kwh"]
    return _outwards(low / pue[1], high / pue[0], 1000.0)


def _grids() -> dict[str, float]:
    return {name: row["gwp"] for name, row in _mixes().items()}


@cache
def _mixes() -> dict[str, dict[str, float]]:
    """`gwp` in kg and `wue` in litres per kWh by country, read without importing the package,
    which pulls in much."""
    found = [file for file in files("ecologits") or () if file.name == "electricity_mixes.json"]
    table = json.loads(found[0].read_text())["electricity_mixes"]
    return {
        row["name"]: {part: float(row[part]) for part in ("gwp", "wue")}
        for row in table
        if row["gwp"] > 0
    }


def _range_nj(low_j: float, high_j: float) -> tuple[int, int]:
    return _nj(low_j * PUE[0], high_j * PUE[1])


def _nj(low_j: float, high_j: float) -> tuple[int, int]:
    return _outwards(low_j, high_j, NJ)


def _outwards(low: float, high: float, scale: float) -> tuple[int, int]:
    return math.floor(low * scale), math.ceil(high * scale)
