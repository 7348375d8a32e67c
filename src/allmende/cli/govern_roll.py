"""Charter, credential, enrol: who governs, and who votes as a member."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from allmende.adapters.chain.institutions import ChainCommons
from allmende.adapters.chain.leaving_acts import when
from allmende.cli.chain_exit import FILE
from allmende.cli.client import Failed
from allmende.cli.commons import Acting, by_wallet
from allmende.cli.folder import ADDRESS
from allmende.cli.govern_acts import run
from allmende.cli.remote import Market, remote


@click.command("charter")
@click.confirmation_option(prompt="No key sets a rule of this market any more, for good. Sure?")
@remote
def charter_(market: Market) -> None:
    """Hand the market's rules to its Assembly: an operator's last word on them."""
    record = market.client.get("assembly")["record"]
    fields = {"assembly": record["contracts"]["Assembly"], "chain_id": record["chain_id"]}
    market.ask("give_charter", fields, f"Governed by {fields['assembly']} from now on.")


@click.command("credential")
@click.argument("member")
@click.argument("wallet", type=ADDRESS)
@click.option("--days", type=click.IntRange(1, 3_650), default=365, help="How long it holds.")
@remote
def credential_(market: Market, member: str, wallet: str, days: int) -> None:
    """A credential by which WALLET votes as MEMBER, by an operator's key: write it to a file and
    hand it to the member. A later one replaces it."""
    fields = {"member": member, "wallet": wallet, "days": days}
    click.echo(json.dumps(market.client.ask("assembly/credential", fields), indent=2))


@click.command("enrol")
@click.argument("file", type=FILE, metavar="CREDENTIAL")
@by_wallet
def enrol_(where: dict[str, Any], key: Path, file: Path) -> None:
    """Vote as the member whose CREDENTIAL is in this file."""
    try:
        told = json.loads(file.read_text())
        member, signature = (bytes.fromhex(told[name][2:]) for name in ("member", "signature"))
        expiry = int(told["expiry"])
    except (ValueError, KeyError, TypeError):
        raise Failed(f"{file} is no credential: ask the market's operator for one.") from None

    async def act(_: ChainCommons, hand: Acting) -> dict[str, Any]:
        await hand.do("Assembly", "enrol", member, expiry, signature)
        return {"says": f"{hand.address} votes as a member until {when(expiry)}."}

    run(where, key, act)
