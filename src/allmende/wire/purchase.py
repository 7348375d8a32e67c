"""Purchase: the market's word for who may buy shares, as EIP-712 typed data.

Rule: a voucher names a wallet, the person it belongs to by a pseudonym, his state, and until
when; the sale's contract takes it from that wallet as often as its caps allow.
Invariant: the digest is that of contracts/Sale.vy and of any wallet; it holds on one chain and
for one sale, because its domain names both.
Worked number: "DEU" is 0x444555 and 29 zero bytes.

A pseudonym is a hash of what only the market's key can sign: nobody finds out from the chain
which member it is, and the market finds the same one every time. It is of one sale: another
sale has other pseudonyms of the same members.
"""

from __future__ import annotations

from collections.abc import Callable

from allmende.core.offering import Voucher
from allmende.wire.merkle_sum import Keccak
from allmende.wire.voucher import Domain, digest

NAME = "Allmende Sale"
"""Of its signing domain."""
VOUCHER_TYPE = (
    ("wallet", "address"),
    ("person", "bytes32"),
    ("state", "bytes32"),
    ("qualified", "bool"),
    ("deadline", "uint256"),
)


def domain(chain_id: int, sale: bytes) -> Domain:
    """`sale` is the contract's address, of 20 bytes."""
    return Domain(chain_id, sale, NAME)


def state_word(code: str) -> bytes:
    """Of an ISO 3166-1 alpha-3 code. ValueError if it is not three capital letters."""
    if len(code) != 3 or not (code.isascii() and code.isalpha() and code.isupper()):
        raise ValueError(f"a state is three capital letters such as DEU, not {code!r}")
    return code.encode().ljust(32, b"\0")


def state_code(word: str) -> str:
    """The other way, from 0x text. UnicodeDecodeError if the market signed no code."""
    return bytes.fromhex(word[2:]).rstrip(b"\0").decode("ascii")


def words(voucher: Voucher) -> tuple[str, bytes, bytes, bool, int]:
    """As the contract takes it. Person and wallet are 0x text here and in it."""
    person = bytes.fromhex(voucher.person.removeprefix("0x"))
    state = state_word(voucher.state)
    return voucher.wallet, person, state, voucher.qualified, voucher.deadline


def voucher_digest(where: Domain, voucher: Voucher, keccak: Keccak) -> bytes:
    """What the market signs."""
    wallet, *rest = words(voucher)
    values = (bytes.fromhex(wallet.removeprefix("0x")), *rest)
    named = {name: value for (name, _), value in zip(VOUCHER_TYPE, values, strict=True)}
    return digest(where, "Voucher", VOUCHER_TYPE, named, keccak)


def pseudonym(where: Domain, member: str, sign: Callable[[bytes], bytes], keccak: Keccak) -> str:
    """Of a member in one sale, 32 bytes as 0x text. `sign` must be deterministic (RFC 6979)."""
    said = f"{where.name}: member {member} at {where.chain_id}:{where.vault.hex()}"
    return "0x" + keccak(sign(keccak(said.encode()))).hex()
