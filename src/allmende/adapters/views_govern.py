"""Views, govern: the logs of Stake and Assembly as they were read, so that a start reads few.

Rule: a copy of what the chain says and nothing of our own; how far it goes stands with it, in one
transaction. What follows from it is folded in memory, see wire/assembly.Book.
Invariant: the file may be deleted while nothing runs; the next start reads the chain again.
Worked number: a vote is one row of about 300 bytes; a thousand votes fold in some 20 ms.

One table, `told`, in the order of the chain: (block, place) name a log, `contract` and `event`
say what it is, `fields` is JSON by the ABI's names, `at` the block's second. One more, `followed`,
holds the contracts' addresses and the last block that was read. Pages ask the book:
`book.proposals[number]` (with .votes, .poll.counts, .status(now), .ends, .eta, .expires),
`book.decisions`, `book.members`, `book.stakes.positions/.votes/.locked_until`, `book.faults`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from allmende.wire.assembly import Told

FILE = "assembly.sqlite"
"""Its name in a data directory."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS followed (of TEXT PRIMARY KEY, upto INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS told (
  block INTEGER NOT NULL,
  place INTEGER NOT NULL,
  contract TEXT NOT NULL,
  event TEXT NOT NULL,
  fields BLOB NOT NULL,
  at INTEGER NOT NULL,
  tx TEXT NOT NULL,
  PRIMARY KEY (block, place)
) STRICT;
"""


class SqliteTold:
    """Of the contracts that `of` names; those of others are forgotten when it is opened."""

    def __init__(self, path: Path | str, of: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(SCHEMA)
        self._of = of
        row = self._db.execute("SELECT of FROM followed").fetchone()
        if row is not None and row[0] != of:
            self._db.executescript("BEGIN; DELETE FROM told; DELETE FROM followed; COMMIT;")

    @property
    def upto(self) -> int:
        """The last block that was read; -1 before the first."""
        row = self._db.execute("SELECT upto FROM followed").fetchone()
        return -1 if row is None else int(row[0])

    def all(self) -> Iterator[Told]:
        """In the order of the chain."""
        query = "SELECT contract, event, fields, block, place, at, tx FROM told ORDER BY 4, 5"
        for contract, event, fields, *rest in self._db.execute(query):
            yield Told(contract, event, msgspec.json.decode(fields), *rest)

    def take(self, told: Iterable[Told], upto: int) -> None:
        """All of them, or none."""
        encode = msgspec.json.encode
        rows = [
            (t.block, t.index, t.contract, t.event, encode(t.fields), t.at, t.transaction)
            for t in told
        ]
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("INSERT INTO told VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            self._db.execute("INSERT OR REPLACE INTO followed VALUES (?, ?)", (self._of, upto))
            self._db.execute("COMMIT")
        except sqlite3.Error:
            self._db.execute("ROLLBACK")
            raise

    def forget(self) -> None:
        """All of it: the next step reads the chain again."""
        self._db.executescript("BEGIN; DELETE FROM told; DELETE FROM followed; COMMIT;")

    def close(self) -> None:
        self._db.close()
