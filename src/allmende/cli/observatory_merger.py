"""Merger: how concentrated a market is, what a merger would add, and what each regime says."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from msgspec import to_builtins

from allmende.adapters.rules import BadRules, all_rules
from allmende.cli.client import Failed
from allmende.cli.observatory_figures import NUMBER, Named, named, show
from allmende.cli.observatory_rules import DAY
from allmende.cli.show import table
from allmende.measure.concentration import Merger, Rest, concentration, merger, mhhi
from allmende.measure.figure import About, Figure
from allmende.measure.rents import implied_elasticity
from allmende.measure.thresholds import Finding, presumptions

SHARES = "NAME=PERCENT, several times: who is known to have how much of all."
STAKES = "FIRM/OWNER=PERCENT: a share of FIRM's profit that another seller holds."
MARGINS = "NAME=PERCENT of its price that is no marginal cost (Lerner), of all the sellers."
IMPLIED = "HHI / 10,000 over the weighted margin: demand's elasticity if all were Cournot's."
MHHI = "HHI with these stakes in rivals (O'Brien and Salop), each without control."


@click.command("merger")
@click.argument("firms", nargs=-1)
@click.option("--share", "known", multiple=True, callback=named, required=True, help=SHARES)
@click.option("--most", type=NUMBER, help="Percent that an unknown seller has at most.")
@click.option("--stake", "stakes", multiple=True, callback=named, help=STAKES)
@click.option("--margin", "margins", multiple=True, callback=named, help=MARGINS)
@click.option("--at", type=DAY, help="By the rules of this day; today if not given.")
@click.option("--json", "as_json", is_flag=True)
def command(
    firms: tuple[str, ...],
    known: Named,
    most: float | None,
    stakes: Named,
    margins: Named,
    at: datetime | None,
    as_json: bool,
) -> None:
    """HHI, effective number and CR4 of SHARES; with two FIRMS, what their merger would do.

    What the shares leave of 100 % is unknown sellers of at most --most each (as much as the
    smallest known one, if you do not say), and the figures are ranges.
    """
    if len(firms) not in (0, 2):
        raise click.UsageError("Name two firms that merge, or none.")
    about = About(of="market", window="as entered", denominator="all shares", grade="assumed")
    try:
        shares, rest = entered(known, most)
        figures = concentration(about, shares, rest)
        if stakes:
            owned = holdings(stakes, shares)
            figures.append(
                about.of_range(
                    "mhhi", "points of 10,000", MHHI, lambda: mhhi(shares, {}, owned, rest)
                )
            )
        if margins:
            figures.append(_implied(about, shares, rest, margins))
        merged = merger(shares, firms[0], firms[1], rest) if firms else None
        day = (at or datetime.now(UTC)).date()
        found = presumptions(all_rules(), merged, day) if merged else []
    except (ValueError, BadRules) as error:
        raise Failed(str(error)) from None
    effect = merged._asdict() if merged else None
    show(figures, as_json, 2, merger=effect, findings=[to_builtins(one._asdict()) for one in found])
    if merged and not as_json:
        say(merged, found)


def _implied(about: About, shares: Named, rest: Rest, margins: Named) -> Figure:
    """Cowling and Waterson's: plausible, or else the margins have another reason."""
    if rest.share:
        raise ValueError("--margin needs the shares of all sellers, which add up to 100 %.")
    lerners = {name: percent / 100 for name, percent in margins.items()}
    return about.of_value(
        "implied_elasticity", "ratio", IMPLIED, lambda: implied_elasticity(shares, lerners)
    )


def entered(known: Named, most: float | None) -> tuple[dict[str, float], Rest]:
    """Fractions, and the rest. Raises ValueError where percents are above 100."""
    total = sum(known.values())
    if total > 100 + 1e-9:
        raise ValueError(f"The shares add up to {total:g} %, which is above 100.")
    shares = {name: percent / 100 for name, percent in known.items()}
    left = 1 - sum(shares.values())
    if left < 1e-9:
        return shares, Rest()
    least = min(known.values())
    return shares, Rest(left, (least if most is None else most) / 100)


def holdings(stakes: Named, shares: Named) -> dict[str, dict[str, float]]:
    """Firm -> owner -> part of its profit; what is not said is the firm's own."""
    owned: dict[str, dict[str, float]] = {}
    for pair, percent in stakes.items():
        firm, slash, holder = pair.partition("/")
        for name in (firm, holder):
            if not slash or name not in shares:
                raise ValueError(f"--stake {pair}: {name or pair!r} is not among the shares.")
        owned.setdefault(firm, {})[holder] = percent / 100
    for firm, held in owned.items():
        held.setdefault(firm, max(0.0, 1 - sum(held.values())))
    return owned


def say(merged: Merger, found: list[Finding]) -> None:
    click.echo(f"\nTogether {merged.share:.1%}; the merger adds {merged.delta:,.0f} points.\n")
    rows = [one._asdict() for one in found]
    table(rows, ("rules", "status", "seen", "asks", "answer", "why"), "No rule had begun.")
