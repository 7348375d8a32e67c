"""Floors: what every request below a budget demands of the offer that serves it."""

from __future__ import annotations

import click

from allmende.cli.remote import Market, given, remote


@click.command("floor")
@click.argument("budget", required=False)
@click.option("--min-seal", help="SOV-1:2,SOV-3:3, or one number for all objectives.")
@click.option("--max-exposure", help="US:1, or several with commas.")
@click.option("--max-kill-switch", help="US:0, or several with commas.")
@click.option("--none", is_flag=True, help="Take the budget's own floor away.")
@remote
def command(
    market: Market,
    budget: str | None,
    min_seal: str | None,
    max_exposure: str | None,
    max_kill_switch: str | None,
    none: bool,
) -> None:
    """Set the floor of BUDGET; without BUDGET, list the floors that your key sees.

    Floors of all budgets above hold too: the strictest counts, and a request can only tighten.
    """
    if budget is None:
        columns = tuple(f"{whose}.{what}" for whose in ("own", "holds") for what in _DEMANDS)
        market.rows("floors", ("budget", *columns), "No budgets.")
        return
    told = given(
        {"min_seal": min_seal, "max_exposure": max_exposure, "max_kill_switch": max_kill_switch}
    )
    if bool(told) == none:
        raise click.UsageError("Give what the budget demands, or --none.")
    done = f"Budget {budget} demands nothing itself." if none else f"Budget {budget} has its floor."
    market.ask("set_floor", {"budget": budget, **told}, done)


_DEMANDS = ("min_seal", "max_exposure", "max_kill_switch")
