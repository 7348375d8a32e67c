"""Decisions in the read models: what members decided on the chain, and what became of it here.

Rule: one row for each decision that the desk took, in order; `undone` says why it could not be
carried out, "" where it was.
Invariant: number n is the n-th row; a decision's own fields are as the chain told them.
Worked number: `rows("decisions", before=4)` are decisions 3, 2 and 1.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from allmende.adapters.views_select import Query, Select, Where, wholes
from allmende.core import charter_events as h
from allmende.core import events as e


def chartered(db: sqlite3.Connection, number: int, event: h.Chartered) -> None:
    """In the state; no table needs it."""


def enacted(db: sqlite3.Connection, number: int, event: h.Enacted) -> None:
    its = event.decision
    row = (its.number, its.proposal, its.kind, its.name, str(its.value), its.effective)
    db.execute(
        "INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, event.at, event.undone)
    )


DECISIONS: dict[type[e.Event], Callable[[sqlite3.Connection, int, Any], None]] = {
    h.Chartered: chartered,
    h.Enacted: enacted,
}
_COLUMNS = "number proposal kind name value effective at undone".split()


def _decisions(given: Mapping[str, Any]) -> Select:
    where = Where(given).before("number")
    rest = f"FROM decisions {where} ORDER BY number DESC {where.limit()}"
    return Select({name: name for name in _COLUMNS}, rest, where.values)


DECISION_QUERIES = {"decisions": Query(wholes("before", "limit"), _decisions)}
