"""Voucher: what a session may spend, and what it has spent, as EIP-712 typed data.

Rule: an account permits a key {lane, limit, models, expiry}; the key signs the cumulative
amount of its lane. Whoever signs for itself needs no permit.
Invariant: the digests are those of contracts/vouchers.vy and of any wallet; a signature holds
on one chain and for one Vault, because its domain names both.
Worked number: lane 3 at 5_000 and then at 12_000 base units owes 12_000, not 17_000.

Lanes are independent, so that parallel sessions never share a counter; an account has 16. The
`Voucher` is x402's batch-settlement type, with the Vault's own domain. Keccak comes in with
the call, as in wire.merkle_sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from allmende.wire.merkle_sum import Keccak

LANES = 16
NAME, VERSION = "Allmende Vault", "1"
AMOUNT_MAX = 2**128 - 1
"""Base units; the contract's `uint128`."""

DOMAIN_TYPE = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)
PERMIT_TYPE = (
    ("account", "address"),
    ("key", "address"),
    ("lane", "uint256"),
    ("limit", "uint256"),
    ("models", "bytes32"),
    ("expiry", "uint256"),
)
VOUCHER_TYPE = (("channelId", "bytes32"), ("maxClaimableAmount", "uint128"))
PROMISE_TYPE = (
    ("provider", "address"),
    ("receipt", "bytes32"),
    ("earned", "uint256"),
    ("by", "uint256"),
)
CHANNEL_TYPE = (("account", "address"), ("lane", "uint256"))

Fields = Sequence[tuple[str, str]]


class Domain(NamedTuple):
    """Where a signature holds. `vault` has 20 bytes: it, or the contract of that name."""

    chain_id: int
    vault: bytes
    name: str = NAME


class Permit(NamedTuple):
    """What an account allows a session key. Addresses have 20 bytes."""

    account: bytes
    key: bytes
    lane: int
    limit: int
    """Base units that the lane may reach under this permit, earlier sessions included."""
    models: bytes
    """`models_hash` of what it may be spent on; the gateway enforces it."""
    expiry: int
    """Unix second after which the gateway takes no voucher of this key."""


class Promise(NamedTuple):
    """The market's word to a provider: this receipt, and these earnings, by then."""

    provider: bytes
    receipt: bytes
    """The receipt's leaf hash, core.settle.receipt_leaf."""
    earned: int
    """Base units, cumulative, this receipt included."""
    by: int
    """Unix second; a batch submitted from then on has it."""


def models_hash(models: Sequence[str], keccak: Keccak) -> bytes:
    """Of a list of models in any order; of none, zeros: all models."""
    names = sorted(set(models))
    return keccak("\n".join(names).encode()) if names else bytes(32)


def channel(account: bytes, lane: int, keccak: Keccak) -> bytes:
    """The channel id of an account's lane. ValueError if there is no such lane."""
    if not 0 <= lane < LANES:
        raise ValueError(f"an account has the lanes 0 to {LANES - 1}")
    return struct_hash("Channel", CHANNEL_TYPE, {"account": account, "lane": lane}, keccak)


def permit_digest(domain: Domain, permit: Permit, keccak: Keccak) -> bytes:
    """What the account signs."""
    return digest(domain, "Permit", PERMIT_TYPE, permit._asdict(), keccak)


def voucher_digest(domain: Domain, channel_id: bytes, amount: int, keccak: Keccak) -> bytes:
    """What the key signs after a request. OverflowError above 128 bits."""
    if not 0 <= amount <= AMOUNT_MAX:
        raise OverflowError("a voucher's amount has 128 bits")
    values = {"channelId": channel_id, "maxClaimableAmount": amount}
    return digest(domain, "Voucher", VOUCHER_TYPE, values, keccak)


def promise_digest(domain: Domain, promise: Promise, keccak: Keccak) -> bytes:
    """What the market signs for a provider."""
    return digest(domain, "Promise", PROMISE_TYPE, promise._asdict(), keccak)


def typed_data(
    domain: Domain, name: str, type_: Fields, values: Mapping[str, Any]
) -> dict[str, Any]:
    """The same for a wallet's eth_signTypedData_v4; bytes become 0x text, numbers decimal text."""
    return {
        "types": {"EIP712Domain": _named(DOMAIN_TYPE), name: _named(type_)},
        "primaryType": name,
        "domain": {
            "name": domain.name,
            "version": VERSION,
            "chainId": domain.chain_id,
            "verifyingContract": "0x" + domain.vault.hex(),
        },
        "message": {key: _shown(value) for key, value in values.items()},
    }


def struct_hash(name: str, type_: Fields, values: Mapping[str, Any], keccak: Keccak) -> bytes:
    """EIP-712's hashStruct, of a struct whose fields are all of fixed size."""
    said = ",".join(f"{kind} {field}" for field, kind in type_)
    words = [keccak(f"{name}({said})".encode())]
    words += [_word(kind, values[field]) for field, kind in type_]
    return keccak(b"".join(words))


def separator(domain: Domain, keccak: Keccak) -> bytes:
    values = {
        "name": keccak(domain.name.encode()),
        "version": keccak(VERSION.encode()),
        "chainId": domain.chain_id,
        "verifyingContract": domain.vault,
    }
    return struct_hash("EIP712Domain", DOMAIN_TYPE, values, keccak)


def digest(
    domain: Domain, name: str, type_: Fields, values: Mapping[str, Any], keccak: Keccak
) -> bytes:
    """What is signed, of a struct whose fields are all of fixed size."""
    struct = struct_hash(name, type_, values, keccak)
    return keccak(b"\x19\x01" + separator(domain, keccak) + struct)


def _word(kind: str, value: bytes | int) -> bytes:
    """One 32-byte word: numbers and addresses to the right. ValueError for a wrong length."""
    if isinstance(value, int):
        return value.to_bytes(32, "big")
    if len(value) != (20 if kind == "address" else 32):
        raise ValueError(f"{kind} has not {len(value)} bytes")
    return bytes(32 - len(value)) + value


def _named(type_: Fields) -> list[dict[str, str]]:
    return [{"name": field, "type": kind} for field, kind in type_]


def _shown(value: bytes | int) -> str | bool:
    if isinstance(value, bool):
        return value
    return str(value) if isinstance(value, int) else "0x" + value.hex()
