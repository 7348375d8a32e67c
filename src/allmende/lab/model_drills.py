"""Model of drills, the dumb way: which are running is read from all of history, each time.

Rule: a drill runs from its start to its end or its time, whichever is first.
Invariant: no request was ever given to an offer while a drill was over it.
Worked number: a drill of 30 seconds begun at 5 and ended at 20 forbids 5 to 20, and 20 no more.
"""

from __future__ import annotations

from collections.abc import Sequence

from allmende.core import drill_events as d
from allmende.core import events as e
from allmende.core.drills import Drill
from allmende.core.state import State


def agree(state: State, events: Sequence[e.Event]) -> None:
    """Assert that the drills at hand are those of history, and that all of them were kept to."""
    running: dict[str, Drill] = {}
    for event in events:
        if isinstance(event, d.DrillStarted):
            drill = event.drill
            assert not set(drill.offers) & _out(running, event.at), "two drills over one offer"
            running[drill.id] = drill
        elif isinstance(event, d.DrillEnded):
            del running[event.id]
        elif isinstance(event, e.Reserved):
            assert event.offer not in _out(running, event.at), f"{event.hold} went into a drill"
    assert state.drills == running, "drills"


def _out(running: dict[str, Drill], at: int) -> set[str]:
    return {id_ for drill in running.values() if at < drill.until for id_ in drill.offers}
