"""Instruments: standard contracts on future use. Prices are credits per lot."""

from __future__ import annotations

from typing import Any

import click

from allmende.cli.remote import Market, given, remote
from allmende.cli.show import out_json, pairs, table

SHOWN = (
    *("issuer", "title", "model", "zone", "start", "end", "price", "tick", "step", "capacity"),
    *("weights", "session", "settlement", "shape", "voucher", "phase", "bid", "ask", "last"),
    *("call_until", "issued", "outstanding", "delivered", "bond", "bond_per_lot", "trades"),
)


@click.group()
def instrument() -> None:
    """Instruments: standard contracts on future use."""


@instrument.command("list")
@click.option("--model", help="Only this model.")
@remote
def list_instruments(market: Market, model: str | None) -> None:
    """What can be traded; prices are credits per lot."""
    rows = [row for row in market.client.get("instruments") if model in (None, row["model"])]
    columns = (
        *("id", "model", "issuer", "zone.country", "start", "end", "bid", "ask", "last"),
        *("outstanding", "capacity"),
    )
    if market.as_json:
        out_json(rows)
    else:
        table(rows, columns, "No instruments yet: `allmende instrument issue --help`.")


@instrument.command("show")
@click.argument("id_", metavar="ID")
@remote
def show_instrument(market: Market, id_: str) -> None:
    """One contract: what it promises in sentences, then its terms."""
    row = market.client.get(f"instruments/{id_}")
    if market.as_json:
        out_json(row)
        return
    for sentence in row["says"]:
        click.echo(sentence)
    click.echo()
    pairs(row, SHOWN)


@instrument.command("issue")
@click.argument("id_", metavar="ID")
@click.option("--offer", help="Your offer that delivers it; title, model and zone are its own.")
@click.option("--start", required=True, help="First instant of the window, as 2026-12-01.")
@click.option("--end", required=True, help="The instant after its last.")
@click.option("--capacity", required=True, help="Lots that you can deliver in it.")
@click.option("--price", required=True, help="Credits a lot that bond and damages go by.")
@click.option("--mint", help="Lots to mint at once, against your bond.")
@click.option("--name", default="", help="As people read it.")
@click.option("--issuer", help="The member that owes it; the offer's provider if not given.")
@click.option("--title", help="What is used; the offer's if not given.")
@click.option("--model", help="The name that callers ask for; the offer's if not given.")
@click.option("--country", help="Where it computes, as DEU; the offer's if not given.")
@click.option("--kind", type=click.Choice(["model", "machine", "dataset"]))
@click.option("--settlement", type=click.Choice(["physical", "cash"]))
@click.option("--session", type=click.Choice(["continuous", "call"]))
@click.option("--tick", help="Credits a lot between two prices.")
@click.option("--lot", type=int, help="Grains in a lot.")
@click.option("--rate", help="Lots that one account may use in an hour; 0 for any.")
@click.option("--context", type=int, help="Tokens that a prompt may have.")
@click.option(
    "--weight",
    "weights",
    multiple=True,
    metavar="METER:UNITS",
    help="Standard units per unit of use, such as output:4.21; may be repeated.",
)
@remote
def issue_instrument(market: Market, /, id_: str, **told: Any) -> None:
    """List a contract, and mint its first lots."""
    lots, country = told.pop("mint"), told.pop("country")
    weights = dict(_weight(text) for text in told.pop("weights"))
    zone = {"country": country} if country else None
    fields = given({"id": id_, "zone": zone, "weights": weights or None, **told})
    answer = market.client.ask("list_instrument", fields)
    said = f"Instrument {id_} is listed."
    if lots:
        minted = market.client.ask("mint_lots", {"instrument": id_, "lots": lots})
        answer = {"events": [*answer["events"], *minted["events"]]}
        said += f" {lots} lots are minted; the bond took {minted['events'][0]['amount']} credits."
    market.say(answer, said)


def _weight(text: str) -> tuple[str, str]:
    meter, found, units = text.partition(":")
    if not found:
        raise click.BadParameter(f"{text!r} is not METER:UNITS.", param_hint="--weight")
    return meter, units


@instrument.command("mint")
@click.argument("id_", metavar="ID")
@click.argument("lots")
@remote
def mint_lots(market: Market, id_: str, lots: str) -> None:
    """Mint LOTS more, against your bond."""
    market.ask("mint_lots", {"instrument": id_, "lots": lots}, f"{lots} lots of {id_} are yours.")


@instrument.command("retire")
@click.argument("id_", metavar="ID")
@click.argument("lots")
@remote
def retire_lots(market: Market, id_: str, lots: str) -> None:
    """Take back LOTS that you hold yourself, and their bond."""
    fields = {"instrument": id_, "lots": lots}
    market.ask("retire_lots", fields, f"{lots} lots of {id_} are gone, and their bond is free.")
