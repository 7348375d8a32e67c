"""Sovereignty: what each offer can show now, who said so, and what budgets demand, as plain data.

Rule: confirmed evidence, assessments and what follows from them are public; claims that nobody
confirmed are for operators and the provider that made them, floors for who sees the budget.
Invariant: levels are those that routing obeys, read by the same functions at the same instant;
the overall level is the lowest of all objectives, and nothing is averaged.
Worked number: levels 2, 1, 3, 2, 1, 3, 3, 2 are level 1; without any assessment US is E3 and 2.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from allmende.core import budgets, floors
from allmende.core.evidence import CSF, LAWS, NO_FLOOR, OBJECTIVES, Filed, Floor, Signed
from allmende.core.nouns import Offer, Policy
from allmende.core.state import State
from allmende.core.units import Instant
from allmende.doors import demands, sight
from allmende.doors.account import reply, viewer_of
from allmende.doors.counter import Counter
from allmende.doors.plain import outward
from allmende.doors.sight import Viewer

Row = dict[str, Any]


def offers(state: State, at: Instant, framework: str = CSF) -> list[Row]:
    """A row for each standing offer: its level per objective, and each regime's reach.

    For pages: `level` is the lowest of `objectives`; an objective has its `level`, whether it is
    `contradictory`, and the `evidence` that counts; a regime has `exposure`, `kill_switch` and
    what was `signed` (empty: not assessed, and so the worst).
    """
    return [_offer(state, offer, at, framework) for offer in state.offers.values()]


def _offer(state: State, offer: Offer, at: Instant, framework: str) -> Row:
    names = OBJECTIVES[framework]
    seals = {name: floors.seal(state, offer, name, at, framework) for name in names}
    objectives = [
        {
            "objective": name,
            "level": seal.level,
            "contradictory": seal.contradictory,
            "evidence": [_filed(state, filed, at) for filed in seal.evidence],
        }
        for name, seal in seals.items()
    ]
    return {
        "offer": offer.id,
        "model": offer.model,
        "provider": offer.provider,
        "country": offer.zone.country,
        "framework": framework,
        "level": min(seal.level for seal in seals.values()),
        "objectives": objectives,
        "regimes": [_regime(state, offer, name, at) for name in regimes(state)],
    }


def regimes(state: State) -> list[str]:
    """US and CN, and whatever else was assessed or is demanded by a budget."""
    named = {regime for said in state.assessments.values() for regime in said}
    for floor in state.floors.values():
        named |= {name for name, _ in (*floor.max_exposure, *floor.max_kill_switch)}
    return [*LAWS.values(), *sorted(named - {*LAWS.values()})]


def _regime(state: State, offer: Offer, name: str, at: Instant) -> Row:
    found = floors.reach(state, offer, name, at)
    return {
        "regime": name,
        "exposure": found.exposure,
        "kill_switch": found.kill_switch,
        "assessed": bool(found.signed),
        "signed": [_signed(one) for one in found.signed],
    }


def _signed(signed: Signed) -> Row:
    said: Row = outward(msgspec.to_builtins(signed.assessment))
    return {**said, "key": signed.key, "at": outward(signed.at, "at")}


def _filed(state: State, filed: Filed, at: Instant) -> Row:
    """`standing` is good, claimed, not begun, expired, or shaken: moved, or its ground is gone."""
    one = filed.evidence
    said: Row = outward(msgspec.to_builtins(one))
    standing = "good" if floors.good(state, one.id, at) else "shaken"
    if not filed.confirmed_by:
        standing = "claimed"
    elif not one.issued <= at < one.expires:
        standing = "expired" if at >= one.expires else "not begun"
    by = {"filed_by": filed.filed_by, "confirmed_by": filed.confirmed_by}
    return {**said, **by, "standing": standing}


def evidence(state: State, viewer: Viewer | None, at: Instant) -> list[Row]:
    """All on the file that the viewer may see, by provider."""
    return [
        _filed(state, filed, at)
        for _, filed in sorted(state.evidence.items(), key=lambda one: one[1].evidence.provider)
        if filed.confirmed_by or _own(state, viewer, filed.evidence.provider)
    ]


def _own(state: State, viewer: Viewer | None, provider: str) -> bool:
    return viewer is not None and viewer.manages and sight.member(state, viewer, provider)


def assessments(state: State) -> list[Row]:
    """All that stand, also those that have expired since the last tick."""
    return [
        _signed(signed)
        for _, said in sorted(state.assessments.items())
        for _, signed in sorted(said.items())
    ]


def floor_rows(state: State, viewer: Viewer) -> list[Row]:
    """Budgets that the viewer sees: their own floor, and what holds with all above them."""
    rows = []
    for node in sight.visible_budgets(state, viewer):
        own = state.floors.get(node.id, NO_FLOOR)
        holds = Policy()
        for above in budgets.path(state, node.id):
            holds = floors.tightened(holds, state.floors.get(above.id, NO_FLOOR))
        rows.append({"budget": node.id, "own": _plain(own), "holds": _plain(holds)})
    return rows


def _plain(floor: Floor | Policy) -> Row:
    return {
        "min_seal": demands.outward(floor.min_seal),
        "max_exposure": demands.outward(floor.max_exposure),
        "max_kill_switch": demands.outward(floor.max_kill_switch),
    }


class Sovereignty:
    """The JSON door: what can be looked up. One per market."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.lookups = {
            "/api/sovereignty": (self.offers, "What each offer can show now. Public."),
            "/api/evidence": (self.evidence, "Evidence on the file, and how it stands. Public."),
            "/api/assessments": (self.assessments, "What persons have signed. Public."),
            "/api/floors": (self.floors, "What budgets demand, their own and with all above."),
        }

    async def offers(self, _: Request) -> Response:
        return reply(offers(self._counter.state, self._counter.now()))

    async def evidence(self, request: Request) -> Response:
        known = "authorization" in request.headers
        viewer = viewer_of(self._counter, request) if known else None
        return reply(evidence(self._counter.state, viewer, self._counter.now()))

    async def assessments(self, _: Request) -> Response:
        return reply(assessments(self._counter.state))

    async def floors(self, request: Request) -> Response:
        viewer = viewer_of(self._counter, request)
        return reply(floor_rows(self._counter.state, viewer))
