"""Drills of a market: an operator takes offers off the book for a while, to see what leans on them.

Rule: only where the rule `drills_allowed` is 1, for at most `drill_seconds`, and never over an
offer that owes rights meanwhile: its issuer would pay for an outage that we made.
Invariant: no two drills are over one offer; a drill is over when its time is, tick or not.
Worked number: with drill_seconds at 600, a drill of 601 is refused, and one of 30 that starts at
second 5 is over at second 35.
"""

from __future__ import annotations

from allmende.core import commands as c
from allmende.core import drill_commands as dc
from allmende.core import drill_events as de
from allmende.core import events as e
from allmende.core.drilling import drill_over, require_none
from allmende.core.drills import Drill
from allmende.core.identity import allow_operator, new_id
from allmende.core.nouns import SYSTEM
from allmende.core.refusals import Refused, Why
from allmende.core.rights import outstanding
from allmende.core.state import State
from allmende.core.units import SECOND, Instant

LABEL_MAX = 200
"""Characters."""
OFFERS_MAX = 1_000


def start(state: State, command: dc.StartDrill) -> list[e.Event]:
    allow_operator(state, command.by, command.at)
    if not state.parameters["drills_allowed"]:
        raise Refused(Why.NOT_ALLOWED, "This market allows no drills: set drills_allowed to 1.")
    new_id(command.id, command.id in state.drills)
    most = state.parameters["drill_seconds"]
    if not 1 <= command.seconds <= most:
        raise Refused(Why.BAD_VALUE, f"A drill is 1 to {most} seconds here (drill_seconds).")
    if not command.label.isprintable() or len(command.label) > LABEL_MAX:
        raise Refused(Why.BAD_VALUE, f"A label is one line of up to {LABEL_MAX} characters.")
    if not 1 <= len(set(command.offers)) == len(command.offers) <= OFFERS_MAX:
        raise Refused(Why.BAD_VALUE, f"A drill names 1 to {OFFERS_MAX} offers, each once.")
    until = command.at + command.seconds * SECOND
    for id_ in command.offers:
        _require_free(state, id_, command.at, until)
    drill = Drill(command.id, command.label or "drill", command.offers, command.at, until)
    return [de.DrillStarted(at=command.at, drill=drill)]


def _require_free(state: State, id_: str, at: Instant, until: Instant) -> None:
    """Refuse an offer that is not there, is drilled already, or owes rights until then."""
    offer = state.offers.get(id_)
    if offer is None:
        raise Refused(Why.NOT_FOUND, f"No offer {id_!r}. There are {', '.join(state.offers)}.")
    require_none(state, id_, at)
    for right in state.delivering.get(offer.model, ()):
        instrument = state.listings[right].instrument
        open_ = instrument.start < until and at < instrument.end
        if instrument.offer == id_ and open_ and outstanding(state, right):
            raise Refused(
                Why.OWED,
                f"{id_!r} delivers {right!r} meanwhile, and its issuer must not pay for a drill: "
                "leave that offer out, or drill after the window.",
            )


def end(state: State, command: dc.EndDrill) -> list[e.Event]:
    allow_operator(state, command.by, command.at)
    return [de.DrillEnded(at=command.at, id=_running(state, command.id).id, cause="ended")]


def note(state: State, command: dc.NoteDrill) -> list[e.Event]:
    if command.by != SYSTEM:
        raise Refused(Why.NOT_ALLOWED, "The gateway tells that, nobody else.")
    if command.refused <= 0:
        raise Refused(Why.BAD_VALUE, "One refused request or more.")
    drill = _running(state, command.id)
    return [de.DrillNoted(at=command.at, id=drill.id, refused=command.refused)]


def due(state: State, command: c.Tick) -> list[e.Event]:
    return [
        de.DrillEnded(at=command.at, id=drill.id, cause="over")
        for drill in state.drills.values()
        if command.at >= drill.until
    ]


def _running(state: State, id_: str) -> Drill:
    found = state.drills.get(id_)
    if found is None:
        running = ", ".join(state.drills) or "none"
        raise Refused(Why.NOT_FOUND, f"No drill {id_!r} is running; running: {running}.")
    return found


def started(state: State, event: de.DrillStarted) -> None:
    state.drills[event.drill.id] = event.drill


def noted(state: State, event: de.DrillNoted) -> None:
    """Told for the read models; no decision needs it."""


def ended(state: State, event: de.DrillEnded) -> None:
    del state.drills[event.id]


def check(state: State) -> None:
    for drill in state.drills.values():
        assert drill.since < drill.until, f"drill {drill.id} never ends"
        for offer in drill.offers:
            assert drill_over(state, offer, drill.since) == drill, f"two drills over {offer}"


DECIDE = {dc.StartDrill: start, dc.EndDrill: end, dc.NoteDrill: note, c.Tick: due}
APPLY = {de.DrillStarted: started, de.DrillNoted: noted, de.DrillEnded: ended}
