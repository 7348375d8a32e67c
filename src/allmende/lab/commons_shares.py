"""Commons scene: shares are sold, and taken back, and given away.

Rule: as in every scene, what is shown happened, and a promise that is not kept raises.
Invariant: whoever takes a purchase back has afterwards what he had before.
Worked number: Ada buys 3 shares at 2 credits, takes them back, and has her 6 credits again.

`prepare` writes down the sale before the market starts; `play` needs members with wallets.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from allmende.lab.chain_stage import ChainStage
from allmende.lab.member import Member
from allmende.lab.scenes import promise, wait_for

SHARE = 10**18
DAY = 86_400
PRICE, SHARES = 2, 3
GIVEN = 40
"""Whole shares for each member on the list."""
NAMES = ("ada", "bob")


def prepare(data: Path) -> None:
    """What a market that sells shares writes down once: see docs/shares.md."""
    now = int(time.time())
    sale = f"""\
price = "{PRICE}"
euro_rate = "1"
soft_cap = 5
hard_cap = 1000
person_cap = 100
start = {now - DAY}
end = {now + 30 * DAY}
"""
    data.mkdir(parents=True, exist_ok=True)
    (data / "sale.toml").write_text(sale, encoding="utf-8")


def play(stage: ChainStage) -> None:
    """Ada and Bob have 40 shares each when it ends."""
    for name in NAMES:
        if name not in stage.members:
            stage.member(name).sign_in()
    wait_for(lambda: bool(stage.market.get("shares")["contracts"]), "the members' contracts")
    sold(stage)
    given(stage)


def sold(stage: ChainStage) -> None:
    ada, tell = stage.members["ada"], stage.tell
    tell.step("Shares of the market: bought, and taken back")
    sale = stage.market.get("shares")["sale"]
    tell.say(
        f"Up to {sale['hard_cap']:,} shares at {sale['price']} credits, {sale['person_cap']} to a "
        f"person, {sale['persons_most']} persons of a state, {sale['proceeds_max']} credits in all"
    )
    before = ada.wallet.balance(stage.chain()["token"])
    asked = stage.ask("shares/voucher", member=ada.id, state="DEU", shares=SHARES)
    voucher = stage.data.parent / "ada.voucher.json"
    voucher.write_text(json.dumps(asked), encoding="utf-8")
    tell.say("The market signs that Ada's wallet is of a person in DEU, and no more than that")
    hand = by_wallet(stage, ada, "Sale")
    stage.run("share", "sale", "buy", str(SHARES), "--voucher", str(voucher), *hand)
    held = stage.market.get("shares")["sale"]["held"]
    promise(held == str(SHARES * PRICE), f"the contract should hold it, not {held}")
    tell.say(
        f"The contract holds the {held} credits, and not the market, while she may change her mind"
    )
    stage.run("share", "sale", "refund", "1", *hand)
    promise(ada.wallet.balance(stage.chain()["token"]) == before, "she should have all of it back")
    tell.good(f"{SHARES * PRICE} credits paid, {SHARES * PRICE} credits back; nobody was asked")
    states = stage.market.get("shares")["sale"]["states"]
    promise(states[0]["persons"] == 1, f"one person of DEU should be counted: {states}")
    tell.say(f"She stays counted: {states[0]['left']} more persons of DEU may buy")


def given(stage: ChainStage) -> None:
    ada, bob, tell = stage.members["ada"], stage.members["bob"], stage.tell
    tell.step("An airdrop: a published list, claimed once")
    listed = stage.data.parent / "airdrop.csv"
    lines = [f"{one.wallet.address},{GIVEN}" for one in (ada, bob)]
    listed.write_text("\n".join(("address,shares", *lines, "")), encoding="utf-8")
    made = json.loads(stage.run("share", "airdrop", "root", str(listed), "--json"))
    until = int(time.time()) + 90 * DAY
    stage.ask("shares/airdrop", root=made["root"], total=made["total"], deadline=until)
    wait_for(lambda: bool(stage.market.get("shares")["airdrop"]["rounds"]), "the round")
    for member in (ada, bob):
        hand = by_wallet(stage, member, "Airdrop")
        stage.run("share", "airdrop", "claim", str(listed), *hand)
        promise(member.wallet.balance(token(stage)) == GIVEN * SHARE, "each gets what is listed")
    tell.say("and once more:")
    hand = by_wallet(stage, ada, "Airdrop")
    stage.run("share", "airdrop", "claim", str(listed), *hand, fails=True)
    promise(ada.wallet.balance(token(stage)) == GIVEN * SHARE, "a second claim gives nothing")
    tell.good("each line pays once, to whom it names, whoever asks")


def token(stage: ChainStage) -> str:
    """Where the share is."""
    return str(stage.market.get("shares")["contracts"]["Share"])


def by_wallet(stage: ChainStage, member: Member, name: str) -> tuple[str, ...]:
    """Options of a command that a member's wallet sends to the contract of this name."""
    file = stage.data.parent / f"{member.id}.key"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(member.wallet.key, encoding="utf-8")
    at = stage.market.get("shares")["contracts"][name]
    where = ("--contract", at, *stage.ground.read(stage.node), *stage.cache())
    return ("--wallet-key-file", str(file), *where)
