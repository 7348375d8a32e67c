"""Juries in the read models: each one called, its list, and who was drawn with which seed.

Rule: the list is kept as it was called, because whoever checks a draw needs all of it.
Invariant: a jury has one row, made at its call and closed at its draw.
Worked number: a jury of 12 out of 400 is one row, with 400 names in its list.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from allmende.adapters.views_select import Query, Select, Where, texts, wholes
from allmende.core import events as e
from allmende.core import jury_events as j


def called(db: sqlite3.Connection, number: int, event: j.JuryCalled) -> None:
    jury = event.jury
    pool = msgspec.json.encode(jury.pool).decode()
    row = (number, jury.id, event.at, jury.size, jury.source, pool, event.list_sha256)
    db.execute("INSERT INTO juries VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL)", row)


def drawn(db: sqlite3.Connection, number: int, event: j.JuryDrawn) -> None:
    names = msgspec.json.encode(event.drawn).decode()
    row = (event.at, event.seed, names, event.id)
    db.execute("UPDATE juries SET drawn_at = ?, seed = ?, drawn = ? WHERE id = ?", row)


JURIES: dict[type[e.Event], Callable[[sqlite3.Connection, int, Any], None]] = {
    j.JuryCalled: called,
    j.JuryDrawn: drawn,
}

_COLUMNS = "number id at size source pool list_sha256 drawn_at seed drawn".split()


def _juries(given: Mapping[str, Any]) -> Select:
    where = Where(given).equal("id").before("number")
    rest = f"FROM juries {where} ORDER BY number DESC {where.limit()}"
    columns = {name: name for name in _COLUMNS}
    return Select(columns, rest, where.values, frozenset({"pool", "drawn"}))


JURY_QUERIES = {"juries": Query({**texts("id"), **wholes("before", "limit")}, _juries)}
