"""Store: the one SQLite file of the embedded chain.

Rule: py-evm's key-value store is one table, and what waits for its turn another; one process
at a time has the file open.
Invariant: what is written inside `whole` is in the file altogether or not at all, and when
`whole` is left it survives a power cut.
Worked number: a block with one transfer writes some 20 rows and costs one fdatasync.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from eth.db.backends.base import BaseDB

from allmende.ports import ChainFailed

_SCHEMA = """
CREATE TABLE IF NOT EXISTS trie (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pool (
  sender BLOB NOT NULL, nonce INTEGER NOT NULL, hash BLOB NOT NULL, raw BLOB NOT NULL,
  PRIMARY KEY (sender, nonce)
);
"""


def open_file(path: Path) -> sqlite3.Connection:
    """Open or create, for this process alone. ChainFailed("busy") if another has it open."""
    db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=0.5)
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(_SCHEMA)
    except sqlite3.OperationalError as error:
        db.close()
        if "locked" not in str(error):
            raise
        raise ChainFailed("busy", f"another process has {path.name} open") from None
    return db


def fact(db: sqlite3.Connection, name: str) -> str | None:
    """What the file says of itself."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


class SqliteDB(BaseDB):
    """py-evm's database. Whoever writes holds the SQL transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __getitem__(self, key: bytes) -> bytes:
        row = self._db.execute("SELECT value FROM trie WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return bytes(row[0])

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO trie VALUES (?, ?)", (key, value))

    def __delitem__(self, key: bytes) -> None:
        if not self._db.execute("DELETE FROM trie WHERE key = ?", (key,)).rowcount:
            raise KeyError(key)

    def _exists(self, key: bytes) -> bool:
        return bool(self._db.execute("SELECT 1 FROM trie WHERE key = ?", (key,)).fetchone())
