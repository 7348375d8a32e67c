"""Views file: the read models of a data directory as they stand at one moment, for commands.

Rule: read only, in one transaction, also while a market writes; a file that is not there or of
another version is refused with what to do about it.
Invariant: all that is read in one `moment` is of the same event of the journal.
Worked number: a bill and its total, read in one moment, agree though a receipt came between.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from allmende.adapters.views_schema import VERSION, connect_reader


class NoViews(Exception):
    """There are no read models to read, or they are of another version."""


@contextmanager
def moment(views: Path) -> Iterator[sqlite3.Connection]:
    """A connection that sees one moment. Raises NoViews."""
    if not views.is_file():
        raise NoViews(f"No read models at {views}. Start the market once, or name its directory.")
    with closing(connect_reader(views)) as db:
        if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            raise NoViews(f"{views} is of another version. Run: allmende views rebuild")
        db.isolation_level = None
        db.execute("BEGIN")
        yield db
