"""Govern power: who could decide alone, how equal votes are, and who takes part."""

from __future__ import annotations

import click
import msgspec

from allmende.cli.observatory_figures import show
from allmende.cli.remote import Market, remote
from allmende.measure.figure import Figure


@click.command("power")
@remote
def command(market: Market) -> None:
    """Nakamoto coefficient, Banzhaf power, Gini of votes, turnout and success of proposals, from
    the votes that the market followed and counted again."""
    found = msgspec.convert(market.client.get("govern/power"), list[Figure])
    if found or market.as_json:
        show(found, market.as_json)
    else:
        click.echo("Nobody votes here: no assembly, or nothing is staked. docs/govern.md")
