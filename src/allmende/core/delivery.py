"""Delivery: which right pays for a request, and which offer delivers it.

Rule: the caller's rights come first, nearest expiry first, and the issuer's own offer serves;
where it fails, another does at the cost of the issuer's bond; then credit pays.
Invariant: a request draws no more from a bond than secures the grains that it may use.
Worked number: 2_000 grains at 500 pico, replaced by an offer that takes as much for them as
600 pico each, hold 1_200_000 of the bond; with a margin of 20 % one pico more is too dear.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import structs

from allmende.core.book import Choice, Limits, best, choice_at, unfit
from allmende.core.commands import Reserve
from allmende.core.ledger import available, bond_account
from allmende.core.refusals import Refused
from allmende.core.rights import outstanding, require_rate, worst_grains
from allmende.core.state import Budget, Listing, State
from allmende.core.units import METERS, PPM, Instant, Tariff, per, worst_price

BUSY = "busy"
GONE = ("down",)
"""Reasons that an issuer answers for: his offer is off the book for its faults."""
FAILED = (*GONE, "failed just now")
CREDIT = "credit"


class Lots(NamedTuple):
    """Rights that pay: `grains` of instrument `right`; the credit comes out of its bond."""

    right: str
    grains: int


NO_LOTS = Lots("", 0)


def choose(
    state: State, ask: Reserve, limits: Limits, budget: Budget
) -> tuple[Choice, Lots, tuple[str, ...]]:
    """The offer that serves, what pays, and which issuers were not there to deliver."""
    missed: tuple[str, ...] = ()
    for listing in _payable(state, ask, budget):
        choice, reason = _delivery(state, listing, ask, limits, budget.owner)
        if reason in FAILED:
            first = reason in GONE and _unheard(state, listing, budget.owner)
            missed += (listing.instrument.id,) if first else ()
            choice = _replacement(state, listing, ask, limits, budget)
        elif reason:
            continue
        lots = _lots(state, listing, choice, budget.owner, ask.at) if choice else None
        if choice is not None and lots is not None:
            return choice, lots, missed
    return best(state, ask, limits, budget.asset), NO_LOTS, missed


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
    state: State, listing: Listing, ask: Reserve, limits: Limits, owner: str
) -> tuple[Choice | None, str]:
    """What the issuer's own offer would take, and why it cannot; "" if it can.

    Nobody can fill an offer so that a holder's rights pay for nothing: while none of his own
    requests runs under them, one is taken above the offer's capacity.
    """
    instrument = listing.instrument
    offer = state.offers.get(instrument.offer)
    if offer is None:
        return None, GONE[0]
    choice = choice_at(offer, ask, listing.value)
    reason = unfit(state, offer, ask, choice, limits, instrument.asset)
    own = (instrument.id, owner)
    if reason == BUSY and all((hold.right, hold.account) != own for hold in state.holds.values()):
        reason = ""
    return choice, reason


def _unheard(state: State, listing: Listing, owner: str) -> bool:
    """Whether this owner did not miss the offer yet while it is down this time.

    Else whoever hears of an outage could ask a thousand times, and say that he was failed.
    """
    trading = state.trading.get(listing.instrument.offer)
    service = listing.service.get(owner)
    return trading is None or service is None or service.missed < trading.down_until


def _replacement(
    state: State, listing: Listing, ask: Reserve, limits: Limits, budget: Budget
) -> Choice | None:
    """Another offer of the model in the right's country, at the cost of the issuer's bond.

    No dearer than the margin reaches, so that one holder's price is not another's penalty,
    and from no more of the bond than secures these grains.
    """
    instrument = listing.instrument
    country, wish = instrument.zone.country, ask.policy.zones
    if wish and country not in wish:
        return None
    where = structs.replace(ask.policy, zones=(country,))
    elsewhere = structs.replace(ask, policy=where, exclude=(*ask.exclude, instrument.offer))
    try:
        choice = best(state, elsewhere, limits, budget.asset)
    except Refused:
        return None  # nobody else delivers this: damages are due at the window's end
    grains = worst_grains(instrument, choice)
    if grains is None:
        return None
    amount = grains * instrument.price + worst_price(_dearer(choice, listing), choice.bound)
    owed = outstanding(state, instrument.id) - listing.redeeming
    free = available(state, bond_account(instrument.id), instrument.asset)
    dear = amount * PPM > grains * instrument.price * (PPM + instrument.stress_ppm)
    return None if dear or amount * owed > free * grains else choice._replace(amount=amount)


def _dearer(choice: Choice, listing: Listing) -> Tariff:
    """What an offer takes above the worth of the grains, meter by meter.

    Held with the grains' worth, it keeps the bond whole whichever part of the bound is used:
    a meter that is cheaper elsewhere must not pay for one that is dearer and runs alone.
    """
    more = {
        meter: max(0, theirs - worth)
        for meter in METERS
        if (theirs := getattr(choice.tariff, meter)) is not None
        and (worth := per(listing.value, meter)) is not None
    }
    return Tariff(**more)


def _lots(state: State, listing: Listing, choice: Choice, owner: str, at: Instant) -> Lots | None:
    """The grains that a request may need, if the owner has them within his rate."""
    instrument = listing.instrument
    grains = worst_grains(instrument, choice)
    if not grains or grains > available(state, owner, instrument.id):
        return None
    try:
        require_rate(state, listing, owner, grains, at)
    except Refused:
        return None  # what is over his rate, he pays in credit
    return Lots(instrument.id, grains)
