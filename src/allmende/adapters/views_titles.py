"""Who owned which title when, in the read models.

Rule: a title has a row for each owner that it had, the first by its registration.
Invariant: the newest row of a title is who owns it, as `titles` says too.
Worked number: a title registered, minted and sold once on the chain has two rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from allmende.adapters.views_select import Query, Select, Where, texts, wholes
from allmende.core import events as e
from allmende.core import title_events as t


def registered(db: sqlite3.Connection, number: int, event: e.TitleRegistered) -> None:
    owned(db, number, event.at, event.title.id, event.title.owner, "")


def moved(db: sqlite3.Connection, number: int, event: t.TitleMoved) -> None:
    db.execute("UPDATE titles SET owner = ? WHERE id = ?", (event.owner, event.id))
    owned(db, number, event.at, event.id, event.owner, event.holder)


def owned(
    db: sqlite3.Connection, number: int, at: int, title: str, owner: str, holder: str
) -> None:
    db.execute(
        "INSERT INTO title_owners VALUES (?, ?, ?, ?, ?)", (number, at, title, owner, holder)
    )


TITLES: dict[type[e.Event], Callable[[sqlite3.Connection, int, Any], None]] = {t.TitleMoved: moved}


def _owners(given: Mapping[str, Any]) -> Select:
    where = Where(given).equal("title", "owner").before("number")
    rest = f"FROM title_owners {where} ORDER BY number DESC {where.limit()}"
    columns = {name: name for name in ("number", "at", "title", "owner", "holder")}
    return Select(columns, rest, where.values)


TITLE_QUERIES = {
    "title_owners": Query({**texts("title", "owner"), **wholes("before", "limit")}, _owners)
}
