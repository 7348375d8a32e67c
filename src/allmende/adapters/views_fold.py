"""Fold: the journal's events into the tables of the read models.

Rule: what a group of frames leads to is gathered in memory and written in one transaction,
together with the number of its last event.
Invariant: nothing is remembered between two folds but what the tables hold, so a fold may be
killed, repeated or run by two processes, and the tables are the same.
Worked number: 64 receipts captured and finalised in one group are 64 rows, written once, and
one row of `usage` if one key bought them from one offer on one day.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from allmende.adapters.views_custody import MOVED
from allmende.adapters.views_exchange import EXCHANGE, Exchange
from allmende.adapters.views_reference import REFERENCE
from allmende.adapters.views_rows import Rows, Standing
from allmende.core import abroad_events as b
from allmende.core import events as e
from allmende.core import exchange_events as x
from allmende.core.nouns import Receipt
from allmende.core.settle import canonical, leaf_hash
from allmende.core.units import SECOND, Instant
from allmende.wire.journal import Frame

HOUR = 3600 * SECOND
_SAID = b.SentAbroad, b.ReceivedFrom, b.RefusedFrom
"""Leaves of their own, see wire.journal.leaves."""
_DECODE: Callable[[bytes], e.Any] = msgspec.json.Decoder(e.Any).decode
_PASSED_OVER = tuple(
    b'{"type":"%s"' % kind for kind in (b"reserved", b"checkpointed", b"voided", b"orderrested")
)
"""Lines that no table needs are not decoded: a third and more of a busy journal."""


def fold(db: sqlite3.Connection, frames: Callable[[int], Iterable[Frame]], events_max: int) -> int:
    """Fold up to about `events_max` events that follow the last one folded; how many it were.

    `frames(after)` are those of the journal. One transaction; on any error nothing changed.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        folding = Fold(db)
        first = folding.number
        for frame in frames(first):
            folding.frame(frame)
            if folding.number - first >= events_max:
                break
        if folding.number > first:
            folding.write()
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
    return folding.number - first


class Fold:
    """One group: begins where the tables are, gathers frames, then writes all of them."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._rows = Rows(db)
        self._exchange = Exchange(db)
        row = db.execute("SELECT number, head, now, receipts, batch, leaves FROM fold").fetchone()
        self.number: int = row[0]
        self._head: bytes = row[1]
        self._now: Instant = row[2]
        self._receipts, self._batch, self._leaves = row[3:]
        self._frame = 0
        """First event of the frame at hand."""
        self._leaf = 0
        """How many leaves of it went by."""

    def frame(self, frame: Frame) -> None:
        assert frame.first == self.number + 1, f"frame {frame.first} after event {self.number}"
        assert frame.prev == self._head, f"frame {frame.first} follows another head"
        self._frame, self._leaf = frame.first, 0
        for line in frame.body.splitlines():
            self.number += 1
            if not line.startswith(_PASSED_OVER):
                self._event(_DECODE(line))
        assert self.number == frame.last, f"frame {frame.first} says {frame.count} events"
        self._head = frame.head

    def write(self) -> None:
        self._rows.write()
        self._exchange.write()
        self._db.execute(
            "UPDATE fold SET number = ?, head = ?, now = ?, receipts = ?, batch = ?, leaves = ?",
            (self.number, self._head, self._now, self._receipts, self._batch, self._leaves),
        )

    def _event(self, event: e.Any) -> None:
        self._now = max(self._now, event.at)
        if type(event) in _HANDLERS:
            _HANDLERS[type(event)](self, event)
        elif type(event) in REFERENCE:
            REFERENCE[type(event)](self._db, self.number, event)
        elif type(event) in EXCHANGE:
            EXCHANGE[type(event)](self._exchange, self.number, event)
            self._rows.post(self._hour(), event.postings)
        if type(event) in MOVED:  # beside a row of its own, where it has one
            self._movement(event, *MOVED[type(event)](self._db, event))
        if isinstance(event, _SAID):
            self._leaf += 1

    def _captured(self, event: e.Captured | x.Redeemed) -> None:
        receipt = event.receipt
        self._rows.captured(self.number, receipt.id, (self._frame, self._leaf))
        self._receipts += 1
        self._stands(self.number, receipt)
        self._rows.post(self._hour(), event.postings)

    def _finalised(self, event: e.Finalised) -> None:
        row = self._rows.find(event.receipt.id)
        before = str(-event.before[0].amount) if event.before else None
        self._stands(row, event.receipt, before, event.cause)
        self._rows.post(self._hour(), event.postings)

    def _stands(
        self, row: int, receipt: Receipt, before: str | None = None, cause: str | None = None
    ) -> None:
        """How a receipt stands after the event at hand, and where its leaf is."""
        body = batch = index = None
        if receipt.verdict != "pending":
            body, batch, index = canonical(receipt), self._batch, self._leaves
            self._rows.leaf(batch, index, leaf_hash(body))
            self._leaves += 1
        proof = (batch, index, self._frame, self._leaf)
        self._rows.stands(row, Standing(self.number, receipt, before, cause, proof, body))
        self._leaf += 1

    def _hour(self) -> Instant:
        return self._now - self._now % HOUR

    def _moved(self, event: e.Deposited | e.Minted | e.Transferred) -> None:
        self._movement(event, type(event).__name__.lower(), getattr(event, "reference", ""))

    def _movement(self, event: e.Event, kind: str, reference: str) -> None:
        """One asset from one account to another; rights that were minted move no more here."""
        if not event.postings:
            return
        self._rows.post(self._hour(), event.postings)
        out, into = sorted(event.postings, key=lambda posting: posting.amount)
        self._rows.movement(
            (
                *(self.number, event.at, kind, out.account, into.account, into.asset),
                *(str(into.amount), reference),
            )
        )

    def _batch_closed(self, event: e.BatchClosed) -> None:
        assert (event.number, event.receipts) == (self._batch, self._leaves), "batch of others"
        net = [(account, asset, str(amount)) for account, asset, amount in event.net]
        self._db.execute(
            "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(event.number, event.at, self.number, event.root, event.receipts_root),
                *(event.receipts, msgspec.json.encode(net).decode(), self._frame),
            ),
        )
        self._batch, self._leaves, self._leaf = event.number + 1, 0, self._leaf + 1


_HANDLERS: dict[type, Callable[[Fold, Any], None]] = {
    e.Captured: Fold._captured,
    e.Finalised: Fold._finalised,
    x.Redeemed: Fold._captured,
    e.BatchClosed: Fold._batch_closed,
    e.Deposited: Fold._moved,
    e.Minted: Fold._moved,
    e.Transferred: Fold._moved,
}
