"""Bridge cross: a wallet locks or burns, validators sign, and anybody brings their signatures."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import structs

from allmende.adapters.chain.account import Account
from allmende.adapters.chain.bridge import AWAY, HOME, Both, BridgeRecord, Flying
from allmende.adapters.chain.bridge_acts import (
    Attestation,
    attestation,
    attested,
    checked,
    depart,
    merged,
    redeem,
    sure,
)
from allmende.adapters.chain.hand import wallet_of
from allmende.cli.bridge_reach import hand, run, unit, with_key, with_record
from allmende.cli.chain_exit import FILE as PATH
from allmende.cli.chain_exit import amount_of
from allmende.cli.chain_said import said
from allmende.cli.client import Failed
from allmende.cli.folder import ADDRESS
from allmende.cli.show import out_json
from allmende.ports import ChainFailed

FROM = click.Choice([HOME, AWAY])


@click.command(name="lock")
@click.argument("amount")
@with_record
@with_key
@click.option("--from", "source", type=FROM, default=HOME, help="away burns, to unlock at home.")
@click.option("--to", type=ADDRESS, help="Who gets it there; else the same wallet.")
def lock_(
    amount: str, record: Path | None, key: Path, source: str, to: str | None, **more: Any
) -> None:
    """Lock AMOUNT at home, to be minted away; or burn it away, to be unlocked at home.

    Not to be repeated blindly: each call takes so much more.
    """
    as_json = more.pop("as_json")

    async def work(both: Both, known: BridgeRecord) -> dict[str, Any]:
        end, base = both.end(source), amount_of(amount, unit(known))
        wallet = hand(end, key)
        transfer = await depart(end, wallet, to or wallet.address, base)
        told = structs.asdict(attestation("transfer", source, transfer))
        says = (
            f"Transfer {transfer.nonce} from {source}: {unit(known).text(base)}. Validators sign "
            f"it with `bridge sign {transfer.nonce} --from {source}`; it is paid until second "
            f"{transfer.deadline}, and returned after that."
        )
        return {**told, "says": says}

    told = run(record, **more, work=work)
    out_json(told) if as_json else click.echo(told["says"])


@click.command(name="sign")
@click.argument("nonce", type=int, required=False)
@with_record
@with_key
@click.option("--from", "source", type=FROM, default=HOME, help="The side that it left.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="A directory."
)
@click.option("--watch", type=float, help="Look again every so many seconds, until Ctrl-C.")
def sign_(
    nonce: int | None, record: Path | None, key: Path, source: str, out: Path, **more: Any
) -> None:
    """As a validator: look at transfer NONCE through your own nodes, and sign it into a file.

    Without NONCE: all that are on their way, from either side. What has expired and was not paid
    is signed for its return. Exit code 1 if one of them is refused.
    """
    as_json, every, account = more.pop("as_json"), more.pop("watch"), _account(key)

    async def work(both: Both, _: BridgeRecord) -> dict[str, Any]:
        if every is not None:
            await _watch(both, account, out, every)
        flying = (await both.standing()).flying
        chosen = [one for one in flying if nonce in (None, one.transfer.nonce)]
        if nonce is not None:
            chosen = [one for one in chosen if one.source == source]
        return await _signed(both, chosen, account, out)

    told = run(record, **more, work=work)
    if nonce is not None and not told["signed"] and not told["refused"]:
        told["refused"][f"{source} {nonce}"] = "it is not on its way in any final block"
    if as_json:
        out_json(told)
    else:
        _show(told["signed"])
    if told["refused"]:
        raise Failed("Not signed: " + "; ".join(f"{k}: {v}" for k, v in told["refused"].items()))


async def _watch(both: Both, account: Account, out: Path, every: float) -> None:
    """Sign whatever comes, each thing once. What stands in the way of two looks is said, once:
    what is paid between two questions of one look is no trouble."""
    done, before, said = set[str](), "", ""
    while True:
        try:
            await sure(both)
            flying = (await both.standing()).flying
            told = await _signed(both, list(flying), account, out, done)
            _show(told["signed"])
            trouble = "; ".join(f"{k}: {v}" for k, v in told["refused"].items())
        except (ChainFailed, ValueError) as failed:  # of this look; the next one begins anew
            trouble = f"The look failed: {failed}"
        if trouble and trouble == before != said:
            click.echo(trouble, err=True)
            said = trouble
        before = trouble
        await asyncio.sleep(every)


def _show(signed: dict[str, str]) -> None:
    for file, name in signed.items():
        click.echo(f"{name}: {file}")


async def _signed(
    both: Both,
    chosen: list[Flying],
    account: Account,
    out: Path,
    done: set[str] | None = None,
) -> dict[str, dict[str, str]]:
    """File -> what it is, and what was refused -> why. What is in `done` is not signed again."""
    signed, refused = {}, {}
    for one in chosen:
        try:
            made = await attested(both, one, account)
        except ValueError as error:
            refused[f"{one.source} {one.transfer.nonce}"] = str(error)
            continue
        if done is None or made.name not in done:
            signed[str(_kept(out, made, account.address))] = made.name
    if done is not None:
        done |= set(signed.values())
    return {"signed": signed, "refused": refused}


def _account(key: Path) -> Account:
    with said():
        return wallet_of(key)


def _kept(folder: Path, made: Attestation, who: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{made.name}-{who[2:10]}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(made)) + b"\n")
    return file


@click.command(name="redeem")
@click.argument("files", type=PATH, nargs=-1, required=True)
@with_record
@with_key
def redeem_(files: tuple[Path, ...], record: Path | None, key: Path, **more: Any) -> None:
    """Bring the validators' FILES to the side that pays, or returns. Anyone may."""
    as_json = more.pop("as_json")
    with said():
        words = merged([_read(file) for file in files])

    async def work(both: Both, known: BridgeRecord) -> list[dict[str, Any]]:
        done = []
        for one in words:
            source = both.end(one.source)
            end = both.other(source) if one.kind == "arrival" else source
            mined = await redeem(both, one, hand(end, key))
            whom = one.to if one.kind == "arrival" else one.sender
            amount = unit(known).text(one.amount)
            says = f"{one.name}: {amount} to {whom}, final in block {mined.block} of {end.name}."
            done.append({"name": one.name, "transaction": mined.hash, "says": says})
        return done

    told = run(record, **more, work=work)
    if as_json:
        out_json(told)
    else:
        for one in told:
            click.echo(one["says"])


def _read(file: Path) -> Attestation:
    try:
        return checked(msgspec.json.decode(file.read_bytes(), type=Attestation))
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise Failed(f"{file} is no validator's file: {error}") from None
