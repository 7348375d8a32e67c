"""List, show, rules: proposals, votes and parameters as a market followed and counted them."""

from __future__ import annotations

from typing import Any

import click

from allmende.cli.commons import market, on_commons
from allmende.cli.show import out_json, pairs, table


@click.command("list")
@on_commons
def list_(where: dict[str, Any]) -> None:
    """Proposals, the newest first."""
    rows = market(where).get("assembly/proposals")
    if where["as_json"]:
        out_json(rows)
        return
    columns = ["number", "status", "class", "kind", "name", "value", "ends", "text"]
    table(rows, columns, "Nothing was proposed yet.")


@click.command("show")
@click.argument("number", type=click.IntRange(1))
@on_commons
def show_(number: int, where: dict[str, Any]) -> None:
    """One proposal: each chamber's count, what it takes, and every vote."""
    row = market(where).get(f"assembly/proposals/{number}")
    if where["as_json"]:
        out_json(row)
        return
    votes, chambers = row.pop("votes"), row.pop("chambers")
    pairs({name: value for name, value in row.items() if value not in ("", [], 0, False)})
    click.echo()
    columns = ["chamber", "electorate", "turnout", "yes", "no", "quorum_ppm", "reached", "agrees"]
    table(chambers, columns, "No chamber decides.")
    click.echo()
    table(votes, ["voter", "choice", "stake", "chambers", "at"], "Nobody voted yet.")


@click.command("rules")
@on_commons
def rules_(where: dict[str, Any]) -> None:
    """Parameters, who decides on them, and within which bounds."""
    found = market(where).get("assembly")
    if where["as_json"]:
        out_json(found)
        return
    table(found["parameters"], ["name", "value", "class", "least", "most", "unit"], "None.")
    click.echo()
    if found["chartered"]:
        click.echo(f"Governed by votes: {found['enacted']} decisions were taken.")
    else:
        click.echo("No charter yet: an operator's key still sets them. `allmende govern charter`.")
