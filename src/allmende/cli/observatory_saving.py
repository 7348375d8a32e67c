"""Observatory saving: total cost of ownership from a file, with every cost or no answer."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import click
from msgspec import to_builtins

from allmende.cli.client import Failed
from allmende.cli.index_data import file_argument
from allmende.cli.show import out_json
from allmende.measure.savings import COSTS, GAINS, Saving, plan, saving

EXAMPLE = """months = 36
currency = "EUR"
hours_saved = [60, 120]
hour_value = [35, 50]
ramp = [3, 9]
implementation = [8000, 15000]
adaptation = [5000, 12000]
checking_hours = [15, 40]
operating = [400, 700]
"""


@click.command()
@click.option("--file", "path", type=file_argument, help="TOML; --example shows one.")
@click.option("--example", is_flag=True, help="A file to begin with.")
@click.option("--json", "as_json", is_flag=True)
def command(path: Path | None, example: bool, as_json: bool) -> None:
    """What a saving is worth when everything that it takes is counted, as a range by month.

    While a cost is blank no saving is stated, and the blank fields are named.
    """
    if example:
        for name, says in {**GAINS, **COSTS}.items():
            click.echo(f"# {name}: {says}")
        click.echo(EXAMPLE, nl=False)
        return
    if path is None:
        raise click.UsageError("--file FILE.toml, or --example.")
    found = saving_of(path)
    if as_json:
        out_json(_plain(found))
    else:
        _print(found)


def saving_of(path: Path) -> Saving:
    """Raises Failed."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # tomllib's, and Unicode's, are ValueErrors
        raise Failed(f"{path} is no TOML: {error}.") from None
    try:
        return saving(plan(given))
    except ValueError as error:
        raise Failed(f"{path}: {error}.") from None


def _plain(found: Saving) -> dict[str, Any]:
    told: dict[str, Any] = to_builtins(found)
    return {**told, "total": found.total, "deepest": found.deepest}


def _print(found: Saving) -> None:
    money = found.plan.currency
    low, high = found.total
    click.echo(f"After {found.plan.months} months: {low:,.0f} to {high:,.0f} {money}.")
    soonest, latest = (
        "not within them" if month is None else f"month {month}"
        for month in (found.soonest, found.latest)
    )
    click.echo(f"Broken even: at the soonest {soonest}, at the latest {latest}.")
    click.echo(f"Deepest: {found.deepest[0]:,.0f} to {found.deepest[1]:,.0f} {money}.\n")
    click.echo(f"{'month':>5}  {'low':>12}  {'high':>12}")
    for month, (least, most) in enumerate(found.curve):
        if month % 3 == 0 or month == found.plan.months:
            click.echo(f"{month:>5}  {least:>12,.0f}  {most:>12,.0f}  {_sign(least, most)}")


def _sign(low: float, high: float) -> str:
    return "gained" if low >= 0 else "spent" if high < 0 else "either"
