"""Exits: the exit drills of a market, one line of JSON each, in a file beside it.

Rule: a drill adds a line, and nothing takes one away; the page shows the last.
Invariant: no member is named: a drill says that somebody could leave, and how long it took.
Worked number: a drill a week is some 40 kB a year.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from allmende.adapters.kept import Kept
from allmende.measure.leaving import Exit

FILE = "exits.jsonl"
log = logging.getLogger(__name__)


def add(folder: Path, done: Exit) -> None:
    """Durable on return."""
    with (folder / FILE).open("ab") as file:
        file.write(msgspec.json.encode(done) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def last_exit(folder: Path) -> Kept[Exit | None]:
    """The last drill of a data directory; None before the first."""
    return Kept(folder / FILE, lambda: _last(folder / FILE))


def _last(file: Path) -> Exit | None:
    if not file.is_file():
        return None
    try:
        return msgspec.json.decode(file.read_bytes().splitlines()[-1], type=Exit)
    except (msgspec.MsgspecError, UnicodeDecodeError, IndexError) as error:
        log.warning("%s cannot be read: %s", file, error)
        return None
