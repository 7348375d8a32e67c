"""Export: the read models as files that anyone can open, of one moment, while the market runs.

Rule: first a snapshot by SQLite's own backup, then everything from it; what happens by month
goes into one file a month (`receipts/month=2026-11/receipts.parquet`), what stands into one
file. An amount's type is decided by the largest of the whole table, so months agree.
Invariant: the snapshot ends at one journal number, which is told; there is no secret, key's
hash or provider's address in it, as there is none in the read models. A folder gets the whole
export or none of it.
Worked number: two receipts of 66,000,000 pico in November are two rows of one file, whose
prices sum to 132,000,000.
"""

from __future__ import annotations

import csv
import re
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from allmende.adapters.parquet import AMOUNT, DIGITS, TEXT, WHOLE, Types, write
from allmende.adapters.views_file import moment
from allmende.adapters.views_schema import ENERGY, PARTIES, UNITS, VERSION, connect_reader

FORMATS = ("parquet", "csv", "sqlite")
SQLITE, METADATA = "allmende.sqlite", "metadata.json"
_MONTH = "strftime('%Y-%m', {} / 1000000, 'unixepoch')"


class Table(Struct, frozen=True):
    """Columns (name -> SQL), where from, which of them are amounts, and what a row is."""

    columns: Mapping[str, str]
    source: str
    amounts: frozenset[str]
    says: str
    by_month: bool = True


class Exported(Struct, frozen=True):
    """What was written: the journal's number it stands at, and files with their rows."""

    number: int
    files: Mapping[str, int]
    types: Mapping[str, Mapping[str, str]]


def _named(*names: str, prefix: str = "") -> dict[str, str]:
    return {name: f'{prefix}"{name}"' for name in names}


_RECEIPT = ("number", "id", "at", *PARTIES, "endpoint", "operator", *UNITS, "price")
_END = ("basis", "verdict", "outcome", "right", "grains", "payer", "final", "batch")
TABLES: Mapping[str, Table] = {
    "receipts": Table(
        {"month": _MONTH.format("at"), **_named(*_RECEIPT, *ENERGY, *_END)},
        "receipts ORDER BY at, number",
        frozenset(("price", *UNITS, *ENERGY, "grains")),
        "A receipt as it stands: who bought what from whom, units, price in pico-credits, energy "
        "in microjoules and carbon in micrograms as a range (low, high). `final` 0 waits for a "
        "recount.",
    ),
    "payments": Table(
        {
            "month": _MONTH.format("r.at"),
            **_named("number", "line", "account", "role", "asset", "amount", prefix="p."),
            **_named("at", "model", "provider", "country", prefix="r."),
        },
        "payments p JOIN receipts r USING (number) ORDER BY r.at, number, line",
        frozenset(("amount",)),
        "A line of a final receipt's waterfall: who was paid how many pico-credits, in which role.",
    ),
    "usage": Table(
        {
            "month": "substr(day, 1, 7)",
            **_named("day", *PARTIES, "receipts", "disagreed", "incomplete"),
            **_named(*UNITS, "price", *ENERGY),
        },
        "usage ORDER BY day, account, budget, \"key\", provider, offer",
        frozenset(("price", *UNITS, *ENERGY)),
        "Final receipts summed by day and parties.",
    ),
    "earnings": Table(
        {"month": "substr(day, 1, 7)", **_named("day", "account", "role", "asset", "payments"),
         **_named("amount")},
        "earnings ORDER BY day, account, role, asset",
        frozenset(("amount",)),
        "What each account earned on each day, by role, in pico-credits.",
    ),
    "members": Table(
        _named("id", "name", "kind", "home", "at", "tier"), "members ORDER BY id", frozenset(),
        "Members: organisations, persons, providers, the operator.", by_month=False,
    ),
    "offers": Table(
        _named("number", "at", "offer", "provider", "title", "model", "asset", "country",
               "operator", "parent", "parent_country", "until", "withdrawn"),
        "offers ORDER BY number", frozenset(), "Every version of every offer.", by_month=False,
    ),
    "titles": Table(
        _named("id", "owner", "kind", "name", "waterfall", "licence", "at"), "titles ORDER BY id",
        frozenset(), "Models, machines and datasets, and who is paid out of their use.",
        by_month=False,
    ),
    "batches": Table(
        {**_named("number", "at", "event", "receipts"), "root": "lower(hex(root))"},
        "batches ORDER BY number", frozenset(), "Closed batches and their roots.", by_month=False,
    ),
}  # fmt: skip


def snapshot(views: Path, out: Path) -> int:
    """A copy of the read models at one moment, also while they are written; its journal number.

    Raises NoViews. The copy is one file without a write-ahead log, so it can be read only.
    """
    with moment(views) as source, closing(sqlite3.connect(out)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        number = copy.execute("SELECT number FROM fold").fetchone()[0]
    return int(number)


def export(views: Path, out: Path, format_: str, title: str = "Allmende") -> Exported:
    """The read models in folder `out`, as `parquet`, `csv` or `sqlite`.

    Raises NoViews, ValueError (not a format, or `out` is in use), parquet.NoDuckDB.
    """
    if format_ not in FORMATS:
        raise ValueError(f"{format_!r} is none of {', '.join(FORMATS)}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not an empty folder; an export overwrites nothing")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        made, copy = Path(scratch, "made"), Path(scratch, SQLITE)
        made.mkdir()
        number = snapshot(views, copy)
        if format_ == "sqlite":
            exported = _as_sqlite(copy, made, number)
        else:
            exported = _as_files(copy, made, number, format_)
        made.joinpath(METADATA).write_bytes(_metadata(exported, title, format_))
        if out.exists():
            out.rmdir()
        made.rename(out)
    return exported


def _as_sqlite(copy: Path, made: Path, number: int) -> Exported:
    with closing(sqlite3.connect(copy)) as db:
        db.execute("VACUUM")  # pages that were freed may still hold what was deleted
        names = [name for (name,) in db.execute(_ALL_TABLES)]
        rows = {name: db.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for name in names}
    copy.rename(made / SQLITE)
    made.joinpath(SQLITE).chmod(0o444)
    return Exported(number, rows, {})


_ALL_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"


def _as_files(copy: Path, made: Path, number: int, format_: str) -> Exported:
    files: dict[str, int] = {}
    types: dict[str, Types] = {}
    with closing(connect_reader(copy)) as db:
        for name, table in TABLES.items():
            types[name] = _types(db, table)
            for month in _months(db, table):
                path = f"{name}/month={month}/{name}.{format_}" if month else f"{name}.{format_}"
                rows = _rows(db, table, month)
                kinds = {n: kind for n, kind in types[name].items() if n != "month"}
                made.joinpath(path).parent.mkdir(parents=True, exist_ok=True)
                if format_ == "parquet":
                    files[path] = write(rows, made / path, kinds)
                else:
                    files[path] = _csv(rows, made / path, list(kinds))
    return Exported(number, files, types)


def _types(db: sqlite3.Connection, table: Table) -> Types:
    """Of each column, over all months: an amount of more than 38 digits makes its column text."""
    tests = [
        f"MAX(LENGTH(LTRIM({sql}, '-')))" if name in table.amounts
        else f"SUM(TYPEOF({sql}) NOT IN ('integer', 'null'))"
        for name, sql in table.columns.items()
    ]  # fmt: skip
    source = table.source.partition(" ORDER BY ")[0]
    found = db.execute(f"SELECT {', '.join(tests)} FROM {source}").fetchone()
    types: Types = {}
    for name, value in zip(table.columns, found, strict=True):
        if name in table.amounts:
            types[name] = AMOUNT if (value or 0) <= DIGITS else TEXT
        else:
            types[name] = WHOLE if value == 0 else TEXT
    return types


def _months(db: sqlite3.Connection, table: Table) -> list[str]:
    if not table.by_month:
        return [""]
    source = table.source.partition(" ORDER BY ")[0]
    found = db.execute(f"SELECT DISTINCT {table.columns['month']} FROM {source} ORDER BY 1")
    return [month for (month,) in found if re.fullmatch(r"\d{4}-\d{2}", month)]


def _rows(db: sqlite3.Connection, table: Table, month: str) -> Iterator[dict[str, Any]]:
    source, _, order = table.source.partition(" ORDER BY ")
    columns = {name: sql for name, sql in table.columns.items() if name != "month"}
    where = f"WHERE {table.columns['month']} = ?" if month else ""
    listed = ", ".join(f'{sql} AS "{name}"' for name, sql in columns.items())
    query = f"SELECT {listed} FROM {source} {where} ORDER BY {order}"
    for row in db.execute(query, (month,) if month else ()):
        yield dict(zip(columns, row, strict=True))


def _csv(rows: Iterator[dict[str, Any]], path: Path, names: list[str]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(names)
        for row in rows:
            lines.writerow([safe(row[name]) for name in names])
            count += 1
    return count


def safe(value: Any) -> Any:
    """A cell that a spreadsheet does not take for a formula; a number stays one."""
    if isinstance(value, str) and value[:1] in _FORMULA and not _NUMBER.fullmatch(value):
        return "'" + value
    return value


_FORMULA = frozenset("=+-@\t\r")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def _metadata(exported: Exported, title: str, format_: str) -> bytes:
    """What Datasette shows, and for files what their columns are."""
    says = {name: {"description": table.says} for name, table in TABLES.items()}
    described = {
        "title": title,
        "description": (
            f"Read models at journal event {exported.number}. Amounts are integers of "
            "pico-credits (10**-12 credit), times microseconds since 1970 UTC. Receipts name "
            "members: this is for who may see them."
        ),
        "source": "the market's journal",
        "allmende": {"format": format_, "event": exported.number, "version": VERSION},
    }
    if format_ == "sqlite":
        described["databases"] = {Path(SQLITE).stem: {"tables": says}}
    else:
        described["tables"] = {
            name: {**says[name], "columns": exported.types[name]} for name in TABLES
        }
        described["files"] = dict(exported.files)
    return msgspec.json.format(msgspec.json.encode(described), indent=2)
