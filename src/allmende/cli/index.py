"""Index: what tokens cost, and how that moves. Rules and definitions: docs/price-index.md."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import click

from allmende.adapters.price_formats import TOKENS
from allmende.adapters.price_package import PACKAGE, packaged
from allmende.cli.client import Failed
from allmende.cli.index_data import blend_of, import_, kept
from allmende.cli.index_gold import gold
from allmende.cli.index_quality import hedonic_, quality, tasks
from allmende.cli.index_show import show
from allmende.cli.offline import data_option
from allmende.cli.show import out_json, text
from allmende.measure.prices import PUBLISHED, Blend, Fall, Launch, Seen, price_at
from allmende.measure.prices import fall as fallen

REMARK = (
    "This compares two different models, {old} and {new}: it is no index of constant quality. "
    "`allmende index show` and `quality` are."
)


def launch_of(context: click.Context, option: click.Parameter, given: str) -> Launch:
    """`gpt-4@2023-03-14`: a callback for --old and --new."""
    model, at, day = given.rpartition("@")
    try:
        if model and at:
            return Launch(model, date.fromisoformat(day))
    except ValueError:
        pass  # said below, as for every text that is none
    raise click.BadParameter(f"{given!r} is not MODEL@DATE, such as gpt-4@2023-03-14.")


OLD, NEW = (f"{launch.model}@{launch.day}" for launch in PUBLISHED)


@click.command()
@data_option
@click.option("--old", default=OLD, show_default=True, callback=launch_of, help="And its launch.")
@click.option("--new", default=NEW, show_default=True, callback=launch_of, help="And its launch.")
@click.option("--blend", "by", default="80/20", show_default=True, callback=blend_of)
@click.option("--packaged", "alone", is_flag=True, help=f"Ask {PACKAGE}, not what is imported.")
@click.option("--json", "as_json", is_flag=True)
def fall(data: str | None, old: Launch, new: Launch, by: Blend, alone: bool, as_json: bool) -> None:
    """From one model's price to another's: before, after, percent a year.

    The published fall unless you name others. Prices are looked up in the imported history, or in
    the packaged one where a model is not in it.
    """
    pair, note = _pair(data, alone, old, new)
    try:
        found = fallen(*pair, by)
    except ValueError as error:
        raise Failed(f"{error}.") from None
    remark = REMARK.format(old=old.model, new=new.model)
    if as_json:
        out_json({**_plain(found), "remark": remark, "note": note})
        return
    click.echo(f"{found.before:.2f} {found.after:.2f} {found.change * 100:.1f}")
    click.echo(remark)
    click.echo(
        f"USD per million tokens at a blend of {by.name}; percent a year over the {found.months} "
        "calendar months between the launches."
    )
    click.echo(f"{_said(found.old)}\n{_said(found.new)}" + (f"\n{note}" if note else ""))


def _pair(data: str | None, alone: bool, old: Launch, new: Launch) -> tuple[tuple[Seen, Seen], str]:
    """Both prices from one source, and what to say where it is not the imported one."""
    history = [] if alone else kept(data, TOKENS)
    note = ""
    if history:
        seen = _both(lambda launch: price_at(history, launch), old, new)
        if seen is not None:
            return seen, ""
        note = f"The imported history lacks one of them, so both are from {PACKAGE}."
    seen = _both(packaged, old, new)
    if seen is None:
        raise Failed(f"Neither an imported history nor {PACKAGE} has prices of both models.")
    return seen, note


def _both(
    look: Callable[[Launch], Seen | None], old: Launch, new: Launch
) -> tuple[Seen, Seen] | None:
    first, second = look(old), look(new)
    return None if first is None or second is None else (first, second)


def _said(seen: Seen) -> str:
    price, launch = seen.price, seen.launch
    if seen.seen is None:
        when = f"said to hold on {launch.day}"
    else:
        since = "in force since" if seen.seen <= launch.day else "first seen"
        when = f"{since} {seen.seen}"
    return (
        f"{launch.model}, launched {launch.day}: {text(price.input)} in, {text(price.output)} out; "
        f"{when} ({seen.source})."
    )


def _plain(found: Fall) -> dict[str, Any]:
    def side(seen: Seen) -> dict[str, Any]:
        return {
            "model": seen.launch.model,
            "launched": str(seen.launch.day),
            "input": seen.price.input,
            "output": seen.price.output,
            "seen": str(seen.seen) if seen.seen else None,
            "source": seen.source,
        }

    return {
        "before": round(found.before, 2),
        "after": round(found.after, 2),
        "yearly_percent": round(found.change * 100, 1),
        "months": found.months,
        "blend": found.blend.name,
        "unit": "USD per million tokens",
        "old": side(found.old),
        "new": side(found.new),
    }


index = click.Group(
    "index",
    help="Price indices of tokens: imported history, own receipts, and gold beside them.",
    commands=[import_, fall, show, quality, hedonic_, tasks, gold],
)
