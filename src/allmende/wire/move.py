"""Move: what a wallet orders of the desk, as EIP-712 typed data: to move, and to wrap rights.

Rule: an order names who gives, who gets, what and how much, a nonce of the wallet's own and a
second after which it is void; whoever carries it to the desk needs no other right.
Invariant: the digests are those of any wallet's eth_signTypedData_v4, in the Vault's own domain,
so an order is void on any other chain and in any other market.
Worked number: a Move of 2.5 credits has the amount 2_500_000_000_000: amounts are the desk's.

No contract reads these: they are the desk's proof that the owner wanted it. Beside
wire.voucher, whose structs have fields of fixed size alone. Keccak comes in with the call.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from allmende.wire.merkle_sum import Keccak
from allmende.wire.voucher import Domain, Fields, separator, struct_hash
from allmende.wire.voucher import typed_data as fixed_typed_data

MOVE_TYPE = (
    ("from", "address"),
    ("to", "string"),
    ("asset", "string"),
    ("amount", "uint256"),
    ("nonce", "uint256"),
    ("deadline", "uint256"),
)
WRAP_TYPE = (
    ("from", "address"),
    ("instrument", "string"),
    ("grains", "uint256"),
    ("to", "address"),
    ("nonce", "uint256"),
    ("deadline", "uint256"),
)


class Move(NamedTuple):
    """`amount` of `asset` from a wallet's account to another: pico-credits, or grains of a right.

    `sender` has 20 bytes; `to` is a member's id or a wallet's address, as its owner wrote it.
    """

    sender: bytes
    to: str
    asset: str
    amount: int
    nonce: int
    deadline: int
    """Unix second from which it is void."""


class Wrap(NamedTuple):
    """`grains` of a right out of the desk, to the wallet `to`. Addresses have 20 bytes."""

    sender: bytes
    instrument: str
    grains: int
    to: bytes
    nonce: int
    deadline: int


Order: TypeAlias = Move | Wrap


def digest(domain: Domain, order: Order, keccak: Keccak) -> bytes:
    """What the wallet signs. OverflowError for a number that no word holds."""
    name, type_ = _shape(order)
    values = dict(zip((field for field, _ in type_), order, strict=True))
    fixed = {k: keccak(v.encode()) if isinstance(v, str) else v for k, v in values.items()}
    return keccak(b"\x19\x01" + separator(domain, keccak) + struct_hash(name, type_, fixed, keccak))


def typed_data(domain: Domain, order: Order) -> dict[str, Any]:
    """The same for a wallet's eth_signTypedData_v4."""
    name, type_ = _shape(order)
    values = dict(zip((field for field, _ in type_), order, strict=True))
    texts = {k: v for k, v in values.items() if isinstance(v, str)}
    whole = fixed_typed_data(domain, name, type_, values | dict.fromkeys(texts, 0))
    whole["message"] |= texts
    return whole


def _shape(order: Order) -> tuple[str, Fields]:
    return ("Move", MOVE_TYPE) if isinstance(order, Move) else ("Wrap", WRAP_TYPE)
