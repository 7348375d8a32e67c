"""Titles: who owns a model, a machine or a dataset; here at a market, on its chain in titles_chain.

docs/titles.md.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

import click

from allmende.cli.client import Failed
from allmende.cli.remote import Market, given, remote
from allmende.cli.show import out_json, pairs

ON_CHAIN = ("owner", "ask", "unask", "buy")
"""Commands that need a node, and the extra `chain`: they are imported when they are asked for."""
ALSO = {"add": "register"}
"""Names of before."""
PERCENT = re.compile(r"(\d{1,3})(?:\.(\d{1,4}))?%?", re.ASCII)


class _Titles(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *ON_CHAIN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in ON_CHAIN:
            return super().get_command(ctx, ALSO.get(cmd_name, cmd_name))
        module = importlib.import_module("allmende.cli.titles_chain")
        command: click.Command = getattr(module, f"{cmd_name}_")
        return command


@click.group(cls=_Titles)
def title() -> None:
    """Titles: the records of models, machines and datasets, and their tokens on a chain."""


@title.command("register")
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
    help="Who earns from each price, such as author:anna:100000 for 10 %; may be repeated. "
    "MEMBER `owner` is whoever owns the title at the time.",
)
@remote
def register_title(
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
    """All titles; holder is the address that has the token, where there is one."""
    columns = ("id", "kind", "name", "owner", "licence", "evidence", "token.holder")
    market.rows("titles", columns, "No titles.")


@title.command("show")
@click.argument("id_", metavar="ID")
@remote
def show_title(market: Market, id_: str) -> None:
    """One title: its terms, who is paid, and its token as the market saw it last."""
    rows = market.client.get("titles")
    row = next((row for row in rows if row["id"] == id_), None)
    if row is None:
        raise Failed(f"No title {id_!r}: `allmende title list` shows those that there are.")
    try:
        there = market.client.get("titles/chain")
    except Failed as failed:
        if failed.facts.get("code") not in (None, "not_found"):
            raise
        there = {"contracts": None, "titles": []}  # a market without a chain has no such path
    chain = next((one["chain"] for one in there["titles"] if one["id"] == id_), None)
    if market.as_json:
        out_json({**row, "chain": chain, "contracts": there["contracts"]})
        return
    pairs(_shown(row, chain, there["contracts"]))


def _shown(row: dict[str, Any], chain: Any, contracts: Any) -> dict[str, Any]:
    token = row["token"] or {}
    shares = [f"{s['role']} {s['account']} {s['ppm'] / 10_000:g} %" for s in row["waterfall"]]
    plain = ("id", "kind", "name", "owner", "licence", "evidence")
    told = {name: row[name] for name in plain} | {"paid": ", ".join(shares)}
    if not token:
        return told | {"token": (chain or {}).get("refused") or "none: `allmende title mint`"}
    told["token"] = "minted" if token["minted"] else "on its way"
    told |= {"holder": token["holder"], "author": token["author"]}
    told["royalty"] = f"{token['royalty_ppm'] / 10_000:g} %"
    if chain:
        told |= {"number": chain["number"], "asks": chain["price"], "only_for": chain["buyer"]}
    return told | ({"contract": contracts["titles"]} if contracts else {})


@title.command("mint")
@click.argument("id_", metavar="ID")
@click.option("--royalty", default="0", help="Percent of each sale on the chain, for good; to 25.")
@click.option("--author", help="The member whose wallet gets it; else the owner.")
@remote
def mint_title(market: Market, id_: str, royalty: str, author: str | None) -> None:
    """Have a title's token minted to the wallet of its owner. For good."""
    fields = given({"id": id_, "royalty_ppm": _ppm(royalty), "author": author})
    says = f"The token of {id_} is on its way; `allmende title show {id_}` says when it is there."
    market.ask("mint_title", fields, says)


def _ppm(text: str) -> int:
    found = PERCENT.fullmatch(text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r} is no percentage such as 2.5.", param_hint="--royalty")
    return int(found[1]) * 10_000 + int((found[2] or "").ljust(4, "0"))
