"""Chain scenes: what a market on a chain is for, one function per promise.

Rule: as in every scene, what is shown happened, and a promise that is not kept raises.
Invariant: what the desk has and what the chain has agree whenever a batch is final.
Worked number: 10_000 requests of 16 pico-credits' worth of words are one leaf each of buyer and
host, one root, and two transactions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from allmende.core.contracts import LOT
from allmende.core.units import credits, pico
from allmende.lab.burst import burst
from allmende.lab.chain_stage import ChainStage
from allmende.lab.member import Member
from allmende.lab.provider import Provider
from allmende.lab.scenes import promise, wait_for

MODEL = "word"
REQUESTS = 10_000
TOKENS = 16
TRIES = 3
RIGHT = "words"
DEPOSIT, ALLOWED = "20", "10"


def play(stage: ChainStage, more: Callable[[ChainStage], None]) -> None:
    """Everything that needs the operator, `more` before somebody prepares to leave; what needs
    none is chain_exit."""
    asyncio.run(_play(stage, more))


async def _play(stage: ChainStage, more: Callable[[ChainStage], None]) -> None:
    """The scenes block, so they are on a thread: the provider is served from this loop."""
    async with Provider() as provider:
        await asyncio.to_thread(opening, stage)
        await asyncio.to_thread(host, stage, provider.url)
        await asyncio.to_thread(deposit, stage)
        await asyncio.to_thread(rights, stage)
        await asyncio.to_thread(paid_call, stage)
        key = await asyncio.to_thread(session, stage)
        for _ in range(TRIES):
            before, began = stage.final()["number"], time.monotonic()
            stage.receipt = await burst(stage.market.port, key, body(), REQUESTS)
            if await asyncio.to_thread(settled, stage, before, time.monotonic() - began):
                break
        await asyncio.to_thread(proved, stage)
        await asyncio.to_thread(more, stage)
        await asyncio.to_thread(leaving, stage)


def body() -> dict[str, object]:
    messages = [{"role": "user", "content": "Say it."}]
    return {"model": MODEL, "messages": messages, "max_tokens": TOKENS}


def opening(stage: ChainStage) -> None:
    stage.stands()
    where = stage.ground.verified(stage.data, stage.market.url)
    said = stage.run("chain", "verify", *where, lines=4)
    promise("Vault" in said, "the vault's code should have been compared")
    same = sum(line.strip().startswith("ok") for line in said.splitlines())
    stage.tell.good(f"{same} findings: what stands there is what was compiled here, on these terms")


def host(stage: ChainStage, url: str) -> None:
    """Whoever sells, without a wallet, and whoever buys, with one."""
    stage.tell.step("A host, and two members with wallets of their own")
    stage.ask("add_member", id="host", name="Host", kind="provider")
    stage.ask("register_title", id=MODEL, owner="host", kind="model", name="Word")
    offer = {"id": MODEL, "provider": "host", "title": MODEL, "model": MODEL, "asset": "credit"}
    terms = {"tariff": {"input": "0", "output": "1"}, "zone": {"country": "DEU"}}
    stage.ask("post_offer", **offer, **terms, url=url, allow_private=True, capacity=1_000)
    for name in ("ada", "bob"):
        member = stage.member(name)
        member.sign_in()
        stage.tell.say(f"{name} signs in with {member.wallet.address[:12]}…: that is the account")
    stage.tell.good("Sign-In with Ethereum: no password, no e-mail, no key to lose at our side")


def deposit(stage: ChainStage) -> None:
    ada = stage.members["ada"]
    stage.tell.step("Ada deposits from her wallet")
    gas = ada.send("deposit", amount=DEPOSIT)
    wait_for(lambda: stage.balance(ada.id) == pico(DEPOSIT), "the deposit at the desk")
    stage.showed("ada at the desk", 0, stage.balance(ada.id))
    stage.tell.good(f"the vault holds it, not the operator; it took {gas:,} gas")


# Rights -------------------------------------------------------------------------------


def rights(stage: ChainStage) -> None:
    """To Ada's wallet, by the token's own transfer to Bob's, and spent by Bob at the desk."""
    ada, bob, tell = stage.members["ada"], stage.members["bob"], stage.tell
    tell.step("Tokens of next month as an ERC-20, in wallets that know nothing of us")
    listed(stage)
    stage.ask("transfer", source="host", target=ada.id, asset=RIGHT, amount=credits(LOT))
    ada.order("wrap", instrument=RIGHT, lots="1")
    token = str(contract(stage))
    wait_for(lambda: ada.wallet.balance(token) == LOT, "the right in Ada's wallet")
    tell.say(f"ada's wallet shows 1 {ada.wallet.symbol(token)}")
    ada.wallet.transfer(token, bob.wallet.address, LOT // 2)
    promise(bob.wallet.balance(token) == LOT // 2, "half of it should be Bob's")
    tell.say("she sends half of it to Bob with the token's own `transfer`; Bob brings it back")
    bob.wallet.redeem(token, LOT // 2, bob.id)
    wait_for(lambda: lots(stage, bob.id) != "", "Bob's right at the desk")
    key = bob.permit("1")["secret"]
    done = asyncio.run(burst(stage.market.port, key, body(), 1, 1))
    found = stage.market.get(f"receipts/{done}")["receipt"]
    promise(found.get("right") == RIGHT, f"the receipt should name the lot: {found}")
    tell.good(f"and calls the API with it: the receipt names {RIGHT}, no credit was spent")


def listed(stage: ChainStage) -> None:
    """The host issues rights against a bond, of which the house gives it the credit."""
    stage.ask("deposit", member="host", amount="100", reference="bond of the host")
    now = datetime.now(UTC)
    stage.ask("set_parameter", name="call_seconds", value=0)
    stage.ask(
        "list_instrument",
        id=RIGHT,
        offer=MODEL,
        start=(now + timedelta(seconds=1)).isoformat(),
        end=(now + timedelta(days=30)).isoformat(),
        capacity="10",
        price="1",
        step="0.0001",
        name="a million words of the host",
    )
    stage.ask("mint_lots", instrument=RIGHT, lots="2")


def contract(stage: ChainStage) -> str:
    """Where the instrument's token is, once it is there."""
    found: dict[str, str] = {}

    def there() -> bool:
        made = stage.market.get("chain/deployment")
        found.update(made["rights"])
        return RIGHT in found

    wait_for(there, "the contract of the right")
    return found[RIGHT]


def lots(stage: ChainStage, account: str) -> str:
    rows = stage.market.get("rights")
    return next(
        (r["lots"] for r in rows if (r["account"], r["instrument"]) == (account, RIGHT)), ""
    )


# A paid call --------------------------------------------------------------------------


def paid_call(stage: ChainStage) -> None:
    stage.tell.step("A call without an account, paid by HTTP 402")
    carl = Member(stage.market, stage.node)
    address = carl.wallet.address
    stage.ask("chain/give", address=address, amount="1", reference="for carl")
    here = stage.chain()
    wait_for(lambda: carl.wallet.balance(here["token"]) > 0, "Carl's credit")
    answer = carl.wallet.pay_and_post(
        f"{stage.market.url}/v1/chat/completions", body(), here["id"], here["token"]
    )
    promise(answer.status_code == 200, f"the paid call was told {answer.text}")
    price = answer.headers["x-allmende-price"]
    stage.tell.say("402: what it costs at worst, to whom, on which chain; signed and asked again")
    stage.tell.good(f"served for {price} credits; no key, no account, no ether")


# Ten thousand -------------------------------------------------------------------------


def session(stage: ChainStage) -> str:
    """Once the deposit is in a final batch: a session of Ada's, whose key is returned."""
    tell = stage.tell
    tell.step(f"{REQUESTS:,} requests, settled by one transaction")
    tell.say("first the batch with what happened so far …")
    before = stage.final()["number"]
    stage.ask("close_batch")  # what the desk has closed is submitted at once
    wait_for(lambda: stage.final()["number"] > before, "a batch to be final")
    granted = stage.members["ada"].permit(ALLOWED, models=[MODEL])
    tell.say(
        f"ada permits a session: {ALLOWED} credits, model {MODEL}. The market signs what it "
        "spends, a running total that only grows; without that signature it could take nothing"
    )
    return str(granted["secret"])


def settled(stage: ChainStage, before: int, took_s: float) -> bool:
    """Whether one batch has all of them: on a slow machine one may be cut in their middle."""
    tell = stage.tell
    tell.say(f"{REQUESTS:,} answers in {took_s:.1f} s, each held, metered, captured and receipted")
    wait_for(lambda: stage.final()["number"] > before, "the batch to be final")
    final = stage.final()
    if final["receipts"] < REQUESTS:
        tell.say(f"a batch was cut after {final['receipts']:,} of them; the same once more")
        return False
    wait_for(lambda: bool(_gas(stage, final["number"])), "what it cost")
    gas = _gas(stage, final["number"])
    tell.say(
        f"batch {final['number']}: {final['receipts']:,} receipts, {final['accounts']} accounts, "
        f"root {final['root'][:18]}…"
    )
    tell.good(f"final on the chain for {gas['gas']:,} gas: {gas['each']} a request")
    tell.say(
        "(A market's first two batches write fresh storage. Later ones of this size take less "
        "than 20 gas a request, see bench/RESULTS.md.)"
    )
    return True


def _gas(stage: ChainStage, number: int) -> dict[str, object]:
    rows = stage.facts()["gas"]
    found: dict[str, object] = next((row for row in rows if row["batch"] == number), {})
    return found


def proved(stage: ChainStage) -> None:
    stage.tell.step("One receipt of the ten thousand, proved against the chain")
    file = stage.data.parent / f"{stage.receipt}.json"
    wait_for(lambda: b'"chain"' in stage.market.fetch(f"receipts/{stage.receipt}"), "its place")
    file.write_bytes(stage.market.fetch(f"receipts/{stage.receipt}"))
    words = ("chain", "prove", str(file), *stage.ground.read(stage.node), *stage.cache())
    stage.run(*words)
    file.write_bytes(file.read_bytes().replace(b'"price": ', b'"price": 1'))
    stage.tell.say("and with its price raised:")
    stage.run(*words, fails=True)


def leaving(stage: ChainStage) -> None:
    """Ada keeps her ticket, and her key, where the market is not."""
    ada = stage.members["ada"]
    stage.ticket = stage.data.parent / "ada.ticket.json"
    stage.ticket.write_bytes(ada.fetch("ticket"))
    stage.key_file = stage.data.parent / "ada.key"
    stage.key_file.touch(mode=0o600)
    stage.key_file.write_text(ada.wallet.key)
