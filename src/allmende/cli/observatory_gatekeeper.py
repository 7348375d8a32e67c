"""Gatekeeper: whether a platform's numbers make it presumed one, by the dated act."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from allmende.adapters.rules import BadRules, rules
from allmende.cli.client import Failed
from allmende.cli.observatory_figures import NUMBER
from allmende.cli.observatory_rules import DAY
from allmende.cli.show import out_json
from allmende.measure.dated import NoRules
from allmende.measure.thresholds import SIZE, USERS, gatekeeper

ACT = "eu/dma"


@click.command("gatekeeper")
@click.option("--turnover", SIZE[0], type=NUMBER, help="Of a year in the EEA, in euros.")
@click.option("--capitalisation", SIZE[1], type=NUMBER, help="Of the market, in euros.")
@click.option("--end-users", USERS[0], type=NUMBER, help="In the EU, a month.")
@click.option("--business-users", USERS[1], type=NUMBER, help="In the EU, a year.")
@click.option("--at", type=DAY, help="By the rule of this day; today if not given.")
@click.option("--json", "as_json", is_flag=True)
def command(at: datetime | None, as_json: bool, **given: float | None) -> None:
    """Is a platform presumed a gatekeeper by the numbers of the Digital Markets Act?

    What is not given leaves the answer open where it would decide.
    """
    told = {name: number for name, number in given.items() if number is not None}
    if not told:
        raise click.UsageError("Give one number at least; --help lists them.")
    try:
        found = gatekeeper(rules(ACT, (at or datetime.now(UTC)).date()), told)
    except (BadRules, NoRules) as error:
        raise Failed(str(error)) from None
    if as_json:
        out_json(found._asdict())
        return
    click.echo(f"{found.asks} {found.answer.capitalize()}.\n{found.why}")
    click.echo(f"{found.rules}, {found.status}, {found.seen}: {found.source}")
