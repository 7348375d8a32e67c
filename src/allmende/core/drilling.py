"""Drilling: whether a drill keeps an offer off the book now, and what a caller hears of it.

Rule: an offer is out from its drill's start to the instant `until`, that one not included.
Invariant: at most one drill is over an offer at any time.
Worked number: with 12_000_001 microseconds to go a caller hears of 13 seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from allmende.core.drills import Drill
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import SECOND, Instant

DRILL = "drill"
"""The condition that such an offer fails, as a word for the refusal."""


def drill_over(state: State, offer: str, at: Instant) -> Drill | None:
    """The running drill that this offer is cut by."""
    for drill in state.drills.values():
        if at < drill.until and offer in drill.offers:
            return drill
    return None


def told(state: State, offers: Iterable[str], at: Instant) -> tuple[str, dict[str, Any]]:
    """What a caller who found no offer hears of drills over these: a sentence, and facts.

    Facts: `drills`, their ids, and `retry_after_us` to the first one's end. Both empty if none.
    """
    over = {drill.id: drill for id_ in offers if (drill := drill_over(state, id_, at))}
    if not over:
        return "", {}
    first = min(drill.until for drill in over.values()) - at
    names = ", ".join(f"{drill.id} ({drill.label})" for drill in over.values())
    sentence = f" A drill is running: {names}; it ends within {-(-first // SECOND)} s."
    return sentence, {"drills": list(over), "retry_after_us": first}


def require_none(state: State, offer: str, at: Instant) -> None:
    """Refuse where a drill is over an offer at `at`."""
    drill = drill_over(state, offer, at)
    if drill is not None:
        detail = f"Drill {drill.id!r} keeps {offer!r} off the book; wait for its end."
        raise Refused(Why.HALTED, detail)
