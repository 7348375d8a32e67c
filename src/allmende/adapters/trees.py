"""Trees in SQLite: what the settler submitted, in a file of its own.

Rule: write-ahead log with full synchronisation, one transaction for a tree with all that it
carries; a second process may read while the settler writes.
Invariant: a tree is there with its leaves and receipts, or not at all.
Worked number: a leaf is 84 bytes and a receipt 32; finding one of a million receipts reads
32 MB, some ten milliseconds, and is done when somebody challenges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from allmende.adapters.whole import opened, whole
from allmende.core.custody import Permit
from allmende.trees import FINAL, VOID, Tree, Voucher
from allmende.wire.merkle_sum import Leaf

FILE = "trees.sqlite"
"""Its name in a data directory."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS trees (
  serial INTEGER PRIMARY KEY, number INTEGER NOT NULL, root TEXT NOT NULL,
  receipts_root TEXT NOT NULL, state TEXT NOT NULL, facts BLOB NOT NULL, leaves BLOB,
  receipts BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_root ON trees (number, root);
CREATE TABLE IF NOT EXISTS accounts (address TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS searched (block INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS vouchers (
  account TEXT NOT NULL, lane INTEGER NOT NULL, key TEXT NOT NULL, expires INTEGER NOT NULL,
  permit BLOB NOT NULL, amount TEXT NOT NULL, signature TEXT NOT NULL,
  PRIMARY KEY (account, lane, key, expires)
) WITHOUT ROWID;
"""
_HASH, _WORD, _ADDRESS = 32, 32, 20
_LEAF = _ADDRESS + 2 * _WORD


class SqliteTrees:
    """trees.Trees. From one thread at a time."""

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        """Open or create. sqlite3.OperationalError if the file cannot be opened."""
        self._db = opened(path, _SCHEMA, readonly=readonly)

    def close(self) -> None:
        self._db.close()

    # --- trees ---------------------------------------------------------------------------

    def add(self, tree: Tree, leaves: Sequence[Leaf], receipts: Sequence[bytes]) -> None:
        assert (tree.size, tree.receipts) == (len(leaves), len(receipts)), "a tree of others"
        row = (
            *(tree.serial, tree.number, tree.root, tree.receipts_root, tree.state),
            *(msgspec.json.encode(tree), b"".join(map(_pack, leaves)), b"".join(receipts)),
        )
        self._db.execute("INSERT INTO trees VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def mark(self, serial: int, state: str) -> None:
        self._db.execute("UPDATE trees SET state = ? WHERE serial = ?", (state, serial))

    def newest(self) -> Tree | None:
        return self._one("ORDER BY serial DESC LIMIT 1")

    def submitted(self, number: int, root: str, receipts_root: str) -> Tree | None:
        where = "WHERE number = ? AND root = ? AND receipts_root = ? ORDER BY serial DESC LIMIT 1"
        return self._one(where, number, root, receipts_root)

    def final(self) -> Tree | None:
        return self._one("WHERE state = ? ORDER BY number DESC, serial DESC LIMIT 1", FINAL)

    def leaves(self, serial: int) -> list[Leaf]:
        data = self._blob("leaves", serial)
        return [_unpack(data[at : at + _LEAF]) for at in range(0, len(data), _LEAF)]

    def receipts(self, serial: int) -> list[bytes]:
        data = self._blob("receipts", serial)
        return [data[at : at + _HASH] for at in range(0, len(data), _HASH)]

    def find(self, receipt: bytes) -> list[tuple[Tree, int]]:
        rows = self._db.execute(
            "SELECT facts, state, receipts FROM trees WHERE state <> ? AND instr(receipts, ?) "
            "ORDER BY serial DESC",
            (VOID, receipt),
        )
        found = ((_tree(facts, state), _index(data, receipt)) for facts, state, data in rows)
        return [(tree, index) for tree, index in found if index is not None]

    def prune(self, keep: int) -> None:
        ends = "SELECT serial FROM trees WHERE state = 'final' ORDER BY number DESC LIMIT 3"
        old = f"serial <= (SELECT MAX(serial) FROM trees) - ? AND serial NOT IN ({ends})"
        with whole(self._db):
            self._db.execute(f"DELETE FROM trees WHERE state <> ? AND {old}", (FINAL, keep))
            self._db.execute(
                f"UPDATE trees SET leaves = NULL WHERE leaves IS NOT NULL AND {old}", (keep,)
            )

    def _one(self, where: str, *values: object) -> Tree | None:
        row = self._db.execute(f"SELECT facts, state FROM trees {where}", values).fetchone()
        return None if row is None else _tree(*row)

    def _blob(self, column: str, serial: int) -> bytes:
        query = f"SELECT {column} FROM trees WHERE serial = ?"
        row = self._db.execute(query, (serial,)).fetchone()
        return b"" if row is None or row[0] is None else bytes(row[0])

    # --- accounts ------------------------------------------------------------------------

    def know(self, accounts: Iterable[str], block: int) -> None:
        with whole(self._db):
            self._db.executemany(
                "INSERT OR IGNORE INTO accounts VALUES (?)", [(one,) for one in accounts]
            )
            self._db.execute("DELETE FROM searched")
            self._db.execute("INSERT INTO searched VALUES (?)", (block,))

    def known(self) -> tuple[set[str], int]:
        row = self._db.execute("SELECT MAX(block) FROM searched").fetchone()
        found = self._db.execute("SELECT address FROM accounts")
        return {address for (address,) in found}, row[0] or 0

    # --- vouchers ------------------------------------------------------------------------

    def keep(self, voucher: Voucher) -> None:
        with whole(self._db):
            before = [v for v in self.kept() if _session(v) == _session(voucher)]
            if all(v.amount < voucher.amount for v in before):
                self._db.execute(
                    "INSERT OR REPLACE INTO vouchers VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        *_session(voucher),
                        msgspec.json.encode(voucher.permit),
                        *(str(voucher.amount), voucher.signature),
                    ),
                )

    def kept(self) -> list[Voucher]:
        rows = self._db.execute(
            "SELECT account, permit, amount, signature FROM vouchers "
            "ORDER BY account, lane, expires, key"
        )
        return [
            Voucher(account, msgspec.json.decode(permit, type=Permit), int(amount), signature)
            for account, permit, amount, signature in rows
        ]

    def forget(self, voucher: Voucher) -> None:
        self._db.execute(
            "DELETE FROM vouchers WHERE account = ? AND lane = ? AND key = ? AND expires = ?",
            _session(voucher),
        )


def _session(voucher: Voucher) -> tuple[str, int, str, int]:
    permit = voucher.permit
    return voucher.account, permit.lane, permit.key, permit.expires


def _tree(facts: bytes, state: str) -> Tree:
    return msgspec.structs.replace(msgspec.json.decode(facts, type=Tree), state=state)


def _pack(leaf: Leaf) -> bytes:
    return leaf.account + leaf.balance.to_bytes(_WORD, "big") + leaf.spent.to_bytes(_WORD, "big")


def _unpack(data: bytes) -> Leaf:
    balance, spent = data[_ADDRESS : _ADDRESS + _WORD], data[_ADDRESS + _WORD :]
    return Leaf(data[:_ADDRESS], int.from_bytes(balance, "big"), int.from_bytes(spent, "big"))


def _index(data: bytes, receipt: bytes) -> int | None:
    """Where a hash stands; it might also be found across two others."""
    at = data.find(receipt)
    while at >= 0:
        if at % _HASH == 0:
            return at // _HASH
        at = data.find(receipt, at + 1)
    return None
