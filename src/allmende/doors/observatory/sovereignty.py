"""Sovereignty: the eight levels of each offer, how far laws reach it, and by whose word.

Rule: the page shows what routing obeys at this instant: valid evidence and signed assessments;
a claim that nobody confirmed is not on it, and a viewer's own floors are.
Invariant: the overall level is the lowest of the eight; where evidence contradicts itself the
lower counts and a mark says so; nothing is averaged.
Worked number: an offer with seven levels of 3 and one of 0 is of level 0 overall.
"""

from __future__ import annotations

from typing import Any

from allmende.core.evidence import CSF, OBJECTIVES
from allmende.doors import sovereignty
from allmende.doors.observatory.frame import Asked, Found, Row, Sources, Table


class SovereigntyPage:
    """The section. `gather` is what /observe/sovereignty shows."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def gather(self, asked: Asked) -> Found:
        state, now = self._sources.desk.state, self._sources.clock.now()
        rows = sovereignty.offers(state, now)
        viewer = asked.seen.viewer
        floors = [] if viewer is None else sovereignty.floor_rows(state, viewer)
        shows = {
            "offers": rows,
            "objectives": OBJECTIVES[CSF],
            "regimes": sovereignty.regimes(state),
            "floors": [row for row in floors if any(row["holds"].values())],
        }
        tables = {"levels": Table(_levels(rows)), "reach": Table(_reach(rows))}
        return Found(shows, tables)


def _levels(offers: list[dict[str, Any]]) -> list[Row]:
    return [
        {
            "offer": offer["offer"],
            "provider": offer["provider"],
            "framework": offer["framework"],
            "objective": one["objective"],
            "level": one["level"],
            "contradictory": int(one["contradictory"]),
            "evidence": " ".join(piece["id"] for piece in one["evidence"]),
            "issuers": "; ".join(piece["issuer"] for piece in one["evidence"]),
            "expires": min((piece["expires"] for piece in one["evidence"]), default=""),
        }
        for offer in offers
        for one in offer["objectives"]
    ]


def _reach(offers: list[dict[str, Any]]) -> list[Row]:
    return [
        {
            "offer": offer["offer"],
            "provider": offer["provider"],
            "regime": one["regime"],
            "exposure": one["exposure"],
            "kill_switch": one["kill_switch"],
            "assessed": int(one["assessed"]),
            "signers": "; ".join(said["signer"] for said in one["signed"]),
            "reasoning": " ".join(said["reasoning"] for said in one["signed"]),
            "expires": min((said["expires"] for said in one["signed"]), default=""),
        }
        for offer in offers
        for one in offer["regimes"]
    ]
