"""Commons, federation: two markets, a transfer there and back, and a lie that is proved.

Rule: both are served markets of their own, asked through their doors; what crashes is killed, and
the lie is a second market that runs on a copy of the first one's journal and keys.
Invariant: it ends with every credit where it began and a proof that needs no market, or with an
error.
Worked number: 12 credits go and 12 come back; between sending and taking the other market is
killed, and they are taken once.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from allmende.core.units import credits, pico
from allmende.lab import commands
from allmende.lab.chain_stage import ChainStage
from allmende.lab.scenes import Broken, promise, wait_for
from allmende.lab.served import Refusal, Served, sent
from allmende.lab.telling import Teller

OPTIONS = (
    *("--no-starter", "--no-local-model", "--allow-private", "--mode", "limited_network"),
    *("--federate-every", "1"),
)
KEPT = ("journal.sqlite", "master.key", "signer.key")
"""What makes a market that market."""


class Town:
    """A served market with one member, Ada."""

    def __init__(self, served: Served, id_: str) -> None:
        self.served = served
        self.id = id_
        self.key = ""

    def furnish(self, amount: str) -> None:
        self.served.start()
        self.key = self.served.get("me")["market"]["public_key"]
        ask = self.served.ask
        ask("add_member", {"id": "ada", "name": "Ada", "kind": "organisation"})
        ask("deposit", {"member": "ada", "amount": amount, "reference": "founding"})

    def befriend(self, other: Town) -> None:
        fields = {"id": other.id, "name": other.id, "public_key": other.key}
        more = {"url": other.served.url, "limit": "50", "allow_private": True}
        self.served.ask("add_peer", {**fields, **more})

    def accepted(self) -> bool:
        return all(row["accepts"] for row in self.facts()["peers"])

    def facts(self) -> Any:
        return self.served.get("federation")

    def peer(self) -> Any:
        (found,) = self.facts()["peers"]
        return found

    def balance(self, asset: str) -> int:
        rows = self.served.get("balances")
        mine = (row for row in rows if (row["account"], row["asset"]) == ("ada", asset))
        return next((pico(row["balance"]) for row in mine), 0)

    def send(self, to: Town, amount: str, asset: str = "credit") -> None:
        fields = {"source": "ada", "peer": to.id, "receiver": "ada"}
        self.served.ask("send_abroad", {**fields, "asset": asset, "amount": amount})


def main(echo: Callable[[str], None]) -> int:
    """Run it. The exit code: 0 if every promise was kept."""
    began = time.monotonic()
    _play(Teller(echo, colour=sys.stdout.isatty()))
    echo(f"\n     That took {time.monotonic() - began:.0f} s.")
    return 0


def play(stage: ChainStage) -> None:
    """As a scene of the chain's demo: it needs no chain, and brings its own markets."""
    _play(stage.tell)


def _play(tell: Teller) -> None:
    with tempfile.TemporaryDirectory(prefix="allmende-federation-") as name, ExitStack() as stack:
        folder = Path(name)
        served = [Served(folder / id_, *OPTIONS, "--market", id_, "--name", id_) for id_ in "ab"]
        for one in served:
            stack.callback(one.stop)
        a, b = Town(served[0], "a"), Town(served[1], "b")
        tell.step("Two markets that deal with each other")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda town: town.furnish("100"), (a, b)))
        a.befriend(b)
        b.befriend(a)
        wait_for(lambda: a.accepted() and b.accepted(), "the two markets to hear of each other")
        tell.say("Each operator entered the other's public key and a line of 50 credits.")
        _there_and_back(a, b, tell)
        _lie(a, b, folder, stack, tell)


def _there_and_back(a: Town, b: Town, tell: Teller) -> None:
    tell.step("Credit goes abroad, and the other market is killed before it takes it")
    b.served.kill()
    a.send(b, "12")
    tell.say(f"Ada at a has {credits(a.balance('credit'))} credits; 12 are on their way.")
    b.served.start()
    wait_for(lambda: not a.facts()["passages"], "an answer of b")
    promise(b.balance("credit@a") == pico("12"), "b took 12 credit@a, once")
    tell.good("b was started again and took 12 credit@a, once.")
    tell.step("They come home")
    b.send(a, "12", "credit@a")
    wait_for(lambda: not b.facts()["passages"], "an answer of a")
    home = a.balance("credit") == pico("100") and not b.balance("credit@a")
    promise(home, "Ada at a has her 100 credits again")
    tell.good("Ada at a has her 100 credits again, and nobody at b holds credit of a.")


def _lie(a: Town, b: Town, folder: Path, stack: ExitStack, tell: Teller) -> None:
    """A second market with the keys and the journal of the first goes another way."""
    tell.step("Market a shows somebody else another history")
    options = (*OPTIONS, "--federate-every", "3600")  # or it would hear of the truth, and be silent
    twin = Served(folder / "twin", *options, key=a.served.key)
    _copy(a.served.data, twin.data)
    stack.callback(twin.stop)
    twin.start()
    for market, name in ((a.served, "Berta"), (twin, "Nobody")):
        market.ask("add_member", {"id": "new", "name": name, "kind": "person"})
    other = json.loads(twin.fetch("federation/heads"))["head"]
    tell.say(f"It signed {other['frames']} frames ending in {other['head'][:16]}… for others.")
    body = json.dumps({"heads": [other]}).encode()
    sent(build_opener(ProxyHandler({})), Request(f"{b.served.url}/api/federation/heads", body))
    b.served.ask("federation/look", {})
    wait_for(lambda: bool(b.peer()["proof"]), "b to compare")
    proof = folder / "split-view.json"
    proof.write_bytes(b.served.fetch(f"federation/proofs/{b.peer()['proof']}"))
    run = partial(commands.run, tell)
    run("federation", "check", str(proof), fails=True)
    tell.good("Anybody can check that file, without a market and without a network.")
    try:
        b.send(a, "1")
    except Refusal as refusal:
        tell.good(f"b deals with it no more: {refusal.message}")
    else:
        raise Broken("b deals with a market that signed two histories")


def _copy(source: Path, target: Path) -> None:
    """The journal as it is, and the keys."""
    target.mkdir()
    with (
        closing(sqlite3.connect(source / KEPT[0])) as db,
        closing(sqlite3.connect(target / KEPT[0])) as copy,
    ):
        db.backup(copy)
    for name in KEPT[1:]:
        shutil.copy2(source / name, target / name)
