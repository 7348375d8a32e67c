"""Training: what a run cost in energy and money, from ranges to a range.

Rule: every input is a range, low to high, and so is every answer; a point is not taken, because
nobody outside has one. Energy is GPU-hours times kilowatts at the plug times PUE.
Invariant: a wider input never gives a narrower answer; low <= high.
Worked number: 2.1e25 FLOP at 30 to 40 % of 312 teraFLOPS are 46.7 to 62.3 million GPU-hours; at
0.4 to 0.8125 kW and PUE 1.1 to 1.2 they are 20.6 to 60.8 GWh.
"""

from __future__ import annotations

from msgspec import Struct

Range = tuple[float, float]
TERA, HOUR_S, GWH_KWH = 1e12, 3600.0, 1e6


class Run(Struct, frozen=True):
    """`flop` of the whole run, `utilisation` of `tflops` per GPU (0 to 1), `kw` per GPU."""

    flop: Range
    utilisation: Range
    tflops: Range
    kw: Range
    pue: Range
    gpu_hour: Range = (0.0, 0.0)
    """Price of a GPU-hour, in any currency."""


class Needed(Struct, frozen=True):
    """Million GPU-hours, gigawatt-hours, millions of the price's currency (GPU-hours only)."""

    gpu_hours_m: Range
    gwh: Range
    cost_m: Range


GPT4 = Run((2.1e25, 2.1e25), (0.3, 0.4), (312.0, 312.0), (0.4, 0.8125), (1.1, 1.2))
"""Epoch AI's estimate of compute on A100s (data sheet: 312 dense BF16 teraFLOPS, 400 W;
a DGX A100 takes up to 6.5 kW for 8). Utilisation and PUE are assumed."""
GPT3_MWH = 1_287.0
"""Patterson et al. 2021, arXiv 2104.10350, Table 4."""


def needed(run: Run) -> Needed:
    """Raises ValueError for a range that is none, or one at or below zero."""
    for name in ("flop", "utilisation", "tflops", "kw", "pue"):
        low, high = getattr(run, name)
        if not 0 < low <= high:
            raise ValueError(f"{name} is {low:g} to {high:g}, which is no range above zero")
    if run.utilisation[1] > 1 or run.pue[0] < 1:
        raise ValueError("utilisation is at most 1, and PUE at least 1")
    if not 0 <= run.gpu_hour[0] <= run.gpu_hour[1]:
        raise ValueError(f"gpu_hour is {run.gpu_hour[0]:g} to {run.gpu_hour[1]:g}")
    low = run.flop[0] / (run.tflops[1] * TERA * run.utilisation[1]) / HOUR_S
    high = run.flop[1] / (run.tflops[0] * TERA * run.utilisation[0]) / HOUR_S
    return Needed(
        gpu_hours_m=(low / 1e6, high / 1e6),
        gwh=(low * run.kw[0] * run.pue[0] / GWH_KWH, high * run.kw[1] * run.pue[1] / GWH_KWH),
        cost_m=(low * run.gpu_hour[0] / 1e6, high * run.gpu_hour[1] / 1e6),
    )
