"""Dependency: the Commission's three indicators, from imports and exports that are entered."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from msgspec import to_builtins

from allmende.adapters.rules import BadRules, rules
from allmende.cli.client import Failed
from allmende.cli.observatory_figures import NUMBER, Named, named
from allmende.cli.observatory_rules import DAY
from allmende.cli.show import out_json, table
from allmende.core.countries import CODES
from allmende.measure.dated import NoRules
from allmende.measure.dependence import core_dependency

ACT, MEMBERS = "eu/strategic-dependencies", "eu/members"
IMPORTS = "USA=700: imported from there, several times, all in one unit."


@click.command("dependency")
@click.option("--import", "imports", multiple=True, callback=named, required=True, help=IMPORTS)
@click.option("--exports", type=NUMBER, default=0.0, help="To countries outside the EU.")
@click.option("--at", type=DAY, help="By the rules of this day; today if not given.")
@click.option("--json", "as_json", is_flag=True)
def command(imports: Named, exports: float, at: datetime | None, as_json: bool) -> None:
    """The EU's screen of strategic dependencies: dependent where all three are exceeded."""
    for country in imports:
        if country not in CODES:
            raise click.UsageError(f"{country!r:.40} is no country such as USA.")
    day = (at or datetime.now(UTC)).date()
    try:
        home = rules(MEMBERS, day).values["countries"]
        found = core_dependency(rules(ACT, day), imports, home, exports)
    except (BadRules, NoRules) as error:
        raise Failed(str(error)) from None
    dependent = all(one.exceeded for one in found)
    if as_json:
        out_json({"dependent": dependent, "indicators": to_builtins([o._asdict() for o in found])})
        return
    rows = [
        {**one._asdict(), "value": one.why if one.value is None else f"{one.value:.3f}"}
        for one in found
    ]
    table(rows, ("name", "value", "limit", "exceeded"), "Nothing.")
    click.echo(f"Dependent by this screen: {'yes' if dependent else 'no'}.")
