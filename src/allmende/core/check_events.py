"""Check events: what can have happened to checks.

Rule: a check's end names who was right, so that whoever pays for verification needs no state.
Invariant: none of them moves money.
Worked number: a check with three verifiers is eight events: opened, 3 commitments, 3 verdicts,
closed.
"""

from __future__ import annotations

from typing import TypeAlias

from allmende.core.checks import Check
from allmende.core.facts import Event


class CheckOpened(Event, frozen=True):
    check: Check


class Committed(Event, frozen=True):
    check: str
    verifier: str
    hash: str


class Revealed(Event, frozen=True):
    check: str
    verifier: str
    verdict: str


class CheckClosed(Event, frozen=True):
    """`outcome` is "" without a quorum or a majority; `right` said it, in order of their ids."""

    id: str
    about: str
    outcome: str
    right: tuple[str, ...]


Any: TypeAlias = CheckOpened | Committed | Revealed | CheckClosed
