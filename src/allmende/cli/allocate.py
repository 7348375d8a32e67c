"""Allocate: who would have got what, under each rule that an operator may choose."""

from __future__ import annotations

from typing import Any, TextIO

import click

from allmende.cli.client import Failed
from allmende.cli.show import out_json, table
from allmende.core.units import CREDIT
from allmende.lab.recorded_day import NoTrace, asks, made_up, read
from allmende.measure.allocate import RULES, Ask, Outcome, run
from allmende.measure.estimators import jain, quantile


@click.group()
def allocate() -> None:
    """Rules for scarce windows: compare them on one recorded day."""


@allocate.command()
@click.argument("file", type=click.File("r"), required=False)
@click.option("--capacity", default=70, show_default=True, help="Percent of the mean demand.")
@click.option("--window", default=60, show_default=True, help="Seconds between allocations.")
@click.option("--patience", default=600, show_default=True, help="Seconds until an ask leaves.")
@click.option("--institutes", default=12, show_default=True, help="Who asks.")
@click.option("--seed", default=1, show_default=True, help="Draws who asked, and values.")
@click.option("--json", "as_json", is_flag=True)
def compare(
    file: TextIO | None,
    capacity: int,
    window: int,
    patience: int,
    institutes: int,
    seed: int,
    as_json: bool,
) -> None:
    """First come, fair share, auction and common good on the requests of FILE.

    FILE is a trace with columns TIMESTAMP,ContextTokens,GeneratedTokens, as Azure's public
    ones; without it a day is generated.
    """
    if min(capacity, window, patience, institutes) <= 0:
        raise click.UsageError("Capacity, window, patience and institutes are above 0.")
    try:
        requests = made_up(seed) if file is None else read(file)
    except NoTrace as error:
        raise Failed(f"{file.name if file else 'The day'} is no trace: {error}.") from None
    day = asks(requests, institutes, seed)
    lasted = max(requests[-1].at, window)
    units = max(1, int(sum(ask.units for ask in day) * window / lasted * capacity / 100))
    shares = dict.fromkeys(sorted({ask.who for ask in day}), 1.0)
    outcomes = [
        run(day, rule, units, window=window, patience=patience, shares=shares) for rule in RULES
    ]
    said = {
        "source": "generated" if file is None else file.name,
        "requests": len(day),
        "hours": round(lasted / 3600, 2),
        "capacity_units": units,
        "window_s": window,
        "rules": [_row(outcome) for outcome in outcomes],
        "got": _shares(outcomes),
    }
    if as_json:
        out_json(said)
    else:
        _tell(said, day, capacity, seed)


def _row(outcome: Outcome) -> dict[str, Any]:
    """Money in credits, waiting in seconds, the rest in percent of what was asked."""
    asked, got = sum(outcome.asked.values()), sum(outcome.got.values())
    parts = [outcome.got.get(who, 0) / units for who, units in outcome.asked.items() if units]
    public = outcome.public_got / outcome.public_asked if outcome.public_asked else None
    return {
        "rule": outcome.rule,
        "served": f"{got / asked:.1%}",
        "jain": round(jain(parts) or 0.0, 3),
        "surplus": f"{outcome.value / CREDIT:.3f}",
        "paid": f"{outcome.revenue / CREDIT:.3f}",
        "wait_p50": _seconds(outcome, 0.5),
        "wait_p90": _seconds(outcome, 0.9),
        "left": outcome.left,
        "public": None if public is None else f"{public:.1%}",
    }


def _seconds(outcome: Outcome, share: float) -> int | None:
    wait = quantile(outcome.waits, share)
    return None if wait is None else round(wait)


def _shares(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    """Institute by institute: what it asked for, and the part it got under each rule."""
    first = outcomes[0]
    return [
        {
            "who": who,
            "asked": first.asked[who],
            **{o.rule: f"{o.got.get(who, 0) / first.asked[who]:.1%}" for o in outcomes},
        }
        for who in sorted(first.asked)
        if first.asked[who]
    ]


def _tell(said: dict[str, Any], day: list[Ask], capacity: int, seed: int) -> None:
    what = "a generated day, no recorded one" if said["source"] == "generated" else said["source"]
    click.echo(
        f"{said['requests']:,} requests in {said['hours']} hours ({what}); capacity is "
        f"{capacity} % of the mean demand, {said['capacity_units']:,} standard units every "
        f"{said['window_s']} s."
    )
    click.echo(
        f"Who asked ({len({ask.who for ask in day})} institutes), whose work is public and what "
        f"a unit is worth are drawn from seed {seed}: traces do not say.\n"
    )
    columns = (
        *("rule", "served", "jain", "surplus", "paid"),
        *("wait_p50", "wait_p90", "left", "public"),
    )
    table(said["rules"], columns, "No rules.")
    click.echo("\nPart of what each asked for that it got:\n")
    table(said["got"], ("who", "asked", *RULES), "Nobody asked.")
