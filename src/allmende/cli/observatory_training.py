"""Observatory training: energy and cost of a training run, from ranges to ranges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from msgspec import to_builtins

from allmende.cli.client import Failed
from allmende.cli.show import out_json
from allmende.measure.training import GPT3_MWH, GPT4, Needed, Range, Run, needed
from allmende.measure.written import digits, number


def range_of(context: click.Context, option: click.Parameter, text: str) -> Range:
    """`2e25:3e25`: a callback. A point is not taken: 2e25:2e25 says that it is known."""
    low, colon, high = text.partition(":")
    try:
        if colon:
            return float(low), float(high)
    except ValueError:
        pass  # said below, as for every text that is none
    raise click.BadParameter(f"{text!r} is no range LOW:HIGH (a known value is said twice).")


def ranged(name: str, default: Range, says: str) -> Callable[..., Any]:
    shown = f"{default[0]:g}:{default[1]:g}"
    return click.option(f"--{name}", default=shown, show_default=True, callback=range_of, help=says)


@click.command()
@ranged("flop", GPT4.flop, "Of the whole run.")
@ranged("utilisation", GPT4.utilisation, "Share of the peak that was used.")
@ranged("tflops", GPT4.tflops, "Peak of a GPU.")
@ranged("kw", GPT4.kw, "Per GPU, at the server's plug.")
@ranged("pue", GPT4.pue, "Overhead of the data centre.")
@ranged("gpu-hour", (0.0, 0.0), "Price of a GPU-hour; 0:0 for energy alone.")
@click.option("--json", "as_json", is_flag=True)
def command(as_json: bool, **given: Range) -> None:
    """GPU-hours, energy and cost of a training run. The defaults are estimates of GPT-4's."""
    try:
        found = needed(Run(**given))
    except ValueError as error:
        raise Failed(f"{error}.") from None
    if as_json:
        out_json(to_builtins(found))
    else:
        _print(found)


def _print(found: Needed) -> None:
    def said(label: str, ends: Range, unit: str) -> None:
        low, high = (number(digits(round(end * 1e6), 10**6), "en") for end in ends)
        click.echo(f"{label:<10} {low} to {high} {unit}")

    said("GPU-hours", found.gpu_hours_m, "million")
    said("energy", found.gwh, "GWh")
    low, high = (gwh * 1000 / GPT3_MWH for gwh in found.gwh)
    said("", (low, high), f"times GPT-3's {GPT3_MWH:,.0f} MWh (Patterson et al. 2021)")
    if found.cost_m[1]:
        said("cost", found.cost_m, "million, GPU-hours only: no staff, no failed runs, no data")
