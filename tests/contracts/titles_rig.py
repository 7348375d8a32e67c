"""Titles on an EVM inside the test: the contract, its pay unit, and people with money."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boa
from eth_hash.auto import keccak
from vault_rig import Person, deploy

ADMIN, REGISTRAR, ANNA, BEN, CARL, AUTHOR = PEOPLE = tuple(
    Person(name) for name in ("admin", "registrar", "anna", "ben", "carl", "author")
)
TOKENS = Path(__file__).parent / "tokens"
TERMS, WATERFALL = keccak(b"terms"), keccak(b"waterfall")
MONEY = 10**15
TENTH = 100_000
OPEN = 2


def token_id(title: str) -> int:
    return int.from_bytes(keccak(title.encode()), "big")


SMOL = token_id("smol")


class Shop:
    """A Titles contract in which the registrar registers, and everybody has MONEY of credit."""

    def __init__(self, mode: int = OPEN, token: Any = None) -> None:
        root = ADMIN.address
        self.token = token or deploy("Credit", "Credit", "CRED", by=root)
        self.titles = deploy("Titles", mode, self.token.address, by=root)
        self.titles.grantRole(keccak(b"REGISTRAR"), REGISTRAR.address, sender=root)
        for who in PEOPLE:
            self.give(who.address)

    def give(self, address: str) -> None:
        self.token.mint(address, MONEY, sender=ADMIN.address)
        self.token.approve(self.titles.address, 2**256 - 1, sender=address)

    def mint(
        self, to: str, id_: int = SMOL, ppm: int = TENTH, author: str = AUTHOR.address
    ) -> None:
        hashes = (TERMS, WATERFALL)
        self.titles.mint(to, id_, *hashes, author, ppm, "", sender=REGISTRAR.address)

    def has(self, *people: Person) -> list[int]:
        """What each gained since the beginning."""
        return [self.token.balanceOf(who.address) - MONEY for who in people]

    def taker(self) -> Any:
        """A wallet that is a contract, with money."""
        made = deploy("Taker", sources=TOKENS)
        self.give(made.address)
        return made


def time_s() -> int:
    return int(boa.env.evm.patch.timestamp)
