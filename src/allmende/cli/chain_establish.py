"""Establish, institutions: the members' contracts of a data directory, put up and shown."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click
from msgspec import structs

from allmende.cli.chain_deploy import folder_of, opened_chain
from allmende.cli.chain_said import said
from allmende.cli.client import Failed
from allmende.cli.offline import data_option
from allmende.cli.show import out_json, pairs
from allmende.core.identity import FEATURES
from allmende.institutions import Institutions

try:
    from allmende.adapters.chain.distribution import sale_of
    from allmende.adapters.chain.ensure import CACHE, same_chain
    from allmende.adapters.chain.establish import Founding, ensure_established
    from allmende.adapters.chain.institutions import FILE
    from allmende.adapters.chain.institutions import recall as recall_institutions
    from allmende.adapters.chain.profiles import EMBEDDED
    from allmende.adapters.chain.record import recall
    from allmende.adapters.chain.signing import open_keys
    from allmende.adapters.chain.terms import NORMS
    from allmende.adapters.secrets import open_vault
except ImportError as missing:
    raise Failed(f"The chain needs the extra `chain`, which is not installed: {missing}.") from None


@click.command(name="establish")
@data_option
@click.option("--node", help="Address of a node's JSON-RPC; else the data directory's own chain.")
@click.option("--profile", default="", help="Which kind of chain the node leads to.")
@click.option("--mode", type=click.Choice(list(FEATURES)), required=True, help="The market's.")
@click.option("--terms", type=click.Choice(list(NORMS)), default="", help="Windows and amounts.")
def establish_(data: str | None, node: str | None, profile: str, mode: str, terms: str) -> None:
    """Put up the members' contracts: shares, stakes, votes, titles. For good.

    After `allmende chain deploy`, from the same account. Shares are sold as sale.toml in the data
    directory says, see docs/shares.md. In the end the Assembly is the admin of
    all of them, and nobody else. Stopped at any moment, it goes on when called again.
    """
    folder = folder_of(data)
    with said():
        made = asyncio.run(_establish(folder, node or EMBEDDED.name, profile, mode, terms))
    click.echo(f"Done: {folder / FILE}. A market that starts here uses them.")
    pairs(dict(made.contracts))


async def _establish(folder: Path, where: str, profile: str, mode: str, terms: str) -> Institutions:
    deployment = recall(folder)
    if deployment is None:
        raise Failed(f"Nothing is deployed from {folder}: run `allmende chain deploy` first.")
    async with opened_chain(folder, where, profile) as opened:
        await same_chain(opened.chain, deployment)
        keys = open_keys(folder, open_vault(folder), opened.account)
        founding = Founding(
            profile=opened.profile,
            norm=terms,
            mode=mode,
            registrar=keys.market,
            deployment=deployment,
            sale=sale_of(
                *(folder, mode, deployment.decimals, deployment.made_at, int(time.time()))
            ),
        )
        click.echo(f"{deployment.operator} puts them up, for a market of mode {mode}.")
        found = await ensure_established(
            *(opened.chain, opened.sender, founding, folder, folder / CACHE),
            create=True,
            told=click.echo,
        )
    assert found is not None
    return found[0]


@click.command(name="institutions")
@data_option
@click.option("--json", "as_json", is_flag=True)
def institutions_(data: str | None, as_json: bool) -> None:
    """Where the members' contracts of a data directory are; `chain verify` looks at them."""
    folder = folder_of(data)
    with said():
        known = recall_institutions(folder)
    if known is None:
        raise Failed(
            f"{folder} has none: serve with --institutions on the embedded chain, or run "
            "`allmende chain establish`."
        )
    if as_json:
        out_json(structs.asdict(known))
    else:
        pairs({"chain": known.chain_id, "mode": known.mode, **known.contracts})
