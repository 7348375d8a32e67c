"""Commons: what every command that acts on the members' contracts has in common.

Rule: a node and a wallet's key are enough; a running market is only asked where the contracts
are, and the code that stands there is compared before anything is sent.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from msgspec import structs

from allmende.adapters import chain_contracts
from allmende.adapters.clock import SystemClock
from allmende.cli.chain_exit import FILE, Where, filled
from allmende.cli.chain_said import require_ours
from allmende.cli.client import Client, Failed
from allmende.cli.remote import connect
from allmende.institutions import Institutions
from allmende.ports import Chain, ChainFailed

try:
    from allmende.adapters.chain.hand import Hand, wallet_of
    from allmende.adapters.chain.institutions import ChainCommons
    from allmende.adapters.chain.leaving import profile_of
    from allmende.adapters.chain.reach import node_at
except ImportError as missing:
    raise Failed(f"The chain needs the extra `chain`, which is not installed: {missing}.") from None

CREDIT = "Credit"
"""The pay unit, which may be any ERC-20."""
GOVERNING = ("Share", "Stake", "Assembly")
F = TypeVar("F", bound=Callable[..., None])


def on_commons(command: F) -> F:
    """--url, --node, --record, --profile, --cache and --json, as one argument `where`."""

    @functools.wraps(command)
    def wrapped(*args: Any, **given: Any) -> None:
        names = ("url", "node", "record", "profile", "cache", "as_json")
        command(*args, where={name: given.pop(name) for name in names}, **given)

    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs."),
        click.option("--cache", type=click.Path(file_okay=False, path_type=Path),
                     help="Where compiled contracts are kept."),
        click.option("--profile", default="", help="Which kind of chain; else by its id."),
        click.option("--record", type=FILE, help="institutions.json; else the market says it."),
        click.option("--node", help="A node's JSON-RPC; else the market's own chain."),
        click.option("--url", help="The market's address [ALLMENDE_URL, http://127.0.0.1:8700]."),
    ):  # fmt: skip
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]


def by_wallet(command: F) -> F:
    """The same, and --wallet-key-file as `key`."""
    option = click.option(
        *("--wallet-key-file", "key"),
        type=FILE,
        required=True,
        help="The wallet's key in hex, in a file that only you can read.",
    )
    return on_commons(option(command))


def market(where: dict[str, Any]) -> Client:
    """The market, asked for what is public."""
    found = connect(where["url"], None)
    return Client(found.url, "public")


@contextlib.asynccontextmanager
async def opened(
    where: dict[str, Any], names: tuple[str, ...] = GOVERNING
) -> AsyncIterator[tuple[ChainCommons, Chain]]:
    """These contracts, if the code that stands there is ours. Failed, ChainFailed."""
    record = _record(where)
    node = where["node"] or f"{market(where).url}/chain"
    there = Where(**filled({"node": node, "profile": where["profile"], "cache": where["cache"]}))
    known = {**record.contracts, CREDIT: record.credit}
    missing = [name for name in names if name not in known]
    if missing:
        raise Failed(f"This market has no contract {', '.join(missing)}.")
    async with node_at(there.node) as chain:
        if await chain.chain_id() != record.chain_id:
            raise Failed(f"{node} leads to another chain than {record.chain_id}.")
        contracts = await chain_contracts.load_all(there.cache, names)
        for name in (name for name in names if name != CREDIT):
            await require_ours(chain, contracts[name], known[name])
        ours = structs.replace(record, contracts={name: known[name] for name in names})
        profile = profile_of(record.chain_id, there.profile)
        yield ChainCommons(chain, ours, contracts, profile), chain


@contextlib.asynccontextmanager
async def acting(
    where: dict[str, Any], key: Path, names: tuple[str, ...] = GOVERNING
) -> AsyncIterator[tuple[ChainCommons, Acting]]:
    """These contracts, and a wallet's hand over them."""
    account = wallet_of(key)
    async with opened(where, names) as (commons, chain):
        profile = profile_of(commons.record.chain_id, where["profile"])
        told = (lambda _: None) if where["as_json"] else click.echo
        yield commons, Acting(commons, Hand(chain, account, profile, SystemClock(), told))


class Acting:
    """One wallet's acts on the contracts. Failed with the contract's own reason."""

    def __init__(self, commons: ChainCommons, hand: Hand) -> None:
        self._commons = commons
        self._hand = hand
        self.address = hand.address

    async def do(self, contract: str, function: str, *values: Any) -> int:
        """Sent, in a block and final: which block."""
        call = self._commons[contract].call(function, *values)
        try:
            done = await self._hand.send(function, call)
        except ChainFailed as failed:
            if failed.cause != "reverted":
                raise
            raise Failed(f"{contract} refuses: {failed.detail.rstrip('.')}.") from None
        if done is None or not done.ok:
            raise Failed(f"{function} was not done: look again, and send it once more.")
        return done.block

    async def allow(self, token: str, spender: str, amount: int) -> None:
        """Let a contract take so much of a token of this wallet's, if it may not already."""
        there = self._commons[token]
        to = self._commons[spender].address
        if int(await there.get("allowance", None, self.address, to)) < amount:
            await self.do(token, "approve", to, amount)


def _record(where: dict[str, Any]) -> Institutions:
    if where["record"]:
        data = where["record"].read_bytes()
    else:
        data = json.dumps(market(where).get("assembly")["record"]).encode()
    try:
        return msgspec.json.decode(data, type=Institutions)
    except msgspec.DecodeError as error:
        raise Failed(f"That is no record of members' contracts: {error}.") from None
