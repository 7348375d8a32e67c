"""Exit: what a member does with a ticket and a node alone, whether a market runs or not."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from msgspec import Struct, structs

from allmende.adapters import chain_contracts
from allmende.adapters.clock import SystemClock
from allmende.cli.chain_said import said
from allmende.cli.client import Failed
from allmende.cli.show import out_json
from allmende.custody import Finding
from allmende.ticket import Ticket, decode

try:
    from allmende.adapters.chain.hand import Hand, wallet_of
    from allmende.adapters.chain.leaving import FINAL, PENDING, Leaving, Token, profile_of
    from allmende.adapters.chain.leaving_acts import Acts, Stuck, words
    from allmende.adapters.chain.reach import node_at
    from allmende.adapters.chain.signing import Keys
except ImportError as missing:
    raise Failed(f"The chain needs the extra `chain`, which is not installed: {missing}.") from None

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
T = TypeVar("T")


class Where(Struct, frozen=True):
    """The options that all of these commands have."""

    node: str
    profile: str
    cache: Path


def on_chain(command: Callable[..., None]) -> Callable[..., None]:
    """--node, --profile, --cache and --json."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs."),
        click.option("--cache", type=click.Path(file_okay=False, path_type=Path),
                     help="Where compiled contracts are kept."),
        click.option("--profile", default="", help="Which kind of chain; else by its id."),
        click.option("--node", required=True, help="Address of a node's JSON-RPC."),
    ):  # fmt: skip
        command = option(command)
    return command


def by_wallet(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--watch", is_flag=True, help="Wait for what takes time, and go on."),
        click.option("--wallet-key-file", "key", type=FILE, required=True,
                     help="The wallet's key in hex, in a file that only you can read."),
    ):  # fmt: skip
        command = option(command)
    return on_chain(command)


@click.command(name="check")
@click.argument("file", type=FILE, metavar="TICKET")
@on_chain
def check_(file: Path, as_json: bool, **where: Any) -> None:
    """Whether a TICKET is good on its chain, and what an exit would pay."""
    ticket = _read(file)

    async def work(leaving: Leaving, found: list[Finding]) -> dict[str, Any]:
        now = await leaving.standing()
        said = {
            FINAL: f"The ticket is of batch {now.final}, the final one.",
            PENDING: f"The ticket is of batch {now.pending}, which is still pending. Until that "
            f"is final, the ticket of batch {now.final} counts: keep both.",
        }.get(
            now.ticket,
            f"The ticket is of batch {ticket.batch}, the final one is {now.final}: its leaf pays "
            "nothing. Fetch a new ticket.",
        )
        good = now.ticket == FINAL or (now.leaf_paid and now.deposits_paid)
        pays = leaving.token.text(now.payable)
        text = f"An exit would pay {pays}" if not now.leaf_paid else f"Paid out; {pays} are left"
        found = [
            *found,
            Finding("ticket", ok=good or now.ticket == PENDING, says=said),
            Finding("vault", ok=True, says=words(now)),
            Finding("exit", ok=True, says=f"{text} to {ticket.account}."),
        ]
        return {**structs.asdict(now), "payable": now.payable, "findings": found}

    told = _run(ticket, where, work)
    findings = told["findings"]
    if as_json:
        out_json({**told, "findings": [structs.asdict(one) for one in findings]})
    else:
        show(findings)
    if not all(one.ok for one in findings):
        raise Failed("This ticket is not good as it is; see above.")


@click.command(name="exit")
@click.argument("file", type=FILE, metavar="TICKET")
@by_wallet
@click.option("--deposits-only", is_flag=True, help="Without the leaf; it can follow.")
def exit_(file: Path, key: Path, watch: bool, deposits_only: bool, **other: Any) -> None:
    """Take everything out that a TICKET pays, without the operator; close the market if its
    silence is over. Safe to repeat."""
    ticket, as_json = _read(file), other.pop("as_json")

    async def work(acts: Acts, leaving: Leaving) -> dict[str, Any]:
        before = await leaving.standing(await leaving.newest())
        after = await acts.exit(deposits_only=deposits_only)
        text = leaving.token.text
        return {
            "account": ticket.account,
            "before": before.wallet,
            "after": after.wallet,
            "block": after.block,
            "says": f"{ticket.account} had {text(before.wallet)} in its wallet and has "
            f"{text(after.wallet)}, final in block {after.block}. Nothing of it is left here.",
        }

    _act(ticket, key, work, as_json, watch=watch, where=other, own=True)


@click.command(name="challenge")
@click.argument("file", type=FILE, metavar="TICKET")
@by_wallet
def challenge_(file: Path, key: Path, watch: bool, **other: Any) -> None:
    """Make the operator show a TICKET's leaf in the pending batch. Any wallet may; it stakes."""
    as_json = other.pop("as_json")

    async def work(acts: Acts, leaving: Leaving) -> dict[str, Any]:
        return {"says": await acts.challenge()}

    _act(_read(file), key, work, as_json, watch=watch, where=other, own=False)


@click.command(name="withdraw")
@click.argument("file", type=FILE, metavar="TICKET")
@click.argument("amount")
@by_wallet
@click.option("--again", is_flag=True, help="Ask though an earlier request is not paid yet.")
def withdraw_(file: Path, amount: str, key: Path, watch: bool, again: bool, **other: Any) -> None:
    """Ask the vault for AMOUNT while the market is open, and have paid what is due."""
    as_json = other.pop("as_json")

    async def work(acts: Acts, leaving: Leaving) -> dict[str, Any]:
        wanted = amount_of(amount, leaving.token)
        await acts.withdraw(wanted, again=again)
        now = await leaving.standing()
        says = f"Paid; the wallet has {leaving.token.text(now.wallet)}."
        return {"after": now.wallet, "says": says}

    _act(_read(file), key, work, as_json, watch=watch, where=other, own=True)


# Running ----------------------------------------------------------------------------------


def _act(
    ticket: Ticket,
    key: Path,
    work: Callable[[Acts, Leaving], Awaitable[dict[str, Any]]],
    as_json: bool,
    *,
    watch: bool,
    where: dict[str, Any],
    own: bool,
) -> None:
    """Do it by a wallet, tell each step, and show how it ended."""
    try:
        account = wallet_of(key)
    except ValueError as error:
        raise Failed(str(error)) from None
    if own and account.address != ticket.account:
        raise Failed(f"The key is of {account.address}, the ticket of {ticket.account}.")
    steps: list[str] = []

    def told(line: str) -> None:
        steps.append(line)
        if not as_json:
            click.echo(line)

    async def go(leaving: Leaving, found: list[Finding]) -> dict[str, Any]:
        hand = Hand(leaving.chain, account, leaving.profile, SystemClock(), told)
        try:
            return await work(Acts(leaving, hand, told, watch=watch), leaving)
        except Stuck as stuck:
            return {"says": str(stuck), "until": stuck.until, "begun": stuck.begun}

    done = _run(ticket, where, go)
    if as_json:
        out_json({**done, "steps": steps})
    elif done.get("begun", True):
        click.echo(done["says"])
    if not done.get("begun", True):
        raise Failed(done["says"])


def _run(
    ticket: Ticket,
    where: dict[str, Any],
    work: Callable[[Leaving, list[Finding]], Awaitable[T]],
) -> T:
    """`work` with what was looked at, if chain and code are the right ones."""

    async def go() -> T:
        there = Where(**filled(where))
        async with node_at(there.node) as chain:
            contracts = await chain_contracts.load_all(there.cache)
            profile = profile_of(ticket.chain_id, there.profile)
            leaving = Leaving(chain, ticket, contracts, profile, SystemClock())
            found = await leaving.begin()
            bad = [one.says for one in found if not one.ok]
            if bad:
                raise Failed(" ".join(bad))
            return await work(leaving, found)

    with said():
        return asyncio.run(go())


def filled(where: dict[str, Any]) -> dict[str, Any]:
    cache = where["cache"] or Path(click.get_app_dir("allmende")) / "contracts"
    return {**where, "cache": cache}


def _read(file: Path) -> Ticket:
    return decoded(file.read_bytes(), str(file))


def decoded(data: bytes, name: str) -> Ticket:
    try:
        return decode(data, Keys.keccak)
    except ValueError as error:
        raise Failed(f"{name}: {error}") from None


def amount_of(text: str, token: Token) -> int:
    """Base units. ValueError."""
    whole, _, part = text.partition(".")
    part = part.rstrip("0")
    digits = whole + part.ljust(token.decimals, "0")
    wanted = int(digits) if re.fullmatch("[0-9]{1,80}", digits) else 0
    if not wanted or len(part) > token.decimals:
        raise ValueError(
            f"{text[:40]!r} is no amount of {token.symbol}: above 0, to {token.decimals} decimals."
        )
    return wanted


def show(findings: list[Finding]) -> None:
    for one in findings:
        click.echo(f"{'  ok' if one.ok else ' BAD'}  {one.says}")
