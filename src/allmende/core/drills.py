"""Drills: what a drill is, as plain frozen data.

Rule: a drill takes offers off the book for a stated time, so that a market sees what it leans
on; it names each of them, and nothing else about them changes.
Invariant: it ends by itself: `until` is known when it starts, and never moves.
Worked number: a drill of 30 seconds that starts at 12:00:00 lets its offers in at 12:00:30,
whether a tick came by then or not.
"""

from __future__ import annotations

from msgspec import Struct

from allmende.core.units import Instant


class Drill(Struct, frozen=True):
    """`label` says what is cut, as country=USA; `offers` are what that came to at its start."""

    id: str
    label: str
    offers: tuple[str, ...]
    since: Instant
    until: Instant
