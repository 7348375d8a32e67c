"""Credential: by which a wallet votes as a member, as EIP-712 typed data of the Assembly.

Rule: the market's registrar signs (member, wallet, expiry); `member` is a salted hash, so the
chain does not say who it is. A later expiry replaces an earlier one.
Invariant: the digest is that of contracts/Assembly.vy; it holds on one chain and one Assembly.
Worked number: a credential for 90 days is replaced by one for 91, and never by one for 89.
"""

from __future__ import annotations

from typing import NamedTuple

from allmende.wire.merkle_sum import Keccak
from allmende.wire.voucher import Domain, digest

NAME = "Allmende Assembly"
TYPE = (("member", "bytes32"), ("wallet", "address"), ("expiry", "uint256"))


class Credential(NamedTuple):
    """`member` has 32 bytes, `wallet` 20; `expiry` is a Unix second."""

    member: bytes
    wallet: bytes
    expiry: int


def member_hash(salt: bytes, member: str, keccak: Keccak) -> bytes:
    """Of a member's id. Whoever has no salt cannot tell whose it is."""
    return keccak(salt + member.encode())


def credential_digest(
    chain_id: int, assembly: bytes, credential: Credential, keccak: Keccak
) -> bytes:
    """What the registrar signs."""
    domain = Domain(chain_id, assembly, NAME)
    return digest(domain, "Credential", TYPE, credential._asdict(), keccak)
