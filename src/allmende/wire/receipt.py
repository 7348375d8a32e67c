"""Receipt: a file that proves one delivered request to anyone, offline.

Rule: the file holds the receipt, its path to a head that the market signed, and, once
closed, its path to the batch root, itself under a signed head.
Invariant: whatever field of the receipt is changed, a check fails and is named.
Worked number: in a batch of 10_000 receipts the proof is 14 hashes, 448 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from allmende.core import events as e
from allmende.core.nouns import BOND, Receipt
from allmende.core.settle import (
    batch_root,
    canonical,
    leaf_hash,
    receipt_leaf,
)
from allmende.core.units import Unpriced, credits, price
from allmende.wire import journal, merkle

FORMAT = "allmende-receipt-1"


class Anchor(Struct, frozen=True):
    """Leaf `index` of `size` in a frame whose head is signed. Hashes are hex."""

    index: int
    size: int
    path: tuple[str, ...]
    prev: str
    body: str
    signature: str


class Batched(Struct, frozen=True):
    """Leaf `index` of a batch, the event that closed it, and that event's own anchor."""

    index: int
    path: tuple[str, ...]
    closed: e.BatchClosed
    anchor: Anchor


class Chained(Struct, frozen=True):
    """Leaf `index` of the `receipts` in batch `batch` of a vault; hashes and addresses 0x text.

    Nobody signed it: the chain says if it is so, and `vault` is to be compared with the market's.
    """

    chain_id: int
    genesis: str
    """Hash of block 0."""
    vault: str
    batch: int
    receipts_root: str
    receipts: int
    index: int
    path: tuple[str, ...]


class Countersignature(Struct, frozen=True):
    """The provider's own word: Ed25519 over the receipt's leaf hash. Both are hex."""

    public_key: str
    signature: str


class File(Struct, frozen=True, omit_defaults=True):
    """What is written. A provider may add its `countersignature`; the market's needs none."""

    format: str
    public_key: str
    receipt: msgspec.Raw
    anchor: Anchor
    batch: Batched | None = None
    countersignature: Countersignature | None = None
    chain: Chained | None = None


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str


def anchor(found: journal.Frame, leaf: bytes, places: merkle.Places | None = None) -> Anchor:
    """Where a leaf stands in its frame, whose `places` may be known. ValueError if it does not."""
    places = places or merkle.Places(journal.leaves(journal.events(found.body)))
    index, path = places.of(leaf)
    body = journal.body_hash(found.body).hex()
    return Anchor(index, places.size, _hex(path), found.prev.hex(), body, found.signature.hex())


def closing(closed: e.BatchClosed, found: journal.Frame) -> Anchor:
    """Where the event that closed a batch stands."""
    return anchor(found, leaf_hash(canonical(closed)))


def in_batch(places: merkle.Places, leaf: bytes, closed: e.BatchClosed, place: Anchor) -> Batched:
    """Where a leaf stands in its batch, which was closed at `place`."""
    index, path = places.of(leaf)
    return Batched(index, _hex(path), closed, place)


def chained(
    chain_id: int,
    genesis: str,
    vault: str,
    batch: int,
    leaves: Sequence[bytes],
    leaf: bytes,
) -> Chained:
    """Where a leaf stands among the receipts of a batch on a chain. ValueError if it does not."""
    index = leaves.index(leaf)
    path = tuple(_0x(beside) for beside in merkle.path(leaves, index))
    top = _0x(merkle.root(leaves))
    return Chained(chain_id, genesis, vault, batch, top, len(leaves), index, path)


def encode(
    public_key: str,
    receipt: Receipt,
    place: Anchor,
    batch: Batched | None = None,
    chain: Chained | None = None,
) -> bytes:
    """The file, as indented JSON."""
    return indented(line(public_key, receipt, place, batch, chain))


def indented(line: bytes) -> bytes:
    return msgspec.json.format(line, indent=2)


def line(
    public_key: str,
    receipt: Receipt,
    place: Anchor,
    batch: Batched | None = None,
    chain: Chained | None = None,
) -> bytes:
    """The file as one line of JSON, without its end."""
    file = File(FORMAT, public_key, msgspec.Raw(canonical(receipt)), place, batch, chain=chain)
    return msgspec.json.encode(file)


def verify(data: bytes, public_key: str | None = None) -> list[Check]:
    """Everything that a receipt file claims, checked without asking anybody.

    `public_key` (hex) is the market's as you know it from elsewhere; without it the file's
    own key is used, and that is said. ValueError if `data` is no receipt file.
    """
    file, receipt = read(data)
    known = bytes.fromhex(public_key or file.public_key)
    return _checks(file, receipt, known, public_key is not None)


def read(data: bytes) -> tuple[File, Receipt]:
    """The file and the receipt in it, unchecked. ValueError if `data` is no receipt file."""
    try:
        file = msgspec.json.decode(data, type=File)
        return file, msgspec.json.decode(bytes(file.receipt), type=Receipt)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"not a receipt file: {error}") from error


def place(file: File) -> Chained | None:
    """Where a vault may have it: as its `chain` says; else, where a batch of the market became
    a batch of the vault alone, with the vault and the batch's number (0) still to be found."""
    if file.chain is not None:
        return file.chain
    if file.batch is None:
        return None
    closed, path = file.batch.closed, tuple("0x" + beside for beside in file.batch.path)
    top = _0x(closed.receipts_root)
    return Chained(0, "", "", 0, top, closed.receipts, file.batch.index, path)


def _checks(file: File, receipt: Receipt, key: bytes, given: bool) -> list[Check]:
    leaf = receipt_leaf(receipt)
    head = _head(file.anchor, leaf)
    owner = "the key you gave" if given else "the key in the file (compare it with the market's)"
    checks = [
        Check("format", file.format == FORMAT, file.format),
        Check("fields", _only_known(file.receipt, receipt), "no field beside the signed ones"),
        Check("price", _priced(receipt), f"units times tariff = {credits(receipt.price)}"),
        Check("waterfall", _sums(receipt), "payments sum to the price"),
        Check(
            "signature",
            head is not None and journal.genuine(key, head, bytes.fromhex(file.anchor.signature)),
            f"signed by {owner}",
        ),
    ]
    if receipt.right:
        checks.append(_by_right(receipt))
    if file.countersignature is not None:
        checks.append(_countersigned(file.countersignature, leaf, receipt.provider))
    if file.chain is not None:
        checks.append(_chained(file.chain, leaf))
    if file.batch is None:
        return [*checks, Check("batch", True, "not in a closed batch yet")]
    return checks + _batch_checks(file.batch, leaf, key)


def _chained(place: Chained, leaf: bytes) -> Check:
    path = [bytes.fromhex(beside[2:]) for beside in place.path]
    top = merkle.folds_to(leaf, place.index, place.receipts, path)
    ok = top is not None and _0x(top) == place.receipts_root
    said = f"receipt {place.index + 1} of {place.receipts} in the vault's batch {place.batch}"
    return Check("chain", ok, f"{said}; `allmende chain prove` asks the chain")


def _by_right(receipt: Receipt) -> Check:
    """The grains left the account; what they are worth came out of the right's bond."""
    ok = receipt.grains >= 0 and receipt.payer == BOND + receipt.right
    return Check("right", ok, f"{receipt.grains} grains of {receipt.right} paid, not credit")


def _countersigned(word: Countersignature, leaf: bytes, provider: str) -> Check:
    key, signature = bytes.fromhex(word.public_key), bytes.fromhex(word.signature)
    signed = journal.verifies(key, leaf, signature)
    return Check("provider signature", signed, f"key {word.public_key[:16]}… for {provider}")


def _batch_checks(batch: Batched, leaf: bytes, key: bytes) -> list[Check]:
    closed = batch.closed
    top = merkle.folds_to(leaf, batch.index, closed.receipts, _bytes(batch.path))
    head = _head(batch.anchor, leaf_hash(canonical(closed)))
    return [
        Check(
            "batch",
            top == closed.receipts_root,
            f"receipt {batch.index + 1} of {closed.receipts} in batch {closed.number}",
        ),
        Check(
            "batch root",
            batch_root(closed.receipts_root, closed.net) == closed.root and _balanced(closed),
            closed.root.hex(),
        ),
        Check(
            "batch signature",
            head is not None and journal.genuine(key, head, bytes.fromhex(batch.anchor.signature)),
            "the market signed the batch",
        ),
    ]


def _head(place: Anchor, leaf: bytes) -> bytes | None:
    top = merkle.folds_to(leaf, place.index, place.size, _bytes(place.path))
    if top is None:
        return None
    return journal.head(bytes.fromhex(place.prev), bytes.fromhex(place.body), top)


def _only_known(raw: msgspec.Raw, receipt: Receipt) -> bool:
    said: Any = msgspec.json.decode(bytes(raw))
    return bool(said == msgspec.json.decode(canonical(receipt)))


def _priced(receipt: Receipt) -> bool:
    try:
        return price(receipt.tariff, receipt.units) == receipt.price
    except Unpriced:
        return False


def _sums(receipt: Receipt) -> bool:
    lines = [payment.amount for payment in receipt.waterfall]
    return sum(lines) == receipt.price and min(lines, default=0) >= 0


def _balanced(closed: e.BatchClosed) -> bool:
    assets = {posting.asset for posting in closed.net}
    return all(sum(p.amount for p in closed.net if p.asset == asset) == 0 for asset in assets)


def _0x(found: bytes) -> str:
    return "0x" + found.hex()


def _hex(hashes: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(found.hex() for found in hashes)


def _bytes(hashes: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(found) for found in hashes]
