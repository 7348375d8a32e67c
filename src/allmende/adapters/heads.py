"""Heads in SQLite: what a market remembers of its own and of other markets' histories.

Rule: write-ahead log with full synchronisation, as the journal: what is forgotten here cannot be
compared any more. The own chain is a fold of the journal and can be made anew.
Invariant: a market's frames are contiguous.
Worked number: a peer with 100 frames a second is 10 MB in a quarter of an hour; a million frames
are kept of each, and statements of a thousandth of what is older than the newest 10_000.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from allmende.adapters.whole import opened, whole
from allmende.core.units import Instant
from allmende.federation import Heard, Known, Said
from allmende.wire.heads import Link, Split, Statement, Stretch

FILE = "heads.sqlite"
"""Its name in a data directory."""
FRAMES_KEPT = 1_000_000
DENSE = 10_000
"""Frames behind the newest of which every statement is kept; of the others one in THIN frames."""
THIN = 1_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS frames (
  market TEXT NOT NULL, frames INTEGER NOT NULL, head BLOB NOT NULL, body BLOB NOT NULL,
  leaves BLOB NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (market, frames)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS statements (
  market TEXT NOT NULL, frames INTEGER NOT NULL, number INTEGER NOT NULL, head TEXT NOT NULL,
  source TEXT NOT NULL, at INTEGER NOT NULL, linked INTEGER NOT NULL, file BLOB NOT NULL,
  PRIMARY KEY (market, frames, head, number, source)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS open_statements ON statements (market) WHERE NOT linked;
CREATE TABLE IF NOT EXISTS said (
  kind TEXT NOT NULL, market TEXT NOT NULL, number INTEGER NOT NULL, frames INTEGER NOT NULL,
  first INTEGER NOT NULL, PRIMARY KEY (kind, market, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS proofs (
  digest TEXT PRIMARY KEY, file BLOB NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;
"""
_FRAME = "SELECT frames, head, body, leaves, number FROM frames WHERE market = ?"
_STATEMENT = "SELECT file FROM statements WHERE market = ?"


class SqliteHeads:
    """federation.Memory. From one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open or create. sqlite3.OperationalError if the file cannot be opened."""
        self._db = opened(path, _SCHEMA)

    def close(self) -> None:
        self._db.close()

    # --- chains --------------------------------------------------------------------------

    def begin(self, market: str) -> Known | None:
        return self._frame("ORDER BY frames LIMIT 1", market)

    def end(self, market: str) -> Known | None:
        return self._frame("ORDER BY frames DESC LIMIT 1", market)

    def frame(self, market: str, frames: int) -> Known | None:
        return self._frame("AND frames = ?", market, frames)

    def extend(self, market: str, frames: Sequence[Known], said: Sequence[Said] = ()) -> None:
        rows = [(market, k.frames, k.head, k.body, k.leaves, k.number) for k in frames]
        with whole(self._db):
            self._db.executemany("INSERT OR IGNORE INTO frames VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._db.executemany(
                "INSERT OR IGNORE INTO said VALUES (?, ?, ?, ?, ?)",
                [(s.kind, s.market, s.number, s.frames, s.first) for s in said],
            )

    def rebase(self, market: str, frames: Sequence[Known]) -> None:
        rows = [(market, k.frames, k.head, k.body, k.leaves, k.number) for k in frames]
        with whole(self._db):
            self._db.executemany("INSERT OR REPLACE INTO frames VALUES (?, ?, ?, ?, ?, ?)", rows)

    def thin(self, market: str) -> None:
        """Of statements behind the newest DENSE frames keep the first in every THIN."""
        newest = self.end(market)
        if newest is not None:
            self._db.execute(
                "DELETE FROM statements WHERE market = ? AND linked AND frames < ? AND EXISTS ("
                "SELECT 1 FROM statements s WHERE s.market = statements.market AND s.linked AND "
                "s.frames < statements.frames AND s.frames >= statements.frames / ? * ?)",
                (market, newest.frames - DENSE, THIN, THIN),
            )

    def prune(self, market: str, kept: int = FRAMES_KEPT) -> None:
        """Of another market's chain, what is older than so many frames, up to a statement."""
        newest = self.end(market)
        old = None if newest is None else self.anchor(market, 0, most=newest.frames - kept)
        if old is not None:
            where = (market, old.frames)
            self._db.execute("DELETE FROM frames WHERE market = ? AND frames < ?", where)

    def stretch(self, market: str, after: int, upto: int) -> Stretch | None:
        first = self.frame(market, after)
        rows = self._db.execute(
            "SELECT body, leaves FROM frames WHERE market = ? AND frames > ? AND frames <= ? "
            "ORDER BY frames",
            (market, after, upto),
        ).fetchall()
        if first is None or not 0 < upto - after == len(rows):
            return None
        links = tuple(Link(body.hex(), leaves.hex()) for body, leaves in rows)
        return Stretch(after, first.head.hex(), links)

    def _frame(self, where: str, *values: object) -> Known | None:
        row = self._db.execute(f"{_FRAME} {where}", values).fetchone()
        return None if row is None else Known(*row)

    # --- statements ----------------------------------------------------------------------

    def keep(self, heard: Heard) -> None:
        said = heard.statement
        row = (said.public_key, said.frames, said.number, said.head, heard.source, heard.at)
        self._db.execute(
            "INSERT OR IGNORE INTO statements VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, heard.linked, msgspec.json.encode(said)),
        )

    def link(self, statement: Statement) -> None:
        self._db.execute(
            "UPDATE statements SET linked = 1 WHERE market = ? AND frames = ? AND head = ?",
            (statement.public_key, statement.frames, statement.head),
        )

    def at(self, market: str, frames: int) -> list[Statement]:
        return self._statements("AND frames = ?", market, frames)

    def against(self, statement: Statement) -> Statement | None:
        where = (
            "AND ((frames < ?2 AND ?3 - number < ?2 - frames) OR (frames > ?2 AND number - ?3 < "
            "frames - ?2) OR (frames = ?2 AND (number <> ?3 OR head <> ?4))) LIMIT 1"
        )
        said = (statement.public_key, statement.frames, statement.number, statement.head)
        rows = self._db.execute(f"{_STATEMENT.replace('?', '?1')} {where}", said).fetchall()
        return _statement(rows[0][0]) if rows else None

    def anchor(self, market: str, frames: int, most: int = 0) -> Statement | None:
        if most:
            where = "AND linked AND frames >= ? AND frames <= ? ORDER BY frames DESC LIMIT 1"
            found = self._statements(where, market, frames, most)
        else:
            where = "AND linked AND frames >= ? ORDER BY frames LIMIT 1"
            found = self._statements(where, market, frames)
        return found[0] if found else None

    def open(self, market: str) -> list[Statement]:
        return self._statements("AND NOT linked ORDER BY frames", market)

    def newest(self, market: str) -> list[Heard]:
        rows = self._db.execute(
            "SELECT file, source, at, linked, MAX(frames) FROM statements WHERE market = ? "
            "GROUP BY source ORDER BY MAX(frames) DESC",
            (market,),
        )
        return [Heard(_statement(row[0]), row[1], row[2], bool(row[3])) for row in rows]

    def _statements(self, where: str, *values: object) -> list[Statement]:
        rows = self._db.execute(f"{_STATEMENT} {where}", values)
        return [_statement(file) for (file,) in rows]

    # --- what we said, and what others lied ----------------------------------------------

    def said(self, kind: str, market: str, number: int) -> Said | None:
        row = self._db.execute(
            "SELECT kind, market, number, frames, first FROM said "
            "WHERE kind = ? AND market = ? AND number = ?",
            (kind, market, number),
        ).fetchone()
        return None if row is None else Said(*row)

    def prove(self, digest: str, split: Split, at: Instant) -> None:
        row = (digest, msgspec.json.encode(split), at)
        self._db.execute("INSERT OR IGNORE INTO proofs VALUES (?, ?, ?)", row)

    def proofs(self) -> list[tuple[str, Split, Instant]]:
        rows = self._db.execute("SELECT digest, file, at FROM proofs ORDER BY at DESC, digest")
        return [(digest, msgspec.json.decode(file, type=Split), at) for digest, file, at in rows]

    def proof(self, digest: str) -> Split | None:
        query = "SELECT file FROM proofs WHERE digest = ?"
        row = self._db.execute(query, (digest,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=Split)


def _statement(file: bytes) -> Statement:
    return msgspec.json.decode(file, type=Statement)
