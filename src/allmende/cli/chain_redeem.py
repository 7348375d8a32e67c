"""Redeem: rights out of a wallet back to an account of the desk, with a node and a key alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from allmende.adapters import chain_contracts
from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.hand import Hand, wallet_of
from allmende.adapters.chain.leaving import Token, profile_of
from allmende.adapters.chain.leaving_acts import when
from allmende.adapters.chain.reach import node_at
from allmende.adapters.chain.reads import read
from allmende.adapters.chain.signing import Keys
from allmende.adapters.clock import SystemClock
from allmende.cli.chain_exit import FILE, Where, amount_of, filled, on_chain
from allmende.cli.chain_said import require_ours, said
from allmende.cli.client import Failed
from allmende.cli.folder import ADDRESS
from allmende.cli.show import out_json
from allmende.custody import ContractCall

DECIMALS = 8
"""Of every Rights contract: a base unit is a grain."""


@click.command(name="redeem")
@click.argument("contract", type=ADDRESS)
@click.argument("lots")
@click.argument("member")
@on_chain
@click.option("--wallet-key-file", "key", type=FILE, required=True,
              help="The wallet's key in hex, in a file that only you can read.")  # fmt: skip
def redeem_(contract: str, lots: str, member: str, key: Path, as_json: bool, **where: Any) -> None:
    """Burn LOTS (of 100,000,000 grains) of the rights at CONTRACT; the desk credits MEMBER.

    Not to be repeated blindly: each call burns so many more, and shows what is left.
    """
    there = Where(**filled(where))
    with said():
        hand_key = wallet_of(key)
        grains = amount_of(lots, Token("lots", DECIMALS))
        told = asyncio.run(_redeem(there, hand_key, contract, grains, member))
    if as_json:
        out_json(told)
    else:
        click.echo(told["says"])


async def _redeem(
    where: Where, account: Any, contract: str, grains: int, member: str
) -> dict[str, Any]:
    async with node_at(where.node) as chain:
        ours = (await chain_contracts.load_all(where.cache))["Rights"]
        await require_ours(chain, ours, contract)
        abi = Abi(ours)
        end, left = [
            int(await read(chain, abi, contract, *asked))
            for asked in (("end",), ("balanceOf", account.address))
        ]
        lots = Token("lots", DECIMALS)
        if left < grains:
            raise Failed(f"{account.address} has {lots.text(left)}, not {lots.text(grains)}.")
        profile = profile_of(await chain.chain_id(), where.profile)
        hand = Hand(chain, account, profile, SystemClock(), lambda line: click.echo(line, err=True))
        call = abi.call("redeem", grains, Keys.keccak(member.encode()))
        done = await hand.send("redeem", ContractCall(contract, call))
        if done is None or not done.ok:
            raise Failed(f"It was not burnt; the rights end {when(end)}. Look at the wallet again.")
        left = int(await read(chain, abi, contract, "balanceOf", account.address))
    says = (
        f"{lots.text(grains)} are burnt for {member!r}, final in block {done.block}; the desk "
        f"credits them now. {lots.text(left)} are left, void from {when(end)} on."
    )
    return {"grains": grains, "left": left, "transaction": done.hash, "says": says}
