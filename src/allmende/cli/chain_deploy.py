"""Deploy, verify: the contracts of a data directory, put on a chain and held against it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click
from msgspec import structs

from allmende.adapters import chain_contracts
from allmende.adapters.clock import SystemClock
from allmende.adapters.guard import Guard
from allmende.adapters.secrets import open_vault
from allmende.adapters.server import Busy, own
from allmende.adapters.upstream import HttpUpstream
from allmende.cli.chain_said import said
from allmende.cli.client import Failed
from allmende.cli.folder import ADDRESS as ADDRESS
from allmende.cli.folder import folder_of as folder_of
from allmende.cli.offline import data_option
from allmende.cli.show import out_json, pairs
from allmende.custody import Deployment, Finding
from allmende.main import settings
from allmende.ports import Chain

try:
    from allmende.adapters.chain.deploy import Plan, deploy
    from allmende.adapters.chain.ensure import CACHE, PLAY_UNITS, same_chain
    from allmende.adapters.chain.institutions import recall as recall_institutions
    from allmende.adapters.chain.opened import OpenedChain
    from allmende.adapters.chain.profiles import EMBEDDED
    from allmende.adapters.chain.reach import node_at
    from allmende.adapters.chain.record import FILE, keep, recall
    from allmende.adapters.chain.signing import open_keys
    from allmende.adapters.chain.terms import NORMS, OF_PROFILE
    from allmende.adapters.chain.verify import verify
    from allmende.adapters.chain.verify_institutions import verify_institutions
except ImportError as missing:
    raise Failed(f"The chain needs the extra `chain`, which is not installed: {missing}.") from None

PLAYGROUNDS = ("embedded", "anvil")
"""Profiles whose credit is play money."""


@click.command(name="deploy")
@data_option
@click.option("--node", help="Address of a node's JSON-RPC; else the data directory's own chain.")
@click.option("--profile", default="", help="Which kind of chain the node leads to.")
@click.option("--token", type=ADDRESS, help="An ERC-20 to pay with; else a new Credit.")
@click.option("--terms", type=click.Choice(list(NORMS)), help="Windows and amounts, for good.")
@click.option("--guardian", type=ADDRESS, help="Who may pause.")
@click.option("--commons", type=ADDRESS, help="Who gets half of a penalty.")
@click.option("--admin", type=ADDRESS, help="Who grants roles from then on.")
@click.option("--attempt", default=1, help="Begin anew, where a step was refused for good.")
def deploy_(data: str | None, node: str | None, profile: str, **chosen: Any) -> None:
    """Put the contracts on a chain. Stopped at any moment, it goes on when called again.

    The data directory's account sends, pays the gas, and becomes the operator. Terms never
    change: read docs/chain.md, "Deployment and verification", first.
    """
    folder = folder_of(data)
    where = node or EMBEDDED.name
    if node and profile not in PLAYGROUNDS and not (chosen["guardian"] and chosen["commons"]):
        raise click.UsageError(
            "On a real chain say who may pause (--guardian) and who gets half of a penalty "
            "(--commons): neither should be the operator."
        )
    with said():
        made = asyncio.run(_deploy(folder, where, profile, chosen))
    click.echo(f"Done: {folder / FILE}. Now run `allmende chain verify`.")
    pairs({name: getattr(made, name) for name in ("chain_id", "credit", "bond", "vault")})


async def _deploy(folder: Path, where: str, profile: str, chosen: dict[str, Any]) -> Deployment:
    async with opened_chain(folder, where, profile) as opened:
        known = recall(folder)
        if known is not None:
            await same_chain(opened.chain, known)
            click.echo(f"Deployed already, on chain {known.chain_id}.")
            return known
        account, name = opened.account.address, opened.profile.name
        keys = open_keys(folder, open_vault(folder), opened.account)
        plan = Plan(
            profile=opened.profile,
            norm=NORMS[chosen["terms"]] if chosen["terms"] else OF_PROFILE[name],
            operator=account,
            market_key=keys.market,
            guardian=chosen["guardian"] or account,
            commons=chosen["commons"] or account,
            token=chosen["token"] or "",
            play_units=PLAY_UNITS if name in PLAYGROUNDS else 0,
            admin=chosen["admin"] or "",
            attempt=chosen["attempt"],
        )
        click.echo(f"{account} deploys with the terms of {plan.norm.name}. {plan.norm.why}")
        await opened.chain.chain_id()  # before what takes seconds: does anybody answer?
        contracts = await chain_contracts.load_all(folder / CACHE)
        made = await deploy(opened.chain, opened.sender, contracts, plan, click.echo)
        keep(folder, made)
        return made


@click.command(name="verify")
@data_option
@click.option("--node", help="Address of a node's JSON-RPC; else the market's own chain.")
@click.option("--url", help="The market's address [ALLMENDE_URL, http://127.0.0.1:8700].")
@click.option("--json", "as_json", is_flag=True)
def verify_(data: str | None, node: str | None, url: str | None, as_json: bool) -> None:
    """Hold the chain against the record, and its code against what compiles here.

    Exit code 1 if anything is not as it should be, 3 if no node answers. Through two nodes of
    different owners it is worth more than through one.
    """
    folder = folder_of(data)
    with said():
        known = recall(folder)
        if known is None:
            raise Failed(f"Nothing is deployed from {folder}: run `allmende chain deploy` there.")
        market = f"{settings({'url': url}).url.rstrip('/')}/chain"
        found = asyncio.run(_verify(folder, known, node, market))
    if as_json:
        out_json([structs.asdict(one) for one in found])
    else:
        for one in found:
            click.echo(f"{'  ok' if one.ok else ' BAD'}  {one.says}")
    bad = [one for one in found if not one.ok]
    if bad:
        raise Failed(
            f"{len(bad)} of {len(found)} are not as deployed. Deposit nothing and stop the settler "
            'until that is explained; docs/runbook-chain.md, "Verify finds something", says how.'
        )


async def _verify(folder: Path, known: Deployment, node: str | None, market: str) -> list[Finding]:
    if node is None and known.profile == EMBEDDED.name and not _running(folder):
        async with opened_chain(folder, EMBEDDED.name, "") as opened:
            return await _looked(folder, known, opened.chain)
    if node is None and known.profile != EMBEDDED.name:
        raise Failed(f"It was deployed on {known.profile}: name a node of that with --node.")
    async with node_at(node or market) as chain:
        return await _looked(folder, known, chain)


async def _looked(folder: Path, known: Deployment, chain: Chain) -> list[Finding]:
    """At custody, and at the members' contracts where there are any."""
    found = await verify(chain, known, await chain_contracts.load_all(folder / CACHE))
    record = recall_institutions(folder)
    if record is not None:
        contracts = await chain_contracts.load_all(folder / CACHE, list(record.contracts))
        found += await verify_institutions(chain, record, contracts)
    return found


# Chains -----------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def opened_chain(folder: Path, where: str, profile: str) -> AsyncIterator[OpenedChain]:
    """The data directory's chain and account, for us alone."""
    with own(folder):
        upstream, clock = HttpUpstream(Guard()), SystemClock()
        opened = OpenedChain(folder, open_vault(folder), clock, upstream, where, profile)
        try:
            await opened.open()
            yield opened
        finally:
            await opened.close()
            await upstream.close()


def _running(folder: Path) -> bool:
    """Whether a market has this data directory."""
    try:
        own(folder).close()
    except Busy:
        return True
    return False
