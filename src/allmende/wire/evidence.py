"""Evidence as files: rows of CSV or JSON into evidence, or every fault by its place.

Rule: a CSV file's first line names its columns, JSON is a list of objects with the same names;
dates are ISO 8601 in UTC, `rests_on` names ids separated by spaces.
Invariant: either every row is good in itself, or none is given and each bad field is named.
Worked number: `2027-02-30` in line 7 is "rules.csv:7: expires: '2027-02-30' is no date".
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from allmende.core.evidence import LEVEL_MAX, Evidence

NEEDED = ("id", "objective", "level", "claim", "issuer", "issued", "expires", "document")
KNOWN = Evidence.__struct_fields__
TOLD = 20
"""Faults that are told; the rest are counted."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadEvidence(ValueError):
    """A file that is not taken. Each line of it is a fault with its place."""

    def __init__(self, faults: Sequence[str]) -> None:
        more = [f"... and {len(faults) - TOLD} more"] if len(faults) > TOLD else []
        super().__init__("\n".join([*faults[:TOLD], *more]))


class Row(NamedTuple):
    """Where a row stands, such as `a.csv:12`, and what it says."""

    place: str
    told: Mapping[str, Any]


def read(name: str, data: bytes) -> tuple[list[Evidence], list[str]]:
    """The evidence of one file, and the place of each row. Raises BadEvidence."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadEvidence([f"{name}: not UTF-8 text"]) from None
    rows = _json(name, text) if text.lstrip()[:1] in ("[", "{") else _csv(name, text)
    found: list[Evidence] = []
    places: list[str] = []
    faults: list[str] = []
    for row in rows:
        if isinstance(row, str):
            faults.append(row)
            continue
        values, wrong = _values(row)
        faults += [f"{row.place}: {fault}" for fault in wrong]
        if not wrong:
            found.append(Evidence(**values))
            places.append(row.place)
    if not faults and not found:
        faults.append(f"{name}: there is no row in it")
    if faults:
        raise BadEvidence(faults)
    return found, places


def _csv(name: str, text: str) -> Iterator[Row | str]:
    lines = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        head = [column.strip() for column in next(lines, [])]
        odd = sorted(set(head) - set(KNOWN)) or sorted({c for c in head if head.count(c) > 1})
        missing = [column for column in NEEDED if column not in head]
        if odd or missing:
            says = f"there is no column {odd[0]!r:.40}" if odd else f"no column {missing[0]!r}"
            yield f"{name}:1: {says}; columns are {', '.join(KNOWN)}"
            return
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            place = f"{name}:{lines.line_num}"
            if len(cells) != len(head):
                yield f"{place}: {len(cells)} fields, where the first line has {len(head)}"
                continue
            yield Row(place, {c: v.strip() for c, v in zip(head, cells, strict=True) if v.strip()})
    except csv.Error as error:
        yield f"{name}:{lines.line_num}: {error}"


def _json(name: str, text: str) -> Iterator[Row | str]:
    try:
        told = msgspec.json.decode(text, type=list[dict[str, Any]])
    except (msgspec.MsgspecError, RecursionError) as error:
        yield f"{name}: a list of objects was expected: {error}"
        return
    for number, row in enumerate(told, 1):
        odd = sorted(set(row) - set(KNOWN))
        if odd:
            yield f"{name}: row {number}: there is no field {odd[0]!r:.40}"
        else:
            yield Row(f"{name}: row {number}", row)


def _values(row: Row) -> tuple[dict[str, Any], list[str]]:
    """What can be told of a row by itself; the market looks at the rest."""
    wrong = [f"{name}: missing" for name in NEEDED if row.told.get(name) in (None, "")]
    values: dict[str, Any] = {}
    for name, told in row.told.items():
        if told in (None, ""):
            continue
        try:
            values[name] = _READ.get(name, _text)(told)
        except ValueError as error:
            wrong.append(f"{name}: {error}")
    return values, wrong


def _text(told: object) -> str:
    if not isinstance(told, str):
        raise ValueError(f"{told!r:.40} is no text")
    return told


def _level(told: object) -> int:
    text = str(told).upper().removeprefix("SEAL-")
    if not (text.isascii() and text.isdecimal()) or int(text) > LEVEL_MAX:
        raise ValueError(f"{told!r:.40} is no level of 0 to {LEVEL_MAX}")
    return int(text)


def instant(told: object) -> int:
    """ISO 8601, UTC unless it names a zone, as microseconds. Raises ValueError."""
    try:
        when = datetime.fromisoformat(str(told).strip())
    except ValueError:
        raise ValueError(f"{told!r:.40} is no date such as 2027-06-30") from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return (when - EPOCH) // timedelta(microseconds=1)


def _ids(told: object) -> tuple[str, ...]:
    words = told.split() if isinstance(told, str) else told
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"{told!r:.40} is no list of ids")
    return tuple(words)


_READ: dict[str, Callable[[object], Any]] = {
    "level": _level,
    "issued": instant,
    "expires": instant,
    "rests_on": _ids,
}
