"""Levy: what the commons took of every price, under which rate, and what became of it.

Rule: every posting on the commons' account is counted, by what made it: a receipt, a grant that
was decided, or anything else; a receipt's is counted under the rate in force when it was posted.
Invariant: income less what went out is the balance of the account, to the pico-credit.
Worked number: 101 pico at 1 % are 1, after a change to 2 % they are 2; a grant of 2 leaves 1.
"""

from __future__ import annotations

from msgspec import Struct

from allmende.core import charter_events as h
from allmende.core import events as e
from allmende.core import exchange_events as x
from allmende.core.ledger import COMMONS
from allmende.core.parameters import PARAMETERS
from allmende.core.units import Amount, Instant

RATE = "levy_ppm"
RECEIPTS = e.Captured | e.Finalised | x.Redeemed


class Span(Struct):
    """One asset while one rate was in force, in pico-credits. `volume`: prices of receipts;
    `other`: what neither a receipt nor a grant moved."""

    asset: str
    since: Instant
    until: Instant | None
    levy_ppm: int
    receipts: int = 0
    volume: Amount = 0
    income: Amount = 0
    grants: Amount = 0
    other: Amount = 0
    balance: Amount = 0
    """at its end"""


class Grant(Struct, frozen=True):
    at: Instant
    decision: int
    member: str
    asset: str
    amount: Amount


class Levy:
    """A fold: `take` every event in order."""

    def __init__(self) -> None:
        self.grants: list[Grant] = []
        self._spans: list[dict[str, Span]] = []
        """One for each time a rate came into force: asset -> span."""
        self._since: list[tuple[Instant, int]] = []
        self._balance: dict[str, Amount] = {}
        self._price: dict[str, Amount] = {}
        """Provisional receipt -> its price as it was counted."""

    def take(self, event: e.Event) -> None:
        if isinstance(event, e.Founded):
            self._rate(event.at, PARAMETERS[RATE].default)
        elif isinstance(event, e.ParameterChanged) and event.name == RATE:
            self._rate(event.at, event.value)
        elif isinstance(event, RECEIPTS):
            self._receipt(event)
        elif isinstance(event, h.Enacted) and event.asset:
            decision = event.decision
            told = Grant(event.at, decision.number, decision.name, event.asset, decision.value)
            self.grants.append(told)
        for account, asset, amount in event.postings:
            if account == COMMONS:
                self._posted(event, asset, amount)

    def spans(self) -> list[Span]:
        """By asset, oldest first, with those in which nothing moved left out."""
        found = [span for spans in self._spans for span in spans.values()]
        return sorted(found, key=lambda span: (span.asset, span.since))

    def balances(self) -> dict[str, Amount]:
        return dict(sorted(self._balance.items()))

    def _rate(self, at: Instant, ppm: int) -> None:
        if self._since and self._since[-1][1] == ppm:
            return
        for span in self._spans[-1].values() if self._spans else ():
            span.until = at
        self._since.append((at, ppm))
        self._spans.append({})

    def _span(self, asset: str) -> Span:
        since, ppm = self._since[-1]
        return self._spans[-1].setdefault(asset, Span(asset, since, None, ppm))

    def _receipt(self, event: e.Captured | e.Finalised | x.Redeemed) -> None:
        receipt = event.receipt
        span, before = self._span(receipt.asset), self._price.pop(receipt.id, None)
        span.receipts += before is None
        span.volume += receipt.price - (before or 0)
        if receipt.verdict == "pending":
            self._price[receipt.id] = receipt.price

    def _posted(self, event: e.Event, asset: str, amount: Amount) -> None:
        span = self._span(asset)
        if isinstance(event, RECEIPTS):
            span.income += amount
        elif isinstance(event, h.Enacted):
            span.grants -= amount
        else:
            span.other += amount
        self._balance[asset] = span.balance = self._balance.get(asset, 0) + amount
