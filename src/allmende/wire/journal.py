"""Journal: events to frames and back, chained by hash.

Rule: a frame is one commit group; its head is SHA-256(prev, SHA-256(body), leaves root),
and the market signs heads of frames that hold receipts or batches.
Invariant: change one byte of any event and every later head differs.
Worked number: a frame of 64 events is 64 lines of JSON; one signature covers all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from allmende.core import abroad
from allmende.core import abroad_events as b
from allmende.core import events as e
from allmende.core import exchange_events as x
from allmende.core.settle import canonical, leaf_hash, receipt_leaf
from allmende.wire import merkle

GENESIS = bytes(32)
"""What the first frame follows."""
_SIGNED = b"allmende head 1\0"
_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[e.Any] = msgspec.json.Decoder(e.Any)


class Frame(Struct, frozen=True):
    """One commit group: events `first` .. `first + count - 1`, counted from 1.

    `body` is the events as JSON lines; `leaves` the Merkle root over :func:`leaves`,
    empty if there are none; `signature` the market's Ed25519 over :func:`signed`, then.
    """

    first: int
    count: int
    body: bytes
    prev: bytes
    leaves: bytes
    head: bytes
    signature: bytes = b""

    @property
    def last(self) -> int:
        return self.first + self.count - 1


class Broken(Exception):
    """The journal is not what the market wrote."""


def frame(first: int, events: Sequence[e.Event], prev: bytes) -> Frame:
    """Events as an unsigned frame that follows head `prev`."""
    body = _ENCODER.encode_lines(events)
    found = leaves(events)
    top = merkle.root(found) if found else b""
    return Frame(first, len(events), body, prev, top, head(prev, body_hash(body), top))


def body_hash(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def head(prev: bytes, body_digest: bytes, leaves_root: bytes) -> bytes:
    return hashlib.sha256(prev + body_digest + leaves_root).digest()


def signed(head_: bytes) -> bytes:
    """The message that the market's key signs."""
    return _SIGNED + head_


def leaves(events: Iterable[e.Event]) -> list[bytes]:
    """Leaf hashes of what members and other markets may prove, in order: receipts,
    closed batches, and what was sent abroad or answered."""
    found = []
    for event in events:
        if isinstance(event, e.Captured | e.Finalised | x.Redeemed):
            found.append(receipt_leaf(event.receipt))
        elif isinstance(event, e.BatchClosed):
            found.append(leaf_hash(canonical(event)))
        elif isinstance(event, b.SentAbroad):
            found.append(abroad.leaf(event.passage))
        elif isinstance(event, b.ReceivedFrom | b.RefusedFrom):
            found.append(abroad.leaf(event.answer))
    return found


def events(body: bytes) -> list[e.Any]:
    """Events of a frame's body. Raises Broken on anything else."""
    try:
        return [_DECODER.decode(line) for line in body.splitlines()]
    except msgspec.DecodeError as error:
        raise Broken(f"a frame holds something that is no event: {error}") from error


def follow(frames: Iterable[Frame], first: int, prev: bytes) -> Iterator[Frame]:
    """The same frames, each checked to be next. Raises Broken with the place."""
    for found in frames:
        where = f"frame at event {found.first}"
        if found.first != first or found.prev != prev:
            raise Broken(f"{where} does not follow event {first - 1}")
        if head(found.prev, body_hash(found.body), found.leaves) != found.head:
            raise Broken(f"{where} was changed: its hash differs")
        yield found
        first, prev = found.last + 1, found.head


def genuine(public: bytes, head_: bytes, signature: bytes) -> bool:
    """Whether the market with this public key signed this head."""
    return verifies(public, signed(head_), signature)


def verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether this Ed25519 key, of 32 bytes, made this signature."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
