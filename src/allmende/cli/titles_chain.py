"""Titles on the chain: owner, ask, unask and buy, with a node and a wallet's key alone.

Rule: whoever acts looks at the contract himself, at the newest block; the market is only asked
where the contract is, if at all, and its code is compared.
Invariant: a buyer pays at most what he said, and approves no more than the price.
Worked number: an ask of 10 credits with 10 % royalty pays the seller 9 and the author 1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from allmende.adapters import chain_contracts
from allmende.adapters.clock import SystemClock
from allmende.cli.chain_exit import FILE, Where, amount_of, filled, on_chain
from allmende.cli.chain_said import require_ours, said
from allmende.cli.client import Client, Failed
from allmende.cli.folder import ADDRESS
from allmende.cli.show import out_json, pairs
from allmende.custody import NOBODY, ContractCall
from allmende.ports import Chain
from allmende.wire import title as wire

try:
    from allmende.adapters.chain.hand import Hand, wallet_of
    from allmende.adapters.chain.institutions import ChainInstitution
    from allmende.adapters.chain.leaving import Token, profile_of
    from allmende.adapters.chain.reach import node_at
    from allmende.adapters.chain.signing import Keys
    from allmende.adapters.chain.tokens import Erc20
except ImportError as missing:
    raise Failed(f"The chain needs the extra `chain`, which is not installed: {missing}.") from None

CONTRACT = "Titles"


class Seen(Struct, frozen=True):
    """A title at one block. Amounts are base units of `unit`."""

    id: str
    number: int
    holder: str
    price: int
    buyer: str
    author: str
    royalty_ppm: int
    unit: Token

    def told(self) -> dict[str, Any]:
        for_ = "" if self.buyer == NOBODY else f", for {self.buyer} alone"
        return {
            "title": self.id,
            "number": str(self.number),
            "holder": self.holder,
            "asks": self.unit.text(self.price) + for_ if self.price else "not for sale",
            "royalty": f"{self.royalty_ppm / 10_000:g} % to {self.author}",
        }


class Shop:
    """The contract on its chain, and whoever acts there, if anybody does."""

    def __init__(self, chain: Chain, titles: ChainInstitution, credit: Erc20, hand: Hand | None):
        self.titles = titles
        self.credit = credit
        self._chain = chain
        self._hand = hand

    @property
    def hand(self) -> Hand:
        assert self._hand is not None, "this command has a wallet"
        return self._hand

    async def look(self, id_: str) -> Seen:
        """Failed where nobody minted it."""
        number = wire.number(id_, Keys.keccak)
        ((holder, price, buyer),) = await self.titles.get("look", None, [number])
        if holder == NOBODY:
            raise Failed(f"There is no token of {id_!r} at {self.titles.address}.")
        author, ppm = await self.titles.get("royaltyInfo", None, number, 1_000_000)
        unit = await self.credit.unit()
        return Seen(id_, number, holder, price, buyer, author, ppm, unit)

    async def send(self, what: str, call: ContractCall) -> str:
        """The transaction's hash. ChainFailed, Failed."""
        done = await self.hand.send(what, call)
        if done is None or not done.ok:
            raise Failed(f"{what} was not done. Look with `allmende title owner`, and again.")
        return str(done.hash)

    async def own(self, id_: str) -> Seen:
        seen = await self.look(id_)
        if seen.holder != self.hand.address:
            raise Failed(f"{id_} is held by {seen.holder}, and this wallet is {self.hand.address}.")
        return seen


def there(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--url", help="The market, to ask it where [ALLMENDE_URL]."),
        click.option("--contract", type=ADDRESS, help="Where the titles are; else the market's."),
    ):
        command = option(command)
    return on_chain(command)


def by_wallet(command: Callable[..., None]) -> Callable[..., None]:
    says = "The wallet's key in hex, in a file that only you can read."
    option = click.option("--wallet-key-file", "key", type=FILE, required=True, help=says)
    return there(option(command))


@click.command("owner")
@click.argument("id_", metavar="ID")
@there
def owner_(id_: str, as_json: bool, **where: Any) -> None:
    """Who has a title's token now, for how much it can be had, and whose the royalty is."""

    async def work(shop: Shop) -> dict[str, Any]:
        return (await shop.look(id_)).told()

    _tell(_run(where, None, work), as_json)


@click.command("ask")
@click.argument("id_", metavar="ID")
@click.argument("price")
@click.option("--buyer", type=ADDRESS, default=NOBODY, help="Only for this address.")
@by_wallet
def ask_(id_: str, price: str, buyer: str, key: Path, as_json: bool, **where: Any) -> None:
    """Offer a title that this wallet has for PRICE; the royalty comes out of it."""

    async def work(shop: Shop) -> dict[str, Any]:
        seen = await shop.own(id_)
        wanted = amount_of(price, seen.unit)
        sent = await shop.send("ask", shop.titles.call("ask", seen.number, wanted, buyer))
        royalty = wanted * seen.royalty_ppm // 1_000_000
        gets, pays = seen.unit.text(wanted - royalty), seen.unit.text(royalty)
        says = f"{id_} is for sale at {seen.unit.text(wanted)}: {gets} to you, {pays} royalty."
        return {"says": says, "transaction": sent}

    _tell(_run(where, key, work), as_json)


@click.command("unask")
@click.argument("id_", metavar="ID")
@by_wallet
def unask_(id_: str, key: Path, as_json: bool, **where: Any) -> None:
    """No longer sell a title."""

    async def work(shop: Shop) -> dict[str, Any]:
        seen = await shop.own(id_)
        sent = await shop.send("unask", shop.titles.call("withdraw_ask", seen.number))
        return {"says": f"{id_} is no longer for sale.", "transaction": sent}

    _tell(_run(where, key, work), as_json)


@click.command("buy")
@click.argument("id_", metavar="ID")
@click.argument("max_price")
@by_wallet
def buy_(id_: str, max_price: str, key: Path, as_json: bool, **where: Any) -> None:
    """Buy a title at its ask, for MAX_PRICE at most. Approves the price, then buys."""

    async def work(shop: Shop) -> dict[str, Any]:
        seen = await shop.look(id_)
        most = amount_of(max_price, seen.unit)
        me = shop.hand.address
        if seen.holder == me:
            raise Failed(f"{id_} is this wallet's already.")
        if not seen.price or seen.buyer not in (NOBODY, me):
            raise Failed(f"{id_} is not for sale to {me}.")
        if seen.price > most:
            raise Failed(f"{id_} costs {seen.unit.text(seen.price)}: more than you would pay.")
        has = await shop.credit.balance(me)
        if has < seen.price:
            missing = seen.unit.text(seen.price - has)
            raise Failed(f"{me} has {seen.unit.text(has)}; {missing} are missing.")
        allowed = int(await shop.credit.get("allowance", me, shop.titles.address))
        if allowed < seen.price:
            await shop.send("approve", shop.credit.approve(shop.titles.address, seen.price))
        sent = await shop.send("buy", shop.titles.call("buy", seen.number, most))
        says = (
            f"{id_} is yours for {seen.unit.text(seen.price)}. The market follows when the block "
            f"is final; sign in there with this wallet to find what it earns."
        )
        return {"says": says, "holder": (await shop.look(id_)).holder, "transaction": sent}

    _tell(_run(where, key, work), as_json)


# Running ----------------------------------------------------------------------------------


def _run(
    where: dict[str, Any], key: Path | None, work: Callable[[Shop], Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    contract, url = where.pop("contract"), where.pop("url")

    async def go() -> dict[str, Any]:
        address = contract or _market_says(url)
        account = None if key is None else wallet_of(key)
        at = Where(**filled(where))
        async with node_at(at.node) as chain:
            ours = (await chain_contracts.load_all(at.cache, (CONTRACT,)))[CONTRACT]
            await require_ours(chain, ours, address)
            titles = ChainInstitution(chain, ours, address)
            credit = Erc20(chain, await titles.get("token", None))
            profile = profile_of(await chain.chain_id(), at.profile)
            clock, told = SystemClock(), partial(click.echo, err=True)
            hand = None if account is None else Hand(chain, account, profile, clock, told)
            return await work(Shop(chain, titles, credit, hand))

    with said():
        return asyncio.run(go())


def _market_says(url: str | None) -> str:
    """Where the market's titles are; it tells anybody."""
    from allmende.main import Unset, settings  # starts fast without

    try:
        found = settings({"url": url})
    except Unset as error:
        raise click.UsageError(str(error)) from None
    told = Client(found.url, "nobody").get("titles/chain")["contracts"]
    if told is None:
        raise Failed(f"The market at {found.url} has no titles on a chain; say --contract.")
    return str(told["titles"])


def _tell(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        out_json(told)
    elif "says" in told:
        click.echo(told["says"])
    else:
        pairs(told)
