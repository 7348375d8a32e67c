"""Rewards on a chain: the emission is found, looked at, and called by a wallet."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import click

from allmende.adapters import chain_contracts
from allmende.adapters.clock import SystemClock
from allmende.cli.chain_said import require_ours, said
from allmende.cli.client import Client, Failed
from allmende.cli.folder import ADDRESS, folder_of
from allmende.custody import ContractCall
from allmende.doors import emission as seen
from allmende.ports import Chain, ChainFailed
from allmende.wire.claims import Line

try:
    from allmende.adapters.chain.hand import Hand, wallet_of
    from allmende.adapters.chain.institutions import ChainInstitution, recall
    from allmende.adapters.chain.leaving import profile_of
    from allmende.adapters.chain.reach import node_at
except ImportError as missing:
    raise Failed(f"The chain needs the extra `chain`, which is not installed: {missing}.") from None

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
CHAIN_OPTIONS = (
    click.option("--cache", type=click.Path(file_okay=False, path_type=Path),
                 help="Where compiled contracts are kept."),
    click.option("--wallet-key-file", "wallet_key", type=_FILE,
                 help="A wallet's key in hex, in a file that only you can read."),
    click.option("--emission", type=ADDRESS, help="The contract; else as the market says."),
    click.option("--profile", default="", help="Which kind of chain; else by its id."),
    click.option("--node", help="Address of a node's JSON-RPC; else the market's own chain."),
)  # fmt: skip


class Place(NamedTuple):
    """Where the emission is, and who acts."""

    node: str
    profile: str
    emission: str
    key: Path | None
    cache: Path
    data: str

    @classmethod
    def of(cls, options: dict[str, Any]) -> Place:
        """Takes its options out of a command's."""
        node, profile, emission = (
            str(options.pop(name) or "") for name in ("node", "profile", "emission")
        )
        cache = options.pop("cache") or Path(click.get_app_dir("allmende")) / "contracts"
        key, data = options.pop("wallet_key"), str(options.get("data") or "")
        return cls(node, profile, emission, key, cache, data)

    def wallet(self) -> str:
        return str(self.account().address)

    def account(self) -> Any:
        if self.key is None:
            raise Failed("Which wallet? Give --wallet-key-file.")
        try:
            return wallet_of(self.key)
        except ValueError as error:
            raise Failed(str(error)) from None

    def address(self, client: Client) -> str:
        """Of the emission: as given, as the directory says, or the market."""
        if self.emission:
            return self.emission
        record = recall(folder_of(self.data)) if self.data else None
        if record is not None and seen.CONTRACT in record.contracts:
            return record.contracts[seen.CONTRACT]
        return str(json.loads(client.public("rewards"))["contract"])


class There(NamedTuple):
    """What the chain says of an epoch."""

    address: str
    listed: seen.Listed
    terms: seen.Terms

    @property
    def there(self) -> bool:
        return self.listed.state != seen.NONE


def look(place: Place, client: Client, epoch: int) -> There:
    """At the newest block. Failed, Unreachable."""

    async def work() -> There:
        async with _emission(place, client) as (chain, emission):
            head = await chain.block()
            if head is None:
                raise ChainFailed("lagging", "the node has no blocks")
            now_s = max(head.time_s + 1, SystemClock().now() // 1_000_000)
            listed = await seen.listed(emission, epoch, now_s, head.number)
            return There(emission.address, listed, await seen.terms(emission, head.number))

    with said():
        return asyncio.run(work())


def publish_by(place: Place, client: Client, words: tuple[Any, ...]) -> dict[str, Any]:
    """By a wallet that has the role. What was done."""
    return _send(place, client, "publish", words)


def claim_line(
    place: Place, client: Client, epoch: int, line: Line, proof: tuple[bytes, ...]
) -> dict[str, Any]:
    """By any wallet; the shares go to the line's account."""
    words = (epoch, line.place, "0x" + line.account.hex(), line.amount, list(proof))
    return _send(place, client, "claim", words)


def _send(place: Place, client: Client, what: str, words: tuple[Any, ...]) -> dict[str, Any]:
    account = place.account()

    async def work() -> dict[str, Any]:
        async with _emission(place, client) as (chain, emission):
            call: ContractCall = emission.call(what, *words)
            profile = profile_of(await chain.chain_id(), place.profile)
            told = click.echo
            hand = Hand(chain, account, profile, SystemClock(), lambda line: told(line, err=True))
            done = await hand.send(what, call)
            if done is None or not done.ok:
                raise Failed("It was not done; look at `allmende rewards list` and the wallet.")
            return {"act": what, "transaction": done.hash, "block": done.block}

    with said():
        return asyncio.run(work())


@contextlib.asynccontextmanager
async def _emission(place: Place, client: Client) -> AsyncIterator[tuple[Chain, ChainInstitution]]:
    """The contract there, if its code is ours."""
    address = place.address(client)
    async with node_at(place.node or f"{client.url}/chain") as chain:
        contracts = await chain_contracts.load_all(place.cache, (seen.CONTRACT,))
        ours = contracts[seen.CONTRACT]
        await require_ours(chain, ours, address)
        yield chain, ChainInstitution(chain, ours, address)
