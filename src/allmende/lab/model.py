"""Model: the same book-keeping written the dumb way, to compare the machine with.

Rule: nothing is carried along; every number is summed again from all events that ever were.
Invariant: it shares no code with the core but the calendar of the standard library.
Worked number: 5 receipts make a Merkle tree by the textbook's recursion, split at 4.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from allmende.core import custody_events as w
from allmende.core import events as e
from allmende.core import exchange_events as f
from allmende.core.nouns import Receipt
from allmende.core.state import State
from allmende.lab import model_carbon, model_custody, model_drills, model_exchange
from allmende.lab.model_carbon import period as period

Money = dict[tuple[str, str], int]
"""(asset, account) -> pico-credits"""


def agree(state: State, events: Sequence[e.Event]) -> None:
    """Assert that what the machine carries along is what all of history sums up to."""
    assert _machine_money(state.balances) == balances(events), "balances"
    holds, waiting = open_holds(events), provisional(events)
    assert state.holds.keys() == holds.keys(), "holds"
    assert state.provisional.keys() == waiting.keys(), "provisional"
    assert _machine_money(state.held) == set_aside(events), "set aside"
    for id_, node in state.budgets.items():
        spent = node.spent if state.now < node.until else 0
        assert spent == budget_spent(events, id_, state.now), f"budget {id_}: spent {spent}"
    receipts = unbatched(events)
    assert state.batch.receipts == len(receipts), "open batch"
    assert _machine_money(state.batch.net) == net(receipts), "net of the open batch"
    batches_are_true(events)
    model_exchange.agree(state, events)
    model_custody.agree(state, events)
    model_drills.agree(state, events)
    model_carbon.agree(state, events)


def balances(events: Iterable[e.Event]) -> Money:
    total: Money = defaultdict(int)
    for event in events:
        for posting in event.postings:
            total[posting.asset, posting.account] += posting.amount
    return _without_zeros(total)


def open_holds(events: Iterable[e.Event]) -> dict[str, e.Reserved]:
    found: dict[str, e.Reserved] = {}
    for event in events:
        if isinstance(event, e.Reserved):
            assert event.hold not in found, f"{event.hold} is held twice"
            found[event.hold] = event
        elif isinstance(event, e.Captured):
            reserved = found.pop(event.receipt.id)
            assert 0 <= event.receipt.price <= reserved.amount, "charged more than was held"
        elif isinstance(event, e.Voided):
            del found[event.hold]
    return found


def provisional(events: Iterable[e.Event]) -> dict[str, tuple[Receipt, e.Reserved]]:
    """Receipts that wait for a recount, each with what was reserved for it."""
    reserved = {event.hold: event for event in events if isinstance(event, e.Reserved)}
    found: dict[str, tuple[Receipt, e.Reserved]] = {}
    for event in events:
        if isinstance(event, e.Captured) and event.receipt.verdict == "pending":
            found[event.receipt.id] = event.receipt, reserved[event.receipt.id]
        elif isinstance(event, e.Finalised):
            _, before = found.pop(event.receipt.id)
            assert 0 <= event.receipt.price <= before.amount, "corrected above the hold"
    return found


def set_aside(events: Sequence[e.Event]) -> Money:
    """Of payers what is still held for them, of payees what is not final yet, and of traders
    what their orders and claims may cost."""
    assets = {id_: event.asset for id_, event in _added(events).items()}
    total: Money = defaultdict(int)
    for reserved in open_holds(events).values():
        source = f"bond/{reserved.right}" if reserved.right else reserved.account
        total[assets[reserved.budget], source] += reserved.amount
        total[reserved.right, reserved.account] += reserved.grains
    for receipt, reserved in provisional(events).values():
        total[receipt.asset, receipt.payer or receipt.account] += reserved.amount - receipt.price
        total[receipt.right, receipt.account] += reserved.grains - receipt.grains
        for payment in receipt.waterfall:
            total[receipt.asset, payment.account] += payment.amount
    for asset, account, amount in model_exchange.set_aside(events):
        total[asset, account] += amount
    return _without_zeros(total)


def budget_spent(events: Sequence[e.Event], budget: str, now: int) -> int:
    """What the receipts below a budget that were made in the period of `now` cost by now."""
    added = _added(events)
    parents = {id_: event.parent for id_, event in added.items()}
    asked = added[budget]
    kind = "total" if isinstance(asked, w.PermitGranted) else asked.period
    latest = {
        event.receipt.id: event.receipt
        for event in events
        if isinstance(event, e.Captured | e.Finalised)
    }
    return sum(
        receipt.price
        for receipt in latest.values()
        if budget in _upward(parents, receipt.budget)
        and period(kind, receipt.at) == period(kind, now)
    )


def _added(events: Iterable[e.Event]) -> dict[str, e.BudgetAdded | w.PermitGranted]:
    """Budget -> what made it: a permit makes one for its session."""
    found: dict[str, e.BudgetAdded | w.PermitGranted] = {}
    for event in events:
        if isinstance(event, e.BudgetAdded):
            found[event.id] = event
        elif isinstance(event, w.PermitGranted) and event.budget:
            found[event.budget] = event
    return found


def _upward(parents: dict[str, str], budget: str) -> list[str]:
    found = []
    while budget:
        found.append(budget)
        budget = parents[budget]
    return found


# Batches ------------------------------------------------------------------------------


def final(event: e.Event) -> Receipt | None:
    """The receipt that an event makes final."""
    if isinstance(event, e.Finalised | f.Redeemed):
        return event.receipt
    if isinstance(event, e.Captured) and event.receipt.verdict != "pending":
        return event.receipt
    return None


def unbatched(events: Iterable[e.Event]) -> list[Receipt]:
    """Final receipts since the last batch closed."""
    found: list[Receipt] = []
    for event in events:
        receipt = final(event)
        if receipt is not None:
            found.append(receipt)
        elif isinstance(event, e.BatchClosed):
            found = []
    return found


def net(receipts: Iterable[Receipt]) -> Money:
    total: Money = defaultdict(int)
    for receipt in receipts:
        total[receipt.asset, receipt.payer or receipt.account] -= receipt.price
        total[receipt.right, receipt.account] -= receipt.grains
        total[receipt.right, f"issuer/{receipt.right}"] += receipt.grains
        for payment in receipt.waterfall:
            total[receipt.asset, payment.account] += payment.amount
    return _without_zeros(total)


def batches_are_true(events: Iterable[e.Event]) -> None:
    """Assert that every receipt is in one batch, and every root is that of its receipts."""
    found: list[Receipt] = []
    seen: set[str] = set()
    for event in events:
        receipt = final(event)
        if receipt is not None:
            assert receipt.id not in seen, f"{receipt.id} is final twice"
            seen.add(receipt.id)
            found.append(receipt)
        elif isinstance(event, e.BatchClosed):
            assert event.receipts == len(found), "a batch counts its receipts"
            assert event.receipts_root == root([msgspec.json.encode(r) for r in found])
            assert {(p.asset, p.account): p.amount for p in event.net} == net(found)
            leaf = hashlib.sha256(b"\0" + msgspec.json.encode(event.net)).digest()
            assert event.root == hashlib.sha256(b"\1" + event.receipts_root + leaf).digest()
            found = []


def root(leaves: Sequence[bytes]) -> bytes:
    """Merkle tree hash exactly as RFC 6962 section 2.1 defines it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\1" + root(leaves[:half]) + root(leaves[half:])).digest()


def _machine_money(by_asset: dict[str, dict[str, int]]) -> Money:
    flat = {(asset, who): n for asset, accounts in by_asset.items() for who, n in accounts.items()}
    return _without_zeros(flat)


def _without_zeros(money: Money) -> Money:
    return {key: amount for key, amount in money.items() if amount}
