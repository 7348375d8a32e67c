"""Bridge reach: the record of a bridge and a node for each of its two chains."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

import click

from allmende.adapters import chain_contracts
from allmende.adapters.clock import SystemClock
from allmende.cli.chain_exit import FILE as PATH
from allmende.cli.chain_said import said
from allmende.cli.client import Failed
from allmende.cli.folder import folder_of

try:
    from allmende.adapters.chain.bridge import (
        AWAY,
        FILE,
        HOME,
        NAMES,
        Both,
        BridgeRecord,
        End,
        SideRecord,
    )
    from allmende.adapters.chain.bridge_acts import sure
    from allmende.adapters.chain.hand import Hand, wallet_of
    from allmende.adapters.chain.leaving import Token, profile_of
    from allmende.adapters.chain.profiles import PROFILES, Profile
    from allmende.adapters.chain.reach import node_at
    from allmende.adapters.chain.record import recall_record
except ImportError as missing:
    raise Failed(f"The chain needs the extra `chain`, which is not installed: {missing}.") from None

T = TypeVar("T")
Work: TypeAlias = Callable[[Both, BridgeRecord], Awaitable[T]]


def with_nodes(command: Callable[..., None]) -> Callable[..., None]:
    """--home-node, --away-node, --cache and --json."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs."),
        click.option("--cache", type=click.Path(file_okay=False, path_type=Path),
                     help="Where compiled contracts are kept."),
        click.option("--away-node", required=True, help="A node of the chain that mints."),
        click.option("--home-node", required=True, help="A node of the chain that locks."),
    ):  # fmt: skip
        command = option(command)
    return command


def with_record(command: Callable[..., None]) -> Callable[..., None]:
    """The nodes, and --record."""
    option = click.option(
        "--record", type=PATH, help=f"What `bridge deploy` wrote [{FILE} in the data directory]."
    )
    return option(with_nodes(command))


def with_key(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--wallet-key-file", "key", type=PATH, required=True,
        help="The wallet's key in hex, in a file that only you can read.",
    )(command)  # fmt: skip


def run(
    record: Path | None,
    home_node: str,
    away_node: str,
    cache: Path | None,
    work: Work[T],
    look: bool = True,
) -> T:
    """`work` with both ends of a deployed bridge, if they are what they were; without a `look` it
    sees to that itself. Failed, Unreachable."""

    async def go() -> T:
        found = _recalled(record)
        contracts = await chain_contracts.load_all(cached(cache), NAMES)
        async with node_at(home_node) as home, node_at(away_node) as away:
            ends = {}
            for name, chain, side in ((HOME, home, found.home), (AWAY, away, found.away)):
                ends[name] = End(name, chain, profile(side), contracts, side)
            both = Both(ends[HOME], ends[AWAY])
            if look:
                await sure(both)
            return await work(both, found)

    with said():
        return asyncio.run(go())


def _recalled(record: Path | None) -> BridgeRecord:
    file = record or folder_of(None) / FILE
    found = recall_record(file, BridgeRecord)
    if found is None or not (found.home.bridge and found.away.bridge):
        raise Failed(f"{file} is no record of a whole bridge: name one with --record.")
    return found


def profile(side: SideRecord) -> Profile:
    return profile_of(side.chain_id, side.profile if side.profile in PROFILES else "")


def cached(cache: Path | None) -> Path:
    return cache or Path(click.get_app_dir("allmende")) / "contracts"


def hand(end: End, key: Path) -> Hand:
    """Of a wallet on one side, which tells each step."""
    told = partial(click.echo, err=True)
    return Hand(end.chain, wallet_of(key), end.profile, SystemClock(), told)


def unit(record: BridgeRecord) -> Token:
    return Token(record.symbol, record.decimals)
