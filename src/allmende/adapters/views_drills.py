"""Drills in the read models: each one, and what became of requests while it ran.

Rule: served is counted from receipts between its start and its end, refused is what the gateway
told; both are of the models that the drilled offers sell.
Invariant: a drill has one row, made at its start and closed at its end.
Worked number: 100 receipts before, 40 elsewhere during, 2 that ended on a drilled offer: served
40, finished 2.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from allmende.adapters.views_select import Query, Select, Where, texts, wholes
from allmende.core import drill_events as d
from allmende.core import events as e


def started(db: sqlite3.Connection, number: int, event: d.DrillStarted) -> None:
    drill = event.drill
    offers = msgspec.json.encode(drill.offers).decode()
    row = (number, drill.id, event.at, drill.label, offers, drill.until)
    db.execute("INSERT INTO drills VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, NULL, 0)", row)


def noted(db: sqlite3.Connection, number: int, event: d.DrillNoted) -> None:
    db.execute(
        "UPDATE drills SET refused = refused + ? WHERE id = ? AND closed IS NULL",
        (event.refused, event.id),
    )


def ended(db: sqlite3.Connection, number: int, event: d.DrillEnded) -> None:
    db.execute(
        "UPDATE drills SET ended = ?, closed = ?, cause = ? WHERE id = ? AND closed IS NULL",
        (event.at, number, event.cause, event.id),
    )


DRILLS: dict[type[e.Event], Callable[[sqlite3.Connection, int, Any], None]] = {
    d.DrillStarted: started,
    d.DrillNoted: noted,
    d.DrillEnded: ended,
}

_OUT = "(SELECT value FROM json_each(d.offers))"
_DURING = (
    "FROM receipts r WHERE r.number > d.number AND (d.closed IS NULL OR r.number < d.closed) "
    "AND r.endpoint <> 'redeem' "  # machine time needs no offer
    f"AND r.model IN (SELECT o.model FROM offers o WHERE o.offer IN {_OUT})"
)


def _drills(given: Mapping[str, Any]) -> Select:
    where = Where(given).equal("id").before("number")
    if "running" in given:
        where.add("(closed IS NULL) = :running", running=given["running"])
    plain = ("number", "id", "at", "label", "offers", "until", "ended", "cause", "refused")
    columns = {
        **{name: name for name in plain},
        "served": f"(SELECT COUNT(*) {_DURING} AND r.offer NOT IN {_OUT})",
        "finished": f"(SELECT COUNT(*) {_DURING} AND r.offer IN {_OUT})",
        "first_elsewhere": f"(SELECT MIN(r.at) {_DURING} AND r.offer NOT IN {_OUT})",
    }
    rest = f"FROM drills d {where} ORDER BY number DESC {where.limit()}"
    return Select(columns, rest, where.values, frozenset({"offers"}))


DRILL_QUERIES = {"drills": Query({**texts("id"), **wholes("running", "before", "limit")}, _drills)}
"""`finished`: requests that were under way on a drilled offer and ended on their terms."""
