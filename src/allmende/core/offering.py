"""Offering: the rule of a sale of shares, for desk and lab, as contracts/Sale.vy has it.

Rule: whole shares at one price, by voucher. A purchase is undone by its buyer within the time to
take back; after that it is completed if the sale reached its soft cap, and undone if it did not.
Less than so many persons of a state, who stay counted; proceeds within a limit.
Invariant: on the same calls the contract and `Book` accept the same, give the same reason word
by word, and hold the same; the pay units held are the sum of the open purchases.
Worked number: at a price of 2, of 10 shares with a soft cap of 5: Anna buys 3 for 6, Ben 2 for
4; if Ben takes his back 3 are sold, the sale fails, and Anna gets her 6 back.

A person is the market's pseudonym of a member, a state an ISO 3166-1 alpha-3 code, a wallet an
address. Times are Unix seconds, as the chain's; money is base units of the pay unit.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field

from allmende.core import identity
from allmende.core.refusals import Refused, Why

MICRO = 1_000_000
OPEN, REFUNDED, COMPLETED = 0, 1, 2


class Terms(Struct, frozen=True, kw_only=True):
    """Of one sale, for good. In the contract's order."""

    price: int
    """Base units for a whole share."""
    soft_cap: int
    """Whole shares; with 0 the sale succeeds whatever is sold."""
    hard_cap: int
    person_cap: int
    """Whole shares that one person may hold, open or completed."""
    start: int
    end: int
    """The first second in which nobody buys any more."""
    refund: int
    """Seconds after a purchase in which its buyer may take it back."""
    persons_below: int
    count_qualified: bool
    """Whether qualified investors count among the persons of a state."""
    proceeds_max: int
    """Base units."""
    euro_rate: int
    """Micro-euro a whole pay unit, as stated: `proceeds_max` was made with it."""
    period: int
    """Seconds that the sale takes at most."""

    @property
    def decided_at(self) -> int:
        """From then on nothing can be bought or taken back, and it is known how it ended."""
        return self.end + self.refund


class Voucher(NamedTuple):
    """The market's word that this wallet is of this person, of this state."""

    wallet: str
    person: str
    state: str
    qualified: bool
    deadline: int
    """The last second."""


class Counters(NamedTuple):
    """What a purchase is held against: of the sale, of the person, and of his state."""

    sold: int
    raised: int
    bought: int
    persons: int
    counted: bool
    """Whether the person is among them."""


class Purchase(Struct, kw_only=True):
    buyer: str
    person: str
    shares: int
    paid: int
    until: int
    """The last second in which the buyer may take it back."""
    ended: int = OPEN


WHY = {
    "sale: not begun": Why.HALTED,
    "sale: over": Why.ENDED,
    "sale: nothing": Why.BAD_VALUE,
}
"""How the desk refuses what the contract would; everything else is a cap: OVER_LIMIT."""


class Declined(Exception):
    """The sale says no, in the contract's words."""


def proceeds_max(euro_max: int, euro_rate: int, unit: int) -> int:
    """Base units that are worth at most `euro_max` euro, at micro-euro for `unit` base units."""
    return euro_max * MICRO * unit // euro_rate


def unsound(terms: Terms, now: int) -> str:
    """Why the contract would not be deployed on these terms; "" if it would."""
    if terms.price <= 0 or terms.hard_cap <= 0:
        return "sale: nothing to sell"
    if terms.soft_cap > terms.hard_cap:
        return "sale: the soft cap is over the hard one"
    if not terms.start < terms.end > now:
        return "sale: over"
    return "sale: longer than its period" if terms.end - terms.start > terms.period else ""


def counts(terms: Terms, voucher: Voucher) -> bool:
    return terms.count_qualified or not voucher.qualified


def why_not_now(mode: str, terms: Terms, now: int) -> str:
    """Why nobody can buy at this second; "" if one can."""
    lacks = identity.lacks(mode, "sale")
    if lacks:
        return lacks
    if now < terms.start:
        return "sale: not begun"
    return "sale: over" if now >= terms.end else ""


def why_not(terms: Terms, seen: Counters, voucher: Voucher, shares: int) -> str:
    """Why this person cannot buy so many now; "" if he can."""
    if shares > terms.hard_cap - seen.sold:
        return "sale: over the hard cap"
    if shares + seen.bought > terms.person_cap:
        return "sale: over the person's cap"
    if counts(terms, voucher) and not seen.counted and seen.persons + 1 >= terms.persons_below:
        return "sale: no more persons of this state"
    if seen.raised + shares * terms.price > terms.proceeds_max:
        return "sale: over the limit of proceeds"
    return ""


def allow(mode: str, terms: Terms, seen: Counters, voucher: Voucher, shares: int, now: int) -> None:
    """Refuse, in the contract's words, what it would refuse this person now."""
    no = why_not_now(mode, terms, now) or ("" if shares > 0 else "sale: nothing")
    no = no or why_not(terms, seen, voucher, shares)
    if no:
        lacking = Why.MODE_FORBIDS if no.startswith("Mode ") else Why.OVER_LIMIT
        raise Refused(WHY.get(no, lacking), no, **_left(terms, seen))


def _left(terms: Terms, seen: Counters) -> dict[str, int]:
    """Facts of a refusal: whole shares, and persons of his state."""
    return {
        "shares_left": max(0, terms.hard_cap - seen.sold),
        "persons_left": max(0, terms.persons_below - 1 - seen.persons),
    }


class Book(Struct, kw_only=True):
    """A whole sale. Calls raise Declined, and then nothing has changed."""

    mode: str
    terms: Terms
    sold: int = 0
    raised: int = 0
    held: int = 0
    proceeds: int = 0
    """Base units that went on to the commons."""
    purchases: list[Purchase] = field(default_factory=list)
    """Number 1 comes first."""
    bought: dict[str, int] = field(default_factory=dict)
    counted: dict[str, set[str]] = field(default_factory=dict)
    """State -> its persons, for good."""
    shares: dict[str, int] = field(default_factory=dict)
    """Wallet -> whole shares delivered."""

    def counters(self, person: str, state: str) -> Counters:
        known = self.counted.get(state, set())
        bought = self.bought.get(person, 0)
        return Counters(self.sold, self.raised, bought, len(known), person in known)

    def buy(
        self, now: int, sender: str, voucher: Voucher, shares: int, *, ours: bool = True
    ) -> int:
        """The purchase's number. `ours`: whether the market signed the voucher."""
        terms = self.terms
        _require(why_not_now(self.mode, terms, now))
        _require("" if shares > 0 else "sale: nothing")
        _require("" if sender == voucher.wallet else "sale: another's voucher")
        _require("" if now <= voucher.deadline else "sale: the voucher has expired")
        _require("" if ours else "sale: not the market's voucher")
        seen = self.counters(voucher.person, voucher.state)
        _require(why_not(terms, seen, voucher, shares))
        if counts(terms, voucher):
            self.counted.setdefault(voucher.state, set()).add(voucher.person)
        until = now + terms.refund
        paid = shares * terms.price
        self.purchases.append(
            Purchase(buyer=sender, person=voucher.person, shares=shares, paid=paid, until=until)
        )
        self._change(voucher.person, shares, paid)
        self.held += paid
        return len(self.purchases)

    def refund(self, now: int, sender: str, number: int) -> int:
        """Base units that its buyer gets back."""
        found = self._open(number)
        if not self.failed(now):
            _require("" if sender == found.buyer else "sale: not the buyer")
            _require("" if now <= found.until else "sale: too late to take back")
        found.ended = REFUNDED
        self._change(found.person, -found.shares, -found.paid)
        self.held -= found.paid
        return found.paid

    def complete(self, now: int, number: int) -> int:
        """Whole shares that its buyer gets; the money goes to the commons."""
        found = self._open(number)
        _require("" if now > found.until else "sale: may still be taken back")
        open_end = self.terms.soft_cap == 0
        _require("" if open_end or now >= self.terms.decided_at else "sale: not decided")
        _require("sale: failed" if self.failed(now) else "")
        found.ended = COMPLETED
        self.held -= found.paid
        self.proceeds += found.paid
        self.shares[found.buyer] = self.shares.get(found.buyer, 0) + found.shares
        return found.shares

    def failed(self, now: int) -> bool:
        return now >= self.terms.decided_at and self.sold < self.terms.soft_cap

    def _open(self, number: int) -> Purchase:
        known = 1 <= number <= len(self.purchases)
        _require("" if known else "sale: no such purchase")
        found = self.purchases[number - 1]
        _require("" if found.ended == OPEN else "sale: ended already")
        return found

    def _change(self, person: str, shares: int, paid: int) -> None:
        self.sold += shares
        self.raised += paid
        self.bought[person] = self.bought.get(person, 0) + shares


def _require(no: str) -> None:
    if no:
        raise Declined(no)
