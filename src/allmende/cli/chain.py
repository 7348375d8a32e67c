"""Chain: what a node says, what our account has there, and what is still to be sent."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from msgspec import structs

from allmende.cli.chain_said import AWAY
from allmende.cli.client import Failed, Unreachable
from allmende.cli.lazy import Mixed
from allmende.cli.offline import data_option
from allmende.cli.show import out_json, pairs, table
from allmende.main import Unset, settings
from allmende.ports import Chain, ChainFailed, Stage

try:
    from allmende.adapters.chain.outbox import FILE, Outbox
    from allmende.adapters.chain.profiles import EMBEDDED, PROFILES, Profile
    from allmende.adapters.chain.reach import node_at
except ImportError as missing:
    raise Failed(f"The chain needs the extra `chain`, which is not installed: {missing}.") from None

GWEI, ETHER = 10**9, 10**18


MORE = {
    **dict.fromkeys(("deploy", "verify"), "chain_deploy"),
    **dict.fromkeys(("establish", "institutions"), "chain_establish"),
    **dict.fromkeys(("call", "keys", "adopt"), "chain_acts"),
    **dict.fromkeys(("check", "exit", "challenge", "withdraw"), "chain_exit"),
    **dict.fromkeys(("ticket", "prove"), "chain_prove"),
    "redeem": "chain_redeem",
    "recount": "chain_recount",
    **dict.fromkeys(("node", "give", "demo"), "chain_node"),
}
"""Commands in modules of their own: see lazy.Mixed."""


@click.group(cls=Mixed, more=MORE)
def chain() -> None:
    """The chain: profiles, status, deployment."""


@chain.command()
@click.option("--json", "as_json", is_flag=True)
def profiles(as_json: bool) -> None:
    """What is known of each chain, with its date; sources with --json."""
    rows = [structs.asdict(profile) for profile in PROFILES.values()]
    if as_json:
        out_json(rows)
    else:
        columns = ["name", "chain_id", "finality", "block_ms", "fees", "bump_percent", "read"]
        table(rows, columns, "No profiles.")


@chain.command()
@data_option
@click.option("--node", help="Address of a node's JSON-RPC; else the market's own chain is asked.")
@click.option("--url", help="The market's address [ALLMENDE_URL, http://127.0.0.1:8700].")
@click.option("--json", "as_json", is_flag=True)
def status(data: str | None, node: str | None, url: str | None, as_json: bool) -> None:
    """What the node says, and how far the outbox of a data directory has come there.

    Exit code 1 if the outbox belongs to another chain or deployment, 3 if no node answers.
    """
    try:
        found = settings({"data": data, "url": url})
    except Unset as error:
        raise click.UsageError(str(error)) from None
    file = Path(found.data) / FILE
    try:
        where = node or f"{found.url.rstrip('/')}/chain"
        own = None if node else EMBEDDED
        told = asyncio.run(_status(where, own, file if file.is_file() else None))
    except ChainFailed as failed:
        raise _failed(failed, found.url if node is None else "") from None
    except sqlite3.Error as error:
        raise Failed(f"{file} cannot be read: {error}.") from None
    if as_json:
        out_json(told)
    else:
        pairs(told)
    if told.get("trouble"):
        raise Failed(str(told["trouble"]))


def _failed(failed: ChainFailed, market: str) -> Failed:
    """What to say; `market` is the address of the one that was asked for its own chain."""
    kind = Unreachable if failed.cause in AWAY else Failed
    if market and failed.cause in AWAY:
        return kind(f"No market answers at {market}: {failed.detail}. Pass --url, or --node.")
    if market and failed.cause == "garbled":
        return kind(f"The market at {market} has no chain of its own. Pass a node's with --node.")
    return kind(f"The node at fault: {failed.cause}. {failed.detail}")


async def _status(url: str, own: Profile | None, file: Path | None) -> dict[str, Any]:
    async with node_at(url) as node:
        told = await _node(node, own)
        if file is not None:
            with closing(Outbox(file, readonly=True)) as outbox:
                told |= await _sending(node, outbox, told["chain"])
        return told


async def _node(node: Chain, own: Profile | None) -> dict[str, Any]:
    chain_id, head, price = await node.chain_id(), await node.block(), await node.price()
    if head is None:
        raise ChainFailed("lagging", "it has no blocks")
    known = own or next((p for p in PROFILES.values() if p.chain_id == chain_id), None)
    age_s = max(0, int(time.time()) - head.time_s)
    return {
        "chain": chain_id,
        "profile": known.name if known else "none has this id",
        "newest_block": head.number,
        "age_s": age_s,
        "lags": bool(known and known.lag_s and age_s > known.lag_s),
        "final_below": max(0, head.number - _depth(known) + 2),
        "gas_gwei": price / GWEI,
    }


def _depth(known: Profile | None) -> int:
    return known.finality if known else 1


async def _sending(node: Chain, outbox: Outbox, chain_id: int) -> dict[str, Any]:
    sender = outbox.meta("sender")
    told: dict[str, Any] = {"outbox": outbox.counts() or "empty", "account": sender or "not yet"}
    if sender is None:
        return told
    told["ether"] = await node.balance(sender) / ETHER
    told["nonce"] = await node.nonce(sender)
    told["next_nonce"] = outbox.next_nonce()
    told["failed"] = [f"{s.wanted.key}: {s.detail}" for s in outbox.at(Stage.FAILED)]
    genesis = await node.block(0)
    if outbox.meta("chain") != str(chain_id):
        told["trouble"] = f"The outbox belongs to chain {outbox.meta('chain')}, not {chain_id}."
    elif genesis is None or outbox.meta("genesis") != genesis.hash:
        told["trouble"] = f"The outbox belongs to another deployment of chain {chain_id}."
    elif told["nonce"] > told["next_nonce"]:
        told["trouble"] = "The account sent transactions that this outbox does not know."
    return told
