"""Juries at the doors: which were called, with which list and seed, and who was drawn.

Rule: that a jury was called, its seed and the hash of its list are public; the names in the
list, and those drawn, are for whoever holds a key here.
Invariant: what a member gets is all it takes to draw again.
Worked number: a jury of 3 out of 6 is a row of 6 names for a member, and of none for a visitor.
"""

from __future__ import annotations

from typing import Any

from allmende.doors.plain import iso
from allmende.ports import Views

Row = dict[str, Any]
ROWS_MAX = 500


async def juries(
    views: Views, *, known: bool, before: int | None = None, limit: int = 50
) -> list[Row]:
    """The newest first; `known`: whoever asks has a key."""
    page = {"limit": max(1, min(limit, ROWS_MAX)), **({} if before is None else {"before": before})}
    return [_told(row, known) for row in await views.rows("juries", **page)]


def _told(row: Row, known: bool) -> Row:
    told = {
        **row,
        "at": iso(row["at"]),
        "drawn_at": iso(row["drawn_at"]) if row["drawn_at"] else None,
        "names": len(row["pool"]),
        "strata": sorted({stratum for _, stratum in row["pool"]} - {""}),
    }
    return told if known else {**told, "pool": None, "drawn": None}
