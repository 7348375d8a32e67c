"""Sovereignty in the read models: every piece of evidence, assessment and floor, and how it ended.

Rule: one row each, from when it was filed, signed or set until it was withdrawn, expired or
replaced; the state has those that stand, this has all that ever stood.
Invariant: a row is ended once, by the event that ended it, and never comes back.
Worked number: evidence filed, confirmed and expired is one row with three instants.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from allmende.adapters.views_select import Query, Select, Where, texts, wholes
from allmende.core import events as e
from allmende.core import evidence_events as f
from allmende.core.evidence import NO_FLOOR, Pairs

_LIVE = "ended IS NULL"


def filed(db: sqlite3.Connection, number: int, event: f.EvidenceFiled) -> None:
    one, by = event.filed.evidence, event.filed.filed_by
    rests = msgspec.json.encode(one.rests_on).decode()
    db.execute(
        "INSERT INTO evidence VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " '', NULL, NULL, NULL, NULL)",
        (
            *(number, event.at, one.id, one.provider, one.offer, one.framework, one.objective),
            *(one.level, one.claim, one.issuer, one.issued, one.expires, one.document, rests, by),
        ),
    )


def confirmed(db: sqlite3.Connection, number: int, event: f.EvidenceConfirmed) -> None:
    db.execute(
        f"UPDATE evidence SET confirmed_by = ?, confirmed = ? WHERE id = ? AND {_LIVE}",
        (event.by, event.at, event.id),
    )


def ended(db: sqlite3.Connection, number: int, event: f.EvidenceEnded) -> None:
    db.execute(
        f"UPDATE evidence SET ended = ?, cause = ?, ended_by = ? WHERE id = ? AND {_LIVE}",
        (event.at, event.cause, event.by, event.id),
    )


def assessed(db: sqlite3.Connection, number: int, event: f.Assessed) -> None:
    said, key = event.signed.assessment, event.signed.key
    of = (said.provider, said.offer, said.regime)
    _end(db, event.at, "replaced", key, of)
    db.execute(
        "INSERT INTO assessments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL)",
        (
            *(number, event.at, *of, said.exposure, said.kill_switch, said.reasoning),
            *(said.signer, key, said.expires),
        ),
    )


def unassessed(db: sqlite3.Connection, number: int, event: f.AssessmentEnded) -> None:
    _end(db, event.at, event.cause, event.by, (event.provider, event.offer, event.regime))


def _end(db: sqlite3.Connection, at: int, cause: str, by: str, of: tuple[str, str, str]) -> None:
    db.execute(
        "UPDATE assessments SET ended = ?, cause = ?, ended_by = ?"
        f" WHERE provider = ? AND offer = ? AND regime = ? AND {_LIVE}",
        (at, cause, by, *of),
    )


def floor_set(db: sqlite3.Connection, number: int, event: f.FloorSet) -> None:
    """A floor of nothing ends the one before and begins none."""
    db.execute(
        f"UPDATE floors SET ended = ? WHERE budget = ? AND {_LIVE}", (event.at, event.budget)
    )
    if event.floor == NO_FLOOR:
        return
    told = (event.floor.min_seal, event.floor.max_exposure, event.floor.max_kill_switch)
    row = (number, event.at, event.budget, *map(_named, told), event.by)
    db.execute("INSERT INTO floors VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", row)


def _named(pairs: Pairs) -> str:
    return msgspec.json.encode(dict(pairs)).decode()


EVIDENCE: dict[type[e.Event], Callable[[sqlite3.Connection, int, Any], None]] = {
    f.EvidenceFiled: filed,
    f.EvidenceConfirmed: confirmed,
    f.EvidenceEnded: ended,
    f.Assessed: assessed,
    f.AssessmentEnded: unassessed,
    f.FloorSet: floor_set,
}


# Queries ------------------------------------------------------------------------------

_EVIDENCE = (
    *("number", "at", "id", "provider", "offer", "framework", "objective", "level", "claim"),
    *("issuer", "issued", "expires", "document", "rests_on", "filed_by", "confirmed_by"),
    *("confirmed", "ended", "cause", "ended_by"),
)
_ASSESSMENTS = (
    *("number", "at", "provider", "offer", "regime", "exposure", "kill_switch", "reasoning"),
    *("signer", "key", "expires", "ended", "cause", "ended_by"),
)
_FLOORS = (
    *("number", "at", "budget", "min_seal", "max_exposure", "max_kill_switch", "by", "ended"),
)


def _history(table: str, columns: tuple[str, ...], filters: tuple[str, ...], *json: str) -> Query:
    """Newest first. `live` is 1 for what stands and 0 for what has ended."""

    def select(given: Mapping[str, Any]) -> Select:
        where = Where(given).equal(*filters).before("number")
        if "live" in given:
            where.add("(ended IS NULL) = :live", live=given["live"])
        rest = f"FROM {table} {where} ORDER BY number DESC {where.limit()}"
        names = {name: f'"{name}"' for name in columns}
        return Select(names, rest, where.values, frozenset(json))

    return Query({**texts(*filters), **wholes("live", "before", "limit")}, select)


EVIDENCE_QUERIES = {
    "evidence": _history(
        "evidence", _EVIDENCE, ("id", "provider", "offer", "objective"), "rests_on"
    ),
    "assessments": _history("assessments", _ASSESSMENTS, ("provider", "offer", "regime")),
    "floors": _history(
        "floors", _FLOORS, ("budget",), "min_seal", "max_exposure", "max_kill_switch"
    ),
}
