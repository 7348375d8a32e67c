"""Share acts: what a wallet does with shares, by a node alone: buy, take back, release, claim.

Rule: where the contracts are says the market, or --contract; what happened is read from them.
Invariant: nothing is sent that the contract would refuse now: its reason is shown instead.
Worked number: a purchase is two transactions, an approval of exactly its price and `buy`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import click

from allmende.adapters import chain_contracts
from allmende.adapters.chain.hand import Hand, wallet_of
from allmende.adapters.chain.institutions import ChainInstitution
from allmende.adapters.chain.leaving import profile_of
from allmende.adapters.chain.reach import node_at
from allmende.adapters.clock import SystemClock
from allmende.cli.chain_exit import FILE, Where, filled, on_chain
from allmende.cli.chain_said import require_ours, said
from allmende.cli.client import Failed
from allmende.cli.folder import ADDRESS
from allmende.cli.remote import connect
from allmende.cli.share import line_of, text_of, tree_of
from allmende.cli.show import out_json
from allmende.core.offering import Voucher
from allmende.custody import ContractCall
from allmende.ports import Mined
from allmende.wire import claims
from allmende.wire.purchase import words

Act: TypeAlias = Callable[["Standing"], Awaitable[dict[str, Any]]]
NAMES = ("Airdrop", "Credit", "Sale")


class Standing:
    """A wallet's hand, and the contract that it acts on."""

    def __init__(self, chain: Any, hand: Hand, made: Mapping[str, Any], at: str, name: str) -> None:
        self.hand = hand
        self.contract = ChainInstitution(chain, made[name], at)
        self._chain, self._made = chain, made

    def credit(self, at: str) -> ChainInstitution:
        return ChainInstitution(self._chain, self._made["Credit"], at)

    async def send(self, what: str, call: ContractCall) -> Mined:
        done = await self.hand.send(what, call)
        if done is None or not done.ok:
            raise Failed(f"{what}: it was not done. Look at it again before you repeat it.")
        return done


def by_wallet(command: Callable[..., None]) -> Callable[..., None]:
    """--node, --wallet-key-file, and where the contract is."""
    for option in (
        click.option("--contract", type=ADDRESS, help="Where it is; else the market is asked."),
        click.option("--url", help="The market's address [ALLMENDE_URL]."),
        click.option("--key", "own_key", help="Your key there [ALLMENDE_KEY]."),
        click.option("--wallet-key-file", "wallet", type=FILE, required=True,
                     help="The wallet's key in hex, in a file that only you can read."),
    ):  # fmt: skip
        command = option(command)
    return on_chain(command)


@click.command(name="buy")
@click.argument("shares", type=click.IntRange(min=1))
@click.option("--voucher", type=FILE, help="The market's voucher, as it sent it.")
@click.option("--member", help="Without a file: as which member to ask for one...")
@click.option("--state", help="...and of which state, such as DEU.")
@by_wallet
def buy_(
    shares: int, voucher: Path | None, member: str | None, state: str | None, **how: Any
) -> None:
    """Buy whole SHARES with the market's voucher. Each call buys so many more."""
    told = _voucher(shares, voucher, member, state, how)
    shown, signature = words(Voucher(**told["voucher"])), bytes.fromhex(told["signature"][2:])

    async def act(stands: Standing) -> dict[str, Any]:
        sale, wallet = stands.contract, stands.hand.address
        if wallet != told["voucher"]["wallet"]:
            raise Failed(f"The voucher is for {told['voucher']['wallet']}, the key of {wallet}.")
        credit = stands.credit(await sale.get("credit", None))
        cost = (await sale.get("terms", None))[0] * shares
        if await credit.get("allowance", None, wallet, sale.address) < cost:
            await stands.send("approve", credit.call("approve", sale.address, cost))
        done = await stands.send("buy", sale.call("buy", shown, signature, shares))
        seen = await sale.logs("Bought", done.block, done.block)
        number = max(one.fields["number"] for one in seen if one.fields["buyer"] == wallet)
        return {"number": number, "shares": shares, "paid": str(cost), "block": done.block,
                "says": f"Purchase {number}: {shares} shares, final in block {done.block}. It can "
                f"be taken back: `allmende share sale refund {number}`."}  # fmt: skip

    _run("Sale", {**how, "contract": told["sale"]}, act)


@click.command(name="refund")
@click.argument("number", type=click.IntRange(min=1))
@by_wallet
def refund_(number: int, **how: Any) -> None:
    """Take purchase NUMBER back, for exactly what it cost; anybody's after a failed sale."""
    _end("refund", number, "was taken back", how)


@click.command(name="release")
@click.argument("number", type=click.IntRange(min=1))
@by_wallet
def release_(number: int, **how: Any) -> None:
    """Complete purchase NUMBER: the shares to its buyer, the money to the commons."""
    _end("complete", number, "is complete", how)


def _end(function: str, number: int, done: str, how: dict[str, Any]) -> None:
    async def act(stands: Standing) -> dict[str, Any]:
        await stands.send(function, stands.contract.call(function, number))
        found = await stands.contract.get("purchases", None, number)
        return {"number": number, "shares": found[2], "paid": str(found[3]),
                "says": f"Purchase {number} of {found[2]} shares {done}."}  # fmt: skip

    _run("Sale", how, act)


@click.command(name="claim")
@click.argument("file", type=FILE, metavar="LIST")
@click.option("--account", help="For another one, who gets it; else the wallet's own.")
@by_wallet
def claim_(file: Path, account: str | None, **how: Any) -> None:
    """Claim what a LIST gives, once."""
    lines, tree = tree_of(file)
    root = "0x" + tree[-1][0].hex()

    async def act(stands: Standing) -> dict[str, Any]:
        drop = stands.contract
        line = line_of(lines, account or stands.hand.address)
        number = 0
        for one in range(1, await drop.get("count", None) + 1):
            number = one if (await drop.get("rounds", None, one))[0] == root else number
        if not number:
            raise Failed(f"No round has begun with the list of root {root}.")
        who = "0x" + line.account.hex()
        shown = claims.proof(tree, line.place)
        await stands.send(
            "claim", drop.call("claim", number, line.place, who, line.amount, list(shown))
        )
        says = f"{who} has {text_of(line.amount)} shares more."
        return {"account": who, "amount": str(line.amount), "round": number, "says": says}

    _run("Airdrop", how, act)


def _voucher(
    shares: int, file: Path | None, member: str | None, state: str | None, how: dict[str, Any]
) -> dict[str, Any]:
    """Out of the file, or from the market. Failed."""
    if file is not None:
        try:
            told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            words(Voucher(**told["voucher"]))
            return told
        except (ValueError, KeyError, TypeError) as error:
            raise Failed(f"{file.name} is no voucher: {error!r}.") from None
    if not member or not state:
        raise click.UsageError("Give --voucher FILE, or --member and --state.")
    client = connect(how["url"], how["own_key"])
    asked = client.ask("shares/voucher", {"member": member, "state": state, "shares": shares})
    return dict(asked)


def _run(name: str, how: dict[str, Any], act: Act) -> None:
    """Do it by a wallet and say how it ended."""
    where = Where(**filled({word: how[word] for word in ("node", "profile", "cache")}))
    as_json: bool = how["as_json"]

    async def go() -> dict[str, Any]:
        async with node_at(where.node) as chain:
            made = await chain_contracts.load_all(where.cache, NAMES)
            at = how["contract"] or _address(name, how)
            await require_ours(chain, made[name], at)
            profile = profile_of(await chain.chain_id(), where.profile)
            told = click.echo if not as_json else (lambda line: click.echo(line, err=True))
            hand = Hand(chain, wallet_of(how["wallet"]), profile, SystemClock(), told)
            return await act(Standing(chain, hand, made, at, name))

    with said():
        done = asyncio.run(go())
    if as_json:
        out_json(done)
    else:
        click.echo(done["says"])


def _address(name: str, how: dict[str, Any]) -> str:
    found = connect(how["url"], how["own_key"]).get("shares")["contracts"].get(name)
    if found is None:
        raise Failed(f"This market has no {name}.")
    return str(found)
