"""Race files: what a folder or a data directory holds for the race monitor, as one value.

Rule: every CSV file of a folder is told by its columns; one that is of no known kind is named and
passed over, one that is wrong in a line refuses all. Files of the same kind add up; the same key
said otherwise in two of them refuses both.
Invariant: each figure can be traced to a file by its name and its hash.
Worked number: a folder of ten files gives nine that are read and one that is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from allmende.adapters.kept import Kept
from allmende.adapters.price_files import LOG, BadFile, PriceFiles, Read, read
from allmende.adapters.price_formats import GOLD, TOKENS, Format
from allmende.adapters.race_formats import RACE
from allmende.adapters.rules import rules
from allmende.core.units import SECOND
from allmende.measure.dated import Rules
from allmende.measure.race_panels import ACTS, Given
from allmende.ports import Clock

WANTED = (*RACE, TOKENS, GOLD)
Step = Callable[[str], None]


def from_folder(
    folder: Path, today: date, step: Step = lambda name: None
) -> tuple[Given, list[str]]:
    """What the CSV files of a folder say, and sentences on those passed over. Raises BadFile."""
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise BadFile([f"{folder}: there is no file that ends in .csv"])
    found: list[tuple[Path, Read]] = []
    passed, wrong = [], []
    for path in paths:
        step(path.name)
        if not _known(path):
            passed.append(f"{path.name} is of no kind that the race monitor reads; passed over.")
            continue
        try:
            found.append((path, read(path, today, WANTED)))
        except BadFile as error:
            wrong.append(str(error))
    if wrong:
        raise BadFile(wrong)
    return _given(_records(found), _labels(found), today), passed


def from_kept(files: PriceFiles, today: date) -> Given:
    """What was imported. Raises BadFile of a history that somebody has damaged."""
    labels = {
        one.id: "; ".join(
            f"{entry['file']}, sha256 {entry['sha256'][:12]}, {entry['at'][:10]}"
            for entry in files.imports(one)
        )
        for one in WANTED
    }
    return _given({one.id: files.load(one) for one in WANTED}, labels, today)


def race_kept(data: Path, clock: Clock) -> Kept[Given | str]:
    """What was imported into a data directory: nothing in words where nothing is, and what is
    wrong where it is damaged."""
    files = PriceFiles(data)

    def found() -> Given | str:
        if not (files.folder / LOG).is_file():
            return ""
        try:
            return from_kept(files, datetime.fromtimestamp(clock.now() / SECOND, UTC).date())
        except BadFile as error:
            return str(error)

    return Kept(files.folder / LOG, found)


def _given(records: dict[str, list[Any]], labels: dict[str, str], today: date) -> Given:
    return Given(rules=dated(today), files=labels, **records)


def dated(today: date) -> dict[str, Rules]:
    """The dated data that panels need, as of today."""
    return {act: rules(act, today) for act in ACTS}


def _known(path: Path) -> bool:
    """Whether its first line shares a column with a kind that is read here."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            names = {name.strip().strip('"') for name in file.readline().split(",")}
    except (OSError, UnicodeDecodeError):
        return True  # and `read` says what is wrong
    return any(len(names & set(one.names)) >= min(2, len(one.names)) for one in WANTED)


def _records(found: Sequence[tuple[Path, Read]]) -> dict[str, list[Any]]:
    return {one.id: _together(one, found) for one in WANTED}


def _together(one: Format, found: Sequence[tuple[Path, Read]]) -> list[Any]:
    rows: dict[tuple[str, ...], tuple[Path, tuple[str, ...]]] = {}
    for path, file in found:
        if file.format is not one:
            continue
        for key, row in file.rows.items():
            other, before = rows.get(key, (path, row))
            if before != row or (one.snapshot and other != path):
                raise BadFile(
                    [f"{path}:{file.lines[key]}: {one.say(key)} is in {other.name} as well"]
                )
            rows[key] = (path, row)
    names = one.names
    return [one.record(dict(zip(names, row, strict=True))) for _, (_, row) in sorted(rows.items())]


def _labels(found: Sequence[tuple[Path, Read]]) -> dict[str, str]:
    labels: dict[str, list[str]] = {}
    for path, file in found:
        labels.setdefault(file.format.id, []).append(f"{path.name}, sha256 {file.sha256[:12]}")
    return {name: "; ".join(parts) for name, parts in labels.items()}
