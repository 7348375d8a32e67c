"""Settle: final receipts and what they net to, closed together under one Merkle root.

Rule: a receipt enters the open batch when it is final, once; a batch's root is
H(1, receipts' root, leaf of the net postings).
Invariant: receipts captured = provisional + in the open batch + in closed batches.
Worked number: a batch of 3 receipts keeps 2 peaks, of 2 leaves and of 1; its receipts'
root is H(1, peak of 2, peak of 1), as in RFC 6962.
"""

from __future__ import annotations

import hashlib

import msgspec

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import exchange_events as x
from allmende.core.identity import allow_operator
from allmende.core.nouns import ISSUER, Posting, Receipt, payer
from allmende.core.state import OpenBatch, State
from allmende.core.units import SECOND

EMPTY = hashlib.sha256(b"").digest()
"""Root of no leaves, RFC 6962 section 2.1."""

canonical = msgspec.json.Encoder().encode
"""Canonical bytes of a receipt or of net postings: JSON in field order, no spaces."""


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def push(peaks: list[tuple[int, bytes]], leaf: bytes) -> None:
    """Add a leaf to a forest of full trees; equal neighbours merge, so log2(n) remain."""
    size = 1
    while peaks and peaks[-1][0] == size:
        leaf = node_hash(peaks.pop()[1], leaf)
        size *= 2
    peaks.append((size, leaf))


def root(peaks: list[tuple[int, bytes]]) -> bytes:
    """The RFC 6962 root over all leaves pushed so far."""
    if not peaks:
        return EMPTY
    top = peaks[-1][1]
    for _, peak in reversed(peaks[:-1]):
        top = node_hash(peak, top)
    return top


def batch_root(receipts_root: bytes, net: tuple[Posting, ...]) -> bytes:
    return node_hash(receipts_root, leaf_hash(canonical(net)))


def close_batch(state: State, command: c.CloseBatch) -> list[e.Event]:
    allow_operator(state, command.by, command.at)
    return _close(state, command.at) if state.batch.receipts else []


def close_due(state: State, command: c.Tick) -> list[e.Event]:
    batch = state.batch
    full = batch.receipts >= state.parameters.get("batch_receipts_max", 1)
    old = command.at - batch.since >= state.parameters.get("batch_seconds", 0) * SECOND
    return _close(state, command.at) if batch.receipts and (full or old) else []


def _close(state: State, at: int) -> list[e.Event]:
    batch = state.batch
    net = tuple(
        Posting(account, asset, amount)
        for asset, accounts in sorted(batch.net.items())
        for account, amount in sorted(accounts.items())
        if amount
    )
    receipts_root = root(batch.peaks)
    return [
        e.BatchClosed(
            at=at,
            number=batch.number,
            receipts=batch.receipts,
            receipts_root=receipts_root,
            net=net,
            root=batch_root(receipts_root, net),
        )
    ]


def settled(state: State, event: e.Captured | e.Finalised | x.Redeemed) -> None:
    """Put a final receipt into the open batch; a pending one comes when it is final."""
    receipt = event.receipt
    if receipt.verdict == "pending":
        return
    batch = state.batch
    if not batch.receipts:
        batch.since = event.at
    batch.receipts += 1
    push(batch.peaks, receipt_leaf(receipt))
    net = batch.net.setdefault(receipt.asset, {})
    source = payer(receipt.account, receipt.right)
    net[source] = net.get(source, 0) - receipt.price
    for payment in receipt.waterfall:
        net[payment.account] = net.get(payment.account, 0) + payment.amount
    if receipt.right:
        rights, source = batch.net.setdefault(receipt.right, {}), ISSUER + receipt.right
        rights[receipt.account] = rights.get(receipt.account, 0) - receipt.grains
        rights[source] = rights.get(source, 0) + receipt.grains


def receipt_leaf(receipt: Receipt) -> bytes:
    return leaf_hash(canonical(receipt))


def batch_closed(state: State, event: e.BatchClosed) -> None:
    state.tally.batched += event.receipts
    state.batch = OpenBatch(number=event.number + 1)


def check(state: State) -> None:
    batch, tally = state.batch, state.tally
    assert tally.captured == len(state.provisional) + batch.receipts + tally.batched, "receipts"
    assert sum(size for size, _ in batch.peaks) == batch.receipts, "leaves"
    for asset, accounts in batch.net.items():
        assert sum(accounts.values()) == 0, f"net of {asset} does not sum to zero"


DECIDE = {c.CloseBatch: close_batch, c.Tick: close_due}
APPLY = {
    e.Captured: settled,
    e.Finalised: settled,
    x.Redeemed: settled,
    e.BatchClosed: batch_closed,
}
