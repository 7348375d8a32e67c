"""Billing: a month's receipts from the read models, and who is who in them.

Rule: a budget is asked for with all budgets below it; only final receipts are handed out, and
how many of the month are not final yet is told.
Invariant: receipts come from their canonical bodies, decoded, so nothing is summed twice.
Worked number: a month of two final receipts and one pending hands out two and tells of one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from allmende.adapters.views_file import moment
from allmende.core.nouns import Receipt
from allmende.measure.focus import Names

_TREE = (
    "WITH RECURSIVE below (id) AS (SELECT :budget UNION SELECT budgets.id FROM budgets"
    " JOIN below ON budgets.parent = below.id) "
)
_OF = " AND budget IN (SELECT id FROM below)"
_MONTH = "at >= :first AND at < :until"


class Billing:
    """Answers about one budget, or all; used within `billing`."""

    def __init__(self, db: sqlite3.Connection, budget: str) -> None:
        self._db = db
        self._budget = budget
        self._tree = _TREE if budget else ""
        self._of = _OF if budget else ""

    def receipts(self, first: int, until: int, asset: str) -> Iterator[Receipt]:
        """Final receipts of one asset, as delivered between the two instants."""
        decode = msgspec.json.Decoder(Receipt).decode
        query = (
            f"{self._tree}SELECT body FROM receipts JOIN bodies USING (number) WHERE {_MONTH}"
            f" AND asset = :asset AND final = 1{self._of} ORDER BY number"
        )
        for (body,) in self._db.execute(query, self._given(first, until, asset)):
            yield decode(body)

    def left_out(self, first: int, until: int, asset: str) -> tuple[int, dict[str, int]]:
        """Receipts that are not final, and final ones in other assets."""
        given = self._given(first, until, asset)
        query = f"{self._tree}SELECT COUNT(*) FROM receipts WHERE {_MONTH} AND final = 0{self._of}"
        pending = self._db.execute(query, given).fetchone()[0]
        query = (
            f"{self._tree}SELECT asset, COUNT(*) FROM receipts WHERE {_MONTH} AND final = 1"
            f" AND asset <> :asset{self._of} GROUP BY asset"
        )
        return pending, dict(self._db.execute(query, given).fetchall())

    def names(self, first: int, until: int) -> Names:
        members = self._db.execute("SELECT id, name, kind FROM members").fetchall()
        market = self._db.execute("SELECT name FROM market").fetchone()
        return Names(
            market=market[0] if market else "Allmende",
            first=first,
            until=until,
            members={id_: name for id_, name, _ in members},
            kinds={id_: kind for id_, _, kind in members},
            budgets=dict(self._db.execute("SELECT id, name FROM budgets").fetchall()),
        )

    def knows(self) -> bool:
        """Whether there is such a budget; with none named, there is."""
        found = self._db.execute("SELECT 1 FROM budgets WHERE id = ?", (self._budget,)).fetchone()
        return not self._budget or found is not None

    def _given(self, first: int, until: int, asset: str) -> dict[str, object]:
        given: dict[str, object] = {"first": first, "until": until, "asset": asset}
        return given | {"budget": self._budget} if self._budget else given


@contextmanager
def billing(views: Path, budget: str = "") -> Iterator[Billing]:
    """One moment of the read models. Raises NoViews."""
    with moment(views) as db:
        yield Billing(db, budget)
