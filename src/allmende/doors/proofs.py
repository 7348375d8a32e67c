"""Proofs: what proves receipts to anybody, for one of them or for all that a member has.

Rule: a frame or a batch is read and hashed once for all the receipts in it that are asked for one
after another.
Invariant: the file of a receipt is the same, whether it was asked for alone or with others.
Worked number: 10_000 receipts of one batch are 10_000 leaves hashed once, not 10_000 times.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from allmende.core import events as e
from allmende.core import exchange_events as x
from allmende.core.nouns import Receipt
from allmende.core.settle import receipt_leaf
from allmende.ports import Views
from allmende.wire import journal
from allmende.wire import receipt as proof
from allmende.wire.merkle import Places


class _Frame(NamedTuple):
    frame: journal.Frame
    places: Places
    receipts: Mapping[str, Receipt]


class _Batch(NamedTuple):
    number: int
    places: Places
    closed: e.BatchClosed
    place: proof.Anchor


class Prover:
    """Ask in the order of the journal, either way: it keeps one frame and one batch."""

    def __init__(
        self,
        views: Views,
        frame: Callable[[int], Awaitable[journal.Frame]],
        chained: Callable[[bytes], proof.Chained | None],
        public_key: str,
    ) -> None:
        self._views = views
        self._read = frame
        self._chained = chained
        self._public_key = public_key
        self._frame: _Frame | None = None
        self._batch: _Batch | None = None

    async def line(self, row: Mapping[str, Any], found: Receipt | None = None) -> bytes:
        """The file that proves the receipt of this row of the read models, on one line."""
        frame = await self._framed(row["frame"])
        receipt = found or frame.receipts[row["id"]]
        leaf = receipt_leaf(receipt)
        place = proof.anchor(frame.frame, leaf, frame.places)
        batch = await self._batched(row["batch"], leaf) if row["final"] else None
        chain = self._chained(leaf) if row["final"] else None
        return proof.line(self._public_key, receipt, place, batch, chain)

    async def _framed(self, first: int) -> _Frame:
        if self._frame is None or self._frame.frame.first != first:
            found = await self._read(first)
            events = journal.events(found.body)
            kinds = e.Captured | e.Finalised | x.Redeemed
            told = {one.receipt.id: one.receipt for one in events if isinstance(one, kinds)}
            self._frame = _Frame(found, Places(journal.leaves(events)), told)
        return self._frame

    async def _batched(self, number: int, leaf: bytes) -> proof.Batched | None:
        if self._batch is None or self._batch.number != number:
            rows: list[dict[str, Any]] = await self._views.rows("batch", number=number)
            if not rows:
                return None
            self._batch = await self._close(number, rows[0]["frame"])
        batch = self._batch
        return proof.in_batch(batch.places, leaf, batch.closed, batch.place)

    async def _close(self, number: int, first: int) -> _Batch:
        frame = await self._read(first)
        closed = next(
            event
            for event in journal.events(frame.body)
            if isinstance(event, e.BatchClosed) and event.number == number
        )
        chunks: list[dict[str, Any]] = await self._views.rows("batch_leaves", batch=number)
        leaves = [bytes.fromhex(text) for chunk in chunks for text in chunk["leaves"]]
        return _Batch(number, Places(leaves), closed, proof.closing(closed, frame))
