"""Commons, assembly: members change the operator's fee by vote, and the next request pays it.

Rule: as in every scene, what is shown happened, and a promise that is not kept raises. The
wallets act by a node and a key alone; the market only follows the chain.
Invariant: what was voted is what the next receipt says, and what anybody recounts.
Worked number: Ada's 40 shares and two members say yes, Bob's 30 and himself no: 4 % it is.

`play` needs members "ada" and "bob" with 40 shares each in their wallets, see commons_shares.
"""

from __future__ import annotations

import asyncio
import re
import time
from functools import partial
from typing import Any

from allmende.core.units import credits
from allmende.lab.burst import burst
from allmende.lab.chain_stage import ChainStage
from allmende.lab.member import Member
from allmende.lab.provider import with_provider
from allmende.lab.scenes import promise, wait_for
from allmende.lab.served import Refusal

SHARE = 10**18
STAKES = {"ada": 40, "bob": 30}
THIRD = "hanna"
"""A member without shares: one vote in the chamber of members, and none in the other."""
NAME, BEFORE, AFTER = "operator_fee_ppm", 50_000, 40_000
NO, YES = 0, 1
MODEL, READER, HOST = "minutes", "minute-reader", "minute-host"
BODY = {"model": MODEL, "messages": [{"role": "user", "content": "So?"}], "max_tokens": 8}
MAX = 2**255


def play(stage: ChainStage) -> None:
    """From here on the market has a charter: no operator sets a rule any more."""
    with_provider(partial(_scene, stage))


def _scene(stage: ChainStage, url: str) -> None:
    stage.tell.step("The members govern: a fee is changed by vote, in two chambers")
    key = _served(stage, url)
    before = _fee(stage, key)
    staked(stage)
    enrolled(stage)
    chartered(stage)
    number = proposed(stage)
    voted(stage, number)
    executed(stage, number)
    after = _fee(stage, key)
    promise(after * BEFORE == before * AFTER, f"the fee should fall from {before} to 4 %: {after}")
    stage.tell.good(
        f"the next request pays the operator {credits(after)} credits, and not {credits(before)}"
    )
    recounted(stage)


def staked(stage: ChainStage) -> None:
    """Ada by the command line, Bob from any wallet."""
    ada, bob, at = stage.members["ada"], stage.members["bob"], contracts(stage)
    command(stage, ada, "stake", str(STAKES["ada"]))
    bob.wallet.act(at["Share"], "approve(address,uint256)", at["Stake"], MAX)
    bob.wallet.act(at["Stake"], "stake(uint256)", STAKES["bob"] * SHARE)
    stage.tell.say(f"Ada stakes {STAKES['ada']} shares and Bob {STAKES['bob']}: those vote")


def enrolled(stage: ChainStage) -> None:
    """The market signs that a wallet is a member's; the chain does not learn whose."""
    if THIRD not in stage.members:
        stage.member(THIRD).sign_in()
    at = contracts(stage)
    for name in (*STAKES, THIRD):
        one = stage.members[name]
        said = stage.ask("assembly/credential", member=one.id, wallet=one.wallet.address)
        member, signature = (bytes.fromhex(said[field][2:]) for field in ("member", "signature"))
        values = (member, said["expiry"], signature)
        one.wallet.act(at["Assembly"], "enrol(bytes32,uint256,bytes)", *values)
    wait_for(lambda: stage.market.get("assembly")["members"] >= len(STAKES) + 1, "the roll")
    stage.tell.say("three members enrol by a credential: one head, one vote, whoever has shares")


def chartered(stage: ChainStage) -> None:
    """The operator's last word on the rules."""
    record = stage.market.get("assembly")["record"]
    stage.ask("give_charter", assembly=record["contracts"]["Assembly"], chain_id=record["chain_id"])
    stage.tell.say("the operator hands the rules to the Assembly, for good, and tries once more:")
    try:
        stage.ask("set_parameter", name=NAME, value=AFTER)
    except Refusal as refusal:
        stage.tell.line(refusal.message)
    else:
        promise(False, "an operator should set no rule of a market with a charter")


def proposed(stage: ChainStage) -> int:
    """Simulated on the market's own requests, then proposed."""
    journal = ("--data", str(stage.data))
    stage.run("govern", "simulate", NAME, str(AFTER), "--window", "1h", *journal, lines=6)
    why = "less for the house, see the simulation"
    said = command(stage, stage.members["ada"], "propose", NAME, str(AFTER), "--text", why)
    found = re.search(r"as number (\d+)", said)
    promise(found is not None, f"it should say its number: {said}")
    stage.tell.say("a fee is of the class of money, so both chambers decide")
    return int(found[1]) if found else 0


def voted(stage: ChainStage, number: int) -> None:
    at = contracts(stage)["Assembly"]
    for name, choice in (("ada", YES), ("bob", NO), (THIRD, YES)):
        stage.members[name].wallet.act(at, "vote(uint256,uint8)", number, choice)
    wait_for(lambda: len(proposal(stage, number)["votes"]) == 3, "the votes")
    for row in proposal(stage, number)["chambers"]:
        unit = SHARE if row["chamber"] == "stake" else 1
        yes, no = (int(row[side]) // unit for side in ("yes", "no"))
        stage.tell.say(f"chamber of {row['chamber']}: {yes} yes, {no} no; agrees: {row['agrees']}")
    refused(stage, "a second vote", "bob", at, "vote(uint256,uint8)", number, NO)
    stake = contracts(stage)["Stake"]
    refused(stage, "to leave before the end", "bob", stake, "unbond(uint256)", SHARE)


def executed(stage: ChainStage, number: int) -> None:
    wait_for(lambda: proposal(stage, number)["status"] == "passed", "the end of the voting")
    command(stage, stage.members[THIRD], "queue", str(number))
    time.sleep(1)  # its delay, on the demo's terms
    command(stage, stage.members[THIRD], "execute", str(number))
    wait_for(lambda: stage.market.get("assembly")["enacted"] >= 1, "the decision at the desk")
    found = {row["name"]: row["value"] for row in stage.market.get("assembly")["parameters"]}
    promise(found[NAME] == AFTER, f"the rule should be {AFTER}: {found[NAME]}")


def recounted(stage: ChainStage) -> None:
    words = (*stage.ground.read(stage.node), *stage.cache(), "--url", stage.market.url)
    said = stage.run("chain", "recount", *words)
    promise("did what was decided" in said, "the recount should find no difference")


# What it takes ----------------------------------------------------------------------------


def contracts(stage: ChainStage) -> dict[str, str]:
    found: dict[str, str] = stage.market.get("assembly")["record"]["contracts"]
    return found


def proposal(stage: ChainStage, number: int) -> dict[str, Any]:
    """As the market follows it, which is a moment behind the chain."""
    rows = stage.market.get("assembly/proposals")
    if not any(row["number"] == number for row in rows):
        return {"votes": [], "chambers": [], "status": ""}
    found: dict[str, Any] = stage.market.get(f"assembly/proposals/{number}")
    return found


def command(stage: ChainStage, who: Member, *words: str) -> str:
    """By the wallet's key file, as anybody could."""
    file = stage.data.parent / f"{who.id}.key"
    file.touch(mode=0o600)
    file.write_text(who.wallet.key, encoding="utf-8")
    where = (*stage.ground.read(stage.node), *stage.cache(), "--url", stage.market.url)
    return stage.run("govern", *words, *where, "--wallet-key-file", str(file), lines=6)


def refused(stage: ChainStage, what: str, name: str, *call: Any) -> None:
    try:
        stage.members[name].wallet.act(*call)
    except Exception as error:  # noqa: BLE001  # each node has another one for a revert
        said = str(error)
    else:
        said = ""
    promise(bool(said), f"{name} should not be able {what}")
    stage.tell.say(f"{name} tries {what}: refused")


def _served(stage: ChainStage, url: str) -> str:
    """Somebody who serves a model, and a reader's key."""
    stage.ask("add_member", id=HOST, name="Minutes Inc", kind="provider")
    stage.ask("register_title", id=MODEL, owner=HOST, kind="model", name="Minutes")
    offer = {"id": MODEL, "provider": HOST, "title": MODEL, "model": MODEL, "asset": "credit"}
    terms = {"tariff": {"input": "0", "output": "1"}, "zone": {"country": "DEU"}}
    stage.ask("post_offer", **offer, **terms, url=url, allow_private=True)
    stage.ask("add_member", id=READER, name="A reader", kind="person")
    stage.ask("deposit", member=READER, amount="1", reference="cash of the minutes' reader")
    stage.ask("add_budget", id=READER, name="Reading", owner=READER)
    made: dict[str, Any] = stage.ask("issue_key", member=READER, budget=READER)
    return str(made["secret"])


def _fee(stage: ChainStage, key: str) -> int:
    """Pico-credits of one request's price to the operator."""
    id_ = asyncio.run(burst(stage.market.port, key, BODY, 1, 1))
    lines = stage.market.get(f"receipts/{id_}")["receipt"]["waterfall"]
    return next(int(amount) for what, _, amount in lines if what == "operator")
