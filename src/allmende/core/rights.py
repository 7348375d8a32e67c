"""Rights: what a right is worth, what secures it, and when it pays for a request.

Rule: a request is paid by its caller's rights first, then by credit. A right pays with its
grains, and out of the issuer's bond the payees get the credit that the grains are worth.
Invariant: a bond covers the price of every grain outstanding, whatever is redeemed when.
Worked number: 10**8 grains at 31_000 with a penalty of 5 % and a margin of 20 % need a bond
of 3.875 credits; a request of 205_250 grains pays 6_362_750_000 pico of it to the payees.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import structs

from allmende.core.book import Choice, best, choice_at, unfit
from allmende.core.commands import Reserve
from allmende.core.contracts import Instrument
from allmende.core.ledger import available, bond_account, issuer_account
from allmende.core.nouns import Hold, Offer, Receipt
from allmende.core.refusals import Refused, Why
from allmende.core.state import Budget, Listing, Service, State
from allmende.core.units import (
    METERS,
    PPM,
    SECOND,
    Amount,
    Instant,
    Tariff,
    Units,
    Unpriced,
    price,
    worst_price,
)

HOUR = 3_600 * SECOND
GONE = ("down",)
"""Reasons that an issuer answers for: his offer is off the book for its faults."""
FAILED = (*GONE, "failed just now")
CREDIT = "credit"
DISCOUNT_MAX_PPM = 500_000


class Lots(NamedTuple):
    """Rights that pay: `grains` of instrument `right`; the credit comes out of `payer`."""

    payer: str
    right: str
    grains: int


NO_LOTS = Lots("", "", 0)


def outstanding(state: State, instrument: str) -> int:
    """Grains that members hold."""
    return -state.balances.get(instrument, {}).get(issuer_account(instrument), 0)


def value_tariff(instrument: Instrument) -> Tariff:
    """What usage under an instrument is worth: its weights times its price, pico-credits."""
    prices = {
        meter: weight * instrument.price
        for meter in METERS
        if (weight := getattr(instrument.weights, meter)) is not None
    }
    return Tariff(**prices)


def margin_ppm(state: State, instrument: Instrument) -> int:
    """The stress margin: capacity that was proved before lowers it by up to a half."""
    proved = state.proved.get(instrument.issuer, 0)
    discount = min(DISCOUNT_MAX_PPM, proved * PPM // (2 * instrument.capacity))
    return instrument.stress_ppm * (PPM - discount) // PPM


def bond_for(state: State, instrument: Instrument, grains: int) -> Amount:
    """Pico-credits that secure so many grains: liability, penalty and margin, rounded up."""
    parts = PPM + instrument.penalty_ppm + margin_ppm(state, instrument)
    return -(-instrument.price * grains * parts // PPM)


def worst_grains(instrument: Instrument, choice: Choice) -> int | None:
    """The most grains that a request can use; None where a meter has no weight."""
    try:
        return worst_price(instrument.weights, choice.bound)
    except Unpriced:
        return None


def grains_of(state: State, right: str, units: Units) -> int:
    """Grains that usage takes of a right; 0 where none pays."""
    return price(state.listings[right].instrument.weights, units) if right else 0


# Choosing -----------------------------------------------------------------------------


def choose(
    state: State, ask: Reserve, max_rate: Amount | None, budget: Budget
) -> tuple[Choice, Lots, tuple[str, ...]]:
    """The offer that serves, what pays, and which issuers were not there to deliver."""
    missed: tuple[str, ...] = ()
    for listing in _payable(state, ask, budget):
        choice, reason = _delivery(state, listing, ask, max_rate)
        if reason in FAILED:
            missed += (listing.instrument.id,) if reason in GONE else ()
            choice = _replacement(state, listing, ask, max_rate, budget)
        elif reason:
            continue
        lots = _lots(state, listing, choice, budget.owner, ask.at) if choice else None
        if choice is not None and lots is not None:
            return choice, lots, missed
    return best(state, ask, max_rate, budget.asset), NO_LOTS, missed


def _payable(state: State, ask: Reserve, budget: Budget) -> list[Listing]:
    """Instruments in their window of which the payer has something, in the order to pay."""
    ids = state.delivering.get(ask.model, ())
    wish = ask.policy.pay
    if not ids or CREDIT in wish[:1]:
        return []
    if wish:
        ids = tuple(id_ for id_ in wish if id_ in ids)
    return [
        listing
        for listing in (state.listings[id_] for id_ in ids)
        if listing.instrument.start <= ask.at < listing.instrument.end
        and listing.instrument.asset == budget.asset
        and available(state, budget.owner, listing.instrument.id) > 0
        and not 0 < listing.instrument.context < ask.input_bound
    ]


def _delivery(
    state: State, listing: Listing, ask: Reserve, max_rate: Amount | None
) -> tuple[Choice | None, str]:
    """What the issuer's own offer would take, and why it cannot; "" if it can."""
    instrument = listing.instrument
    offer = state.offers.get(instrument.offer)
    if offer is None:
        return None, GONE[0]
    choice = choice_at(offer, ask, listing.value)
    return choice, unfit(state, offer, ask, choice, max_rate, instrument.asset)


def _replacement(
    state: State, listing: Listing, ask: Reserve, max_rate: Amount | None, budget: Budget
) -> Choice | None:
    """Another offer of the model in the right's country, at the cost of the issuer's bond.

    No dearer than the margin reaches, so that one holder's price is not another's penalty.
    """
    instrument = listing.instrument
    where = structs.replace(ask.policy, zones=(instrument.zone.country,))
    elsewhere = structs.replace(ask, policy=where, exclude=(*ask.exclude, instrument.offer))
    try:
        choice = best(state, elsewhere, max_rate, budget.asset)
    except Refused:
        return None  # nobody else delivers this: damages are due at the window's end
    grains = worst_grains(instrument, choice)
    if grains is None:
        return None
    owed = outstanding(state, instrument.id) - listing.redeeming - grains
    keep = -(-owed * instrument.price * (PPM + instrument.penalty_ppm) // PPM)
    free = available(state, bond_account(instrument.id), instrument.asset)
    dear = choice.amount * PPM > grains * instrument.price * (PPM + instrument.stress_ppm)
    return None if dear or free - choice.amount < keep else choice


def _lots(state: State, listing: Listing, choice: Choice, owner: str, at: Instant) -> Lots | None:
    """The grains that a request may need, if the owner has them within his rate."""
    instrument = listing.instrument
    grains = worst_grains(instrument, choice)
    if not grains or grains > available(state, owner, instrument.id):
        return None
    service = listing.service.get(owner)
    used = service.used if service is not None and service.hour == at // HOUR else 0
    if instrument.rate and used + grains > instrument.rate:
        return None
    return Lots(bond_account(instrument.id), instrument.id, grains)


# Using --------------------------------------------------------------------------------


def tariff_of(state: State, offer: Offer, right: str) -> Tariff:
    """What a request is charged by: the offer's tariff, or what the grains of a right are worth.

    A replacement is charged to the bond at its own tariff.
    """
    if not right:
        return offer.tariff
    listing = state.listings[right]
    return listing.value if offer.id == listing.instrument.offer else offer.tariff


def delivered(state: State, hold: Hold, receipt: Receipt) -> None:
    """Grains were used; the issuer gets the credit for it only if his own offer served."""
    listing = state.listings[receipt.right]
    listing.delivered += receipt.grains
    use(listing, receipt.account, receipt.grains, receipt.at)
    if hold.offer.id == listing.instrument.offer:
        service_of(listing, receipt.account).served += 1


def failed(state: State, hold: Hold, at: Instant) -> None:
    """The provider failed a request that a right paid for."""
    listing = state.listings[hold.right]
    if hold.offer.id == listing.instrument.offer:
        fault(listing, hold.account, at)


def fault(listing: Listing, account: str, at: Instant) -> None:
    """The issuer was asked, and not there."""
    service_of(listing, account).faulted += 1
    listing.first_fault = listing.first_fault or at


def service_of(listing: Listing, account: str) -> Service:
    return listing.service.setdefault(account, Service())


def use(listing: Listing, account: str, grains: int, at: Instant) -> None:
    """Count grains of an account against its hourly rate."""
    service = service_of(listing, account)
    if service.hour != at // HOUR:
        service.hour, service.used = at // HOUR, 0
    service.used = max(0, service.used + grains)


def require_live(listing: Listing, at: Instant) -> None:
    if at >= listing.instrument.end:
        raise Refused(Why.ENDED, f"{listing.instrument.id} ended.")


def check(state: State) -> None:
    """Bonds cover what is outstanding; grains set aside by requests are counted once."""
    redeeming: dict[str, int] = {}
    for hold in state.holds.values():
        redeeming[hold.right] = redeeming.get(hold.right, 0) + hold.grains
    for rest in state.provisional.values():
        right = rest.receipt.right
        redeeming[right] = redeeming.get(right, 0) + rest.grains
    for id_, listing in state.listings.items():
        instrument = listing.instrument
        assert listing.redeeming == redeeming.get(id_, 0), f"{id_}: {listing.redeeming} redeeming"
        bond = available(state, bond_account(id_), instrument.asset)
        free = (outstanding(state, id_) - listing.redeeming) * instrument.price
        assert bond >= free, f"the bond of {id_} has {bond} for {free}"
        assert listing.issued == listing.delivered + outstanding(state, id_), f"{id_}: issued"
