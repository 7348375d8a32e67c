"""Tree events: that members came from another market, and what they had spent there.

Rule: where they came from is what the file said; nothing decides from it but that it came.
Invariant: neither has a posting: no money comes with a tree.
Worked number: a university with 30 institutes is one TreeReceived that names one top.
"""

from __future__ import annotations

from typing import TypeAlias

from allmende.core.facts import Event
from allmende.core.units import Amount, Instant


class TreeReceived(Event, frozen=True):
    """`members` are the tops of a tree that came from `market`, as it was after its event
    `events`; `sha256` is of the tree, `public_key` the other market's as the file says it."""

    sha256: str
    market: str
    public_key: str
    events: int
    members: tuple[str, ...]


class SpentCarried(Event, frozen=True):
    id: str
    spent: Amount
    until: Instant
    ug_spent: int = 0


Any: TypeAlias = TreeReceived | SpentCarried
