"""Slip: what a caller is told of its receipt: headers, a trailing field, a comment.

Rule: the answer's own bytes stay as the provider sent them; a slip only comes after them
(one field before the last brace, one comment before the end mark), where OpenAI's clients
and every reader of server-sent events pass over it.
Invariant: whatever a slip says is in the receipt; money is decimal text of credits.
Worked number: 220_500_000 pico-credits read `x-allmende-price: 0.0002205`.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from allmende.core.nouns import Hold, Receipt
from allmende.core.units import Energy, Units, Water, Zone, credits
from allmende.doors.errors import JSON, Headers

STREAM = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
)


class Slip(Struct, frozen=True, omit_defaults=True):
    """`price` is credits of `asset` as decimal text; energy is microjoules, micrograms;
    water, where stated, microlitres.

    While `verdict` is "pending" our own count is still to come and may change the price.
    Where rights paid, `grains` of instrument `right` did, and the price is what they are worth.
    """

    receipt: str
    price: str
    asset: str
    units: Units
    provider: str
    offer: str
    zone: Zone
    energy: Energy
    basis: str
    verdict: str
    outcome: str
    right: str = ""
    grains: int = 0
    water: Water | None = None


encode = msgspec.json.Encoder().encode


def of(receipt: Receipt) -> Slip:
    return Slip(
        receipt.id,
        credits(receipt.price),
        receipt.asset,
        receipt.units,
        receipt.provider,
        receipt.offer,
        receipt.zone,
        receipt.energy,
        receipt.basis,
        receipt.verdict,
        receipt.outcome,
        receipt.right,
        receipt.grains,
        receipt.water,
    )


def splice(body: bytes, slip: Slip) -> bytes:
    """A whole JSON object with `"allmende": {...}` as its last field."""
    end = body.rindex(b"}")
    front = body[:end]
    name = b'"allmende":' if front.rstrip().endswith(b"{") else b',"allmende":'
    return b"".join((front, name, encode(slip), body[end:]))


def comment(slip: Slip) -> bytes:
    """The slip inside a stream of server-sent events."""
    return b": allmende %b\n\n" % encode(slip)


def headers(slip: Slip, length: int) -> Headers:
    """Of a whole answer, which has its receipt when it starts."""
    return [
        JSON,
        (b"content-length", b"%d" % length),
        (b"x-allmende-receipt", slip.receipt.encode()),
        (b"x-allmende-price", slip.price.encode()),
        (b"x-allmende-provider", slip.provider.encode()),
        (b"x-allmende-verdict", slip.verdict.encode()),
        *_paid_with(slip.right),
    ]


def stream_headers(hold: Hold) -> Headers:
    """Of a stream, which knows who serves it, but not yet what it will cost."""
    return [
        *STREAM,
        (b"x-allmende-receipt", hold.id.encode()),
        (b"x-allmende-provider", hold.offer.provider.encode()),
        *_paid_with(hold.right),
    ]


def _paid_with(right: str) -> Headers:
    """The instrument whose rights pay, where any do."""
    return [(b"x-allmende-paid-with", right.encode())] if right else []
