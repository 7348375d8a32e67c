"""Siwe: messages by which a wallet signs in (EIP-4361), read by the library `siwe`.

Rule: the library parses, and checks place, time and signature; what comes back was signed by
its address, for this market, on this chain, now.
Invariant: whatever is sent, it is read or refused with one of signing.WRONG; nothing is asked
of any node, so a contract that is a wallet (EIP-1271) cannot sign in.
Worked number: a usual message has 300 characters and is read and checked in 20 ms; the longest
that is read, of MESSAGE_MAX, takes 100.

The package is `signinwithethereum`. It declares web3 7 and eth-account 0.13 and works with
those that we have, so it is installed beside them, see pyproject.toml.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NoReturn

import siwe
from siwe import SiweMessage

from allmende.signing import SignIn

MESSAGE_MAX = 800
"""Characters: the library's grammar takes time by the square of them."""
SIGNATURE = 132
"""Characters: 0x and 65 bytes."""


class EthereumSignIns:
    """signing.SignIns."""

    def read(
        self, message: str, signature: str, *, domain: str, uri: str, chain_id: int, at_s: int
    ) -> SignIn:
        # cheap looks first: what has another first line costs nobody a parser
        if not message.isascii() or len(message) > MESSAGE_MAX or len(signature) != SIGNATURE:
            _wrong("malformed")
        if not message.startswith(f"{domain} wants you to sign in"):
            _wrong("domain")
        said = _parsed(message)
        _verify(said, signature, domain=domain, uri=uri, chain_id=chain_id, at_s=at_s)
        issued = datetime.fromisoformat(str(said.issued_at))
        return SignIn(
            said.address.lower(), said.nonce, said.statement or "", int(issued.timestamp())
        )


def _parsed(message: str) -> SiweMessage:
    try:
        said = SiweMessage.from_message(message)
        # the library signs what it writes itself: it must be what the wallet showed
        if said.prepare_message() != message:
            _wrong("malformed")
    except (ValueError, RecursionError):
        _wrong("malformed")
    return said


def _verify(
    said: SiweMessage, signature: str, *, domain: str, uri: str, chain_id: int, at_s: int
) -> None:
    try:
        said.verify(
            signature,
            domain=domain,
            nonce=said.nonce,
            uri=uri,
            chain_id=chain_id,
            timestamp=datetime.fromtimestamp(at_s, UTC),
            strict=True,
        )
    except siwe.VerificationError as error:
        _wrong(_WORDS.get(type(error), "signature"))


_WORDS: dict[type[Exception], str] = {
    siwe.DomainMismatch: "domain",
    siwe.UriMismatch: "uri",
    siwe.ChainIdMismatch: "chain",
    siwe.ExpiredMessage: "expired",
    siwe.NotYetValidMessage: "early",
    siwe.InvalidSignature: "signature",
}


def _wrong(what: str) -> NoReturn:
    raise ValueError(what)
