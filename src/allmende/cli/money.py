"""Money: deposits, an organisation's own credit, transfers, balances."""

from __future__ import annotations

import click

from allmende.cli.remote import Market, given, remote
from allmende.cli.show import out_json, table

COLUMNS = ("account", "asset", "balance", "held", "available")


@click.command()
@click.argument("member")
@click.argument("amount")
@click.option("--reference", required=True, help="The payment outside that it stands for.")
@click.option("--asset", help="The market's credit if not given.")
@remote
def deposit(market: Market, member: str, amount: str, reference: str, asset: str | None) -> None:
    """Credit AMOUNT to MEMBER against a payment made outside."""
    fields = {"member": member, "amount": amount, "reference": reference, "asset": asset}
    market.ask("deposit", given(fields), f"{amount} credits for {member} ({reference}).")


@click.command()
@click.argument("member")
@click.argument("amount")
@click.option("--asset", required=True, help="The organisation's own credit.")
@remote
def mint(market: Market, member: str, amount: str, asset: str) -> None:
    """Make AMOUNT of an organisation's own credit for MEMBER."""
    fields = {"member": member, "amount": amount, "asset": asset}
    market.ask("mint", fields, f"{amount} {asset} for {member}.")


@click.command()
@click.argument("source")
@click.argument("target")
@click.argument("amount")
@click.option("--asset", default="credit", show_default=True)
@remote
def transfer(market: Market, source: str, target: str, amount: str, asset: str) -> None:
    """Move AMOUNT from member SOURCE to member TARGET."""
    fields = {"source": source, "target": target, "amount": amount, "asset": asset}
    market.ask("transfer", fields, f"{amount} {asset} from {source} to {target}.")


@click.command()
@click.argument("account", required=False)
@remote
def balance(market: Market, account: str | None) -> None:
    """What every ACCOUNT that your key sees has, holds and can use."""
    rows = market.client.get("balances")
    rows = [row for row in rows if account in (None, row["account"])]
    if market.as_json:
        out_json(rows)
    else:
        table(rows, COLUMNS, "No balance yet: an operator makes a deposit.")


@click.group()
def asset() -> None:
    """An organisation's own credit."""


@asset.command("register")
@click.argument("id_", metavar="ID")
@click.option("--issuer", required=True, help="The organisation that mints it.")
@click.option("--name", help="As people read it; the id if not given.")
@remote
def register_asset(market: Market, id_: str, issuer: str, name: str | None) -> None:
    """Register a credit that --issuer alone mints."""
    fields = {"id": id_, "issuer": issuer, "name": name or id_}
    market.ask("register_asset", fields, f"Asset {id_} is registered.")
