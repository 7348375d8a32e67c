"""Treasury: a Safe whose owners propose, sign and execute payments, with a node and keys alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from msgspec import structs

from allmende.adapters.clock import SystemClock
from allmende.cli.chain_exit import FILE as PATH
from allmende.cli.chain_exit import Where, amount_of, filled, on_chain, show
from allmende.cli.chain_said import said
from allmende.cli.client import Failed
from allmende.cli.folder import ADDRESS, data_option, folder_of
from allmende.cli.show import out_json, pairs
from allmende.ports import Chain

try:
    from allmende.adapters.chain.hand import Hand, wallet_of
    from allmende.adapters.chain.leaving import Token, profile_of
    from allmende.adapters.chain.reach import node_at
    from allmende.adapters.chain.record import keep_record, recall_record
    from allmende.adapters.chain.safe import Payment, Proposal, Setup, artifacts, digest, signers
    from allmende.adapters.chain.tokens import Erc20, spoken
    from allmende.adapters.chain.treasury import (
        FILE,
        Treasury,
        agrees,
        begun,
        compared,
        deploy_safe,
        execute,
        merged,
    )
except ImportError as missing:
    raise Failed(f"The chain needs the extra `chain`, which is not installed: {missing}.") from None

T = TypeVar("T")


@click.group()
def treasury() -> None:
    """A Safe: several owners, of whom some must sign. See docs/treasury.md."""


def _key(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--wallet-key-file", "key", type=PATH, required=True,
        help="The wallet's key in hex, in a file that only you can read.",
    )(command)  # fmt: skip


def _which(command: Callable[..., None]) -> Callable[..., None]:
    option = click.option("--safe", type=ADDRESS, help="The Safe; else the data directory's.")
    return data_option(option(command))


@treasury.command()
@data_option
@on_chain
@_key
@click.option("--owner", "owners", type=ADDRESS, multiple=True, required=True)
@click.option("--threshold", type=int, required=True, help="So many of the owners must sign.")
@click.option("--salt", default=0, help="Another number makes another Safe of the same owners.")
def deploy(data: str | None, key: Path, as_json: bool, **asked: Any) -> None:
    """Put up a Safe of these owners. Stopped at any moment, it goes on when called again."""
    file = folder_of(data) / FILE
    setup = Setup(asked.pop("owners"), asked.pop("threshold"), asked.pop("salt"))

    async def work(chain: Chain, where: Where) -> Treasury:
        record = await begun(chain, setup)
        known = recall_record(file, Treasury)
        if known is not None and (known.genesis, known.setup) != (record.genesis, record.setup):
            raise Failed(f"{file} is of another Safe: name another directory with --data.")
        file.parent.mkdir(parents=True, exist_ok=True)
        hand = await _hand(chain, where, key)
        kept = partial(keep_record, file)
        return await deploy_safe(chain, hand, artifacts(), known or record, kept)

    made = _run(asked, work)
    told = {"safe": made.safe, "threshold": made.threshold, "owners": ", ".join(made.owners)}
    out_json(msgspec.to_builtins(made)) if as_json else pairs(told)


@treasury.command(name="show")
@_which
@on_chain
def show_(data: str | None, safe: str | None, as_json: bool, **where: Any) -> None:
    """Whether it is Safe's own code, who owns it, and what it is worth in ether.

    Exit code 1 if the code is another one, or a module can pass the owners by.
    """
    which = _safe(data, safe)

    async def work(chain: Chain, _: Where) -> dict[str, Any]:
        found, seen = await compared(chain, artifacts(), which)
        return {"findings": found, "safe": msgspec.to_builtins(seen)}

    told = _run(where, work)
    if as_json:
        out_json(msgspec.to_builtins(told))
    else:
        show(told["findings"])
        if told["safe"]:
            pairs({"next payment": told["safe"]["nonce"], "wei": told["safe"]["wei"]})
    if not all(one.ok for one in told["findings"]):
        raise Failed("This is no Safe that its owners alone control; see above.")


@treasury.command()
@_which
@on_chain
@click.option("--to", type=ADDRESS, help="Who is paid.")
@click.option("--amount", help="How much of it.")
@click.option("--token", type=ADDRESS, help="An ERC-20; else it pays ether.")
@click.option("--call", "file", type=PATH, help="Instead: what `chain call … --json` printed.")
@click.option("--number", type=int, help="Of the payment; else the Safe's next one.")
@click.option("--says", default="", help="What for, in words. Nobody signs them.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
def propose(data: str | None, safe: str | None, as_json: bool, out: Path, **asked: Any) -> None:
    """Write a payment, or any call, into a file that the owners sign."""
    which, what = _safe(data, safe), {n: asked.pop(n) for n in ("to", "amount", "token", "file")}
    number, says = asked.pop("number"), asked.pop("says")
    if bool(what["file"]) == bool(what["to"] and what["amount"]):
        raise click.UsageError("Say --to and --amount, or --call with a file.")

    async def work(chain: Chain, _: Where) -> Proposal:
        found, seen = await compared(chain, artifacts(), which)
        if seen is None:
            raise Failed(" ".join(one.says for one in found))
        to, value, call = await _call(chain, what)
        payment = Payment(
            chain_id=await chain.chain_id(),
            safe=which,
            nonce=seen.nonce if number is None else number,
            to=to,
            value=value,
            data=call,
        )
        if not await agrees(chain, artifacts(), payment):
            raise Failed("The Safe computes another digest of this payment: do not sign it.")
        return Proposal(payment=payment, says=says)

    _write(out, _run(asked, work), as_json)


@treasury.command()
@click.argument("file", type=PATH)
@_key
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Else FILE itself.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def sign(file: Path, key: Path, out: Path | None, as_json: bool) -> None:
    """Put an owner's signature into a proposal's FILE. Needs no node; read what it says."""
    with said():
        account, proposal = wallet_of(key), _proposal(file)
        signature = "0x" + account.sign_digest(digest(proposal.payment)).hex()
        signed = {**proposal.signatures, account.address: signature}
    _write(out or file, structs.replace(proposal, signatures=signed), as_json)


@treasury.command(name="execute")
@click.argument("files", type=PATH, nargs=-1, required=True)
@on_chain
@_key
def execute_(files: tuple[Path, ...], key: Path, as_json: bool, **where: Any) -> None:
    """Make the payment of FILES, which together have enough signatures. Anyone may send it."""
    with said():
        proposal = merged([_proposal(file) for file in files])

    async def work(chain: Chain, there: Where) -> dict[str, Any]:
        hand = await _hand(chain, there, key)
        done = await execute(chain, hand, artifacts(), proposal)
        number = proposal.payment.nonce
        says = f"Payment {number} is made, final in block {done.block}: {spoken(proposal.payment)}"
        return {"number": number, "block": done.block, "transaction": done.hash, "says": says}

    told = _run(where, work)
    out_json(told) if as_json else click.echo(told["says"])


# Shared ---------------------------------------------------------------------------------------


def _run(where: dict[str, Any], work: Callable[[Chain, Where], Awaitable[T]]) -> T:
    async def go() -> T:
        there = Where(**filled(where))
        async with node_at(there.node) as chain:
            return await work(chain, there)

    with said():
        return asyncio.run(go())


async def _hand(chain: Chain, where: Where, key: Path) -> Hand:
    profile = profile_of(await chain.chain_id(), where.profile)
    return Hand(chain, wallet_of(key), profile, SystemClock(), partial(click.echo, err=True))


async def _call(chain: Chain, what: dict[str, Any]) -> tuple[str, int, str]:
    """(to, wei, data) of what is proposed. ValueError."""
    if what["file"]:
        told = msgspec.json.decode(what["file"].read_bytes(), type=dict[str, str])
        return told["to"], 0, told["data"]
    if not what["token"]:
        return what["to"], amount_of(what["amount"], Token("ether", 18)), "0x"
    token = Erc20(chain, what["token"])
    amount = amount_of(what["amount"], await token.unit())
    return token.address, 0, "0x" + token.transfer(what["to"], amount).data.hex()


def _safe(data: str | None, safe: str | None) -> str:
    known = None if safe else recall_record(folder_of(data) / FILE, Treasury)
    if not safe and (known is None or not known.safe):
        raise Failed("No Safe is known here: name one with --safe, or run `treasury deploy`.")
    return safe or known.safe  # type: ignore[union-attr]  # one of them is there


def _proposal(file: Path) -> Proposal:
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Proposal)
        digest(found.payment)
        signers(found)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, OverflowError) as error:
        raise Failed(f"{file} is no proposal of a treasury: {error}") from None
    return found


def _write(file: Path, proposal: Proposal, as_json: bool) -> None:
    told = {
        "payment": proposal.payment.nonce,
        "does": spoken(proposal.payment),
        "says": proposal.says or "nothing",
        "digest": "0x" + digest(proposal.payment).hex(),
        "signed": ", ".join(proposal.signatures) or "by nobody yet",
        "file": str(file),
    }
    file.write_bytes(msgspec.json.format(msgspec.json.encode(proposal)) + b"\n")
    out_json(told) if as_json else pairs(told)
