"""Heads: what a market signs about its whole history, and the proof that it signed two.

Rule: a head statement names market, number of frames, number of the last event, head and time,
under the market's key. Frames are chained by hash, so the frames between two heads, as hash of
the body and root of the leaves alone, show whether one is the other's past, and nothing else.
Invariant: an honest market's statements are all of one chain; two that cannot be are a proof that
needs nobody's word: the market's own signatures stand under both.
Worked number: statements for 10 and 12 frames and 2 links of 64 bytes: hashed from what the links
follow, they give the head of 12. If they follow another head than that of 10: two histories.

As Certificate Transparency's gossip and the witnesses of transparency logs do it (RFC 6962,
draft-ietf-trans-gossip, C2SP tlog-checkpoint), over a hash chain in place of a tree.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct, structs

from allmende.wire import journal

FORMAT = "allmende-split-view-1"
_SAYS = b"allmende head statement 1\0"
HASH_BYTES = 32
Count = Annotated[int, Meta(ge=0, le=2**53)]
"""Of frames or events; more than any journal has, and what every store holds."""


class Statement(Struct, frozen=True):
    """The first `frames` frames of the journal hold the events up to `number` and end in `head`.

    `at` is when it was signed, in microseconds; keys, hashes and signatures are hex.
    """

    market: str
    public_key: str
    frames: Count
    number: Count
    head: str
    at: int
    signature: str = ""


class Link(Struct, frozen=True, array_like=True):
    """A frame without its contents: SHA-256 of its body, and its leaves' root ("" of none)."""

    body: str
    leaves: str


class Stretch(Struct, frozen=True):
    """Frames `after` + 1 and on, which follow head `prev`."""

    after: Count
    prev: str
    links: tuple[Link, ...]

    @property
    def upto(self) -> int:
        return self.after + len(self.links)


class Split(Struct, frozen=True, omit_defaults=True):
    """Two statements of one key that cannot both be true. `stretch` leads from where the first
    one stands to the other, where their numbers alone do not say it."""

    format: str
    one: Statement
    other: Statement
    stretch: Stretch | None = None


class NoProof(Exception):
    """What is shown proves no split view; the text says why."""


def message(said: Statement) -> bytes:
    """What the market's key signs."""
    return _SAYS + msgspec.json.encode(structs.replace(said, signature=""))


def genuine(said: Statement) -> bool:
    """Whether the market with the key in it signed this statement."""
    try:
        key, signature = bytes.fromhex(said.public_key), bytes.fromhex(said.signature)
        whole = len(bytes.fromhex(said.head)) == HASH_BYTES
    except ValueError:
        return False
    counted = 0 < said.frames <= said.number
    return whole and counted and journal.verifies(key, message(said), signature)


def heads(stretch: Stretch) -> list[bytes]:
    """The head after each of its links. ValueError if they are no hashes."""
    found, top = [], bytes.fromhex(stretch.prev)
    for link in stretch.links:
        body, leaves = bytes.fromhex(link.body), bytes.fromhex(link.leaves)
        if len(top) != HASH_BYTES or len(body) != HASH_BYTES or len(leaves) not in (0, HASH_BYTES):
            raise ValueError("a link is not of hashes")
        top = journal.head(top, body, leaves)
        found.append(top)
    return found


def leads_to(stretch: Stretch, said: Statement) -> bool:
    """Whether these links end in the head of a statement, and in its number of frames."""
    try:
        found = heads(stretch)
    except ValueError:
        return False
    return bool(found) and stretch.upto == said.frames and found[-1].hex() == said.head


def conflict(one: Statement, other: Statement) -> bool:
    """Whether two statements of one market cannot both be true, whatever lies between."""
    if one.frames == other.frames:
        return (one.head, one.number) != (other.head, other.number)
    first, last = sorted((one, other), key=lambda said: said.frames)
    return last.number - first.number < last.frames - first.frames  # a frame has an event or more


def split(one: Statement, other: Statement, stretch: Stretch | None = None) -> Split:
    """The proof, the shorter history first."""
    first, last = sorted((one, other), key=lambda said: said.frames)
    return Split(FORMAT, first, last, stretch)


def verdict(found: Split) -> str:
    """A sentence: which market signed two histories, and how that shows. Raises NoProof."""
    one, other = found.one, found.other
    if found.format != FORMAT:
        raise NoProof(f"This is {found.format[:40]!r} and no {FORMAT}.")
    if one.public_key != other.public_key:
        raise NoProof("The two statements are of two keys: two markets may differ.")
    for said in (one, other):
        if not genuine(said):
            raise NoProof(f"The statement of {said.frames} frames is not signed by its key.")
    who = f"Market {one.market!r} (key {one.public_key[:16]}…) signed two histories"
    if conflict(one, other):
        return f"{who}: {_told(one)}, and {_told(other)}."
    if found.stretch is None or not leads_to(found.stretch, other):
        raise NoProof("Nothing here shows that one is not the other's past.")
    if found.stretch.after != one.frames or found.stretch.prev == one.head:
        raise NoProof("The first statement is the other's past: this is one history.")
    past = f"whose {one.frames} first frames end in {found.stretch.prev[:16]}…"
    return f"{who}: {_told(one)}, and {_told(other)}, {past}."


def _told(said: Statement) -> str:
    return f"head {said.head[:16]}… of {said.frames} frames and {said.number} events"


def read(data: bytes) -> Split:
    """A proof file, unchecked. ValueError if it is none."""
    try:
        return msgspec.json.decode(data, type=Split)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not a proof of a split view: {error}") from error


def encode(found: Split) -> bytes:
    return msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"
