"""Signing: the seam to the curve that wallets use, for sessions, promises and the house.

Rule: a secret key is made, sealed and used behind this seam; doors carry it sealed, or not at all.
Invariant: what `sign` signs, `recover` gives back the address of.
Worked number: a signature is 65 bytes: r and s of 32, and 27 or 28.

Digests are of wire.voucher, 32 bytes; addresses lower-case 0x text, as in ports.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from allmende.wire.merkle_sum import Keccak


class Signing(Protocol):
    @property
    def keccak(self) -> Keccak: ...

    house: str
    """The operator's own account on the chain: it signs for all members without a wallet."""
    market: str
    """The desk's key that promises earnings to providers."""

    def fresh(self) -> tuple[str, str]:
        """A new session key: its address, and the key under the market's seal."""

    def sign(self, sealed: str, digest: bytes) -> bytes:
        """By a session key. Raises adapters.secrets.SecretBroken if another market sealed it."""

    def sign_house(self, digest: bytes) -> bytes: ...
    def sign_market(self, digest: bytes) -> bytes: ...

    def recover(self, digest: bytes, signature: bytes) -> str:
        """Who signed it. ValueError if that is no signature, or a malleable one."""


class SignIn(Struct, frozen=True):
    """What a wallet said and signed to be let in (EIP-4361). Times are Unix seconds."""

    address: str
    nonce: str
    statement: str
    issued_s: int


class SignIns(Protocol):
    """Reads such messages."""

    def read(
        self, message: str, signature: str, *, domain: str, uri: str, chain_id: int, at_s: int
    ) -> SignIn:
        """The message, if its address signed it for this place and this time; else ValueError
        with one of WRONG. Its nonce, and when it was issued, are for the caller to judge."""


WRONG = ("malformed", "domain", "uri", "chain", "expired", "early", "signature", "missing")
"""The last where the market lacks what reads them."""
