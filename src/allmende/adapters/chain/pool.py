"""Pool: transactions whose turn has not come, in the chain's own file.

Rule: one transaction for each account and nonce; a replacement offers a tenth more in both
fees, as with geth's --txpool.pricebump.
Invariant: what was taken in is kept over any crash until it is mined or can never be.
Worked number: a transaction that offers 100 wei per gas is replaced by one of 110, not 109.
"""

from __future__ import annotations

import sqlite3

from eth.abc import SignedTransactionAPI

from allmende.ports import ChainFailed

EVERYBODY, ONE = 4_096, 64
"""Transactions that may wait: of all accounts, of one."""
REPLACE_PERCENT = 10


class Pool:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def nonces(self, sender: bytes) -> list[int]:
        """Of an account's waiting transactions, in order."""
        rows = self._db.execute("SELECT nonce FROM pool WHERE sender = ? ORDER BY 1", (sender,))
        return [nonce for (nonce,) in rows]

    def find(self, hash_: bytes) -> bytes | None:
        row = self._db.execute("SELECT raw FROM pool WHERE hash = ?", (hash_,)).fetchone()
        return None if row is None else bytes(row[0])

    def held(self, sender: bytes, nonce: int) -> bytes | None:
        """What waits in this place, as it was sent."""
        row = self._db.execute(
            "SELECT raw FROM pool WHERE sender = ? AND nonce = ?", (sender, nonce)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def put(
        self,
        new: SignedTransactionAPI,
        raw: bytes,
        old: SignedTransactionAPI | None,
        *,
        waits: bool,
    ) -> None:
        """Keep it. ChainFailed("underpriced", "busy"); there is always room for one whose turn
        it is, since it may be what all others wait for."""
        if old is not None and not _beats(new, old):
            raise ChainFailed("underpriced", "a replacement must offer a tenth more in both fees")
        (waiting,) = self._db.execute("SELECT COUNT(*) FROM pool").fetchone()
        if waits and old is None and (waiting >= EVERYBODY or len(self.nonces(new.sender)) >= ONE):
            raise ChainFailed("busy", "too many transactions wait for their turn")
        self._db.execute(
            "INSERT OR REPLACE INTO pool VALUES (?, ?, ?, ?)",
            (new.sender, new.nonce, new.hash, raw),
        )

    def first(self) -> list[tuple[int, bytes]]:
        """(nonce, as it was sent) of each account's first one."""
        return self._db.execute("SELECT MIN(nonce), raw FROM pool GROUP BY sender").fetchall()

    def drop(self, hash_: bytes) -> None:
        self._db.execute("DELETE FROM pool WHERE hash = ?", (hash_,))


def _beats(new: SignedTransactionAPI, old: SignedTransactionAPI) -> bool:
    return all(
        mine * 100 >= theirs * (100 + REPLACE_PERCENT)
        for mine, theirs in (
            (new.max_fee_per_gas, old.max_fee_per_gas),
            (new.max_priority_fee_per_gas, old.max_priority_fee_per_gas),
        )
    )
