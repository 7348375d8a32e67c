"""SQLite journal: frames in one table, durable when `append` returns.

Rule: write-ahead log with full synchronisation; one row per commit group.
Invariant: frames are contiguous; a second process that opens the file for writing is refused
by the lock that `main` takes on the data directory.
Worked number: 64 events of 400 bytes are one row of 26 kB and one fdatasync.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from allmende.adapters.whole import whole
from allmende.wire.journal import Frame

FILE = "journal.sqlite"
"""Its name in a data directory."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS frames (
  first INTEGER PRIMARY KEY, count INTEGER NOT NULL, body BLOB NOT NULL, prev BLOB NOT NULL,
  leaves BLOB NOT NULL, head BLOB NOT NULL, signature BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS snapshots (
  upto INTEGER PRIMARY KEY, head BLOB NOT NULL, state BLOB NOT NULL
);
"""
_COLUMNS = "first, count, body, prev, leaves, head, signature"
SNAPSHOTS_KEPT = 2
CHECKPOINT_PAGES = 8_192
"""Pages of 4 kB in the log before they move to the table: 32 MB, so that the pause this makes
comes once in some 15_000 requests and not once in 2_000."""


class SqliteJournal:
    """ports.Journal on one SQLite file. Safe to use from one thread at a time."""

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        """Open or create. sqlite3.OperationalError if the file cannot be opened."""
        mode = "ro" if readonly else "rwc"
        self._db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            check_same_thread=False,
            isolation_level=None,
            timeout=10,
        )
        if not readonly:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            self._db.executescript(_SCHEMA)

    def append_all(self, frames: Iterable[Frame]) -> None:
        """All of them in one transaction, or none if they end in an exception."""
        with whole(self._db):
            for frame in frames:
                self.append(frame)

    def append(self, frame: Frame) -> None:
        """Durable on return. Raises sqlite3.Error, after which nothing was written."""
        self._db.execute(
            f"INSERT INTO frames ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                frame.first,
                frame.count,
                frame.body,
                frame.prev,
                frame.leaves,
                frame.head,
                frame.signature,
            ),
        )

    def frames(self, after: int = 0) -> Iterator[Frame]:
        """Frames whose last event is numbered above `after`, in order."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM frames WHERE first >= "
            "COALESCE((SELECT MAX(first) FROM frames WHERE first <= ?), 0) ORDER BY first",
            (after + 1,),
        )
        for row in rows:
            frame = Frame(*row)
            if frame.last > after:
                yield frame

    def snapshot(self, upto: int, head: bytes, state: bytes) -> None:
        """Keep a state with the number of its last event; older ones are dropped."""
        self._db.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)", (upto, head, state))
        self._db.execute(
            "DELETE FROM snapshots WHERE upto NOT IN "
            "(SELECT upto FROM snapshots ORDER BY upto DESC LIMIT ?)",
            (SNAPSHOTS_KEPT,),
        )

    def latest_snapshot(self) -> tuple[int, bytes, bytes] | None:
        row = self._db.execute(
            "SELECT upto, head, state FROM snapshots ORDER BY upto DESC LIMIT 1"
        ).fetchone()
        return tuple(row) if row else None

    def close(self) -> None:
        self._db.close()
