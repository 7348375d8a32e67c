"""Bridge deploy: both sides put up from one wallet, linked, and handed over to their admin."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import click

from allmende.adapters import chain_contracts
from allmende.adapters.chain.bridge import FILE, NAMES, BridgeRecord, Rules
from allmende.adapters.chain.bridge_deploy import NORMS, BridgePlan, Site, begun, checked
from allmende.adapters.chain.bridge_deploy import deploy_bridge as put_up
from allmende.adapters.chain.hand import Hand, wallet_of
from allmende.adapters.chain.leaving import Token, profile_of
from allmende.adapters.chain.reach import node_at
from allmende.adapters.chain.record import keep_record, recall_record
from allmende.adapters.clock import SystemClock
from allmende.cli.bridge_reach import cached, unit, with_key, with_nodes
from allmende.cli.chain_exit import amount_of
from allmende.cli.chain_said import said
from allmende.cli.client import Failed
from allmende.cli.folder import ADDRESS, data_option, folder_of
from allmende.cli.show import out_json, pairs
from allmende.custody import NOBODY
from allmende.ports import Chain


@click.command(name="deploy")
@data_option
@with_nodes
@with_key
@click.option("--home-profile", default="", help="Which kind of chain locks; else by its id.")
@click.option("--away-profile", default="", help="Which kind of chain mints; else by its id.")
@click.option("--token", type=ADDRESS, required=True, help="What is locked at home.")
@click.option("--validator", "validators", type=ADDRESS, multiple=True, required=True)
@click.option("--threshold", type=int, required=True, help="So many of them attest.")
@click.option("--per-transfer", required=True, help="Most that one transfer may carry.")
@click.option("--per-day", required=True, help="Most in any 24 hours, each way on each side.")
@click.option("--guardian", type=ADDRESS, required=True, help="Who may pause.")
@click.option("--admin", type=ADDRESS, default=NOBODY, help="Who may propose rules from then on.")
@click.option("--terms", type=click.Choice(list(NORMS)), default="careful", show_default=True)
def deploy_(data: str | None, key: Path, as_json: bool, **asked: Any) -> None:
    """Put up a bridge for TOKEN between two chains. Stopped at any moment, it goes on when
    called again. Read docs/bridge.md first: the validators can take what is locked."""
    file = folder_of(data) / FILE
    with said():
        made = asyncio.run(_deploy(file, key, asked))
    told = {"home": made.home.bridge, "away": made.away.bridge, "wrapped": made.away.token}
    out_json(told) if as_json else pairs({**told, "record": str(file)})


async def _deploy(file: Path, key: Path, asked: dict[str, Any]) -> BridgeRecord:
    contracts = await chain_contracts.load_all(cached(asked["cache"]), NAMES)
    async with node_at(asked["home_node"]) as home, node_at(asked["away_node"]) as away:
        here = await _site(home, asked["home_profile"], key)
        there = await _site(away, asked["away_profile"], key)
        fresh = await begun(here, there, contracts, asked["token"])
        known = recall_record(file, BridgeRecord)
        if known is not None and _chains(known) != _chains(fresh):
            raise Failed(f"{file} is of another bridge: name another directory with --data.")
        file.parent.mkdir(parents=True, exist_ok=True)
        plan = _plan(asked, unit(fresh))
        kept = partial(keep_record, file)
        return await put_up(here, there, contracts, plan, known or fresh, kept)


async def _site(chain: Chain, name: str, key: Path) -> Site:
    profile = profile_of(await chain.chain_id(), name)
    told = partial(click.echo, err=True)
    return Site(chain, profile, Hand(chain, wallet_of(key), profile, SystemClock(), told))


def _plan(asked: dict[str, Any], token: Token) -> BridgePlan:
    """ValueError says what cannot be."""
    limits = (amount_of(asked[name], token) for name in ("per_transfer", "per_day"))
    return BridgePlan(
        token=asked["token"],
        norm=NORMS[asked["terms"]],
        rules=checked(Rules(asked["validators"], asked["threshold"], *limits)),
        guardian=asked["guardian"],
        admin=asked["admin"],
    )


def _chains(record: BridgeRecord) -> tuple[str, str]:
    return record.home.genesis, record.away.genesis
