"""Histories of markets that may lie: chains of frames under one key, and what is signed of them.

market = Histories(b"a")
truth, lie = market.truth, market.fork(5)   # the same 5 frames, and then others
market.statement(lie, 8)
"""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs

from allmende.wire import heads, journal
from allmende.wire.heads import Link, Statement, Stretch


class History:
    """`links[i]` is frame i + 1; every frame holds two events."""

    def __init__(self, links: list[Link]) -> None:
        self.links = links
        self.heads = [journal.GENESIS, *heads.heads(Stretch(0, journal.GENESIS.hex(), (*links,)))]

    def stretch(self, after: int, upto: int) -> Stretch:
        return Stretch(after, self.heads[after].hex(), tuple(self.links[after:upto]))


class Histories:
    def __init__(self, seed: bytes, frames: int = 20) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed).digest())
        self.public_key = self._key.public_key().public_bytes_raw().hex()
        self.truth = History([_link(f"truth {at}") for at in range(frames)])

    def fork(self, after: int, name: str = "lie") -> History:
        """The same until after so many frames, and as long as the truth."""
        rest = range(after, len(self.truth.links))
        return History([*self.truth.links[:after], *(_link(f"{name} {at}") for at in rest)])

    def statement(self, history: History, frames: int, number: int = 0, at: int = 0) -> Statement:
        head = history.heads[frames].hex()
        number = number or 2 * frames
        said = Statement("m", self.public_key, frames, number, head, at)
        return structs.replace(said, signature=self._key.sign(heads.message(said)).hex())


def _link(name: str) -> Link:
    body = hashlib.sha256(name.encode()).hexdigest()
    return Link(body, body if name.endswith("3") else "")
