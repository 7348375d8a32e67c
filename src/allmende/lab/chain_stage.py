"""Chain stage: the chain demo's market, its people, and what they ask of it.

Rule: as on the demo's other stage, everything goes through doors, with the key or the wallet of
whoever would do it.
Invariant: whoever has a wallet signs for himself.
Worked number: Ada is given 50 play credits and deposits 20 of them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from allmende.core.units import credits, pico
from allmende.lab import commands
from allmende.lab.chain_ground import Ground
from allmende.lab.member import Member
from allmende.lab.scenes import wait_for
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

    def balance(self, account: str) -> int:
        """Pico-credits of market credit."""
        rows = self.market.get("balances")
        mine = (row for row in rows if (row["account"], row["asset"]) == (account, "credit"))
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
    """A command whose hashes and addresses nobody reads to their ends here."""
    return commands.run(
        tell, *words, fails=fails, lines=lines, shown=lambda line: LONG.sub(r"\1…", line)
    )
