"""Govern floors: what a budget demands of every offer that serves a request below it.

Rule: whoever manages the budget's owner sets its floor; the floors of all budgets above add to
it, so below nobody can ask for less.
Invariant: a floor names known objectives and regimes, each once; one of nothing is no floor.
Worked number: University at SOV-2 of 2 and Physics at SOV-2 of 1 make 2 for a key of Physics.
"""

from __future__ import annotations

from allmende.core import events as e
from allmende.core import evidence_commands as v
from allmende.core import evidence_events as f
from allmende.core import floors
from allmende.core.budgets import find_budget
from allmende.core.evidence import NO_FLOOR, Floor
from allmende.core.identity import allow, key
from allmende.core.nouns import SYSTEM
from allmende.core.state import State


def set_floor(state: State, command: v.SetFloor) -> list[e.Event]:
    node = find_budget(state, command.budget)
    allow(state, command.by, node.owner, command.at)
    floor = Floor(
        floors.pairs("min_seal", command.min_seal),
        floors.pairs("max_exposure", command.max_exposure),
        floors.pairs("max_kill_switch", command.max_kill_switch),
    )
    by = SYSTEM if command.by == SYSTEM else key(state, command.by, command.at).id
    return [f.FloorSet(at=command.at, budget=node.id, floor=floor, by=by)]


def floor_set(state: State, event: f.FloorSet) -> None:
    if event.floor == NO_FLOOR:
        state.floors.pop(event.budget, None)
    else:
        state.floors[event.budget] = event.floor


DECIDE = {v.SetFloor: set_floor}
APPLY = {f.FloorSet: floor_set}
