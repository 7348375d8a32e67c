"""Fork's books: who paid and who earned by requests, account by account, in one run.

Rule: a receipt counts when it is captured, and its correction when that is posted, so that the
sums are what the ledger moved for requests, provisional ones included.
Invariant: over all accounts, what was paid is what was earned, asset by asset.
Worked number: a receipt of 101 pico with host 85, author 10, operator 5, commons 1: the buyer
paid 101, and four accounts earned 101.
"""

from __future__ import annotations

from msgspec import Struct

from allmende.core import events as e
from allmende.core import exchange_events as x
from allmende.core.nouns import Receipt, payer
from allmende.core.state import State
from allmende.core.units import Amount

BUYER = "buyer"


class Line(Struct):
    """What one account paid or earned in one role. `receipts`: how many it is in."""

    amount: Amount = 0
    receipts: int = 0


class Books:
    """A fold: `take` every event before it is applied."""

    def __init__(self) -> None:
        self.lines: dict[tuple[str, str, str], Line] = {}
        """(asset, role, account) -> what was paid or earned"""
        self.countries: dict[str, set[str]] = {}
        """host -> where it processed"""
        self.receipts: dict[str, int] = {}
        """asset -> receipts"""

    def take(self, state: State, event: e.Event) -> None:
        if isinstance(event, e.Captured | x.Redeemed):
            receipt = event.receipt
            self._count(receipt, 1)
            self.receipts[receipt.asset] = self.receipts.get(receipt.asset, 0) + 1
            self.countries.setdefault(receipt.provider, set()).add(receipt.zone.country)
        elif isinstance(event, e.Finalised) and event.before:
            self._count(state.provisional[event.receipt.id].receipt, -1)
            self._count(event.receipt, 1)

    def _count(self, receipt: Receipt, times: int) -> None:
        source = payer(receipt.account, receipt.right)
        self._add(receipt.asset, BUYER, source, times * receipt.price, times)
        for line in receipt.waterfall:
            self._add(receipt.asset, line.role, line.account, times * line.amount, times)

    def _add(self, asset: str, role: str, account: str, amount: Amount, times: int) -> None:
        line = self.lines.setdefault((asset, role, account), Line())
        line.amount += amount
        line.receipts += times
