"""Sovereignty: whose law reaches an offer and why, levels and score, what stands behind it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from allmende.adapters.rules import BadRules, NoRules, rules
from allmende.cli.client import Failed
from allmende.cli.remote import Market, remote
from allmende.cli.show import out_json, table
from allmende.core.actors import Registry


@click.group("sovereignty")
def command() -> None:
    """Whose law reaches an offer, by control; levels by objective; what stands behind it."""


@command.command("reach")
@click.option("--law", "country", default="USA", show_default=True, help="Country, as USA or CHN.")
@click.option("--offer", default="", help="Only this offer.")
@click.option("--lang", type=click.Choice(["en", "de"]), default="en", help="Of the reasons.")
@remote
def reach(market: Market, country: str, offer: str, lang: str) -> None:
    """How far a country's law reaches each standing offer: a proposal, with its reasons."""
    rows = market.client.get("exposure", law=country, offer=offer, lang=lang)
    if market.as_json:
        out_json(rows)
        return
    for row in rows:
        exposure, kill = _span(row["exposure"], "E"), _span(row["kill_switch"], "")
        click.echo(f"{row['offer']}: {exposure}, kill switch {kill} ({row['grade']})")
        for sentence in row["reasoning"]:
            click.echo(f"  - {sentence}")


@command.command("behind")
@remote
def behind(market: Market) -> None:
    """Of each offer its parent, the law that reaches it, chips, clouds and cables."""
    columns = ("offer", "provider", "parent", "country", "control", "chips", "clouds", "cables")
    market.rows("behind", (*columns, "basis"), "No offer stands.")


@command.command("score")
@click.argument("levels", nargs=-1, required=True, metavar="SOV-1=2...")
@click.option("--ask", multiple=True, metavar="SOV-3=2", help="A gate: at least this level.")
@click.option("--json", "as_json", is_flag=True)
def score(levels: tuple[str, ...], ask: tuple[str, ...], as_json: bool) -> None:
    """Score and overall level of the EU Cloud Sovereignty Framework, for levels 0 to 4.

    What is not given is not shown: it is level 0, and the score becomes a range.
    """
    from allmende.measure.sovereignty import seals

    try:
        found = seals(rules("eu/csf", datetime.now(UTC).date()), _pairs(levels), _pairs(ask))
    except (BadRules, NoRules, ValueError) as error:
        raise Failed(str(error)) from None
    if as_json:
        out_json({**found._asdict(), "objectives": [one._asdict() for one in found.objectives]})
    else:
        rows: list[dict[str, Any]] = [
            {**one._asdict(), "level": "not shown" if one.level is None else one.level}
            for one in found.objectives
        ]
        table(rows, ("id", "en", "weight", "level", "low", "high"), "")
        span = f"{found.low:g}" if found.low == found.high else f"{found.low:g} to {found.high:g}"
        click.echo(f"Score {span} of 100, level {found.level}: the lowest of all. {found.rules}")
    if found.failed:
        raise Failed(f"Below the gate: {', '.join(found.failed)}. No score makes up for that.")


@command.command("assurance")
@click.argument("offer")
@click.option("--fact", "told", multiple=True, metavar="audit=yes", help="What you know; =no too.")
@remote
def assurance_level(market: Market, offer: str, told: tuple[str, ...]) -> None:
    """Union assurance level of OFFER by the proposed Cloud and AI Development Act: no law yet,
    and known from a secondary source only. Control comes from the registry."""
    from allmende.measure.sovereignty import assurance

    today = datetime.now(UTC).date()
    try:
        proposal = rules("eu/cada", today, "proposal")
        inside = rules("eu/members", today).values["countries"]
        found = assurance(proposal, {**_known(market, offer, inside), **_facts(told)})
    except (BadRules, NoRules, ValueError) as error:
        raise Failed(str(error)) from None
    if market.as_json:
        out_json({**found._asdict(), "asks": [ask._asdict() for ask in found.asks]})
        return
    words = {True: "yes", False: "no", None: "not known"}
    table([{**a._asdict(), "met": words[a.met]} for a in found.asks], ("level", "id", "met"), "")
    span = str(found.low) if found.low == found.high else f"{found.low} to {found.high}"
    click.echo(f"{offer}: level {span} of {found.rules} ({found.status}). {proposal.note}")


def _known(market: Market, offer: str, inside: list[str]) -> dict[str, bool | None]:
    from allmende.measure.control import Control
    from allmende.measure.exposure_facts import facts, union_facts

    rows = [row for row in market.client.get("offers") if row["id"] == offer]
    if not rows:
        raise Failed(f"No offer {offer!r} stands; see `allmende offer list`.")
    control = Control(msgspec.convert(market.client.get("actors"), Registry))
    return union_facts(control, facts(control, rows[0]), inside)


def _facts(words: tuple[str, ...]) -> dict[str, bool | None]:
    found: dict[str, bool | None] = {}
    for word in words:
        name, _, value = word.partition("=")
        if value not in ("yes", "no") or name in found:
            raise click.UsageError(f"{word!r} is no fact, each once, as audit=yes.")
        found[name] = value == "yes"
    return found


def _pairs(words: tuple[str, ...]) -> dict[str, int]:
    """SOV-1=2 SOV-2=1 as numbers. click.UsageError for what is not that."""
    found: dict[str, int] = {}
    for word in words:
        name, _, level = word.partition("=")
        if not level.isdecimal() or len(level) > 2 or name in found:
            raise click.UsageError(f"{word!r} is no objective and level, each once, as SOV-1=2.")
        found[name] = int(level)
    return found


def _span(pair: dict[str, int], mark: str) -> str:
    low, high = f"{mark}{pair['low']}", f"{mark}{pair['high']}"
    return low if low == high else f"{low} to {high}"
