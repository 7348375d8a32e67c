"""Price files: histories that a user has, checked line by line and kept in the data directory.

Rule: a file is told by its columns; every line is checked, and one that is wrong refuses the
whole file, by line and column. What is kept under a key (a day, a source, a model) is not
changed by a later file unless the revision is asked for; each import is written down.
Invariant: importing a file again changes nothing; a reader sees the old rows or the new ones.
Worked number: 6,415 rows, and again: 6,415 new, then 0 new and 6,415 known.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from allmende.adapters.price_formats import FORMATS, Format, Row, unknown

FOLDER, LOG = "prices", "imports.jsonl"
TOLD = 20
"""Complaints that are told of one file; the rest are counted."""


class BadFile(Exception):
    """A file that is not taken. `complaints` are sentences, `more` how many others there were."""

    def __init__(self, complaints: Sequence[str], more: int = 0) -> None:
        super().__init__("\n".join([*complaints, *([f"... and {more} more"] if more else [])]))
        self.complaints = complaints
        self.more = more


class Read(Struct, frozen=True):
    """A file that is in order. `repeats` are lines that say again what one before said."""

    format: Format
    rows: dict[Row, Row]
    lines: Mapping[Row, int]
    repeats: int
    sha256: str

    def records(self) -> list[Any]:
        return _records(self.format, self.rows)


class Kept(Struct, frozen=True):
    """What an import changed."""

    new: int
    known: int
    revised: int
    gone: int = 0
    """Rows that a later snapshot no longer has."""


def read(path: Path, today: date, formats: Sequence[Format] = FORMATS) -> Read:
    """A file of one of the formats. Raises BadFile; dates after `today` are slips."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(path, csv.reader(file, strict=True), today, formats)
    except UnicodeDecodeError as error:
        raise BadFile([f"{path}: byte {error.start + 1} is not UTF-8 text"]) from None
    except OSError as error:
        raise BadFile([f"{path}: {error.strerror}"]) from None


def _read(path: Path, reader: Any, today: date, formats: Sequence[Format]) -> Read:
    lines = _lines(path, reader)
    header = next(lines, (1, []))[1]
    names = [name.strip() for name in header]
    format_ = next((f for f in formats if f.fits(names)), None)
    if format_ is None:
        raise BadFile([f"{path}:1: {unknown(names, formats)}"])
    places = [names.index(name) if name in names else None for name in format_.names]
    rows: dict[Row, Row] = {}
    at: dict[Row, int] = {}
    shared: Counter[str] = Counter()
    complaints: list[str] = []
    repeats = 0
    for number, cells in lines:
        if len(cells) != len(names):
            complaints.append(
                f"{path}:{number}: {len(cells)} columns, and the first line names {len(names)}"
            )
            continue
        row = tuple("" if place is None else cells[place].strip() for place in places)
        wrong = list(format_.complaints(row, today))
        key = format_.key_of(row, shared[row[0]])
        shared[row[0]] += 1
        if not wrong and rows.get(key, row) != row:
            wrong = [f"{format_.say(key)} is said otherwise in line {at[key]}"]
        complaints += [f"{path}:{number}: {sentence}" for sentence in wrong]
        repeats += key in rows
        at.setdefault(key, number)
        rows.setdefault(key, row)
    if not (complaints or rows):
        complaints.append(f"{path}: there is nothing below the first line")
    if complaints:
        raise BadFile(complaints[:TOLD], max(0, len(complaints) - TOLD))
    return Read(format_, rows, at, repeats, hashlib.sha256(path.read_bytes()).hexdigest())


def _lines(path: Path, reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Lines that are not empty, with their numbers."""
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise BadFile([f"{path}:{reader.line_num}: {error}"]) from None


def _records(format_: Format, rows: Mapping[Row, Row]) -> list[Any]:
    names = format_.names
    return [format_.record(dict(zip(names, row, strict=True))) for _, row in sorted(rows.items())]


def _contradiction(
    found: Read, name: str, kept: Mapping[Row, Row], other: Sequence[Row], gone: Sequence[Row]
) -> BadFile:
    said = [
        f"{name}:{found.lines[key]}: {found.format.say(key)} is kept otherwise: "
        f"{found.format.differences(kept[key], found.rows[key])}"
        for key in other
    ]
    said += [f"{name}: {found.format.say(key)} is kept and not in this file" for key in gone]
    return BadFile(said[:TOLD], max(0, len(said) - TOLD))


class PriceFiles:
    """Histories in `<data>/prices`: one CSV file a format, in the columns it was imported in."""

    def __init__(self, data: Path) -> None:
        self.folder = data / FOLDER

    def keep(self, found: Read, name: str, at: datetime, revise: bool = False) -> Kept:
        """Add what is new. Raises BadFile where it contradicts what is kept, unless `revise`."""
        return self.keep_all([(found, name)], at, revise)[0]

    def keep_all(
        self, files: Sequence[tuple[Read, str]], at: datetime, revise: bool = False
    ) -> list[Kept]:
        """All of the files, or none if one of them contradicts what is kept or one before it."""
        tables: dict[str, dict[Row, Row]] = {}
        with self._locked():
            done = [self._merge(tables, found, name, revise) for found, name in files]
            for (found, name), change in zip(files, done, strict=True):
                if change.new or change.revised or change.gone:
                    self._write(found.format, tables[found.format.id])
                    self._log(found, name, at, change)
        return done

    def _merge(
        self, tables: dict[str, dict[Row, Row]], found: Read, name: str, revise: bool
    ) -> Kept:
        kept = tables.setdefault(found.format.id, self._rows(found.format))
        other = [key for key, row in found.rows.items() if kept.get(key, row) != row]
        gone = kept.keys() - found.rows.keys() if found.format.snapshot else set()
        if (other or gone) and not revise:
            raise _contradiction(found, name, kept, other, sorted(gone))
        new = len(found.rows.keys() - kept.keys())
        for key in gone:
            del kept[key]
        kept.update(found.rows)
        return Kept(new, len(found.rows) - new - len(other), len(other), len(gone))

    def load(self, format_: Format) -> list[Any]:
        """The records that are kept, in the order of their keys; none where nothing is.

        Raises BadFile of a history that somebody has damaged.
        """
        try:
            return _records(format_, self._rows(format_))
        except (ValueError, IndexError, csv.Error) as error:
            path = self.folder / format_.file
            raise BadFile([f"{path} is damaged ({error}). Remove it and import again."]) from None

    def imports(self, format_: Format) -> list[dict[str, Any]]:
        """When which file changed the history, oldest first."""
        path = self.folder / LOG
        lines = path.read_bytes().splitlines() if path.is_file() else []
        found = [msgspec.json.decode(line) for line in lines]
        return [entry for entry in found if entry["format"] == format_.id]

    def _rows(self, format_: Format) -> dict[Row, Row]:
        path = self.folder / format_.file
        if not path.is_file():
            return {}
        with path.open(encoding="utf-8", newline="") as file:
            rows = [tuple(cells) for cells in csv.reader(file)][1:]
        found, shared = {}, Counter[str]()
        for row in rows:
            found[format_.key_of(row, shared[row[0]])] = row
            shared[row[0]] += 1
        return found

    def _write(self, format_: Format, rows: Mapping[Row, Row]) -> None:
        path = self.folder / format_.file
        fresh = path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(format_.names)
            writer.writerows(row for _, row in sorted(rows.items()))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def _log(self, found: Read, name: str, at: datetime, done: Kept) -> None:
        entry = {
            "at": at.astimezone(UTC).isoformat(timespec="seconds"),
            "file": Path(name).name,
            "sha256": found.sha256,
            "format": found.format.id,
            "rows": len(found.rows),
            "new": done.new,
            "revised": done.revised,
        }
        with (self.folder / LOG).open("ab") as file:
            file.write(msgspec.json.encode(entry) + b"\n")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One import at a time; a running market is not disturbed, and need not be stopped."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
