"""Drill events: what can have happened to a drill.

Rule: a drill's start says which offers are out and until when, so that replaying it needs no
registry.
Invariant: none of them moves money.
Worked number: a drill that ran its 30 seconds is two events, and one more for each second in
which the gateway refused somebody because of it.
"""

from __future__ import annotations

from allmende.core.drills import Drill
from allmende.core.facts import Event


class DrillStarted(Event, frozen=True):
    drill: Drill


class DrillNoted(Event, frozen=True):
    """`refused` more requests found no offer because of it."""

    id: str
    refused: int


class DrillEnded(Event, frozen=True):
    """`cause` is "over" where its time was, "ended" where an operator ended it."""

    id: str
    cause: str
