"""Commons, titles: a model's title goes from one wallet to another, and its earnings with it.

Rule: the wallets act by a node and a key file alone; the market only follows the chain.
Invariant: the receipt before the sale pays the seller, the first one after it the buyer, of the
same waterfall; the author gets his royalty to the unit.
Worked number: sold for 10 credits with 10 %, the author gets 1 and the seller 9.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from allmende.core.units import credits, pico
from allmende.lab.burst import burst
from allmende.lab.chain_stage import ChainStage
from allmende.lab.member import Member
from allmende.lab.provider import with_provider
from allmende.lab.scenes import promise, wait_for

TITLE, MODEL, HOST, READER = "poet", "verse", "verses", "reader"
PRICE, ROYALTY_PPM, OWNER_PPM = "10", 100_000, 300_000
BODY = {"model": MODEL, "messages": [{"role": "user", "content": "A line."}], "max_tokens": 8}


def play(stage: ChainStage) -> None:
    """Needs the members' contracts; brings its own host, reader and wallets."""
    with_provider(partial(_scene, stage))


def _scene(stage: ChainStage, url: str) -> None:
    tell = stage.tell
    tell.step("A model's title is sold, and the next receipt pays its buyer")
    author, seller, buyer = (stage.member(name) for name in ("eva", "fritz", "gina"))
    for one in (author, seller):
        one.sign_in()
    key = _sold_here(stage, url, seller)
    _minted(stage, author, seller)
    before = _receipt(stage, key)
    promise(before[seller.id] > 0, f"the seller should earn before the sale: {before}")
    tell.say(f"a request pays the title's owner, fritz, {credits(before[seller.id])} credits")
    _bought(stage, author, seller, buyer)
    after = _receipt(stage, key)
    promise(seller.id not in after, f"the seller should earn no more: {after}")
    promise(after[buyer.id] == before[seller.id], f"the buyer should earn the same: {after}")
    buyer.sign_in()
    promise(stage.balance(buyer.id) == after[buyer.id], "the buyer should find the earnings")
    tell.good(
        f"the next receipt pays gina {credits(after[buyer.id])}: she had never been here, and "
        "finds it when she signs in with her wallet"
    )


def _sold_here(stage: ChainStage, url: str, seller: Member) -> str:
    """The title, somebody who serves the model, and a reader's key."""
    stage.ask("add_member", id=HOST, name="Verses Inc", kind="provider")
    share = {"role": "model", "account": "owner", "ppm": OWNER_PPM}
    named = {"kind": "model", "name": "Poet 8B", "licence": "Apache-2.0"}
    stage.ask("register_title", id=TITLE, owner=seller.id, **named, waterfall=[share])
    stage.ask(
        "post_offer",
        id=MODEL,
        provider=HOST,
        title=TITLE,
        model=MODEL,
        asset="credit",
        tariff={"input": "0", "output": "1"},
        zone={"country": "DEU"},
        url=url,
        allow_private=True,
    )
    stage.ask("add_member", id=READER, name="A reader", kind="person")
    stage.ask("deposit", member=READER, amount="1", reference="cash of the reader")
    stage.ask("add_budget", id=READER, name="Reading", owner=READER)
    made: dict[str, Any] = stage.ask("issue_key", member=READER, budget=READER)
    stage.tell.say("fritz registers the title: 30 % of every price to `owner`, whoever that is")
    return str(made["secret"])


def _minted(stage: ChainStage, author: Member, seller: Member) -> None:
    stage.ask("mint_title", id=TITLE, royalty_ppm=ROYALTY_PPM, author=author.id)
    wait_for(lambda: (_title(stage)["token"] or {}).get("minted"), "the token of the title")
    token = _title(stage)["token"]
    promise(token["holder"] == seller.wallet.address.lower(), f"fritz should have it: {token}")
    stage.tell.say("it is a token in his wallet now; 10 % of each sale go to eva, who wrote it")


def _bought(stage: ChainStage, author: Member, seller: Member, buyer: Member) -> None:
    token = stage.chain()["token"]
    had = [who.wallet.balance(token) for who in (author, seller, buyer)]
    _title_command(stage, seller, "ask", PRICE)
    _title_command(stage, buyer, "buy", PRICE)
    has = [who.wallet.balance(token) for who in (author, seller, buyer)]
    price, royalty = pico(PRICE), pico(PRICE) * ROYALTY_PPM // 1_000_000
    moved = [now - then for now, then in zip(has, had, strict=True)]
    promise(moved == [royalty, price - royalty, -price], f"the sale should pay exactly: {moved}")
    wait_for(lambda: _title(stage)["owner"] == buyer.id, "the market to follow the title")
    stage.tell.good("eva got 1 credit and fritz 9, in one transaction with the title")


def _title_command(stage: ChainStage, who: Member, act: str, price: str) -> None:
    """By the wallet's key file, as anybody could."""
    file = Path(stage.data.parent) / f"{who.id}.key"
    file.touch(mode=0o600)
    file.write_text(who.wallet.key)
    where = (*stage.ground.read(stage.node), *stage.cache(), "--url", stage.market.url)
    stage.run("title", act, TITLE, price, *where, "--wallet-key-file", str(file), lines=4)


def _title(stage: ChainStage) -> dict[str, Any]:
    rows: list[dict[str, Any]] = stage.market.get("titles")
    return next(row for row in rows if row["id"] == TITLE)


def _receipt(stage: ChainStage, key: str) -> dict[str, int]:
    """Of one request: account -> pico-credits."""
    id_ = asyncio.run(burst(stage.market.port, key, BODY, 1, 1))
    lines = stage.market.get(f"receipts/{id_}")["receipt"]["waterfall"]
    return {account: int(amount) for _, account, amount in lines}
