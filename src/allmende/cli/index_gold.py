"""Gold beside tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from msgspec import to_builtins

from allmende.adapters.price_formats import GOLD
from allmende.cli.client import Failed
from allmende.cli.index_data import described, file_argument, kept, listings, opened_file
from allmende.cli.offline import data_option
from allmende.cli.show import out_json, table
from allmende.measure.gold import Gauge, beside, gauge
from allmende.measure.indices import Line, latest, matched_model
from allmende.measure.indices_links import Rules
from allmende.measure.prices_cells import list_months

FIGURES = ("series", "from", "to", "level", "yearly", "volatility", "drawdown", "peak", "trough")


@click.command()
@data_option
@click.option("--file", type=file_argument, help="Gold by the month, instead of the imported.")
@click.option("--hosts", default=3, show_default=True, help="Independent hosts a model needs.")
@click.option("--json", "as_json", is_flag=True)
def gold(data: str | None, file: Path | None, hosts: int, as_json: bool) -> None:
    """Gold and tokens side by side: level, volatility and drawdown over the same months."""
    ounce = _ounce(data, file)
    rows, origin = listings(data, None)
    if not rows:
        raise Failed("No token prices are kept. Import them: allmende index import FILE")
    months = list(list_months(rows))
    names = ("gold", f"TPI-M, {hosts} hosts", "TPI-M, every host")
    try:
        lines = beside(
            ounce,
            latest(matched_model(months, rules=Rules(hosts=hosts))),
            latest(matched_model(months, rules=Rules(hosts=1))),
        )
        gauges = {name: gauge(one) for name, one in zip(names, lines, strict=True)}
        gauges["gold, all its months"] = gauge(ounce)
    except ValueError as error:
        raise Failed(f"Gold and tokens share too few months: {error}.") from None
    if as_json:
        out_json(to_builtins({"figures": gauges, "lines": dict(zip(names, lines, strict=True))}))
        return
    click.echo(
        "Gold in USD an ounce, and the matched-model index at 80/20: 100 in the first month that "
        f"all share.\nTokens: {described(rows)}, {origin}\n"
    )
    table(_rows(names, lines), ("month", *names), "No months.")
    click.echo()
    table([_figures(name, one) for name, one in gauges.items()], FIGURES, "No figures.")
    click.echo(
        "\nyearly, volatility (of monthly log returns, times the root of 12) and drawdown (the "
        "deepest fall from a peak,\nwith its dates) in percent. Gold is an average of its month, "
        "a token index the month's last day."
    )


def _ounce(data: str | None, file: Path | None) -> Line:
    if file is None:
        rows: Line = kept(data, GOLD)
        if not rows:
            raise Failed(f"No gold is kept. Import a CSV file with {','.join(GOLD.names)}.")
        return rows
    found = opened_file(file)
    if found.format is not GOLD:
        raise Failed(f"{file} is {found.format.what}, and this needs {GOLD.what}.")
    return found.records()


def _rows(names: tuple[str, ...], lines: list[Line]) -> list[dict[str, Any]]:
    return [
        {
            "month": f"{points[0][0]:%Y-%m}",
            **{name: f"{value:.2f}" for name, (_, value) in zip(names, points, strict=True)},
        }
        for points in zip(*lines, strict=True)
    ]


def _figures(name: str, one: Gauge) -> dict[str, Any]:
    fell = one.drawdown > 0
    return {
        "series": name,
        "from": f"{one.start:%Y-%m}",
        "to": f"{one.end:%Y-%m}",
        "level": f"{one.last:.2f}",
        "yearly": f"{one.yearly * 100:.1f}",
        "volatility": None if one.volatility is None else f"{one.volatility * 100:.1f}",
        "drawdown": f"{one.drawdown * 100:.1f}",
        "peak": f"{one.peak:%Y-%m}" if fell else None,
        "trough": f"{one.trough:%Y-%m}" if fell else None,
    }
