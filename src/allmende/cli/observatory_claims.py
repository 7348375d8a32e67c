"""Observatory claims: what the two documents say, checked, with sources and computed values."""

from __future__ import annotations

import textwrap

import click
from msgspec import to_builtins

from allmende.adapters.claim_cards import cards
from allmende.adapters.price_formats import GOLD
from allmende.cli.index_data import kept
from allmende.cli.offline import data_option
from allmende.cli.show import out_json
from allmende.measure.claims import Checked, check

WIDTH = 96


@click.command()
@data_option
@click.option("--lang", type=click.Choice(["en", "de"]), default="en", show_default=True)
@click.option("--json", "as_json", is_flag=True)
def command(data: str | None, lang: str, as_json: bool) -> None:
    """Every checked claim: verdict, range, what was computed, reasoning, sources.

    Gold is computed if it was imported into the data directory (allmende index import).
    """
    found = check(cards(), kept(data, GOLD))
    if as_json:
        out_json(to_builtins(found))
        return
    for one in found:
        _print(one, lang)
    counts = {
        v: sum(one.card.verdict == v for one in found) for v in ("supported", "loose", "wrong")
    }
    click.echo(", ".join(f"{count} {verdict}" for verdict, count in counts.items()) + ".")


def _print(one: Checked, lang: str) -> None:
    card = one.card
    click.secho(f"{card.verdict.upper():<10}{getattr(card.claim, lang)}", bold=True)
    click.echo(f"{'':<10}{card.said}")
    if card.low is not None:
        high = "open" if card.high is None else f"{card.high:g}"
        click.echo(f"{'':<10}range: {card.low:g} to {high} {card.unit}")
    if one.computed is not None:
        low, high_ = one.computed.low, one.computed.high
        value = "not" if low is None or high_ is None else f"{low:,.1f} to {high_:,.1f}"
        value = f"{low:,.1f}" if low is not None and low == high_ else value
        _wrapped(f"computed: {value} {one.computed.unit} ({one.computed.how})")
    _wrapped(getattr(card.reasoning, lang))
    for source in card.sources:
        click.echo(f"{'':<10}- {source.title} [{source.grade}] {source.url}".rstrip())
    click.echo()


def _wrapped(text: str) -> None:
    click.echo(textwrap.fill(text, WIDTH, initial_indent=" " * 10, subsequent_indent=" " * 10))
