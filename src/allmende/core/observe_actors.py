"""Observe, who is who: the registry of actors comes in as a whole, and is a fact.

Rule: an operator imports a registry; every row is in order or none is taken. Nothing decides
from who owns whom: what a market must refuse by is a person's signed assessment.
Invariant: the state knows the version and the digest alone; the rows are in the journal (and
with an idempotency key, until its window has passed, among what a repetition is told).
Worked number: a registry of 40 actors with one unknown country is refused by that row, and
the version stays what it was.
"""

from __future__ import annotations

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core.identity import allow_operator, key
from allmende.core.nouns import SYSTEM
from allmende.core.refusals import Refused, Why
from allmende.core.registry import TEXT_MAX, Known, canonical, day, digest, wrong
from allmende.core.state import State

TOLD = 5
"""Faults that a refusal names; the rest are counted."""


def import_actors(state: State, command: c.ImportActors) -> list[e.Event]:
    """The registry's new version; nothing where it is the one that stands."""
    allow_operator(state, command.by, command.at)
    if not 0 < len(command.source) <= TEXT_MAX:
        raise Refused(Why.BAD_VALUE, "An import says where it is from: its files' names.")
    faults = wrong(command.registry, Known(day(command.at), state.members, state.offers))
    if faults:
        told = [f"{f.table} row {f.row + 1}: {f.field}: {f.says}." for f in faults[:TOLD]]
        more = [f"And {len(faults) - TOLD} more."] if len(faults) > TOLD else []
        raise Refused(Why.BAD_VALUE, " ".join(["Nothing was imported.", *told, *more]))
    sha256 = digest(command.registry)
    if sha256 == state.registry_sha256:
        return []
    return [
        e.ActorsImported(
            at=command.at,
            version=state.registry_version + 1,
            registry=canonical(command.registry),
            sha256=sha256,
            source=command.source,
            importer=SYSTEM if command.by == SYSTEM else key(state, command.by, command.at).id,
        )
    ]


def actors_imported(state: State, event: e.ActorsImported) -> None:
    state.registry_version, state.registry_sha256 = event.version, event.sha256


DECIDE = {c.ImportActors: import_actors}
APPLY = {e.ActorsImported: actors_imported}
