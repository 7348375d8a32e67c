"""Outbox: what is to be sent and what was signed, in one SQLite file of its own.

Rule: what is wanted is written down under the caller's key before anything is done; a nonce
is given to it once, in the same transaction that keeps the first signature over that nonce.
Invariant: nonces from the first one on are given without a gap, each to one thing wanted; all
signatures for one thing carry its nonce. A chain can hold one of them and no more.
Worked number: killed between signing and sending, it finds nonce 7 given and its bytes here,
and sends those; nothing is ever signed a second time with nonce 8.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from allmende.adapters.whole import opened, whole
from allmende.core.refusals import Refused, Why
from allmende.core.units import Instant
from allmende.ports import ChainFailed, Mined, Send, Stage, Wanted

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sends (
  place INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, "to" TEXT NOT NULL, data BLOB NOT NULL,
  value TEXT NOT NULL, gas INTEGER NOT NULL, stage TEXT NOT NULL, nonce INTEGER,
  detail TEXT NOT NULL DEFAULT '', hash TEXT NOT NULL DEFAULT '', block INTEGER,
  block_hash TEXT NOT NULL DEFAULT '', ok INTEGER, contract TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX IF NOT EXISTS one_nonce_one_send ON sends (nonce) WHERE nonce IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_stage ON sends (stage, block DESC, nonce DESC);
CREATE TABLE IF NOT EXISTS attempts (
  number INTEGER PRIMARY KEY, key TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, raw BLOB NOT NULL,
  gas INTEGER NOT NULL, max_fee TEXT NOT NULL, tip TEXT NOT NULL, at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS by_key ON attempts (key);
"""


FILE = "outbox.sqlite"
"""Its name in a data directory."""
GAP = "gap:"
"""Begins the keys of transactions that only close a gap between nonces."""
DATA_MAX = 100_000
"""Bytes; go-ethereum's pool takes transactions of at most 128 kB."""
GAS_MAX = 2**24
"""EIP-7825, in force since Osaka."""
_ADDRESS = re.compile(r"0x[0-9a-f]{40}\Z")


class Attempt(Struct, frozen=True):
    """One signature. `at` is when it was made, fees are wei per gas."""

    hash: str
    raw: bytes
    gas: int
    max_fee: int
    tip: int
    at: Instant


class Outbox:
    """Durable when a method returns. From one thread at a time."""

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        """Open or create; read-only it can be opened while another process sends."""
        self._db = opened(path, _SCHEMA, readonly=readonly)

    def close(self) -> None:
        self._db.close()

    # --- which chain, which account ------------------------------------------------------

    def meta(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def bind(self, facts: dict[str, str], nonce: int) -> None:
        """Remember the chain and the account, and the nonce to begin with."""
        with whole(self._db):
            for name, value in {**facts, "next": str(nonce)}.items():
                self._db.execute("INSERT INTO meta VALUES (?, ?)", (name, value))

    def next_nonce(self) -> int:
        return int(self.meta("next") or 0)

    def skip_to(self, nonce: int) -> None:
        """Nonces below this one are not ours to give."""
        self._db.execute("UPDATE meta SET value = ? WHERE name = 'next'", (str(nonce),))

    # --- what is wanted ------------------------------------------------------------------

    def put(self, wanted: Wanted) -> Send:
        """Write it down; again is nothing new.

        Refused: REPLAYED if the key meant other things, BAD_VALUE for what no node would take.
        """
        _check(wanted)
        return self._put(wanted)

    def _put(self, wanted: Wanted) -> Send:
        row = (wanted.key, wanted.to, wanted.data, str(wanted.value), wanted.gas)
        self._db.execute(
            'INSERT INTO sends (key, "to", data, value, gas, stage) '
            "VALUES (?, ?, ?, ?, ?, 'waiting') ON CONFLICT (key) DO NOTHING",
            row,
        )
        found = self.get(wanted.key)
        assert found is not None
        if found.wanted != wanted:
            raise Refused(Why.REPLAYED, f"{wanted.key} was to be another transaction.")
        return found

    def get(self, key: str) -> Send | None:
        return next(self._sends("key = ?", key), None)

    def at(self, stage: Stage) -> list[Send]:
        """All in this stage: waiting and failed as they came, others by nonce."""
        return list(self._sends("stage = ?", stage.value))

    def named(self, prefix: str) -> Iterator[Send]:
        """All whose keys begin so, whatever became of them."""
        return self._sends("key >= ? AND key < ?", prefix, prefix + "\U0010ffff")

    def unfinished_before(self, key: str) -> bool:
        """Whether anything that was wanted before this is not in the chain for good yet."""
        row = self._db.execute(
            "SELECT 1 FROM sends WHERE stage IN ('waiting', 'open') "
            "AND place < (SELECT place FROM sends WHERE key = ?) LIMIT 1",
            (key,),
        ).fetchone()
        return row is not None

    def newest_final(self) -> Send | None:
        """The final one in the newest block."""
        return next(self._sends("stage = 'final'", order="block DESC, nonce DESC LIMIT 1"), None)

    def knows(self, nonce: int) -> bool:
        return bool(self._db.execute("SELECT 1 FROM sends WHERE nonce = ?", (nonce,)).fetchone())

    def counts(self) -> dict[str, int]:
        rows = self._db.execute("SELECT stage, COUNT(*) FROM sends GROUP BY stage ORDER BY stage")
        return dict(rows.fetchall())

    def _sends(self, where: str, *values: object, order: str = "nonce, place") -> Iterator[Send]:
        rows = self._db.execute(
            'SELECT key, "to", data, value, gas, stage, nonce, detail, hash, block, block_hash, '
            f"ok, contract FROM sends WHERE {where} ORDER BY {order}",
            values,
        )
        for key, to, data, value, gas, stage, nonce, *rest in rows:
            detail, hash_, block, block_hash, ok, contract = rest
            wanted = Wanted(key, to, data, int(value), gas)
            yield Send(
                wanted, Stage(stage), nonce, detail, hash_, block, block_hash, bool(ok), contract
            )

    # --- how far it has come -------------------------------------------------------------

    def assign(self, key: str, nonce: int, attempt: Attempt) -> None:
        """Give the next nonce for good, with the first signature over it."""
        with whole(self._db):
            if nonce != self.next_nonce():
                raise ChainFailed("busy", "another process sends from this outbox")
            self._db.execute(
                "UPDATE sends SET stage = 'open', nonce = ? WHERE key = ?", (nonce, key)
            )
            self._add(key, attempt)
            self.skip_to(nonce + 1)

    def fill(self, wanted: Wanted, nonce: int, attempt: Attempt) -> None:
        """A transaction for a nonce below the next one that nobody has."""
        with whole(self._db):
            self._put(wanted)
            self._db.execute(
                "UPDATE sends SET stage = 'open', nonce = ? WHERE key = ?", (nonce, wanted.key)
            )
            self._add(wanted.key, attempt)

    def add(self, key: str, attempt: Attempt) -> None:
        """Another signature over the nonce that `key` has."""
        with whole(self._db):
            self._add(key, attempt)

    def _add(self, key: str, attempt: Attempt) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO attempts (key, hash, raw, gas, max_fee, tip, at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                *(key, attempt.hash, attempt.raw, attempt.gas),
                *(str(attempt.max_fee), str(attempt.tip), attempt.at),
            ),
        )

    def attempts(self, key: str) -> list[Attempt]:
        """Signatures, newest first."""
        rows = self._db.execute(
            "SELECT hash, raw, gas, max_fee, tip, at FROM attempts WHERE key = ? "
            "ORDER BY number DESC",
            (key,),
        )
        return [Attempt(h, raw, gas, int(fee), int(tip), at) for h, raw, gas, fee, tip, at in rows]

    def finish(self, key: str, mined: Mined) -> None:
        self._db.execute(
            "UPDATE sends SET stage = 'final', hash = ?, block = ?, block_hash = ?, ok = ?, "
            "contract = ? WHERE key = ?",
            (mined.hash, mined.block, mined.block_hash, mined.ok, mined.contract, key),
        )

    def reopen(self, key: str) -> None:
        """It was final and is no longer: its block is gone. Its nonce stays its own."""
        self._db.execute("UPDATE sends SET stage = 'open' WHERE key = ?", (key,))

    def fail(self, key: str, why: str) -> None:
        """It cannot be sent; it has no nonce and takes none."""
        self._db.execute(
            "UPDATE sends SET stage = 'failed', detail = ? WHERE key = ? AND stage = 'waiting'",
            (why, key),
        )

    def retry(self, key: str) -> None:
        """A failed one waits again, behind those that wait."""
        self._db.execute(
            "UPDATE sends SET stage = 'waiting', detail = '' WHERE key = ? AND stage = 'failed'",
            (key,),
        )

    def drop(self, key: str) -> None:
        """Forget one that closed a gap which was not there."""
        with whole(self._db):
            self._db.execute("DELETE FROM sends WHERE key = ?", (key,))
            self._db.execute("DELETE FROM attempts WHERE key = ?", (key,))

    def release(self, key: str) -> None:
        """Its nonce went to somebody else's transaction for good, so it needs another one."""
        with whole(self._db):
            self._db.execute(
                "UPDATE sends SET stage = 'waiting', nonce = NULL WHERE key = ? AND stage = 'open'",
                (key,),
            )
            self._db.execute("DELETE FROM attempts WHERE key = ?", (key,))


def _check(wanted: Wanted) -> None:
    """What every node would refuse gets no nonce: all behind it would wait for ever."""
    data = wanted.data
    least = 21_000 + 40 * len(data) - 30 * data.count(0) + (0 if wanted.to else 42_000)
    if wanted.key.startswith(GAP):
        raise Refused(Why.BAD_VALUE, f"Keys with {GAP} are the outbox's own.")
    if wanted.to and not _ADDRESS.match(wanted.to):
        raise Refused(Why.BAD_VALUE, "An address is 0x and 40 lower-case digits.")
    if not wanted.to and not data:
        raise Refused(Why.BAD_VALUE, "To nobody and without data it would create nothing.")
    if not 0 <= wanted.value < 2**128 or len(data) > DATA_MAX:
        raise Refused(Why.BAD_VALUE, f"Value below 2**128 wei, at most {DATA_MAX} bytes.")
    if wanted.gas and not least <= wanted.gas <= GAS_MAX:
        raise Refused(Why.BAD_VALUE, f"Gas is 0 (estimated) or from {least} to {GAS_MAX}.")
