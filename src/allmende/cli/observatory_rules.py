"""Rules: which law, weight or threshold holds on a day, from where, and how well it was seen."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import msgspec

from allmende.adapters.rules import BadRules, all_rules
from allmende.cli.client import Failed
from allmende.cli.show import out_json, table

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("rules")
@click.option("--at", type=DAY, help="Those that had begun on this day; today if not given.")
@click.option("--all", "every", is_flag=True, help="All versions, whatever the day.")
@click.option("--json", "as_json", is_flag=True, help="With their values.")
def command(at: datetime | None, every: bool, as_json: bool) -> None:
    """The dated rule files: act, date, status, source.

    `in force` is law on the day; `draft` and `proposal` are not, and no figure takes them for
    it. Grade `seen`: read in the named page. `memory`: check it there before relying on it.
    """
    day = (at or datetime.now(UTC)).date()
    try:
        known = all_rules()
    except BadRules as error:
        raise Failed(str(error)) from None
    shown = [one for one in known if every or one.begun(day)]
    rows = [msgspec.to_builtins(one) for one in shown]
    if as_json:
        out_json(rows)
        return
    table(rows, ("act", "date", "until", "status", "grade", "title"), "No rule had begun.")
    click.echo("Sources and values: --json.")
