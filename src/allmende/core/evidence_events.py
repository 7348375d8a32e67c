"""Evidence events: what can have happened to evidence, assessments and floors.

Rule: each names the key of the person behind it; "system" where time alone ended something.
Invariant: none of them moves money.
Worked number: evidence filed, confirmed and expired is three events.
"""

from __future__ import annotations

from allmende.core.evidence import Filed, Floor, Signed
from allmende.core.facts import Event


class EvidenceFiled(Event, frozen=True):
    filed: Filed


class EvidenceConfirmed(Event, frozen=True):
    """`footing` is the digest of what the offer is now: title, place, address, model."""

    id: str
    by: str
    footing: str = ""


class EvidenceEnded(Event, frozen=True):
    """`cause` is "withdrawn" or "expired"."""

    id: str
    cause: str
    by: str


class Assessed(Event, frozen=True):
    signed: Signed


class AssessmentEnded(Event, frozen=True):
    """`cause` is "withdrawn" or "expired"."""

    provider: str
    offer: str
    regime: str
    cause: str
    by: str


class FloorSet(Event, frozen=True):
    budget: str
    floor: Floor
    by: str
