"""Facts: what all events share.

Rule: an event names its instant, and marks the command that a repetition would repeat.
Invariant: the postings of every event sum to zero for each asset.
Worked number: moving 5 pico from a to b posts -5 to a and +5 to b.
"""

from __future__ import annotations

from msgspec import Struct

from allmende.core.nouns import Posting
from allmende.core.units import Amount, Instant


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True, tag=str.lower):
    """`at` microseconds UTC. `idem` marks the events that a repeated command would repeat."""

    at: Instant
    idem: str = ""
    digest: str = ""

    @property
    def postings(self) -> tuple[Posting, ...]:
        return ()


def move(source: str, target: str, asset: str, amount: Amount) -> tuple[Posting, ...]:
    """`amount` of `asset` out of one account and into another."""
    return Posting(source, asset, -amount), Posting(target, asset, amount)
