"""Prove: what a member takes home from a running market, and shows without it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click
from msgspec import structs

from allmende.adapters import chain_contracts
from allmende.adapters.chain.leaving import profile_of
from allmende.adapters.chain.proving import Proving, at_vault
from allmende.adapters.chain.reach import node_at
from allmende.cli.chain_exit import FILE, Where, decoded, filled, on_chain, show
from allmende.cli.chain_said import said
from allmende.cli.client import Failed
from allmende.cli.folder import ADDRESS
from allmende.cli.remote import Market, remote
from allmende.cli.show import out_json
from allmende.core.settle import receipt_leaf
from allmende.custody import Finding
from allmende.wire import receipt


@click.command(name="ticket")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it here.")
@click.option("--pending", is_flag=True, help="Of the batch that is to be final next.")
@remote
def ticket_(market: Market, out: Path | None, pending: bool) -> None:
    """Your exit ticket from the running market. Keep it where the market is not."""
    data = market.client.fetch("wallet/ticket", pending=1 if pending else None)
    ticket = decoded(data, "the market's answer")
    if out is None:
        click.echo(data.decode(), nl=False)
        return
    out.write_bytes(data)
    click.echo(
        f"Written to {out}: {ticket.account} in batch {ticket.batch} of {ticket.vault} on chain "
        f"{ticket.chain_id}. Check it: allmende chain check {out} --node URL"
    )


@click.command(name="prove")
@click.argument("file", type=FILE, metavar="RECEIPT")
@on_chain
@click.option("--vault", type=ADDRESS, help="The market's, as you know it.")
@click.option("--public-key", help="The market's key in hex, as you know it from elsewhere.")
def prove_(
    file: Path, vault: str | None, public_key: str | None, as_json: bool, **where: Any
) -> None:
    """Whether a RECEIPT file is in a final batch on the chain; offline checks come first."""
    with said():
        data = file.read_bytes()
        checks = receipt.verify(data, public_key)
        found = [Finding(check.name, ok=check.ok, says=check.detail) for check in checks]
        if all(one.ok for one in found):
            found += _proved(data, vault or "", Where(**filled(where)))
    if as_json:
        out_json([structs.asdict(one) for one in found])
    else:
        show(found)
    if not all(one.ok for one in found):
        raise Failed(f"{file} is not proved; see above.")


def _proved(data: bytes, vault: str, where: Where) -> list[Finding]:
    file, one = receipt.read(data)
    place = receipt.place(file)
    if place is None:
        says = "The receipt is in no closed batch yet: fetch the file again when it is."
        return [Finding("batch", ok=False, says=says)]
    place = at_vault(place, vault)

    async def go() -> list[Finding]:
        async with node_at(where.node) as chain:
            contracts = await chain_contracts.load_all(where.cache)
            profile = profile_of(await chain.chain_id(), where.profile)
            return await Proving(chain, contracts, profile, place).proved(receipt_leaf(one))

    known = "you named it" if vault else "compare it with the one that the market publishes"
    says = f"The vault is {place.vault}: {known}."
    return [Finding("vault", ok=True, says=says), *asyncio.run(go())]
