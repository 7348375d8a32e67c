"""Bridging: what validators of a bridge sign, as EIP-712 typed data.

Rule: an attestation is in the domain of the side that pays and names the side that the transfer
left, so that it holds for one pair of contracts on one pair of chains.
Invariant: the digests are those of contracts/Bridge.vy; an arrival is never taken for a refund.
Worked number: transfer 7 of 5 credits has two digests, one to be paid there and one to be
returned here, and an honest validator signs the second only once the first is void.

Keccak comes in with the call, as in wire.merkle_sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from allmende.wire.merkle_sum import Keccak
from allmende.wire.voucher import DOMAIN_TYPE, Fields, struct_hash

Values: TypeAlias = Mapping[str, Any]
NAME, VERSION = "Allmende Bridge", "1"
ARRIVAL_TYPE: Fields = (
    ("sourceChain", "uint256"),
    ("source", "address"),
    ("nonce", "uint256"),
    ("token", "address"),
    ("sender", "address"),
    ("to", "address"),
    ("amount", "uint256"),
    ("deadline", "uint256"),
)
REFUND_TYPE: Fields = (
    ("targetChain", "uint256"),
    ("target", "address"),
    ("nonce", "uint256"),
    ("token", "address"),
    ("sender", "address"),
    ("amount", "uint256"),
)


class Side(NamedTuple):
    """One of a bridge's two contracts. Addresses have 20 bytes."""

    chain_id: int
    bridge: bytes
    token: bytes
    """What it pays in."""


class Transfer(NamedTuple):
    """As it left, in the contract's order. Base units, and a Unix second."""

    nonce: int
    sender: bytes
    to: bytes
    amount: int
    deadline: int


def left(transfer: Transfer, keccak: Keccak) -> bytes:
    """What the side that it left keeps of it."""
    sender, to = (int.from_bytes(who, "big") for who in (transfer.sender, transfer.to))
    words = (transfer.nonce, sender, to, transfer.amount, transfer.deadline)
    return keccak(b"".join(word.to_bytes(32, "big") for word in words))


def arrival_digest(source: Side, target: Side, transfer: Transfer, keccak: Keccak) -> bytes:
    """What has it paid at `target`."""
    values: Values = {
        "sourceChain": source.chain_id,
        "source": source.bridge,
        "token": target.token,
    }
    return _digest(target, "Arrival", ARRIVAL_TYPE, {**values, **transfer._asdict()}, keccak)


def refund_digest(source: Side, target: Side, transfer: Transfer, keccak: Keccak) -> bytes:
    """What has it returned at `source`, where it came from."""
    values: Values = {
        "targetChain": target.chain_id,
        "target": target.bridge,
        "token": source.token,
    }
    return _digest(source, "Refund", REFUND_TYPE, {**values, **transfer._asdict()}, keccak)


def _digest(where: Side, name: str, type_: Fields, values: Values, keccak: Keccak) -> bytes:
    domain: Values = {
        "name": keccak(NAME.encode()),
        "version": keccak(VERSION.encode()),
        "chainId": where.chain_id,
        "verifyingContract": where.bridge,
    }
    separator = struct_hash("EIP712Domain", DOMAIN_TYPE, domain, keccak)
    return keccak(b"\x19\x01" + separator + struct_hash(name, type_, values, keccak))
