"""Account: the operator's key on the chain, and what it signs.

Rule: the key lies in the data directory sealed by the market's vault, and is made on first use.
Invariant: a transaction is signed for one chain id, so that it is void on any other; the key
is in no text, no error and no answer.
Worked number: the same draft gives the same bytes (RFC 6979), so signing it twice is one
transaction.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from eth_account import Account as Signing
from msgspec import Struct

from allmende.adapters.chain.words import hexed
from allmende.adapters.secrets import Vault, open_sealed

KEY_FILE = "chain.key"
_CONTEXT = "chain account"


class Draft(Struct, frozen=True, kw_only=True):
    """A transaction before it is signed; fees in wei per gas. No `to` creates a contract."""

    chain_id: int
    nonce: int
    to: str
    data: bytes
    value: int
    gas: int
    max_fee: int
    tip: int
    legacy: bool


class Signed(Struct, frozen=True):
    hash: str
    raw: bytes


class Account:
    """Signs with one secp256k1 key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = Signing.from_key(key)
        self.address: str = str(self._key.address).lower()

    def sign(self, draft: Draft) -> Signed:
        fields = {
            "chainId": draft.chain_id,
            "nonce": draft.nonce,
            "to": bytes.fromhex(draft.to[2:]),
            "data": draft.data,
            "value": draft.value,
            "gas": draft.gas,
        }
        if draft.legacy:
            fields |= {"gasPrice": draft.max_fee}
        else:
            tips = {"maxFeePerGas": draft.max_fee, "maxPriorityFeePerGas": draft.tip}
            fields |= {"type": 2, **tips}
        done = self._key.sign_transaction(fields)
        return Signed(hexed(bytes(done.hash)), bytes(done.raw_transaction))

    def sign_digest(self, digest: bytes) -> bytes:
        """65 bytes over an EIP-712 digest, see signing.Signing."""
        return bytes(self._key.unsafe_sign_hash(digest).signature)


def open_account(folder: Path, vault: Vault) -> Account:
    """The operator's account of a data directory. Raises SecretBroken."""
    text = open_sealed(folder / KEY_FILE, vault, _CONTEXT, secrets.token_hex(32))
    return Account(bytes.fromhex(text))
