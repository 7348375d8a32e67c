"""Abroad: what moves between two markets, as plain frozen data.

Rule: a market is its public key; its id and name are how people here call it. Whatever moves is
written once by the market that sends it and answered once by the one that gets it, and both
words are leaves of journals, so that they can be proved.
Invariant: a passage is named by its two markets and its number; numbers count up from 1 without
a gap, in each direction.
Worked number: the third passage from A to B is number 3 there, whatever B sent meanwhile.
"""

from __future__ import annotations

import hashlib

import msgspec
from msgspec import Struct

from allmende.core.units import Amount, Instant

ABROAD = "federation/"
"""Accounts that keep what is with another market, or on its way there."""
AT = "@"
"""Between an asset's id at home and the peer whose it is: no id of our own may have it."""
CREDIT, GRAINS = "credit", "grains"
"""What an amount counts: pico-credits, or grains of a right."""


class Peer(Struct, frozen=True):
    """Another market, as this one's operator entered it. `limit` is pico-credits of its credit
    and rights that members here may hold at once; `public_key` hex of its Ed25519 key."""

    id: str
    name: str
    public_key: str
    url: str
    limit: Amount
    allow_private: bool = False


class Passage(Struct, frozen=True, tag="passage"):
    """`amount` of an asset on its way from `source` to `target`, both public keys.

    `asset` is the id that it has at its `home`, the market that owes it; `price` is what one of
    the units is worth in pico-credits there. After `until` the other market may only refuse it.
    """

    source: str
    target: str
    number: int
    home: str
    asset: str
    unit: str
    amount: int
    price: Amount
    lot: int
    sender: str
    receiver: str
    at: Instant
    until: Instant


class Answer(Struct, frozen=True, tag="answer"):
    """`source` took the passage `number` of `target`, or never will: `why` says then why not."""

    source: str
    target: str
    number: int
    passage: str
    """Hex of its leaf: whose word this is an answer to."""
    taken: bool
    why: str = ""


class Foreign(Struct, frozen=True):
    """An asset of another market that members here hold: its peer, and its id there."""

    peer: str
    asset: str
    unit: str
    price: Amount
    lot: int


class Ended(Struct, frozen=True):
    """What `grains` of a right brought that were abroad when its window ended."""

    grains: int
    asset: str
    amount: Amount


class Peering(Struct):
    """A peer and how we stand with it: passages `sent` to it, and those of its that we `answered`,
    taken or refused. `accepts`: it said that it takes ours. `proof` is of its split view."""

    peer: Peer
    sent: int = 0
    answered: int = 0
    accepts: bool = False
    suspended: bool = False
    proof: str = ""
    removed: bool = False


def leaf(said: Passage | Answer) -> bytes:
    """Leaf hash of what was said: of its JSON in field order, without spaces."""
    return hashlib.sha256(b"\0" + msgspec.json.encode(said)).digest()


def account(peer: str) -> str:
    """Where what is with this peer stands, and what is on its way there."""
    return ABROAD + peer


def local(asset: str, peer: str) -> str:
    """What a peer's asset is called here."""
    return asset + AT + peer
