"""Stake, unstake, withdraw, delegate, recall, claim: what a wallet does with its shares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from allmende.adapters.chain.institutions import ChainCommons
from allmende.adapters.chain.leaving import Token
from allmende.adapters.chain.leaving_acts import when
from allmende.cli.chain_exit import amount_of
from allmende.cli.client import Failed
from allmende.cli.commons import Acting, by_wallet
from allmende.cli.folder import ADDRESS
from allmende.cli.govern_acts import run

SHARES = Token("shares", 18)


def _shares(text: str) -> int:
    try:
        return amount_of(text, SHARES)
    except ValueError as error:
        raise Failed(str(error)) from None


@click.command("stake")
@click.argument("shares")
@by_wallet
def stake_(where: dict[str, Any], key: Path, shares: str) -> None:
    """Stake SHARES: they vote, and earn what the stake is given."""
    amount = _shares(shares)

    async def act(commons: ChainCommons, hand: Acting) -> dict[str, Any]:
        await hand.allow("Share", "Stake", amount)
        await hand.do("Stake", "stake", amount)
        return await _standing(commons, hand)

    run(where, key, act)


@click.command("unstake")
@click.argument("shares")
@by_wallet
def unstake_(where: dict[str, Any], key: Path, shares: str) -> None:
    """Take SHARES out of the stake; `withdraw` when the unbonding is over."""
    amount = _shares(shares)

    async def act(commons: ChainCommons, hand: Acting) -> dict[str, Any]:
        await hand.do("Stake", "unbond", amount)
        return await _standing(commons, hand)

    run(where, key, act)


@click.command("withdraw")
@by_wallet
def withdraw_(where: dict[str, Any], key: Path) -> None:
    """Take what has left the stake back into the wallet."""

    async def act(commons: ChainCommons, hand: Acting) -> dict[str, Any]:
        await hand.do("Stake", "withdraw")
        return await _standing(commons, hand)

    run(where, key, act)


@click.command("delegate")
@click.argument("voter", type=ADDRESS)
@by_wallet
def delegate_(where: dict[str, Any], key: Path, voter: str) -> None:
    """Let VOTER vote with this wallet's stake; its own address takes the vote back."""

    async def act(commons: ChainCommons, hand: Acting) -> dict[str, Any]:
        await hand.do("Stake", "delegate", voter)
        return await _standing(commons, hand)

    run(where, key, act)


@click.command("recall")
@by_wallet
def recall_(where: dict[str, Any], key: Path) -> None:
    """Take the stake from a voter who is locked: he votes with it no more."""

    async def act(commons: ChainCommons, hand: Acting) -> dict[str, Any]:
        await hand.do("Stake", "recall")
        return await _standing(commons, hand)

    run(where, key, act)


@click.command("claim")
@by_wallet
def claim_(where: dict[str, Any], key: Path) -> None:
    """Take what the stake has earned."""

    async def act(commons: ChainCommons, hand: Acting) -> dict[str, Any]:
        await hand.do("Stake", "claim")
        return await _standing(commons, hand)

    run(where, key, act)


async def _standing(commons: ChainCommons, hand: Acting) -> dict[str, Any]:
    stake = commons["Stake"]
    amount, voter, wakes_at, leaving, leaves_at = await stake.get("positions", None, hand.address)
    says = f"{SHARES.text(amount)} are staked"
    if int(voter, 16):
        says += f" and vote with {'yourself' if voter == hand.address else voter}"
    elif amount:
        says += f" and sleep until {when(wakes_at)}"
    if leaving:
        says += f"; {SHARES.text(leaving)} leave at {when(leaves_at)}"
    return {
        "staked": str(amount),
        "voter": voter,
        "wakes_at": wakes_at,
        "leaving": str(leaving),
        "leaves_at": leaves_at,
        "locked_until": await stake.get("locked_until", None, voter),
        "earned": str(await stake.get("earned", None, hand.address)),
        "says": says + ".",
    }
