"""Yearly facts: a year's sums from one snapshot of the read models, with how many receipts each.

Rule: only final receipts, by the day of delivery (UTC); sums are of integers, made exactly.
Invariant: by role, by country, by model and by month, an asset's amounts have one total.
Worked number: a receipt of 100 to a host of 85 and an author of 15 is a cell of 85 and one of
15 by role, each with one receipt, and one cell of 100 by country.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec import Struct

from allmende.adapters.views_schema import connect_reader
from allmende.core.units import Amount
from allmende.measure.cells import Cell

BY = ("role", "account", "country", "model", "month")
_PAID = (
    "SELECT p.asset, p.{}, COUNT(DISTINCT p.number), total_of(p.amount) FROM payments p"
    " JOIN receipts r USING (number) WHERE strftime('%Y', r.at / 1000000, 'unixepoch') = ?"
    " GROUP BY 1, 2"
)
_SOLD = (
    "SELECT asset, {}, SUM(receipts), total_of(price) FROM usage WHERE substr(day, 1, 4) = ?"
    " GROUP BY 1, 2"
)
_WHOLE = (
    "SELECT COALESCE(SUM(receipts), 0), total_of(input), total_of(cached), total_of(output),"
    " total_of(embedding), total_of(uj_low), total_of(uj_high), total_of(ug_low),"
    " total_of(ug_high) FROM usage WHERE substr(day, 1, 4) = ?"
)
_PENDING = (
    "SELECT COUNT(*) FROM receipts WHERE final = 0"
    " AND strftime('%Y', at / 1000000, 'unixepoch') = ?"
)
_EVIDENCE = (
    "SELECT provider, framework, objective, level, issuer, date(expires / 1000000, 'unixepoch')"
    " FROM evidence WHERE ended IS NULL AND confirmed_by <> '' ORDER BY provider, objective, id"
)
_ASSESSED = (
    "SELECT provider, regime, 'E' || exposure, kill_switch, signer,"
    " date(expires / 1000000, 'unixepoch') FROM assessments WHERE ended IS NULL ORDER BY 1, 2"
)
_DRILLS = (
    "SELECT COALESCE(NULLIF(label, ''), id), date(at / 1000000, 'unixepoch'),"
    " json_array_length(offers), refused FROM drills ORDER BY number"
)

Cells = Mapping[str, Cell]
Lines = tuple[tuple[str, ...], ...]


class Year(Struct, frozen=True):
    """`cells` is asset -> one of BY -> value -> receipts and pico-credits. `hosts` and `buyers`
    are asset -> account -> pico-credits, for indices only."""

    market: str
    mode: str
    number: int
    receipts: int
    pending: int
    cells: Mapping[str, Mapping[str, Cells]]
    hosts: Mapping[str, Mapping[str, Amount]]
    buyers: Mapping[str, Mapping[str, Amount]]
    tokens: Mapping[str, int]
    energy: Mapping[str, int]
    evidence: Lines
    assessments: Lines
    drills: Lines


class _Total:
    """SQL aggregate: the exact sum of decimal text."""

    def __init__(self) -> None:
        self._sum = 0

    def step(self, value: Any) -> None:
        self._sum += int(value)

    def finalize(self) -> str:
        return str(self._sum)


def year(copy: Path, of: int) -> Year:
    """From a snapshot that `export.snapshot` made."""
    with closing(connect_reader(copy)) as db:
        db.create_aggregate("total_of", 1, _Total)  # type: ignore[arg-type]
        text = f"{of:04}"
        whole = db.execute(_WHOLE, (text,)).fetchone()
        market = db.execute("SELECT name, mode FROM market").fetchone() or ("Allmende", "-")
        return Year(
            market=market[0],
            mode=market[1],
            number=db.execute("SELECT number FROM fold").fetchone()[0],
            receipts=whole[0],
            pending=db.execute(_PENDING, (text,)).fetchone()[0],
            cells=_cells(db, text),
            hosts=_accounts(db, _PAID.format("account"), text, " AND p.role = 'host'"),
            buyers=_accounts(db, _SOLD.format("account"), text, ""),
            tokens=_numbers(whole[1:5], ("input", "cached", "output", "embedding")),
            energy=_numbers(whole[5:], ("uj_low", "uj_high", "ug_low", "ug_high")),
            evidence=_lines(db, _EVIDENCE),
            assessments=_lines(db, _ASSESSED),
            drills=_lines(db, _DRILLS),
        )


def _cells(db: sqlite3.Connection, text: str) -> dict[str, dict[str, dict[str, Cell]]]:
    month = _SOLD.format("substr(day, 1, 7)")
    queries = {
        **{by: _PAID.format(by) for by in ("role", "account")},
        **{by: _SOLD.format(by) for by in ("country", "model")},
        "month": month,
    }
    found: dict[str, dict[str, dict[str, Cell]]] = {}
    for by, query in queries.items():
        for asset, value, receipts, amount in db.execute(query, (text,)):
            cells = found.setdefault(asset, {name: {} for name in BY})
            cells[by][value] = Cell(receipts, int(amount))
    return found


def _accounts(
    db: sqlite3.Connection, query: str, text: str, also: str
) -> dict[str, dict[str, Amount]]:
    found: dict[str, dict[str, Amount]] = {}
    narrowed = query.replace(" GROUP BY", f"{also} GROUP BY")
    for asset, account, _, amount in db.execute(narrowed, (text,)):
        found.setdefault(asset, {})[account] = int(amount)
    return found


def _numbers(values: tuple[str, ...], names: tuple[str, ...]) -> dict[str, int]:
    return {name: int(value or 0) for name, value in zip(names, values, strict=True)}


def _lines(db: sqlite3.Connection, query: str) -> Lines:
    return tuple(tuple("-" if v is None else str(v) for v in row) for row in db.execute(query))
