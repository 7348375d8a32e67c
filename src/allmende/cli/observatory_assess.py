"""Assessments: how far a country's law reaches an offer, signed by a named person."""

from __future__ import annotations

from collections.abc import Mapping

import click

from allmende.cli.client import Failed
from allmende.cli.remote import Market, remote
from allmende.cli.show import out_json
from allmende.core.evidence import LAWS


@click.command("assess")
@click.argument("regime")
@click.option("--offer", default="", help="The offer it speaks of.")
@click.option("--provider", default="", help="Without --offer: of all that this member sells.")
@click.option("--exposure", type=click.IntRange(0, 3), help="E0 to E3.")
@click.option("--kill-switch", type=click.IntRange(0, 2), help="0 none, 1 indirect, 2 direct.")
@click.option("--reasoning", help="Why, spelled out.")
@click.option("--signer", help="The person who answers for it, by name.")
@click.option("--expires", help="When it counts no more, such as 2027-06-30.")
@click.option("--propose", is_flag=True, help="Only show what the registry of actors suggests.")
@click.option("--withdraw", is_flag=True, help="Nobody stands behind it any more.")
@remote
def command(
    market: Market,
    regime: str,
    offer: str,
    provider: str,
    exposure: int | None,
    kill_switch: int | None,
    reasoning: str | None,
    signer: str | None,
    expires: str | None,
    propose: bool,
    withdraw: bool,
) -> None:
    """Sign how far REGIME (US, CN, or a country as DEU) reaches an offer or a provider.

    The key you use is kept with your name. Without it the worst counts: E3 and kill switch 2.
    """
    if bool(offer) == bool(provider):
        raise click.UsageError("Give one of --offer and --provider.")
    if propose:
        _propose(market, regime.upper(), offer, provider)
        return
    of = {"regime": regime.upper(), "offer": offer, "provider": provider}
    if withdraw:
        market.ask("withdraw_assessment", of, f"{regime} of {offer or provider} is not assessed.")
        return
    told = {
        "exposure": exposure,
        "kill_switch": kill_switch,
        "reasoning": reasoning,
        "signer": signer,
        "expires": expires,
    }
    missing = [f"--{name.replace('_', '-')}" for name, value in told.items() if value is None]
    if missing:
        raise click.UsageError(f"A sign-off needs {', '.join(missing)}.")
    done = f"{signer} has signed E{exposure} and kill switch {kill_switch} to {regime.upper()}."
    market.ask("assess", {**of, **told}, done)


def _propose(market: Market, regime: str, offer: str, provider: str) -> None:
    """What the graph of owners says, with its reasons. It signs nothing."""
    country = next((long for long, short in LAWS.items() if short == regime), regime)
    standing = {row["id"]: row["provider"] for row in market.client.get("offers")}
    of = [id_ for id_, who in standing.items() if id_ == offer or (not offer and who == provider)]
    if not of:
        raise Failed(f"No offer of {offer or provider!r} stands; see `allmende offer list`.")
    found = [row for id_ in of for row in market.client.get("exposure", law=country, offer=id_)]
    if market.as_json:
        out_json(found)
        return
    for row in found:
        exposure, kill = (_range(row[name]) for name in ("exposure", "kill_switch"))
        click.echo(
            f"{row['offer']} and {regime}: E{exposure}, kill switch {kill}, proposed because"
        )
        for sentence in row["reasoning"]:
            click.echo(f"  - {sentence}")
    click.echo("Nothing is signed. Whoever answers for it signs with --exposure and --kill-switch.")


def _range(told: Mapping[str, int]) -> str:
    low, high = told["low"], told["high"]
    return str(low) if low == high else f"{low} to {high}"
