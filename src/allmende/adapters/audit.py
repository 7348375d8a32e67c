"""Audit: a whole journal folded, and everything that it claims looked at.

Rule: hashes are followed by `wire.journal.follow`; here are signatures, batches, the snapshot and
the invariants. Nothing is believed that can be worked out.
Invariant: a journal that passes folds to one state, whoever reads it.
Worked number: the invariants are linear in the state, so of 100_000 events they are checked five
times, and at the end.
"""

from __future__ import annotations

from allmende.core import events as e
from allmende.core import exchange_events as x
from allmende.core import machine
from allmende.core.settle import receipt_leaf
from allmende.core.state import State
from allmende.wire import journal, merkle
from allmende.wire.journal import GENESIS, Broken, Frame
from allmende.wire.snapshot import unpack

CHECK_EVENTS = 20_000


class Audit:
    """Fold a journal and look at everything that it claims. Raises Broken, AssertionError."""

    def __init__(self, snapshot: tuple[int, bytes, bytes] | None) -> None:
        self.state = State()
        self.number = 0
        self.signatures = self.batches = self.receipts = 0
        self.snapshot = "none kept"
        self.head = GENESIS
        self._kept = snapshot
        self._leaves: list[bytes] = []
        self._checked = 0

    def frame(self, frame: Frame) -> None:
        """The next frame, already found to follow the last."""
        found = journal.events(frame.body)
        if len(found) != frame.count:
            raise Broken(f"frame at event {frame.first} says {frame.count} events")
        for event in found:
            machine.apply(self.state, event)
            self.number += 1
            self._event(event)
            if self._kept is not None and self._kept[0] == self.number:
                self._compare(self._kept[2])
        self._signature(frame, journal.leaves(found))
        self.head = frame.head
        if self.number - self._checked >= CHECK_EVENTS:
            self.check()

    def check(self) -> None:
        self._checked = self.number
        machine.check(self.state)

    def _event(self, event: e.Event) -> None:
        if isinstance(event, e.Captured | x.Redeemed):
            self.receipts += 1
        receipts = e.Captured | e.Finalised | x.Redeemed
        if isinstance(event, receipts) and event.receipt.verdict != "pending":
            self._leaves.append(receipt_leaf(event.receipt))
        elif isinstance(event, e.BatchClosed):
            if merkle.root(self._leaves) != event.receipts_root:
                raise Broken(f"batch {event.number} is not the root of its receipts")
            self._leaves = []
            self.batches += 1

    def _signature(self, frame: Frame, leaves: list[bytes]) -> None:
        if not leaves:
            return
        market = self.state.market
        public = bytes.fromhex(market.public_key) if market else b""
        if merkle.root(leaves) != frame.leaves:
            raise Broken(f"frame at event {frame.first} has other receipts than it signed")
        if not journal.genuine(public, frame.head, frame.signature):
            raise Broken(f"frame at event {frame.first} is not signed by the market")
        self.signatures += 1

    def _compare(self, kept: bytes) -> None:
        state = unpack(kept)
        if state is None:
            self.snapshot = "of another version, which a start passes over"
            return
        if machine.digest(self.state) != machine.digest(state):
            raise Broken(f"the snapshot at event {self.number} is another state than its events")
        self.snapshot = f"agrees at event {self.number}"
