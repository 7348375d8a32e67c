"""Assessments: how far a country's law reaches an offer, signed by a named person."""

from __future__ import annotations

import click

from allmende.cli.remote import Market, remote


@click.command("assess")
@click.argument("regime")
@click.option("--offer", default="", help="The offer it speaks of.")
@click.option("--provider", default="", help="Without --offer: of all that this member sells.")
@click.option("--exposure", type=click.IntRange(0, 3), help="E0 to E3.")
@click.option("--kill-switch", type=click.IntRange(0, 2), help="0 none, 1 indirect, 2 direct.")
@click.option("--reasoning", help="Why, spelled out.")
@click.option("--signer", help="The person who answers for it, by name.")
@click.option("--expires", help="When it counts no more, such as 2027-06-30.")
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
    withdraw: bool,
) -> None:
    """Sign how far REGIME (US, CN, or a country as DEU) reaches an offer or a provider.

    The key you use is kept with your name. Without it the worst counts: E3 and kill switch 2.
    """
    if bool(offer) == bool(provider):
        raise click.UsageError("Give one of --offer and --provider.")
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
