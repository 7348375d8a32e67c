"""Exchange events: what can have happened to rights, orders and bonds.

Rule: a trade is one event, and so one balanced exchange of credit and rights.
Invariant: the postings of every event sum to zero for credit and for each instrument.
Worked number: 10**8 grains at 31_000 post -3.1 credits to the buyer and +3.1 to the seller,
and one lot the other way; a taker's fee of 0.1 % posts 0.0031 credits to the operator.
"""

from __future__ import annotations

from typing import TypeAlias

from allmende.core.contracts import Case, Claim, Instrument, Order, Plea, QuoteRequest
from allmende.core.facts import Event, move
from allmende.core.nouns import Posting, Receipt, paid
from allmende.core.units import Amount, Instant


class Listed(Event, frozen=True):
    """Trading opens with a call that uncrosses at `until`."""

    instrument: Instrument
    until: Instant


class LotsMinted(Event, frozen=True):
    """`right` is the issuer's account of the instrument, `bond` where its bond is kept."""

    instrument: str
    issuer: str
    right: str
    bond: str
    asset: str
    grains: int
    amount: Amount

    @property
    def postings(self) -> tuple[Posting, ...]:
        return move(self.right, self.issuer, self.instrument, self.grains) + move(
            self.issuer, self.bond, self.asset, self.amount
        )


class LotsRetired(LotsMinted, frozen=True):
    """The same, back."""

    @property
    def postings(self) -> tuple[Posting, ...]:
        return move(self.issuer, self.right, self.instrument, self.grains) + move(
            self.bond, self.issuer, self.asset, self.amount
        )


class OrderPlaced(Event, frozen=True):
    """`rests` where it goes into the book as it is; else its fills follow at once."""

    order: Order
    rests: bool = True


class Filled(Event, frozen=True):
    """One trade between the orders `buy` and `sell`. `taker` is the side that came last,
    "" in an auction; it pays `fee`."""

    number: int
    instrument: str
    asset: str
    buy: str
    sell: str
    buyer: str
    seller: str
    price: Amount
    grains: int
    taker: str = ""
    fee: Amount = 0
    operator: str = ""

    @property
    def postings(self) -> tuple[Posting, ...]:
        value = self.price * self.grains
        lines = move(self.buyer, self.seller, self.asset, value) + move(
            self.seller, self.buyer, self.instrument, self.grains
        )
        if not self.fee:
            return lines
        payer = self.buyer if self.taker == "buy" else self.seller
        return lines + move(payer, self.operator, self.asset, self.fee)


class OrderRested(Event, frozen=True):
    """What a taker left over goes into the book."""

    order: str


class OrderReduced(Event, frozen=True):
    """Fewer grains at the same price and place."""

    order: str
    left: int


class OrderEnded(Event, frozen=True):
    """`cause`: cancelled, amended, expired, ioc, self_trade, closed, withdrawn."""

    order: str
    cause: str


class CallOpened(Event, frozen=True):
    """`cause`: opening, closing, breaker, operator, periodic."""

    instrument: str
    until: Instant
    cause: str


class Uncrossed(Event, frozen=True):
    """A call ended, after its fills. `price` is None where nothing crossed.

    `imbalance` is grains left over at the price, buyers' positive.
    """

    instrument: str
    price: Amount | None
    grains: int
    imbalance: int
    until: Instant
    """When the next call of a thin instrument uncrosses; 0: continuous trading."""


class QuotesRequested(Event, frozen=True):
    request: QuoteRequest


class RequestEnded(Event, frozen=True):
    request: str


class Redeemed(Event, frozen=True):
    """Rights to machine time or a dataset were used. A receipt like any other."""

    receipt: Receipt

    @property
    def postings(self) -> tuple[Posting, ...]:
        return paid(self.receipt)


class Claimed(Event, frozen=True):
    claim: Claim


class ClaimSettled(Event, frozen=True):
    """`upheld`: the lines pay damages and take the grains back; else the stake is lost."""

    claim: str
    upheld: bool
    lines: tuple[Posting, ...]

    @property
    def postings(self) -> tuple[Posting, ...]:
        return self.lines


class Pleaded(Event, frozen=True):
    """Force majeure was pleaded, or judged."""

    instrument: str
    plea: Plea


class InstrumentSettled(Event, frozen=True):
    """The window is over: every grain goes back, and the bond is paid out.

    `figure` is pico-credits a grain: the replacement's price, or the index of a cash
    contract. `defaulted` lists whom the issuer failed.
    """

    instrument: str
    figure: Amount
    resale: Amount
    defaulted: tuple[str, ...]
    lines: tuple[Posting, ...]

    @property
    def postings(self) -> tuple[Posting, ...]:
        return self.lines


class TierSet(Event, frozen=True):
    member: str
    tier: int
    common_good: bool = False


class CaseOpened(Event, frozen=True):
    """Somebody is to look at something; nothing else follows from it."""

    case: Case


class CaseDecided(Event, frozen=True):
    """`decider` is the id of the key that a person decided with."""

    case: str
    decision: str
    reason: str
    decider: str


Any: TypeAlias = (
    Listed
    | LotsMinted
    | LotsRetired
    | OrderPlaced
    | Filled
    | OrderRested
    | OrderReduced
    | OrderEnded
    | CallOpened
    | Uncrossed
    | QuotesRequested
    | RequestEnded
    | Redeemed
    | Claimed
    | ClaimSettled
    | Pleaded
    | InstrumentSettled
    | TierSet
    | CaseOpened
    | CaseDecided
)
"""Its part of the union that a journal decodes to."""
