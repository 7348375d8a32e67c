"""Trade: offers."""

from __future__ import annotations

from typing import Any

import click

from allmende.cli.remote import Market, given, remote
from allmende.cli.show import out_json, table


@click.group()
def offer() -> None:
    """Offers: what is sold here, by whom, where and for how much."""


@offer.command("post")
@click.argument("id_", metavar="ID")
@click.option("--provider", required=True, help="The member that sells.")
@click.option("--title", "title_", required=True, help="What is sold.")
@click.option("--model", required=True, help="The name that callers ask for.")
@click.option("--upstream-model", default="", help="The name that the provider knows it by.")
@click.option("--endpoint", "endpoints", multiple=True, help="chat/completions, ...; repeat.")
@click.option("--address", required=True, help="Base URL, such as https://host/v1.")
@click.option("--secret", default="", help="The provider's own API key; sealed, never shown.")
@click.option("--input", "input_", help="Credits per million input tokens.")
@click.option("--cached", help="Credits per million cached input tokens.")
@click.option("--output", help="Credits per million output tokens.")
@click.option("--embedding", help="Credits per million embedding tokens.")
@click.option("--country", required=True, help="Where it computes, as DEU.")
@click.option("--parent-country", default="", help="Who controls the operator, as USA.")
@click.option("--capacity", type=int, help="Requests at once.")
@click.option("--context", type=int, help="Tokens of context.")
@click.option("--max-output", type=int, help="Tokens per answer at most.")
@click.option("--active-b", help="Billions of parameters used per token, for its energy.")
@click.option("--total-b", help="Billions of parameters in all, if these are more.")
@click.option("--vocabulary", default="", help="What we recount with, such as o200k.")
@click.option("--private", is_flag=True, help="The address is in a private network.")
@click.option("--asset", help="The credit it is paid in; the market's if not given.")
@remote
def post_offer(market: Market, /, id_: str, **told: Any) -> None:
    """Post an offer, or new terms under an id that you have."""
    market.ask("post_offer", _offer(id_, told), f"Offer {id_} stands.")


def _offer(id_: str, told: dict[str, Any]) -> dict[str, Any]:
    prices = {"input": told["input_"], "cached": told["cached"], "output": told["output"]}
    prices["embedding"] = told["embedding"]
    zone = {"country": told["country"], "parent_country": told["parent_country"]}
    same = (
        *("provider", "model", "upstream_model", "secret", "capacity", "context", "max_output"),
        *("active_b", "total_b"),
    )
    fields = {
        "id": id_,
        "title": told["title_"],
        "url": told["address"],
        "endpoints": list(told["endpoints"]) or None,
        "tariff": given(prices),
        "zone": zone,
        "allow_private": told["private"],
        "vocabulary": told["vocabulary"],
        "asset": told["asset"],
        **{name: told[name] for name in same},
    }
    return given(fields)


@offer.command("withdraw")
@click.argument("id_", metavar="ID")
@remote
def withdraw_offer(market: Market, id_: str) -> None:
    """Take an offer off the book; requests under way end on their terms."""
    market.ask("withdraw_offer", {"id": id_}, f"Offer {id_} is withdrawn.")


@offer.command("list")
@click.option("--model", help="Only this model.")
@remote
def list_offers(market: Market, model: str | None) -> None:
    """Standing offers; prices are credits per million tokens."""
    rows = [row for row in market.client.get("offers") if model in (None, row["model"])]
    if market.as_json:
        out_json(rows)
        return
    columns = (
        *("id", "model", "provider", "zone.country", "tariff.input", "tariff.output"),
        *("tariff.embedding", "in_flight", "capacity"),
    )
    table(rows, columns, "No offers yet: `allmende offer post --help`.")
