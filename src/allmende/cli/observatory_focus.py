"""Observatory focus: a month's bill as FOCUS 1.2, for any FinOps tool."""

from __future__ import annotations

import csv
from typing import Any, TextIO

import click

from allmende.adapters.billing import Billing, billing
from allmende.adapters.export import safe
from allmende.adapters.views_file import NoViews
from allmende.cli.client import Failed
from allmende.cli.index_data import folder
from allmende.cli.offline import data_option
from allmende.main import VIEWS
from allmende.measure.focus import COLUMNS, NO_CURRENCY, Money, money, month, rows


def month_of(context: click.Context, option: click.Parameter, text: str) -> tuple[int, int]:
    """A callback for --month."""
    try:
        return month(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


def money_of(context: click.Context, option: click.Parameter, text: str | None) -> Money:
    """A callback for --currency."""
    try:
        return money(text) if text else Money()
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


@click.command()
@data_option
@click.option("--month", "span", required=True, callback=month_of, help="Such as 2026-11 (UTC).")
@click.option("--budget", default="", help="Only this budget and those below it.")
@click.option("--asset", default="credit", show_default=True, help="The pay unit that is billed.")
@click.option(
    "--currency", "at", callback=money_of, help="What a credit is billed at, such as EUR:0.95."
)
@click.option("--out", type=click.File("w", encoding="utf-8", lazy=True), default="-")
def command(
    data: str | None, span: tuple[int, int], budget: str, asset: str, at: Money, out: TextIO
) -> None:
    """The month's final receipts as CSV with the columns of FOCUS 1.2, every amount exact."""
    try:
        with billing(folder(data) / VIEWS, budget) as bill:
            if not bill.knows():
                raise Failed(f"There is no budget {budget!r}. See: allmende budget list")
            _write(out, bill, span, asset, at)
            _say(bill, span, asset, at)
    except NoViews as error:
        raise Failed(str(error)) from None


def _write(out: TextIO, bill: Billing, span: tuple[int, int], asset: str, at: Money) -> None:
    lines: Any = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    lines.writeheader()
    for row in rows(bill.receipts(*span, asset), bill.names(*span), at):
        lines.writerow({name: safe(value) for name, value in row.items()})


def _say(bill: Billing, span: tuple[int, int], asset: str, at: Money) -> None:
    """What the file does not hold, beside it."""
    pending, others = bill.left_out(*span, asset)
    if pending:
        click.echo(f"{pending} receipt(s) are not final yet and are not in it.", err=True)
    for name, count in others.items():
        click.echo(f"{count} receipt(s) in {name} are not in it: --asset {name}", err=True)
    if at.currency == NO_CURRENCY:
        click.echo(
            f"BillingCurrency is {NO_CURRENCY}: a credit is no national currency. FOCUS wants "
            "one; say what a credit is billed at, such as --currency EUR:0.95.",
            err=True,
        )
