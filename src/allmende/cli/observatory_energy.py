"""Observatory energy: what a machine measures of itself, as an offer's rate; batch sensitivity."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from allmende.adapters import meters
from allmende.adapters.energy import by_batch, measured_rate
from allmende.adapters.meters import Missing, Reading, Unreadable
from allmende.cli.client import Failed
from allmende.cli.observatory_figures import NUMBER
from allmende.cli.remote import connect
from allmende.cli.show import out_json, table
from allmende.core.units import EnergyRate

SOURCES = ("nvml", "rapl", "slurm")


@click.group("energy")
def command() -> None:
    """Energy measured on this machine, and how an estimate depends on the batch."""


@command.command("measure")
@click.option("--source", type=click.Choice(("auto", *SOURCES)), default="auto", show_default=True)
@click.option("--seconds", type=click.FloatRange(0.1, 3_600), default=10.0, show_default=True)
@click.option("--job", help="A Slurm job: its whole time is measured.")
@click.option("--prompt-tokens", type=click.IntRange(0), default=0, help="Served in that time.")
@click.option("--output-tokens", type=click.IntRange(0), default=0, help="Served in that time.")
@click.option("--country", default="", help="Of the grid, as DEU; unknown: the range of all.")
@click.option(
    "--pue",
    type=(float, float),
    default=(1.09, 1.2),
    show_default=True,
    help="Overhead of the data centre, low and high.",
)
@click.option("--set", "offer", help="Restate this offer's energy in a running market.")
@click.option("--url", help="The market's address, with --set.")
@click.option("--key", "own_key", help="Your key there, with --set.")
@click.option("--json", "as_json", is_flag=True)
def measure(source: str, seconds: float, job: str | None, as_json: bool, **told: Any) -> None:
    """Read what is here (NVML, RAPL, Slurm), and with tokens make an offer's rate of it.

    A rate needs the tokens that were served in the same time: a model server's own counters have
    them. Prompts and output are not metered apart, so each gets a range.
    """
    readings, lacks = _read(source, seconds, job)
    rate = _rate(readings, told) if readings and _tokens(told) else None
    if as_json:
        out_json(
            {
                "readings": [r._asdict() for r in readings],
                "missing": lacks,
                "rate": msgspec.to_builtins(rate) if rate else None,
            }
        )
    else:
        _show(readings, lacks, rate)
    if not readings:
        raise Failed("Nothing here measures energy.")
    if told["offer"]:
        _set(rate, told)


def _read(source: str, seconds: float, job: str | None) -> tuple[list[Reading], dict[str, str]]:
    """What can be read, and for each source that cannot, why."""
    readings, lacks = [], {}
    wanted = [s for s in SOURCES if source in (s, "auto")]
    for name in wanted:
        try:
            if name == "slurm":
                if not job:
                    raise Missing("Name the job with --job.")
                readings.append(meters.slurm(job))
            else:
                readings.append(getattr(meters, name)(seconds))
        except Missing as missing:
            lacks[name] = str(missing)
        except Unreadable as error:
            raise Failed(f"{name}: {error}") from None
    return readings, lacks


def _tokens(told: dict[str, Any]) -> int:
    return int(told["prompt_tokens"] + told["output_tokens"])


def _rate(readings: list[Reading], told: dict[str, Any]) -> EnergyRate:
    """Slurm has whole nodes; else the boards and the packages of one machine add up."""
    whole = [r for r in readings if r.method == "metered-slurm"] or readings
    if len({round(r.seconds) for r in whole}) > 1:
        raise Failed("The readings are of different times; choose one with --source.")
    low = sum(r.watts[0] * r.seconds for r in whole)
    high = sum(r.watts[1] * r.seconds for r in whole)
    method = "+".join(r.method for r in whole)
    tokens = told["prompt_tokens"], told["output_tokens"]
    try:
        return measured_rate((low, high), *tokens, told["country"], told["pue"], method)
    except ValueError as error:
        raise Failed(f"{error}.") from None


def _show(readings: list[Reading], lacks: dict[str, str], rate: EnergyRate | None) -> None:
    rows = [
        {
            "method": r.method,
            "watts": f"{r.watts[0]:.1f} to {r.watts[1]:.1f}",
            "seconds": f"{r.seconds:.1f}",
            "boundary": r.boundary,
        }
        for r in readings
    ]
    if rows:
        table(rows, ("method", "watts", "seconds", "boundary"), "")
    for name, why in lacks.items():
        click.echo(f"{name}: {why}")
    if rate is not None:
        _show_rate(rate)
    elif readings:
        click.echo("For a rate, say what was served: --prompt-tokens and --output-tokens.")


def _show_rate(rate: EnergyRate) -> None:
    for name, nj in (("prompt", rate.input_nj), ("output", rate.output_nj)):
        click.echo(f"{name}: {nj[0] / 1e9:.3g} to {nj[1] / 1e9:.3g} J a token ({rate.method})")
    click.echo(f"grid: {rate.grid_g_per_kwh[0]} to {rate.grid_g_per_kwh[1]} g/kWh")


def _set(rate: EnergyRate | None, told: dict[str, Any]) -> None:
    if rate is None:
        raise Failed("Without tokens there is no rate to set.")
    fields = {"id": told["offer"], "energy": msgspec.to_builtins(rate)}
    connect(told["url"], told["own_key"]).ask("restate_energy", fields)
    click.echo(f"Offer {told['offer']} states {rate.method}; requests under way keep the old.")


@command.command("batches")
@click.option("--active-b", type=NUMBER, required=True, help="Billions of parameters a token.")
@click.option("--total-b", type=NUMBER, help="Billions of parameters in all, if these are more.")
@click.option("--country", default="", help="Of the grid, as DEU.")
@click.option("--json", "as_json", is_flag=True)
def batches(active_b: float, total_b: float | None, country: str, as_json: bool) -> None:
    """How the estimate of a model depends on how many requests a server answers together."""
    try:
        rates = by_batch(active_b, total_b or active_b, country)
    except ValueError as error:
        raise Failed(f"{error}.") from None
    rows = [
        {
            "batch": size,
            "J a token": f"{rate.output_nj[0] / 1e9:.3f} to {rate.output_nj[1] / 1e9:.3f}",
            "g per M tokens": " to ".join(
                f"{nj * grid / 3.6e9:.1f}"
                for nj, grid in zip(rate.output_nj, rate.grid_g_per_kwh, strict=True)
            ),
        }
        for size, rate in rates
    ]
    if as_json:
        out_json(rows)
        return
    table(rows, tuple(rows[0]), "")
    click.echo(f"Output tokens, method {rates[0][1].method}; {country or 'any country'}.")
