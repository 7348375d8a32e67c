"""An emission inside the test's EVM: its share, its people, and lists to publish."""

from __future__ import annotations

from typing import Any

import boa
from eth_hash.auto import keccak
from vault_rig import Person, deploy

from allmende.wire import claims

ADMIN, PUBLISHER, AUDITOR, ANNA, BEN, MALLORY = PEOPLE = tuple(
    Person(name) for name in ("admin", "publisher", "auditor", "anna", "ben", "mallory")
)
LENGTH, WINDOW, POOL, HALVING = 1_000, 300, 1_001, 2
RULE = keccak(b"rule")
CAP = 2**120


class List:
    """Who gets how much in an epoch, as a tree."""

    def __init__(self, amounts: dict[Person, int]) -> None:
        self.lines = claims.lines({person.bytes: amount for person, amount in amounts.items()})
        self.tree = claims.levels(self.lines, keccak)
        self.root: bytes = self.tree[-1][0]
        self.total = claims.total(self.lines)

    def line(self, of: Person) -> tuple[Any, ...]:
        """What `claim` takes behind the epoch."""
        found = next(line for line in self.lines if line.account == of.bytes)
        return found.place, of.address, found.amount, claims.proof(self.tree, found.place)


class Mine:
    """An emission whose first epoch is the one that runs now, and is called 0 here."""

    def __init__(self, *, cap: int = CAP) -> None:
        self.first = boa.env.evm.patch.timestamp // LENGTH
        self.share = deploy("Share", 0, cap, by=ADMIN.address)
        terms = (LENGTH, self.first, WINDOW, POOL, HALVING)
        self.emission = deploy("Emission", self.share.address, *terms, by=ADMIN.address)
        self.grant(self.share, "MINTER", self.emission.address)
        self.grant(self.emission, "PUBLISHER", PUBLISHER.address)
        self.grant(self.emission, "AUDITOR", AUDITOR.address)

    def grant(self, contract: Any, role: str, to: str) -> None:
        contract.grantRole(keccak(role.encode()), to, sender=ADMIN.address)

    def end(self, epoch: int) -> None:
        """The second after an epoch's last."""
        over = (self.first + epoch + 1) * LENGTH
        boa.env.evm.patch.timestamp = max(over, boa.env.evm.patch.timestamp)

    def later(self, seconds: int) -> None:
        boa.env.time_travel(seconds=seconds)

    def publish(self, epoch: int, list_: List, *, by: Person = PUBLISHER) -> None:
        words = (self.first + epoch, list_.root, list_.total, RULE)
        self.emission.publish(*words, sender=by.address)

    def void(self, epoch: int, *, by: Person = AUDITOR) -> None:
        self.emission.void(self.first + epoch, "not what the rule says", sender=by.address)

    def claim(self, epoch: int, line: tuple[Any, ...], *, by: Person = MALLORY) -> None:
        self.emission.claim(self.first + epoch, *line, sender=by.address)

    def has(self, person: Person) -> int:
        return int(self.share.balanceOf(person.address))
