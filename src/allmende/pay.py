"""Pay: the seam to whoever takes a payment for one call, from a caller without an account.

Rule: a payment is looked at before anything moves, then sent once and for all, and counts when
the chain says that it is there to stay.
Invariant: the same payment has the same reference over any crash, and the first seal that it
was sent with for ever: whoever finds it on the chain later cannot spend it on something else.
Worked number: a call that costs 303_600_000 pico-credits at worst asks for as many base units
of a token with 12 decimals, and for 304 of one with 6: 400_000 pico more, which stay his.

Beside `ports`, because a market without a chain needs none of it. Addresses and hashes are
lower-case 0x text as there. Methods that are awaited may raise ports.ChainFailed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from msgspec import Struct

from allmende.core.units import Amount

REQUIRED = b"payment-required"
SIGNATURE = b"payment-signature"
RESPONSE = b"payment-response"
"""x402's headers, version 2: what is to be paid, the payment, and what became of it."""
SEAL = 32
"""Bytes."""


class Unpaid(Exception):
    """A payment that will not do. `reason` is a word for programs, `detail` says what to do."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Payment(Struct, frozen=True):
    """What a payer signed. `amount` is pico-credits; `call` are the bytes that move it."""

    payer: str
    nonce: str
    amount: Amount
    valid_before_s: int
    reference: str
    """Names it for ever: chain, token, payer and nonce."""
    call: bytes


class Payments(Protocol):
    unit: Amount
    """Pico-credits in a base unit of the token; amounts are rounded up to it."""
    window_s: int
    """Seconds ahead that a payment may be valid at most: what it takes until it is final."""
    pause_s: float
    """Seconds between two looks at what is under way."""

    def wanted(self, amount: Amount, window_s: int, path: str, says: str) -> bytes:
        """The header that asks for a payment of `amount`, valid for up to `window_s`."""

    def read(self, header: bytes, window_s: int) -> Payment:
        """The payment of a header, as far as it shows without asking a chain. Unpaid."""

    async def verify(self, payment: Payment) -> None:
        """Whether it would go through now: signature, balance, nonce. Moves nothing. Unpaid."""

    def begun(self, payment: Payment) -> bool:
        """Whether it is written down to be sent."""

    def begin(self, payment: Payment, seal: bytes) -> None:
        """Have it sent, once. Refused(REPLAYED) if it came before with another seal."""

    async def look(self, payment: Payment) -> str | None:
        """The transaction that moved it, once that is final; None while it is under way.

        Unpaid if none ever will be ours.
        """

    def settled(self, payment: Payment, transaction: str) -> bytes:
        """The header that tells the payer."""

    def unfinished(self) -> Iterator[Payment]:
        """Those that were begun, by this process or another; many of them are credited by now."""
