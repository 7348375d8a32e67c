"""EIP-3009: a token's transfer that its holder only signs, as bytes and as it shows in a chain.

Rule: anyone may hand an authorisation in, so that ours was reverted says nothing; whether it
moved is read from the token's own logs.
Invariant: an authorisation is the transfer that stands right behind its AuthorizationUsed, from
the payer to the payee over that amount, and no other with the same nonce.
Worked number: the call is four bytes of name and nine words, 292 bytes; what follows them the
token does not read, and there our seal stands.

Source: EIP-3009, `transferWithAuthorization` with v, r, s, as in contracts/Credit.vy.
"""

from __future__ import annotations

from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak
from msgspec import Struct

from allmende.adapters.chain.words import hexed
from allmende.ports import Block, Chain, Log

_KINDS = (
    *("address", "address", "uint256", "uint256", "uint256"),
    *("bytes32", "uint8", "bytes32", "bytes32"),
)
_NAME = keccak(text=f"transferWithAuthorization({','.join(_KINDS)})")[:4]
CALL_BYTES = len(_NAME) + 32 * len(_KINDS)
USED = hexed(keccak(text="AuthorizationUsed(address,bytes32)"))
TRANSFER = hexed(keccak(text="Transfer(address,address,uint256)"))
SEARCH_BLOCKS = 2_000
"""As far back as we look for one that others handed in; nodes answer no more at once."""


class Authorization(Struct, frozen=True):
    """What a holder signed, and the 65 bytes that he signed it with."""

    payer: str
    payee: str
    value: int
    valid_after_s: int
    valid_before_s: int
    nonce: str
    signature: bytes

    def call(self) -> bytes:
        """What is sent to the token. ValueError for a signature of another kind."""
        if len(self.signature) != 65:
            raise ValueError("a holder's signature has 65 bytes")
        r, s, v = self.signature[:32], self.signature[32:64], self.signature[64]
        signed = (v + 27 if v < 2 else v, r, s)
        times = (self.valid_after_s, self.valid_before_s, bytes.fromhex(self.nonce[2:]))
        return _NAME + encode(_KINDS, (self.payer, self.payee, self.value, *times, *signed))


def read_call(data: bytes) -> Authorization:
    """Of what `call` made; whatever follows is not read."""
    assert data.startswith(_NAME), "not an authorised transfer"
    payer, payee, value, after, before, nonce, v, r, s = decode(_KINDS, data[4:CALL_BYTES])
    signature = r + s + bytes([v])
    return Authorization(payer, payee, value, after, before, hexed(nonce), signature)


async def find(chain: Chain, token: str, wanted: Authorization) -> Log | None:
    """Where it was used so that it moved, however new the block; None if nowhere. ChainFailed."""
    head = await chain.block()
    if head is None:
        return None
    for used in await _used(chain, token, wanted, head):
        if await _moved(chain, token, wanted, used):
            return used
    return None


async def _used(chain: Chain, token: str, wanted: Authorization, head: Block) -> list[Log]:
    first = max(0, head.number - SEARCH_BLOCKS + 1)
    return await chain.logs(token, first, head.number, (USED, _word(wanted.payer), wanted.nonce))


async def _moved(chain: Chain, token: str, wanted: Authorization, used: Log) -> bool:
    topics = (TRANSFER, _word(wanted.payer), _word(wanted.payee))
    return any(
        (log.transaction, log.index) == (used.transaction, used.index + 1)
        and int.from_bytes(log.data, "big") == wanted.value
        for log in await chain.logs(token, used.block, used.block, topics)
    )


def _word(address: str) -> str:
    """An address as a topic."""
    return "0x" + address[2:].rjust(64, "0")
