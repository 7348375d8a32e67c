"""Chain stage: the chain demo's market, its people, and what they ask of it.

Rule: as on the demo's other stage, everything goes through doors, with the key or the wallet of
whoever would do it.
Invariant: whoever has a wallet signs for himself.
Worked number: Ada is given 50 play credits and deposits 20 of them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from allmende.core.units import credits, pico
from allmende.lab.chain_ground import Ground
from allmende.lab.member import Member, wait_for
from allmende.lab.scenes import Broken
from allmende.lab.served import Served
from allmende.lab.telling import Teller

LONG = re.compile(r"\b((?:0x)?[0-9a-f]{12})[0-9a-f]{20,}\b")
"""Hashes and addresses, which nobody reads to their ends here."""


class ChainStage:
    """A served market on a chain. `node` is where wallets reach it."""

    def __init__(self, market: Served, ground: Ground, tell: Teller) -> None:
        self.market = market
        self.ground = ground
        self.node = ground.node(market.url)
        self.tell = tell
        self.data = market.data
        self.ticket = Path()
        """Of the member that leaves in the end, and the key of its wallet."""
        self.key_file = Path()
        self.receipt = ""
        """One of the ten thousand."""
        self.members: dict[str, Member] = {}

    def ask(self, command: str, **fields: object) -> Any:
        return self.market.ask(command, fields)

    def member(self, name: str) -> Member:
        """Somebody with a new wallet, and gas and play credit on the chain."""
        found = Member(self.market, self.node)
        self.members[name] = found
        self.ask("chain/give", address=found.wallet.address, amount="50", reference=f"for {name}")
        wait_for(lambda: found.wallet.ether() > 0, f"{name}'s gas")
        token = self.chain()["token"]
        wait_for(lambda: found.wallet.balance(token) > 0, f"{name}'s credit")
        return found

    def chain(self) -> dict[str, Any]:
        """What wallets are told of the chain."""
        found: dict[str, Any] = self.market.get("wallet/chain")
        return found

    def facts(self) -> dict[str, Any]:
        """GET /api/chain: batches, contracts, gas."""
        found: dict[str, Any] = self.market.get("chain")
        return found

    def final(self) -> dict[str, Any]:
        """The last final batch; number 0 before the first."""
        vault = self.facts()["vault"] or {}
        return vault.get("final") or {"number": 0, "receipts": 0}

    def balance(self, account: str, asset: str = "credit") -> int:
        """Pico-credits, or grains of an instrument."""
        rows = self.market.get("balances")
        mine = (row for row in rows if (row["account"], row["asset"]) == (account, asset))
        return next((pico(row["balance"]) for row in mine), 0)

    def run(self, *words: str, fails: bool = False, lines: int = 100) -> str:
        return run(self.tell, *words, fails=fails, lines=lines)

    def cache(self) -> tuple[str, str]:
        """Where the contracts are compiled already."""
        return "--cache", str(self.data / "contracts")

    def stands(self) -> None:
        """Wait for the doors of the chain, which on another's node open after the market's."""
        wait_for(lambda: bool(self.facts().get("vault")), "the contracts at the market")

    def showed(self, what: str, before: int, after: int) -> None:
        self.tell.say(f"{what}: {credits(before)} → {credits(after)}")


def run(tell: Teller, *words: str, fails: bool = False, lines: int = 100) -> str:
    """`allmende words…`, shown with the first lines of what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "allmende.cli", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    shown = " ".join(_short(word) for word in words)
    tell.say(f"$ allmende {shown}")
    said = (done.stdout + done.stderr).splitlines()
    for line in [*said[:lines], *(["…"] if said[lines:] else [])]:
        tell.line(line)
    if bool(done.returncode) != fails:
        raise Broken(f"allmende {shown} ended with {done.returncode}")
    return done.stdout


def _short(word: str) -> str:
    """Of a path its name, of a node's address its beginning."""
    if word.startswith("http://"):
        return word[:22]
    return Path(word).name if "/" in word else word
