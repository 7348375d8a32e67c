"""Signing: session keys, the desk's promises and the house's own vouchers on secp256k1.

Rule: a session key exists in clear only while it signs; at rest it is sealed by the market's
vault, in the journal beside the permit that it belongs to.
Invariant: signatures are deterministic (RFC 6979) and low in s, as the contracts demand.
Worked number: sealing a key of 32 bytes gives 127 characters, which open in this market alone.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak as keccak_of
from eth_utils.exceptions import ValidationError

from allmende.adapters.chain.account import Account
from allmende.adapters.secrets import Vault, open_sealed

MARKET_KEY = "market.key"
SECP256K1_HALF = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half of the curve's order: a higher s is the same signature spelt differently."""
_SESSION, _MARKET = "session key", "market's chain key"


class Keys:
    """signing.Signing for one data directory."""

    def __init__(self, vault: Vault, house: Account, market: Account) -> None:
        self._vault = vault
        self._house = house
        self._market = market
        self.house = house.address
        self.market = market.address

    @staticmethod
    def keccak(data: bytes) -> bytes:
        return bytes(keccak_of(data))

    def fresh(self) -> tuple[str, str]:
        secret = secrets.token_hex(32)
        return Account(bytes.fromhex(secret)).address, self._vault.seal(secret, _SESSION)

    def sign(self, sealed: str, digest: bytes) -> bytes:
        return Account(bytes.fromhex(self._vault.open(sealed, _SESSION))).sign_digest(digest)

    def sign_house(self, digest: bytes) -> bytes:
        return self._house.sign_digest(digest)

    def sign_market(self, digest: bytes) -> bytes:
        return self._market.sign_digest(digest)

    def recover(self, digest: bytes, signature: bytes) -> str:
        return recovered(digest, signature)


def recovered(digest: bytes, signature: bytes) -> str:
    """Whose signature it is. ValueError for what is none, or another spelling of one."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        raise ValueError("a signature is 65 bytes, the last of them 27 or 28")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if s > SECP256K1_HALF:
        raise ValueError("this signature is malleable: its s is high")
    try:
        found = Signature(vrs=(signature[64] - 27, r, s))
        return str(found.recover_public_key_from_msg_hash(digest).to_address())
    except (BadSignature, ValidationError) as error:
        raise ValueError(f"this is no signature: {error}") from None


def open_keys(folder: Path, vault: Vault, house: Account) -> Keys:
    """The keys of a data directory; the market's is made on first use. Raises SecretBroken."""
    secret = open_sealed(folder / MARKET_KEY, vault, _MARKET, secrets.token_hex(32))
    return Keys(vault, house, Account(bytes.fromhex(secret)))
