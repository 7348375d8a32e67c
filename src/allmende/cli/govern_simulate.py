"""Govern simulate: what a rule would have changed, on the journal's own requests."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from allmende.cli.client import Failed
from allmende.cli.offline import opened
from allmende.cli.remote import Market, remote
from allmende.cli.show import out_json, pairs, table
from allmende.core.refusals import Refused
from allmende.core.units import SECOND, credits
from allmende.lab.fork import Change
from allmende.lab.fork_effect import Effect, Simulation
from allmende.main import JOURNAL
from allmende.main_forks import simulated, simulated_lines

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
COLUMNS = (
    *("by", "of", "accounts", "receipts", "paid_before", "paid_after"),
    *("earned_before", "earned_after", "gains"),
)


def window(context: click.Context, option: click.Parameter, given: str) -> int | None:
    """`30d`, `12h` or `all`, in microseconds."""
    if given == "all":
        return None
    unit = UNITS.get(given[-1:], 0)
    if not unit or not given[:-1].isdecimal() or not int(given[:-1]) or len(given) > 8:
        raise click.BadParameter(f"{given!r} is no time such as 30d or 12h, nor all.")
    return int(given[:-1]) * unit * SECOND


@click.command("simulate")
@click.argument("name")
@click.argument("value", type=int)
@click.option("--window", "window_", default="30d", show_default=True, callback=window,
              help="How far back from the last event: 30d, 12h, or all.")  # fmt: skip
@click.option("--data", help="A data directory, read only; else the market at --url is asked.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A CSV file.")
@remote
def command(market: Market, /, name: str, value: int, **told: Any) -> None:
    """What NAME at VALUE would have changed: who pays and earns more, by role, kind of member,
    country and size.

    Every request of the window is run again on the market's own machine, with the same offers
    and prices, once as it was and once with the rule changed. Ends with 1 if the run as it was
    is not the ledger. A window of a market at --url needs an operator's key.
    """
    change, back = Change(name, value), told["window_"]
    try:
        if told["data"]:
            with opened(told["data"]) as (_, folder):
                done = simulated(folder / JOURNAL, change, back)
        else:
            done = simulated_lines(market.client.lines("export"), change, back)
    except Refused as refused:
        raise Failed(str(refused)) from None
    if told["out"]:
        write(told["out"], done)
    if market.as_json:
        out_json(msgspec.to_builtins(done))
    else:
        _show(done)
    sys.exit(1 if done.differs else 0)


def rows(done: Simulation) -> list[dict[str, Any]]:
    """As the file has them: amounts are decimal text of credits."""
    return [{"asset": one.asset, **_row(one)} for one in done.effects]


def _row(one: Effect) -> dict[str, Any]:
    money = COLUMNS[4:]
    plain = {name: getattr(one, name) for name in COLUMNS[:4]}
    return {**plain, **{name: credits(getattr(one, name)) for name in money}}


def write(path: Path, done: Simulation) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ("asset", *COLUMNS))
        writer.writeheader()
        writer.writerows(rows(done))


def _show(done: Simulation) -> None:
    change = done.change
    pairs(
        {
            "rule": f"{change.name} {done.before} -> {change.value}",
            "events": f"{done.first} to {done.last}" if done.first else "none in this window",
            "requests": f"{done.receipts} served as it was, {done.served} with the change",
            "refused": ", ".join(f"{one.hold} ({one.why})" for one in done.refused[:5]) or "none",
            "lent": ", ".join(f"{a} {credits(n)} {of}" for a, of, n in done.lent) or "nothing",
            "unchanged": "; ".join(done.differs) or "is the ledger, to the digest",
        }
    )
    for asset in dict.fromkeys(one.asset for one in done.effects):
        click.echo(f"\n{asset}: credits paid and earned by requests, and what each has more")
        shown = [_row(one) for one in done.effects if one.asset == asset]
        table(shown, COLUMNS, "")
    if done.receipts != done.served:
        click.echo(f"\n{done.receipts - done.served} requests fewer are served.")
    click.echo("Requests that were refused at the time are in no journal, so none is shown.")
