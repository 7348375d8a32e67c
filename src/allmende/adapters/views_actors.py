"""Actors in the read models: the rows of the newest registry, and every version's digest.

Rule: a registry replaces the one before it, row by row, in the fold's transaction.
Invariant: what `actors`, `stakes` and `supplies` answer is the registry of the last event, in
its own order and to the last sign.
Worked number: two imports of 40 and 41 actors leave two rows in `registries`, 41 in `actors`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from allmende.adapters.views_select import Query, Row, Select, Where, texts
from allmende.core import events as e
from allmende.core.actors import Actor, Stake, Supply

TABLES: dict[str, type[Struct]] = {"actors": Actor, "stakes": Stake, "supplies": Supply}
_ORDER = {
    "actors": "id",
    "stakes": "entity, holder",
    "supplies": "scope, subject, layer, supplier",
}
_FILTERS = {
    "actors": texts("id", "jurisdiction"),
    "stakes": texts("holder", "entity"),
    "supplies": texts("scope", "subject", "layer", "supplier"),
}
_JSON = frozenset({"roles", "accounts"})
_VERSIONS = (
    *("version", "number", "at", "sha256", "source", "importer"),
    *("actors", "stakes", "supplies"),
)


def imported(db: sqlite3.Connection, number: int, event: e.ActorsImported) -> None:
    registry = event.registry
    counts = [len(getattr(registry, table)) for table in TABLES]
    row = (event.version, number, event.at, event.sha256, event.source, event.importer, *counts)
    db.execute(f"INSERT INTO registries VALUES ({_marks(row)})", row)
    for table, kind in TABLES.items():
        db.execute(f"DELETE FROM {table}")
        marks = _marks(kind.__struct_fields__)
        rows = [_values(one) for one in getattr(registry, table)]
        db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def _marks(row: tuple[object, ...]) -> str:
    return ", ".join("?" * len(row))


def _values(row: Struct) -> list[object]:
    values = [getattr(row, name) for name in row.__struct_fields__]
    return [msgspec.json.encode(v).decode() if isinstance(v, tuple) else v for v in values]


ACTORS: dict[type[e.Event], Callable[[sqlite3.Connection, int, Any], None]] = {
    e.ActorsImported: imported,
}


def _rows(table: str) -> Query:
    kind = TABLES[table]

    def select(given: Mapping[str, Any]) -> Select:
        where = Where(given).equal(*_FILTERS[table])
        columns = {name: name for name in kind.__struct_fields__}
        rest = f"FROM {table} {where} ORDER BY {_ORDER[table]}"
        return Select(columns, rest, where.values, _JSON & set(columns))

    return Query(_FILTERS[table], select, _whole)


def _whole(row: Row) -> Row:
    """SQLite has no truth values."""
    return {**row, "contract": bool(row["contract"])} if "contract" in row else row


def _registries(given: Mapping[str, Any]) -> Select:
    return Select({name: name for name in _VERSIONS}, "FROM registries ORDER BY version DESC", {})


WHO = {**{table: _rows(table) for table in TABLES}, "registries": Query({}, _registries)}
