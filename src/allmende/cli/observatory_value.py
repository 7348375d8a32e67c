"""Observatory value: who earned what, where, held against every posting of the journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from allmende.cli.client import Failed
from allmende.cli.offline import data_option, opened
from allmende.cli.show import out_json, progress, table
from allmende.core import ledger, machine
from allmende.core.actors import Registry
from allmende.core.events import Event
from allmende.core.nouns import Posting
from allmende.core.state import State
from allmende.core.units import Amount, credits
from allmende.measure.value import DIMENSIONS, ENTITIES, capture, known, matrix
from allmende.measure.value_books import Books
from allmende.wire import journal
from allmende.wire.journal import GENESIS

PPM = 1_000_000


@click.command("value")
@data_option
@click.option("--asset", default="credit", show_default=True, help="The pay unit.")
@click.option(
    "--entity",
    type=click.Choice(ENTITIES),
    default="parent",
    show_default=True,
    help="Count ultimate parents, brands or legal entities.",
)
@click.option("--json", "as_json", is_flag=True)
def command(data: str | None, asset: str, entity: str, as_json: bool) -> None:
    """Who earned what, where, out of every final receipt of a data directory's journal.

    Folds the journal from its first event and compares, account by account, what the receipts'
    waterfalls say with what the ledger moved for them; exit code 1 if they differ by a
    pico-credit.
    """
    books, state = Books(), State()
    with opened(data) as (found, folder), progress("folded") as step:
        for frame in journal.follow(found.frames(), 1, GENESIS):
            for event in journal.events(frame.body):
                books.take(event, moved(state, event))
            step(frame.last)
    if asset not in state.assets:
        raise Failed(f"No asset {asset!r} in {folder}. There are: {', '.join(state.assets)}.")
    said = told(books, asset, entity, names(state, books.registry))
    if as_json:
        out_json(said)
    else:
        show(said)
    off = books.differing()
    for (account, what), amount in off.items():
        click.echo(f"NOT  {account} has {amount:+,} {what} more than its receipts say", err=True)
    if off or not said["equal"]:
        raise Failed("The sums do not equal the ledger.")


def moved(state: State, event: Event) -> list[Posting]:
    """Apply an event; how the balances of the accounts that it posts to changed."""
    keys = {(posting.account, posting.asset) for posting in event.postings}
    before = {key: ledger.balance(state, *key) for key in keys}
    machine.apply(state, event)
    return [Posting(*key, ledger.balance(state, *key) - before[key]) for key in keys]


def names(state: State, registry: Registry) -> dict[str, str]:
    """What people call a member, or a legal entity behind members."""
    entities = {one.id: one.name for one in registry.actors}
    return entities | {one.id: one.name for one in state.members.values()}


def told(books: Books, asset: str, entity: str, called: Mapping[str, str]) -> dict[str, Any]:
    """The tables as plain data: pico-credits as text, shares in millionths."""
    lines, actors = books.lines(asset), known(books.registry)
    found = capture(lines, actors, entity)
    rows = [
        {
            "actor": actor,
            "name": called.get(actor, actor),
            "role": role,
            "made_in": place,
            "owned_in": owner,
            **_amount(cell.amount, found.total),
        }
        for (actor, role, place, owner), cell in matrix(lines, actors, entity).items()
    ]
    tables = {
        name: {key: _amount(cell.amount, found.total) for key, cell in found.by[name].items()}
        for name in DIMENSIONS
    }
    sums = {name: sum(cell.amount for cell in found.by[name].values()) for name in DIMENSIONS}
    price = books.prices.get(asset, 0)
    return {
        "asset": asset,
        "entity": entity,
        "receipts": books.receipts.get(asset, 0),
        "pico_credits": str(found.total),
        "with_rights": str(found.with_rights),
        "provisional": str(books.waiting(asset)),
        "earned": rows,
        "by": tables,
        "equal": all(total == price for total in (*sums.values(), found.total)),
    }


def _amount(amount: Amount, whole: Amount) -> dict[str, Any]:
    share = amount * PPM // whole if whole else 0
    return {"credits": credits(amount), "pico_credits": str(amount), "share_ppm": share}


def show(said: Mapping[str, Any]) -> None:
    columns = ("name", "role", "made_in", "owned_in", "credits", "percent")
    table([_percent(row) for row in said["earned"]], columns, "No final receipt yet.")
    for name, heading in (("place", "made in"), ("owner", "owned in"), ("layer", "layer")):
        click.echo()
        rows = [{heading: key, **_percent(row)} for key, row in said["by"][name].items()]
        table(rows, (heading, "credits", "percent"), "Nothing.")
    click.echo()
    if said["provisional"] != "0":
        click.echo(f"provisional, not in it: {int(said['provisional']):,} pico-credits")
    if said["with_rights"] != "0":
        click.echo(f"of it paid with rights: {int(said['with_rights']):,} pico-credits")
    total = f"{int(said['pico_credits']):,} pico-credits, {said['receipts']:,} receipts"
    click.echo(f"sums equal the ledger: {total}" if said["equal"] else f"sums differ: {total}")


def _percent(row: Mapping[str, Any]) -> dict[str, Any]:
    """With a share to two decimals."""
    hundredths = (row["share_ppm"] + 50) // 100
    return {**row, "percent": f"{hundredths // 100}.{hundredths % 100:02}"}
