"""Call, keys, adopt: what a person does by hand, mostly when something went wrong.

docs/runbook-chain.md says when.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from typing import Any

import click

from allmende.adapters import chain_contracts
from allmende.adapters.chain.account import open_account
from allmende.adapters.chain.calls import ContractCalls
from allmende.adapters.chain.deploy import silent
from allmende.adapters.chain.drive import Driver
from allmende.adapters.chain.ensure import CACHE, same_chain
from allmende.adapters.chain.opened import OpenedChain
from allmende.adapters.chain.outbox import FILE, Outbox
from allmende.adapters.chain.profiles import EMBEDDED
from allmende.adapters.chain.record import recall
from allmende.adapters.chain.signing import open_keys
from allmende.adapters.chain.submitter import Submitter
from allmende.adapters.clock import SystemClock
from allmende.adapters.secrets import open_vault
from allmende.adapters.server import own
from allmende.cli.chain_deploy import folder_of, opened_chain
from allmende.cli.chain_said import said
from allmende.cli.client import Failed
from allmende.cli.offline import data_option
from allmende.cli.show import out_json, pairs
from allmende.custody import ContractCall, Deployment
from allmende.ports import Send

ACTS = {
    "pause": "",
    "close": "",
    "cut": "",
    "finalise": "",
    "collect": "",
    "list_token": "",
    "pay": "number",
    "contest": "number",
    "void": "number",
    "reclaim": "number",
    "grant": "who word who",
    "revoke": "who word who",
    "approve": "who number",
    "transfer": "who number",
    "deposit": "who number",
    "bond_for": "who number",
    "mint_credit": "who number",
}
"""What can be called, and with what: see custody.Calls."""


@click.command(name="call")
@data_option
@click.option("--send", is_flag=True, help="Send it from the data directory's account.")
@click.option("--node", help="With --send: a node's address; else the directory's own chain.")
@click.option("--again", default=1, help="With --send: 2 does once more what was done before.")
@click.option("--json", "as_json", is_flag=True)
@click.argument("act", type=click.Choice(list(ACTS)))
@click.argument("words", nargs=-1)
def call_(data: str | None, act: str, words: tuple[str, ...], **how: Any) -> None:
    """A contract call, as address and bytes for any wallet, or sent from here with --send.

    Words are numbers, roles, addresses, or vault, bond, credit, operator, guardian for theirs:
    `allmende chain call revoke vault MARKET 0x...`
    """
    folder = folder_of(data)
    with said():
        known = recall(folder)
        if known is None:
            raise Failed(f"Nothing is deployed from {folder}: there is nothing to call.")
        contracts = asyncio.run(chain_contracts.load_all(folder / CACHE))
        call = getattr(ContractCalls(known, contracts), act)(*_read(act, words, known))
        if how["send"]:
            key = " ".join(("call", str(how["again"]), act, *words))
            done = asyncio.run(_send(folder, known, how["node"], key, call))
            click.echo(f"{act}: block {done.block}, {done.hash}")
            return
    told = {"to": call.to, "data": "0x" + call.data.hex()}
    out_json(told) if how["as_json"] else pairs(told)


def _read(act: str, words: tuple[str, ...], known: Deployment) -> list[str | int]:
    kinds = ACTS[act].split()
    if len(kinds) != len(words):
        raise click.UsageError(f"{act} takes {len(kinds)} words: {ACTS[act] or 'none'}.")
    return [_value(kind, word, known) for kind, word in zip(kinds, words, strict=True)]


def _value(kind: str, word: str, known: Deployment) -> str | int:
    if kind == "number" and word.isdecimal():
        return int(word)
    if kind == "word" and re.fullmatch("[A-Z_]+", word):
        return word
    if kind == "who" and word in ("vault", "bond", "credit", "operator", "guardian"):
        return str(getattr(known, word))
    if kind == "who" and re.fullmatch("0x[0-9a-fA-F]{40}", word):
        return word.lower()
    raise click.UsageError(f"{word} is no {kind if kind != 'who' else 'address'}.")


async def _send(
    folder: Path, known: Deployment, node: str | None, key: str, call: ContractCall
) -> Send:
    """When it is final."""
    async with _for(folder, known, node) as opened:
        await same_chain(opened.chain, known)
        driver = Driver(opened.sender, opened.profile, silent)
        driver.want(key, call)
        return (await driver.final())[key]


def _for(
    folder: Path, known: Deployment, node: str | None
) -> AbstractAsyncContextManager[OpenedChain]:
    """The deployment's chain, through a node or in the directory."""
    if node is None and known.profile != EMBEDDED.name:
        raise Failed(f"It was deployed on {known.profile}: name a node of that with --node.")
    return opened_chain(folder, node or EMBEDDED.name, known.profile if node else "")


@click.command(name="keys")
@data_option
@click.option("--json", "as_json", is_flag=True)
def keys_(data: str | None, as_json: bool) -> None:
    """The addresses of a data directory's keys; a key that is not there is made."""
    folder = folder_of(data)
    with said(), own(folder):
        vault = open_vault(folder)
        account = open_account(folder, vault)
        told = {"operator": account.address, "market": open_keys(folder, vault, account).market}
    out_json(told) if as_json else pairs(told)


@click.command(name="adopt")
@data_option
@click.option("--node", help="Address of a node's JSON-RPC; else the directory's own chain.")
@click.confirmation_option(
    prompt="Only if the key was used elsewhere, or the outbox is an old copy. Is that so?"
)
def adopt_(data: str | None, node: str | None) -> None:
    """Take the chain's count of the account's transactions as ours, and go on behind them."""
    folder = folder_of(data)
    with said():
        known = recall(folder)
        if known is None:
            raise Failed(f"Nothing is deployed from {folder}: there is nothing to adopt.")
        again = asyncio.run(_adopt(folder, known, node))
    click.echo("Sent anew with the next start: " + (", ".join(again) or "nothing") + ".")


async def _adopt(folder: Path, known: Deployment, node: str | None) -> list[str]:
    async with _for(folder, known, node) as opened:
        await same_chain(opened.chain, known)
        with closing(Outbox(folder / FILE)) as outbox:
            made = (opened.chain, outbox, opened.account, opened.profile, SystemClock())
            return await Submitter(*made).adopt()
