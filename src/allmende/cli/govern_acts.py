"""Propose, vote, cancel, queue, execute: what a wallet does at the Assembly."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from allmende.adapters.chain.institutions import ChainCommons
from allmende.adapters.chain.leaving_acts import when
from allmende.cli.chain_said import said
from allmende.cli.client import Failed
from allmende.cli.commons import CREDIT, GOVERNING, Acting, acting, by_wallet
from allmende.cli.show import out_json
from allmende.core.parameters import RANKS
from allmende.core.units import pico

Act = Callable[[ChainCommons, Acting], Awaitable[dict[str, Any]]]
CHOICES = {"no": 0, "yes": 1, "abstain": 2}
NUMBER = click.IntRange(1)
_CALL = re.compile("(0x[0-9a-fA-F]{40}):(0x(?:[0-9a-fA-F]{2})*)")


def run(where: dict[str, Any], key: Path, act: Act) -> None:
    """One act of a wallet; what it says in the end."""

    async def go() -> dict[str, Any]:
        names = (*GOVERNING, CREDIT)
        async with acting(where, key, names) as (commons, hand):
            return await act(commons, hand)

    with said():
        told = asyncio.run(go())
    out_json(told) if where["as_json"] else click.echo(told["says"])


@click.command("propose")
@click.argument("name", default="")
@click.argument("value", type=int, required=False)
@click.option("--effective", default="", help="From when it holds, as 2027-01-01; else at once.")
@click.option("--grant", nargs=2, metavar="MEMBER CREDITS", help="Pay out of the commons.")
@click.option("--call", "calls", multiple=True, metavar="ADDRESS:0xDATA",
              help="Call a contract; up to 4 times, all or none.")  # fmt: skip
@click.option("--text", default="", help="What for, or where it is discussed.")
@click.option("--class", "rank", type=click.Choice(RANKS), help="Of a text that binds nobody.")
@by_wallet
def propose_(where: dict[str, Any], key: Path, **told: Any) -> None:
    """Propose NAME VALUE, a grant, calls or a text. Costs a deposit, which comes back if enough
    vote; needs a little stake, or a credential."""
    function, values = _proposal(**told)

    async def act(commons: ChainCommons, hand: Acting) -> dict[str, Any]:
        deposit = int(await commons["Assembly"].get("deposit", None))
        await hand.allow(CREDIT, "Assembly", deposit)
        block = await hand.do("Assembly", function, *values)
        logs = await commons["Assembly"].logs("Proposed", block, block)
        number = next(told["number"] for _, told in logs if told["proposer"] == hand.address)
        return {"number": number, "says": f"Proposed as number {number}."}

    run(where, key, act)


def _proposal(
    name: str,
    value: int | None,
    effective: str,
    grant: tuple[str, str] | None,
    calls: tuple[str, ...],
    text: str,
    rank: str | None,
) -> tuple[str, tuple[Any, ...]]:
    """What is called, with what. UsageError."""
    if sum(map(bool, (name, grant, calls, rank))) != 1:
        raise click.UsageError("Propose one thing: NAME VALUE, --grant, --call, or --class.")
    if name:
        if value is None or value < 0:
            raise click.UsageError(f"{name} is set to which number? `allmende govern rules`.")
        return "propose_parameter", (name, value, _second(effective), text)
    if grant:
        member, amount = grant
        return "propose_grant", (member, pico(amount), text)
    if calls:
        return "propose_calls", ([_call(one) for one in calls], text)
    assert rank is not None
    return "propose_text", (RANKS.index(rank), text)


def _second(text: str) -> int:
    if not text:
        return 0
    try:
        return int(datetime.fromisoformat(text).astimezone().timestamp())
    except ValueError:
        raise click.UsageError(f"{text!r} is no date such as 2027-01-01.") from None


def _call(text: str) -> tuple[str, bytes]:
    found = _CALL.fullmatch(text)
    if found is None:
        raise click.UsageError(f"{text[:60]!r} is no call: an address, a colon, 0x and its bytes.")
    return found[1].lower(), bytes.fromhex(found[2][2:])


@click.command("vote")
@click.argument("number", type=NUMBER)
@click.argument("choice", type=click.Choice(list(CHOICES)))
@by_wallet
def vote_(where: dict[str, Any], key: Path, number: int, choice: str) -> None:
    """Vote in every chamber in which this wallet has a vote. It cannot be changed, and the stake
    stays locked to the proposal's end."""

    async def act(_: ChainCommons, hand: Acting) -> dict[str, Any]:
        await hand.do("Assembly", "vote", number, CHOICES[choice])
        return {"says": f"Voted {choice} on proposal {number}."}

    run(where, key, act)


@click.command("cancel")
@click.argument("number", type=NUMBER)
@by_wallet
def cancel_(where: dict[str, Any], key: Path, number: int) -> None:
    """Take back what this wallet proposed, before the voting ends, and its deposit."""

    async def act(_: ChainCommons, hand: Acting) -> dict[str, Any]:
        await hand.do("Assembly", "cancel", number)
        await hand.do("Assembly", "settle_deposit", number)
        return {"says": f"Proposal {number} is cancelled; its deposit is back."}

    run(where, key, act)


@click.command("queue")
@click.argument("number", type=NUMBER)
@by_wallet
def queue_(where: dict[str, Any], key: Path, number: int) -> None:
    """Say on the chain that a proposal passed, once the voting is over. Anybody may."""

    async def act(commons: ChainCommons, hand: Acting) -> dict[str, Any]:
        await hand.do("Assembly", "queue", number)
        eta = (await commons["Assembly"].get("proposals", None, number))[6]
        return {
            "eta": eta,
            "says": f"Proposal {number} is queued; it can be executed from {when(eta)}.",
        }

    run(where, key, act)


@click.command("execute")
@click.argument("number", type=NUMBER)
@by_wallet
def execute_(where: dict[str, Any], key: Path, number: int) -> None:
    """Do what was decided, once its delay is over. Anybody may; its deposit goes back too."""

    async def act(commons: ChainCommons, hand: Acting) -> dict[str, Any]:
        calls = await _calls(commons, number)
        await hand.do("Assembly", "execute", number, calls)
        if (await commons["Assembly"].get("proposals", None, number))[10]:
            await hand.do("Assembly", "settle_deposit", number)
        return {"says": f"Proposal {number} is executed."}

    run(where, key, act)


async def _calls(commons: ChainCommons, number: int) -> list[tuple[str, bytes]]:
    """As they were proposed: the chain keeps their hash, its log the calls."""
    assembly, last = commons["Assembly"], await commons.newest_block()
    for _, said_ in await assembly.logs("Proposed", commons.record.block, last):
        if said_["number"] == number:
            return [(to, bytes.fromhex(data[2:])) for to, data in said_["calls"]]
    raise Failed(f"This node has no log of proposal {number}: ask another one.")
