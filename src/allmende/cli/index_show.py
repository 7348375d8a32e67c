"""The matched-model index, on an imported history and on a market's own verified receipts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from allmende.cli.client import Failed
from allmende.cli.index_data import counted, described, file_argument, listings, traded
from allmende.cli.offline import data_option
from allmende.cli.show import out_json, table
from allmende.measure.indices import Point, geks, latest, matched_model, trend
from allmende.measure.indices_links import Rules
from allmende.measure.prices import BLENDS, CACHED
from allmende.measure.prices_cells import Month, list_months
from allmende.measure.prices_trades import WHY, trade_months

HEADLINE = BLENDS[0].name
COLUMNS = (
    *("month", *(blend.name for blend in BLENDS), CACHED.name, "tornqvist", "every"),
    *("models", "hosts", "coverage", "held", "off", "age"),
)
NOTHING = "No month can be compared with another by this rule; --hosts 1 shows what there is."
LEGEND = (
    "80/20, 50/50, 95/5: input/output shares; cached: cached input alone; tornqvist: the check at "
    "80/20; every: 80/20\nwith one host a model enough. models and hosts compared; coverage: of "
    "the month's listings (or spending); held back\nfor a jump of 10 times or more; off: hosts far "
    "from their model's others; age: days since anyone looked."
)


@click.command()
@data_option
@click.option("--file", type=file_argument, help="A price history, instead of the imported one.")
@click.option("--hosts", default=3, show_default=True, help="Independent hosts a model needs.")
@click.option("--json", "as_json", is_flag=True)
def show(data: str | None, file: Path | None, hosts: int, as_json: bool) -> None:
    """The matched-model index (TPI-M): what the same model at the same host costs, by months.

    On the imported history, or FILE's, and on the receipts of the market in the data directory
    that are verified, in credit and at arm's length.
    """
    if hosts < 1:
        raise click.UsageError("A model has one host or more.")
    rules = Rules(hosts=hosts)
    said: dict[str, Any] = {"rule": _rule(hosts)}
    rows, origin = listings(data, file)
    if rows:
        months = list(list_months(rows))
        said["imported"] = {
            "definition": "USD per million tokens, in force on the month's last day; every model "
            "weighs the same, because lists tell no volumes",
            "data": f"{described(rows)}, {origin}",
            **_series(months, rules),
        }
    tape = traded(data)
    if tape is not None:
        found, left = tape.trades, tape.left
        said["market"] = {
            "definition": "credits per million tokens, median by volume in quarters of the month; "
            "models weigh what was spent on them",
            "data": f"{len(found):,} verified receipts of this market's own journal",
            "left_out": left,
            **_series(list(trade_months(found)), rules),
        }
    if not rows and tape is None:
        raise Failed(
            "There is neither an imported history nor a market here. "
            "Import a file of prices: allmende index import FILE"
        )
    if as_json:
        out_json(said)
    else:
        _tell(said)


def _rule(hosts: int) -> str:
    return (
        "TPI-M: chained monthly Fisher index of the listings that both months have; models at "
        f"{hosts} or more independent hosts; 100 in the first month compared"
    )


def _series(months: Sequence[Month], rules: Rules) -> dict[str, Any]:
    """The rows, the trend since the last base and what GEKS makes of the same months."""
    by = {blend.name: matched_model(months, blend, rules) for blend in (*BLENDS, CACHED)}
    every = matched_model(months, BLENDS[0], Rules(hosts=1))
    rows = [
        _row(point, every[place], {name: points[place] for name, points in by.items()})
        for place, point in enumerate(by[HEADLINE])
    ]
    while rows and all(rows[0][name] is None for name in (*by, "every")):
        rows.pop(0)
    line = latest(by[HEADLINE])
    found = trend(line)
    if found is None:
        return {"months": rows, "trend": None}
    since = [month for month in months if month.day >= found.start]
    with counted("GEKS", len(since)) as step:
        check = geks(since, BLENDS[0], rules, step)
    return {
        "months": rows,
        "trend": {
            "since": str(found.start),
            "to": str(found.end),
            "value": round(found.value, 2),
            "yearly_percent": round(found.yearly * 100, 1),
            "geks": round(check[-1][1], 2) if check[-1][0] == found.end else None,
        },
    }


def _row(point: Point, every: Point, by: dict[str, Point]) -> dict[str, Any]:
    return {
        "month": str(point.day),
        **{name: _two(one.value) for name, one in by.items()},
        "tornqvist": _two(point.check),
        "every": _two(every.value),
        "models": point.cells,
        "hosts": point.hosts,
        "coverage": round(point.coverage, 3),
        "held": point.held,
        "off": point.out,
        "age": point.age,
    }


def _two(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _tell(said: dict[str, Any]) -> None:
    click.echo(f"{said['rule']}.\n")
    for name, title in (("imported", "Imported history"), ("market", "This market's receipts")):
        part = said.get(name)
        if part is None:
            continue
        click.secho(title, bold=True)
        click.echo(f"{part['data']}\n{part['definition']}.")
        for why, count in part.get("left_out", {}).items():
            click.echo(f"{count:,} receipts left out: {WHY[why]}.")
        click.echo()
        shown = [{**row, **{k: _fixed(row[k]) for k in COLUMNS[1:7]}} for row in part["months"]]
        table(shown, COLUMNS, NOTHING)
        _tell_trend(part["trend"])
    click.echo(LEGEND)


def _fixed(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def _tell_trend(found: dict[str, Any] | None) -> None:
    if found is None:
        click.echo(f"\n{NOTHING}\n")
        return
    check = found["geks"]
    apart = "none" if check is None else f"{check:.2f}, {found['value'] - check:+.2f} from it"
    click.echo(
        f"\nFrom {found['since']} to {found['to']}: {found['value']:.2f}, "
        f"{found['yearly_percent']:+.1f} % a year. GEKS, every month with every other: {apart}.\n"
    )
