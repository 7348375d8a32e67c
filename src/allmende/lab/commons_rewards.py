"""Commons, rewards: an epoch's useful work, its public file, the root on the chain, and a claim.

Rule: whoever checks has the public file and a node, and nothing of the market's; whoever claims
has a key file.
Invariant: the journal, the public file and the chain have one root; a line is paid once.
Worked number: of 60 recounted answers 40 are bought by a school and 20 by the host's own house:
40 count. Two verifiers that were right and a day of training are in the same list.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from allmende.core.checks import sealed
from allmende.lab.burst import burst
from allmende.lab.chain_stage import ChainStage
from allmende.lab.member import Member
from allmende.lab.provider import with_provider
from allmende.lab.scenes import Broken, promise, wait_for
from allmende.lab.wallet import Wallet

HOST, HOUSE, SCHOOL, MODEL = "sunny", "sunny-lab", "school", "counted"
VERIFIERS = ("vera", "viktor", "vivien")
VOCABULARY = "o200k_base"
SOLD, OWN, TOKENS = 40, 20, 64
BODY = {"model": MODEL, "messages": [{"role": "user", "content": "Go"}], "max_tokens": TOKENS}
"""A prompt of one token, 8 with its frame: what the host says of it is true."""
LAB_RULE = "lab/rewards"
TRIES = 4


def play(stage: ChainStage) -> None:
    """Needs the members' contracts on terms where an epoch is a second; brings its own people."""
    with_provider(partial(_scene, stage))


def _scene(stage: ChainStage, url: str) -> None:
    tell = stage.tell
    tell.step("Shares for useful work that was measured, and for nothing else")
    owner = stage.member("sun")
    _host(stage, url, owner)
    epoch, file = _epoch(stage)
    root = _reckoned(stage, epoch, file)
    published = stage.market.ask("rewards/publish", {"epoch": epoch})
    promise(published["root"] == root, f"the market should publish that root: {published}")
    wait_for(lambda: _list(stage, epoch).get("state") == "open", "the audit window to be over")
    where = (*stage.ground.read(stage.node), *stage.cache(), "--url", stage.market.url)
    stage.run("rewards", "check", str(epoch), "--from", str(file), *where)
    tell.good("the root on the chain is the one that anybody finds in the public file")
    _forged(stage, epoch, file, where)
    _claimed(stage, epoch, file, where, owner)


def _host(stage: ChainStage, url: str, owner: Member) -> None:
    """A host whose answers are recounted, its own lab, and a school that buys."""
    stage.ask("add_member", id=HOST, name="Sunny Inc", kind="provider")
    stage.ask("add_member", id=HOUSE, name="Sunny's own lab", kind="organisation", home=HOST)
    stage.ask("name_payee", member=HOST, address=owner.wallet.address)
    stage.ask("register_title", id=MODEL, owner=HOST, kind="model", name="Counted")
    offer = {"id": MODEL, "provider": HOST, "title": MODEL, "model": MODEL, "asset": "credit"}
    terms = {"tariff": {"input": "0", "output": "1"}, "zone": {"country": "DEU"}}
    more = {"vocabulary": VOCABULARY, "allow_private": True, "capacity": 1_000}
    stage.ask("post_offer", **offer, **terms, **more, url=url)
    stage.ask("add_member", id=SCHOOL, name="A school", kind="organisation")
    stage.tell.say(f"{HOST} names a wallet that its rewards are for; its answers are recounted")


def _key(stage: ChainStage, member: str) -> str:
    stage.ask("deposit", member=member, amount="1", reference=f"rewards scene {member}")
    stage.ask("add_budget", id=member, name=member, owner=member)
    made: dict[str, Any] = stage.ask("issue_key", member=member, budget=member)
    return str(made["secret"])


def _epoch(stage: ChainStage) -> tuple[int, Path]:
    """One with answers, a check and training in it. It lasts three seconds: on a slow machine its
    end may come between them, and then the same is done once more."""
    keys = {member: _key(stage, member) for member in (SCHOOL, HOUSE)}
    for name in VERIFIERS:
        stage.ask("add_member", id=name, name=name.capitalize(), kind="person")
        stage.ask("name_payee", member=name, address=Wallet(stage.node).address)
    for number in range(TRIES):
        epoch, file = _tried(stage, keys, number)
        facts = json.loads(file.read_text())["facts"]
        if facts["batches"] and facts["verdicts"] and facts["training"]:
            return epoch, file
    raise Broken(f"{TRIES} times an epoch ended between a check and a batch: is it that slow here?")


def _tried(stage: ChainStage, keys: dict[str, str], number: int) -> tuple[int, Path]:
    for member, count in ((SCHOOL, SOLD), (HOUSE, OWN)):
        asyncio.run(burst(stage.market.port, keys[member], BODY, count, 8))
    many = (number + 1) * (SOLD + OWN)
    wait_for(lambda: _recounted(stage, many) == many, "the recounts")
    _verified(stage, f"spot-{number}")
    run = {"id": f"run-{number}", "member": VERIFIERS[0], "client": SCHOOL, "hours": 24}
    stage.ask("attest_training", **run, document="00" * 32)
    stage.ask("close_batch")
    epoch = int(stage.market.get("rewards")["epoch"])
    wait_for(lambda: stage.market.get("rewards")["epoch"] > epoch, "the epoch's end")
    file = stage.data.parent / f"rewards.{epoch}.json"
    file.write_bytes(stage.market.fetch(f"rewards/facts?epoch={epoch}"))
    return epoch, file


def _recounted(stage: ChainStage, many: int) -> int:
    rows = stage.market.get(f"receipts?limit={many + 100}")["receipts"]
    return sum(row["model"] == MODEL and row["verdict"] == "agrees" for row in rows)


def _verified(stage: ChainStage, check: str) -> None:
    """Three verifiers seal a verdict each; one of them will be in the minority."""
    asked = {"id": check, "subject": f"offer {MODEL}", "about": HOST}
    stage.ask("open_check", **asked, commit_seconds=1, reveal_seconds=1)
    said = dict(zip(VERIFIERS, ("agrees", "agrees", "disagrees"), strict=True))
    for name, verdict in said.items():
        hash_ = sealed(check, name, verdict, _salt(name))
        stage.ask("commit", check=check, verifier=name, hash=hash_)
    until = datetime.fromisoformat(stage.market.get("checks")[0]["commit_until"]).timestamp()
    wait_for(lambda: time.time() >= until, "the end of commitments")
    for name, verdict in said.items():
        stage.ask("reveal", check=check, verifier=name, verdict=verdict, salt=_salt(name))
    wait_for(lambda: not stage.market.get("checks"), "the end of the check")
    stage.tell.say("three verifiers sealed a verdict each, and told it when all were sealed")


def _salt(name: str) -> str:
    return name.encode().hex().ljust(32, "0")


def _reckoned(stage: ChainStage, epoch: int, file: Path) -> str:
    """The list from the market's public file, and from its journal: one root."""
    public = stage.run("rewards", "compute", str(epoch), "--from", str(file))
    words = ("--data", str(stage.data), "--rule", LAB_RULE, "--json")
    journal = json.loads(stage.run("rewards", "compute", str(epoch), *words, lines=0))
    root = str(journal["root"])
    promise(root in public, "the journal and the public file should have one root")
    counted = {"counts": SOLD, "own": OWN}
    told = {why: journal["why"].get(why) for why in counted}
    promise(told == counted, f"the school's requests alone should count: {journal['why']}")
    names = file.read_text()
    hidden = (SCHOOL, HOUSE, HOST, MODEL, *VERIFIERS)
    promise(not any(f'"{name}"' in names for name in hidden), "the file should name nobody")
    stage.tell.good(f"{SOLD} requests count, {OWN} of the host's own house do not; one root")
    return root


def _list(stage: ChainStage, epoch: int) -> dict[str, Any]:
    rows: list[dict[str, Any]] = stage.market.get("rewards")["lists"]
    return next((row for row in rows if row["epoch"] == epoch), {})


def _forged(stage: ChainStage, epoch: int, file: Path, where: tuple[str, ...]) -> None:
    """One more token in the public file is another root, and the chain does not have that."""
    text = file.read_text()
    forged = file.with_name("forged.json")
    forged.write_text(text.replace(f",{TOKENS},0,0]", f",{TOKENS + 1},0,0]", 1))
    promise(forged.read_text() != text, "a line should have been changed")
    stage.tell.say("and with one token more in one line of the file:")
    words = ("rewards", "check", str(epoch), "--from", str(forged), *where)
    stage.run(*words, fails=True, lines=4)


def _claimed(
    stage: ChainStage, epoch: int, file: Path, where: tuple[str, ...], owner: Member
) -> None:
    key = stage.data.parent / "sun.key"
    key.touch(mode=0o600)
    key.write_text(owner.wallet.key)
    words = ("rewards", "claim", str(epoch), "--from", str(file), *where)
    words = (*words, "--wallet-key-file", str(key))
    token = stage.market.get("chain/institutions")["contracts"]["Share"]
    stage.run(*words, lines=4)
    has = owner.wallet.balance(token)
    promise(has > 0, "the host's wallet should have shares")
    stage.tell.say("the same claim again:")
    stage.run(*words, fails=True, lines=4)
    promise(owner.wallet.balance(token) == has, "a second claim should pay nothing")
    stage.tell.good(f"{has / 10**18:.4f} SHARE in the host's wallet, once")
