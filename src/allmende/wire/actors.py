"""Actors as files: a registry out of CSV and JSON, and back, without loss.

Rule: a CSV file's first line says what it has: actors, stakes, supplies, or all of them with a
column `kind`. Votes and profit carry their unit, `49 %` or `490000 ppm`; a bare number is refused.
Invariant: every fault is named with file, line and field; what was written reads back as it was.
Worked number: `49.0001 %` is 490_001 ppm, and is written as `49.0001 %` again.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from allmende.core.actors import Actor, Registry, Stake, Supply
from allmende.core.registry import Known, percent, wrong

KINDS: dict[str, tuple[str, type[Struct]]] = {
    "actor": ("actors", Actor),
    "stake": ("stakes", Stake),
    "supply": ("supplies", Supply),
}
"""What stands in the column `kind` -> table and struct."""
TOLD = 20
"""Faults that are told; the rest are counted."""
SHARES = {"votes": "votes_ppm", "economic": "economic_ppm"}
"""Columns of a file -> fields, which are in millionths."""
LISTS = ("roles", "accounts")
_FIELDS = {name: column for column, name in SHARES.items()}
_PERCENT = re.compile(r"(\d{1,3})(?:\.(\d{1,4}))? ?%", re.ASCII)
_PPM = re.compile(r"(\d{1,7}) ?ppm", re.ASCII)
_Cell = tuple[str, str]


class BadRegistry(ValueError):
    """Files that are not taken. Each line of it is a fault with its file, line and field."""

    def __init__(self, faults: Sequence[str]) -> None:
        more = [f"... and {len(faults) - TOLD} more"] if len(faults) > TOLD else []
        super().__init__("\n".join([*faults[:TOLD], *more]))
        self.faults = tuple(faults)


class Read(NamedTuple):
    """A registry, and for each row of each table where it stood, such as `a.csv:12`."""

    registry: Registry
    places: Mapping[str, Sequence[str]]


def read(files: Iterable[tuple[str, bytes]]) -> Read:
    """The registry that some files (name, contents) have together. Raises BadRegistry."""
    rows: dict[str, list[Struct]] = {table: [] for table, _ in KINDS.values()}
    places: dict[str, list[str]] = {table: [] for table in rows}
    faults: list[str] = []
    for name, data in files:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            faults.append(f"{name}: byte {error.start + 1} is not UTF-8 text")
            continue
        found = _json(name, text) if text.lstrip()[:1] == "{" else _csv(name, text)
        for one in found:
            if isinstance(one, str):
                faults.append(one)
            else:
                rows[one.table].append(one.row)
                places[one.table].append(one.place)
    if faults:
        raise BadRegistry(faults)
    return Read(msgspec.convert(rows, Registry), places)


def check(found: Read, known: Known) -> None:
    """Raises BadRegistry where rows are not what a market takes."""
    faults = wrong(found.registry, known)
    if faults:
        raise BadRegistry(
            [f"{_where(found, f.table, f.row)}: {_FIELDS.get(f.field, f.field)}: {f.says}"
             for f in faults]
        )  # fmt: skip


def _where(found: Read, table: str, row: int) -> str:
    places = found.places[table]
    return places[row] if row < len(places) else table


class _Row(NamedTuple):
    table: str
    row: Struct
    place: str


# JSON ------------------------------------------------------------------------------------


def to_json(registry: Registry) -> str:
    return msgspec.json.format(msgspec.json.encode(registry), indent=1).decode() + "\n"


def _json(name: str, text: str) -> Iterator[_Row | str]:
    try:
        told = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        yield f"{name}: not JSON: {error}"
        return
    kinds = dict(KINDS.values())
    for table in sorted(set(told) - set(kinds)):
        yield f"{name}: {table[:60]!r} is none of {', '.join(kinds)}"
    for table, kind in kinds.items():
        rows = told.get(table, [])
        if not isinstance(rows, list):
            yield f"{name}: {table}: not a list"
            continue
        for number, row in enumerate(rows, 1):
            yield _json_row(f"{name}: {table} row {number}", table, kind, row)


def _json_row(place: str, table: str, kind: type[Struct], row: object) -> _Row | str:
    odd = sorted(set(row) - set(kind.__struct_fields__)) if isinstance(row, dict) else []
    if odd:
        return f"{place}: {odd[0][:60]}: there is no such field"
    try:
        return _Row(table, msgspec.convert(row, kind), place)
    except msgspec.ValidationError as error:
        return f"{place}: {error}"


# CSV -------------------------------------------------------------------------------------


def to_csv(registry: Registry) -> str:
    """All rows in one file, with a column that says what each is."""
    columns = ["kind"]
    for _, kind in KINDS.values():
        columns += [c for c in columns_of(kind) if c not in columns]
    lines: list[str] = []
    writer = csv.DictWriter(_Lines(lines), columns, lineterminator="\n")
    writer.writeheader()
    for word, (table, _) in KINDS.items():
        writer.writerows({"kind": word, **cells(row)} for row in getattr(registry, table))
    return "".join(lines)


def columns_of(kind: type[Struct]) -> list[str]:
    return [_FIELDS.get(name, name) for name in kind.__struct_fields__]


def cells(row: Struct) -> dict[str, str]:
    """A row as people write it."""
    return {_FIELDS.get(n, n): _cell(n, getattr(row, n)) for n in row.__struct_fields__}


def _cell(name: str, value: Any) -> str:
    if name in _FIELDS:
        return percent(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(value) if isinstance(value, tuple) else str(value)


class _Lines:
    """What csv writes to; a file would be the world's."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append


def _csv(name: str, text: str) -> Iterator[_Row | str]:
    reader = csv.reader((line + "\n" for line in text.split("\n")), strict=True)
    try:
        head = [cell.strip() for cell in next(reader, [])]
        kinds = _kinds(head)
        if isinstance(kinds, str):
            yield f"{name}:1: {kinds}"
            return
        for line in reader:
            if any(cell.strip() for cell in line):
                yield from _line(f"{name}:{reader.line_num}", head, kinds, line)
    except csv.Error as error:
        yield f"{name}:{reader.line_num}: {error}"


def _kinds(head: Sequence[str]) -> dict[str, tuple[str, type[Struct]]] | str:
    """Which kinds of rows may follow this first line; or what is wrong with it."""
    if len(set(head)) < len(head):
        return f"the first line names {max(head, key=list(head).count)!r} twice"
    named = set(head) - {"kind"}
    fits = {
        word: (table, kind)
        for word, (table, kind) in KINDS.items()
        if ("kind" in head or named <= set(columns_of(kind))) and _needed(kind) <= named
    }
    every = {column for _, kind in KINDS.values() for column in columns_of(kind)}
    if not fits or not named <= every:
        known = "; ".join(
            f"{table}: {','.join(columns_of(kind))}" for table, kind in KINDS.values()
        )
        odd = sorted(named - every)
        said = f"does not know {', '.join(map(repr, odd))}" if odd else "names no table's columns"
        return f"the first line {said}. Tables are {known}"
    return fits


def _needed(kind: type[Struct]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(kind) if field.required}


def _line(
    place: str,
    head: Sequence[str],
    kinds: Mapping[str, tuple[str, type[Struct]]],
    line: Sequence[str],
) -> Iterator[_Row | str]:
    if len(line) != len(head):
        yield f"{place}: {len(line)} columns, and the first line names {len(head)}"
        return
    told = {column: cell.strip() for column, cell in zip(head, line, strict=True)}
    word = told.pop("kind", next(iter(kinds)))
    if word not in kinds:
        yield f"{place}: kind: {word[:60]!r} is none of {', '.join(kinds)}"
        return
    table, kind = kinds[word]
    odd = [c for c, cell in told.items() if cell and c not in columns_of(kind)]
    if odd:
        yield f"{place}: {odd[0]}: rows of {table} have no such column"
        return
    values, faults = _values({c: v for c, v in told.items() if v}, place)
    yield from faults
    missing = sorted(_needed(kind) - set(values))
    if missing:
        yield f"{place}: {missing[0]}: nothing is said"
    elif not faults:
        yield _Row(table, msgspec.convert(values, kind), place)


def _values(told: Mapping[str, str], place: str) -> tuple[dict[str, Any], list[str]]:
    """Fields of the cells that say something; for the others the defaults stand."""
    values: dict[str, Any] = {}
    faults: list[str] = []
    for column, cell in told.items():
        if column in SHARES:
            ppm = share(cell)
            values[SHARES[column]] = ppm
            if ppm is None:
                says = f"{cell[:60]!r} has no unit that is known: write 49 % or 490000 ppm"
                faults.append(f"{place}: {column}: {says}")
        elif column == "contract":
            values[column] = cell == "yes"
            if cell not in ("yes", "no"):
                faults.append(f"{place}: {column}: {cell[:60]!r} is neither yes nor no")
        else:
            values[column] = tuple(cell.split()) if column in LISTS else cell
    return values, faults


def share(cell: str) -> int | None:
    """Millionths of `49.5 %` or `495000 ppm`; None where it is neither."""
    if found := _PERCENT.fullmatch(cell):
        return int(found[1]) * 10_000 + int((found[2] or "").ljust(4, "0"))
    return int(found[1]) if (found := _PPM.fullmatch(cell)) else None
