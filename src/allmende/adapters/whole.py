"""Whole: a durable SQLite file, and one transaction on it, for connections that begin none.

Rule: what is written inside is there altogether, or not at all, and on disk when it is said.
Invariant: when the block has ended, however it did, no transaction is open.
Worked number: two rows written and an exception leave none.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path


def opened(path: Path, schema: str, *, readonly: bool = False) -> sqlite3.Connection:
    """Open or create; read-only it can be opened while another process writes.

    sqlite3.OperationalError if the file cannot be opened. From one thread at a time.
    """
    address = f"{path.absolute().as_uri()}?mode={'ro' if readonly else 'rwc'}"
    db = sqlite3.connect(
        address, uri=True, check_same_thread=False, isolation_level=None, timeout=10
    )
    if not readonly:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(schema)
    return db


@contextlib.contextmanager
def whole(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing of what is written inside."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
