"""Govern levy: what the commons took, under which rate, and what was paid out of it."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from msgspec import structs

from allmende.cli.client import Failed
from allmende.cli.offline import opened
from allmende.cli.remote import Market, remote
from allmende.cli.show import out_json, pairs, table
from allmende.core import machine
from allmende.core.ledger import COMMONS, balance
from allmende.core.state import State
from allmende.core.units import credits
from allmende.doors.plain import iso
from allmende.measure.levy import Levy, Span
from allmende.wire import journal
from allmende.wire.journal import GENESIS

SPANS = (
    *("asset", "since", "until", "levy_ppm", "receipts", "volume"),
    *("income", "grants", "other", "balance"),
)
GRANTS = ("at", "decision", "member", "asset", "amount")
MONTHS = ("month", "asset", "receipts", "income")
SPENT = ("at", "kind", "target", "asset", "amount", "reference")
MONEY = frozenset({"volume", "income", "grants", "other", "balance", "amount"})


@click.command("levy")
@click.option("--data", help="A data directory: exact by rate, held against its ledger.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A CSV file.")
@remote
def command(market: Market, /, data: str | None, out: Path | None) -> None:
    """What the commons took of every price and what was paid out of it.

    With --data from every event of a journal, by the rate in force, and exit code 1 if it is not
    the ledger's balance; else as the market at --url shows it to everybody, by month.
    """
    told = of_journal(data) if data else market.client.get("levy")
    first: tuple[str, ...] = SPANS if data else MONTHS
    rows = told["spans" if data else "months"]
    if out is not None:
        write(out, first, rows)
    if market.as_json:
        out_json(told)
    else:
        _show(told, first, rows)
    sys.exit(1 if told.get("differs") else 0)


def of_journal(data: str) -> dict[str, Any]:
    state, levy = State(), Levy()
    with opened(data) as (found, folder):
        for frame in journal.follow(found.frames(), 1, GENESIS):
            for event in journal.events(frame.body):
                levy.take(event)
                machine.apply(state, event)
    if state.market is None:
        raise Failed(f"The journal in {folder} founds no market.")
    off = {
        asset: balance(state, COMMONS, asset) - levy.balances().get(asset, 0)
        for asset in state.balances
    }
    grants = [
        {**structs.asdict(one), "at": iso(one.at), "amount": credits(one.amount)}
        for one in levy.grants
    ]
    return {
        "spans": [_told(span) for span in levy.spans()],
        "granted": grants,
        "balances": {asset: credits(amount) for asset, amount in levy.balances().items()},
        "differs": {asset: amount for asset, amount in off.items() if amount},
    }


def _told(span: Span) -> dict[str, Any]:
    row = structs.asdict(span)
    row |= {name: credits(row[name]) for name in MONEY & row.keys()}
    until = None if span.until is None else iso(span.until)
    return {**row, "since": iso(span.since), "until": until}


def write(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def _show(told: Mapping[str, Any], columns: Sequence[str], rows: Sequence[Any]) -> None:
    table(rows, columns, "The levy took nothing yet.")
    click.echo()
    if "granted" in told:
        table(told["granted"], GRANTS, "Nothing was granted yet.")
        click.echo()
        pairs({f"on the account, {asset}": n for asset, n in told["balances"].items()})
        said = "; ".join(f"{n:+} {asset}" for asset, n in told["differs"].items())
        click.echo(f"The ledger differs: {said}" if said else "It is the ledger's balance.")
    else:
        table(told["spent"], SPENT, "Nothing was paid out yet.")
        click.echo()
        table(told["balances"], ("asset", "income", "given", "spent", "waiting", "balance"), "")
