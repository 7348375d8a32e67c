"""Trade: titles and offers."""

from __future__ import annotations

from typing import Any

import click

from allmende.cli.remote import Market, given, remote
from allmende.cli.show import out_json, table


@click.group()
def title() -> None:
    """Titles: the records of models, machines and datasets."""


@title.command("add")
@click.argument("id_", metavar="ID")
@click.option("--owner", required=True, help="The member that owns it.")
@click.option("--kind", type=click.Choice(["model", "machine", "dataset"]), default="model")
@click.option("--name", help="As people read it; the id if not given.")
@click.option("--licence", default="", help="SPDX name of its licence.")
@click.option("--evidence", default="", help="What proves it, such as sha256:...")
@click.option(
    "--share",
    "shares",
    multiple=True,
    metavar="ROLE:MEMBER:PPM",
    help="Who earns from each price, such as author:anna:100000 for 10 %; may be repeated.",
)
@remote
def add_title(
    market: Market,
    id_: str,
    owner: str,
    kind: str,
    name: str | None,
    licence: str,
    evidence: str,
    shares: tuple[str, ...],
) -> None:
    """Register a title."""
    fields = {
        "id": id_,
        "owner": owner,
        "kind": kind,
        "name": name or id_,
        "licence": licence,
        "evidence": evidence,
        "waterfall": [_share(text) for text in shares],
    }
    market.ask("register_title", fields, f"Title {id_} is registered.")


def _share(text: str) -> dict[str, Any]:
    parts = text.split(":")
    if len(parts) != 3 or not parts[2].isdecimal():
        raise click.BadParameter(f"{text!r} is not ROLE:MEMBER:PPM.", param_hint="--share")
    return {"role": parts[0], "account": parts[1], "ppm": int(parts[2])}


@title.command("list")
@remote
def list_titles(market: Market) -> None:
    """All titles."""
    columns = ("id", "kind", "name", "owner", "licence", "evidence")
    market.rows("titles", columns, "No titles.")


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
