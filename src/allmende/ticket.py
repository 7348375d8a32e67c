"""Ticket: what a member keeps so that it can leave with nobody's help.

Rule: it names the chain, the vault and the batch it belongs to, and carries the member's leaf
with its proof; amounts are decimal text, because browsers round large numbers.
Invariant: what `decode` gives back proves its leaf under its own root, and `encode` writes each
ticket in exactly one way.
Worked number: in a batch of 10_000 accounts a ticket is under 3 kB and exits with one call.

Nothing in it is secret, and nobody but the leaf's account can be paid by it.
"""

from __future__ import annotations

from typing import Annotated, NoReturn

import msgspec
from msgspec import Meta, Struct

from allmende.wire.merkle_sum import Keccak, Leaf, Node, Proof, fits

FORMAT = "allmende-exit-ticket-1"
SIBLINGS_MAX = 32

Hash = Annotated[str, Meta(pattern="^0x[0-9a-f]{64}$")]
Address = Annotated[str, Meta(pattern="^0x[0-9a-f]{40}$")]
Number = Annotated[str, Meta(pattern="^(0|[1-9][0-9]{0,77})$")]
Count = Annotated[int, Meta(ge=0, le=2**53)]


class Ticket(Struct, frozen=True, kw_only=True):
    """The final batch `batch`, and the leaf of one account in it.

    Addresses and hashes are lower-case 0x text, amounts base units of `token`. `at` is the Unix
    second in which it was made. Without a leaf (balance and spent 0) it exits with the deposits
    alone; `batch` 0 is before the first.
    """

    chain_id: int
    genesis: str
    """Hash of block 0: another chain may have the same id."""
    vault: str
    token: str
    batch: int
    root: str
    total: int
    size: int
    leaf: Leaf
    proof: Proof
    at: int

    @property
    def account(self) -> str:
        return "0x" + self.leaf.account.hex()


class _Written(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As it stands in the file; its fields in this order."""

    format: str
    chain_id: Count
    genesis: Hash
    vault: Address
    token: Address
    batch: Count
    root: Hash
    total: Number
    size: Count
    account: Address
    balance: Number
    spent: Number
    place: Count
    siblings: Annotated[tuple[tuple[Hash, Number], ...], Meta(max_length=SIBLINGS_MAX)]
    at: Count


def encode(ticket: Ticket) -> bytes:
    """The file, as indented JSON with a last line break."""
    leaf, proof = ticket.leaf, ticket.proof
    written = _Written(
        format=FORMAT,
        chain_id=ticket.chain_id,
        genesis=ticket.genesis,
        vault=ticket.vault,
        token=ticket.token,
        batch=ticket.batch,
        root=ticket.root,
        total=str(ticket.total),
        size=ticket.size,
        account=ticket.account,
        balance=str(leaf.balance),
        spent=str(leaf.spent),
        place=proof.place,
        siblings=tuple(("0x" + node.hash.hex(), str(node.sum)) for node in proof.siblings),
        at=ticket.at,
    )
    return msgspec.json.format(msgspec.json.encode(written), indent=2) + b"\n"


def decode(data: bytes, keccak: Keccak) -> Ticket:
    """ValueError with a sentence if `data` is no ticket, or its leaf is not under its root."""
    try:
        written = msgspec.json.decode(data, type=_Written)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        _wrong(f"This is no exit ticket: {error}.")
    if written.format != FORMAT:
        _wrong(f"This is a {written.format[:40]!r}, and this program reads {FORMAT!r}.")
    ticket = _read(written)
    if not proves(ticket, keccak):
        _wrong("The ticket does not prove its own leaf: it was changed. Fetch it again.")
    return ticket


def proves(ticket: Ticket, keccak: Keccak) -> bool:
    """Whether the leaf stands under the ticket's own root; an empty leaf needs no proof."""
    if ticket.leaf.balance == ticket.leaf.spent == 0:
        return True
    try:
        top = Node(bytes.fromhex(ticket.root[2:]), ticket.total)
        return fits(top, ticket.size, ticket.leaf, ticket.proof, keccak)
    except OverflowError:
        return False


def _read(written: _Written) -> Ticket:
    leaf = Leaf(bytes.fromhex(written.account[2:]), int(written.balance), int(written.spent))
    siblings = tuple(Node(bytes.fromhex(hash_[2:]), int(sum_)) for hash_, sum_ in written.siblings)
    return Ticket(
        chain_id=written.chain_id,
        genesis=written.genesis,
        vault=written.vault,
        token=written.token,
        batch=written.batch,
        root=written.root,
        total=int(written.total),
        size=written.size,
        leaf=leaf,
        proof=Proof(written.place, siblings),
        at=written.at,
    )


def _wrong(why: str) -> NoReturn:
    raise ValueError(why)
