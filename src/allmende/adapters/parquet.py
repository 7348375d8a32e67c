"""Parquet: rows to columns, exactly, through DuckDB.

Rule: an amount is DECIMAL(38,0), or decimal text where one of its column has more than 38
digits; a whole number is a BIGINT while 64 bits hold the column, else as an amount; never a
float. No row is held back and no extension is fetched: DuckDB is told not to look for any.
Invariant: what is read back is what was given, to the last digit; the same rows make the same
columns.
Worked number: 9223372036854775808, one more than 64 bits hold, makes its column DECIMAL(38,0);
10**38 makes it text.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

Row = Mapping[str, Any]
Types = dict[str, str]
AMOUNT, WHOLE, TEXT, REAL, TRUTH = "DECIMAL(38,0)", "BIGINT", "VARCHAR", "DOUBLE", "BOOLEAN"
DIGITS = 38
MISSING = (
    "Parquet is written and read by DuckDB, which is not installed. "
    "Install it with: pip install 'allmende[observatory]'"
)
CHUNK = 10_000
"""Rows that are written to the staging file at a time."""


class NoDuckDB(Exception):
    """The extra `observatory` is not installed. Its text says how to install it."""


@contextmanager
def duck(memory: str = "1GB", threads: int = 2, scratch: Path | None = None) -> Iterator[Any]:
    """A DuckDB of its own, in memory, that fetches nothing. Raises NoDuckDB."""
    try:
        duckdb: Any = importlib.import_module("duckdb")
    except ImportError:
        raise NoDuckDB(MISSING) from None
    said: dict[str, str | int | bool] = {
        "memory_limit": memory,
        "threads": threads,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": True,
    }
    if scratch is not None:
        said["temp_directory"] = str(scratch)
    db = duckdb.connect(":memory:", config=said)
    try:
        yield db
    finally:
        db.close()


def types_of(rows: Iterable[Row], amounts: Sequence[str] = ()) -> Types:
    """A column's type from all of its values; `amounts` are columns of decimal text."""
    found: Types = {}
    for row in rows:
        for name, value in row.items():
            found[name] = _wider(found.get(name, ""), _type(value, name in amounts))
    return {name: kind or TEXT for name, kind in found.items()} or {"nothing": TEXT}


def write(
    rows: Iterable[Row], out: Path, types: Types, order: Sequence[str] = (), memory: str = "1GB"
) -> int:
    """Rows into one Parquet file; how many. Columns are those of `types`, a missing one is null.

    Raises NoDuckDB. A file that stood there is replaced whole, never in part.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        staged, made = Path(scratch, "rows.ndjson"), Path(scratch, "rows.parquet")
        count = _stage(rows, staged, types)
        with duck(memory, scratch=Path(scratch)) as db:
            db.execute(_copy(staged, made, types, order, count))
        made.replace(out)
    return count


def to_parquet(rows: Sequence[Row], amounts: Sequence[str] = ()) -> bytes:
    """The same as bytes, for a door: the data behind a chart. Raises NoDuckDB.

    `amounts` names the columns of decimal text that are pico-credits.
    """
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "rows.parquet")
        write(rows, path, types_of(rows, amounts))
        return path.read_bytes()


def read(path: Path | str) -> list[dict[str, Any]]:
    """All rows of a file, a folder's glob, or a partitioned folder. Raises NoDuckDB."""
    with duck() as db:
        answer = db.execute(f"SELECT * FROM read_parquet({quoted(path)})")
        names = [column[0] for column in answer.description]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def quoted(value: Path | str) -> str:
    """A text as SQL has it."""
    return "'" + str(value).replace("'", "''") + "'"


def _copy(staged: Path, made: Path, types: Types, order: Sequence[str], count: int) -> str:
    columns = ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in types.items())
    if count:
        source = (
            f"SELECT * FROM read_json({quoted(staged)}, format='newline_delimited', "
            f"columns={{{columns}}}, maximum_object_size=67108864)"
        )
    else:  # an empty file still has its columns
        nulls = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in types.items())
        source = f"SELECT {nulls} WHERE false"
    by = ", ".join(f'"{name}"' for name in order)
    ordered = f"SELECT * FROM ({source}) ORDER BY {by}" if by else source
    return f"COPY ({ordered}) TO {quoted(made)} (FORMAT parquet, COMPRESSION zstd)"


def _stage(rows: Iterable[Row], path: Path, types: Types) -> int:
    """Whole numbers travel as text, which DuckDB casts exactly and refuses where it cannot."""
    encode, count, lines = msgspec.json.Encoder().encode, 0, []
    with path.open("wb") as file:
        for row in rows:
            lines.append(encode({name: _plain(row.get(name), types[name]) for name in types}))
            count += 1
            if len(lines) == CHUNK:
                file.write(b"\n".join([*lines, b""]))
                lines.clear()
        file.write(b"\n".join([*lines, b""]))
    return count


def _plain(value: Any, kind: str) -> Any:
    if value is None or (isinstance(value, bool) and kind == TRUTH):
        return value
    if isinstance(value, float) and kind == REAL:
        return value
    return str(value)


def _type(value: Any, amount: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return TRUTH
    if amount:
        return AMOUNT if len(str(value).lstrip("-")) <= DIGITS else TEXT
    if isinstance(value, int):
        if -(1 << 63) <= value < 1 << 63:
            return WHOLE
        return AMOUNT if abs(value) < 10**DIGITS else TEXT
    return REAL if isinstance(value, float) else TEXT


_WIDER = {
    frozenset((WHOLE, AMOUNT)): AMOUNT,
    frozenset((WHOLE, REAL)): REAL,
}


def _wider(one: str, other: str) -> str:
    """The type that holds both; what nothing else holds is text."""
    if not one or not other or one == other:
        return one or other
    return _WIDER.get(frozenset((one, other)), TEXT)
