"""Whole: one SQL transaction of SQLite, for connections that begin none by themselves.

Rule: what is written inside is there altogether, or not at all.
Invariant: when the block has ended, however it did, no transaction is open.
Worked number: two rows written and an exception leave none.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator


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
