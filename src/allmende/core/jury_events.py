"""Jury events: what can have happened to a jury.

Rule: the call carries the whole list and the draw carries the seed, so that anybody with the
journal draws again.
Invariant: none of them moves money.
Worked number: a jury of 12 is two events, whatever the size of its list.
"""

from __future__ import annotations

from allmende.core.facts import Event
from allmende.core.sortition import Jury


class JuryCalled(Event, frozen=True):
    """`list_sha256` is of the list as `sortition.list_hash` writes it."""

    jury: Jury
    list_sha256: str


class JuryDrawn(Event, frozen=True):
    id: str
    seed: str
    list_sha256: str
    drawn: tuple[str, ...]
