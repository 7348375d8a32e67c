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
    _do(where, key, "stake", amount, shares=amount)


@click.command("unstake")
@click.argument("shares")
@by_wallet
def unstake_(where: dict[str, Any], key: Path, shares: str) -> None:
    """Take SHARES out of the stake; `withdraw` when the unbonding is over."""
    _do(where, key, "unbond", _shares(shares))


@click.command("withdraw")
@by_wallet
def withdraw_(where: dict[str, Any], key: Path) -> None:
    """Take what has left the stake back into the wallet."""
    _do(where, key, "withdraw")


@click.command("delegate")
@click.argument("voter", type=ADDRESS)
@by_wallet
def delegate_(where: dict[str, Any], key: Path, voter: str) -> None:
    """Let VOTER vote with this wallet's stake; its own address takes the vote back."""
    _do(where, key, "delegate", voter)


@click.command("recall")
@by_wallet
def recall_(where: dict[str, Any], key: Path) -> None:
    """Take the stake from a voter who is locked: he votes with it no more."""
    _do(where, key, "recall")


@click.command("claim")
@by_wallet
def claim_(where: dict[str, Any], key: Path) -> None:
    """Take what the stake has earned."""
    _do(where, key, "claim")


def _do(where: dict[str, Any], key: Path, function: str, *values: Any, shares: int = 0) -> None:
    """One act on the stake, which may take so many `shares`; then how the wallet stands there."""

    async def act(commons: ChainCommons, hand: Acting) -> dict[str, Any]:
        if shares:
            await hand.allow("Share", "Stake", shares)
        await hand.do("Stake", function, *values)
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
