"""Books: value captured, held against the ledger, event by event.

Rule: for every account and asset, what the waterfalls paid it less what its own receipts cost
must be what the ledger moved for receipts; provisional receipts stand beside the final ones.
Invariant: `differing` is empty, or the tables show another market than the ledger.
Worked number: a receipt of 101 pico with author 10, fee 5, levy 1, host 85: author +10, operator
+5, commons +1, host +85, payer -101, in the waterfall and in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from allmende.core import events as e
from allmende.core import exchange_events as x
from allmende.core.actors import Registry
from allmende.core.nouns import ISSUER, Posting, Receipt, payer
from allmende.core.units import Amount
from allmende.measure.value import Line, lines

RECEIPTS = e.Captured | e.Finalised | x.Redeemed


class Books:
    """A fold: `take` every event in order, with what the ledger moved for it."""

    def __init__(self) -> None:
        self.receipts: dict[str, int] = {}
        """asset -> final receipts"""
        self.prices: dict[str, Amount] = {}
        """asset -> the sum of their prices"""
        self.registry = Registry()
        self.pending: dict[str, Receipt] = {}
        self._lines: dict[str, dict[Line, list[int]]] = {}
        """asset -> line without counts -> [payments, amount]"""
        self._paid: dict[tuple[str, str], Amount] = {}
        self._moved: dict[tuple[str, str], Amount] = {}

    def take(self, event: e.Event, moved: Iterable[Posting]) -> None:
        """`moved` are the changes of balances that the event made."""
        if isinstance(event, e.ActorsImported):
            self.registry = event.registry
        if not isinstance(event, RECEIPTS):
            return
        receipt = event.receipt
        for posting in moved:
            _add(self._moved, (posting.account, posting.asset), posting.amount)
        if receipt.verdict == "pending":
            self.pending[receipt.id] = receipt
        else:
            self.pending.pop(receipt.id, None)
            self._final(receipt)

    def lines(self, asset: str) -> list[Line]:
        """All final receipts' lines of one asset, summed by what they say."""
        found = self._lines.get(asset, {})
        return [structs.replace(key, payments=n, amount=m) for key, (n, m) in found.items()]

    def waiting(self, asset: str) -> Amount:
        """Prices of provisional receipts: in the ledger, and in no table yet."""
        return sum(one.price for one in self.pending.values() if one.asset == asset)

    def differing(self) -> dict[tuple[str, str], Amount]:
        """(account, asset) -> what the ledger moved more than the receipts say."""
        said = dict(self._paid)
        for asset, found in self._lines.items():
            for key, (_, amount) in found.items():
                _add(said, (key.account, asset), amount)
        for receipt in self.pending.values():
            for payment in receipt.waterfall:
                _add(said, (payment.account, receipt.asset), payment.amount)
            _cost(said, receipt)
        keys = said.keys() | self._moved.keys()
        off = {key: self._moved.get(key, 0) - said.get(key, 0) for key in keys}
        return {key: amount for key, amount in sorted(off.items()) if amount}

    def _final(self, receipt: Receipt) -> None:
        asset = receipt.asset
        self.receipts[asset] = self.receipts.get(asset, 0) + 1
        self.prices[asset] = self.prices.get(asset, 0) + receipt.price
        _cost(self._paid, receipt)
        found = self._lines.setdefault(asset, {})
        for line in lines(receipt):
            counts = found.setdefault(structs.replace(line, payments=0, amount=0), [0, 0])
            counts[0] += line.payments
            counts[1] += line.amount


def _cost(into: dict[tuple[str, str], Amount], receipt: Receipt) -> None:
    """What a receipt took: its price from whoever paid, and the rights that paid."""
    right = receipt.right
    _add(into, (payer(receipt.account, right), receipt.asset), -receipt.price)
    if right:
        _add(into, (receipt.account, right), -receipt.grains)
        _add(into, (ISSUER + right, right), receipt.grains)


def _add(into: dict[tuple[str, str], Amount], key: tuple[str, str], amount: Amount) -> None:
    into[key] = into.get(key, 0) + amount
