"""Damages: what an issuer owes when it does not deliver, and what an unused right is worth.

Rule: a right is prepaid, so a failed holder gets its price back, and with it the
liquidated damages LD = Q * max(0, P_replacement - P) + lambda * Q * P; a holder who did not
call gets the resale value of what he left (take or pay). Force majeure leaves the price.
Invariant: what is paid never exceeds the bond, and is shared in proportion where it would.
Worked number: 10**8 grains at P = 31_000, replaced at 34_000, lambda 5 %: 3.1 + 0.3 + 0.155
= 3.555 credits, of a bond of 3.875.
"""

from __future__ import annotations

from allmende.core.contracts import Instrument
from allmende.core.state import Listing, Service, State
from allmende.core.units import PPM, Amount, Units, Unpriced, price

LEAST = 100
"""Requests over which a promise is kept or broken."""
BLEND = Units(input=80, output=20)
"""Headline blend of a request, 80 to 20 (economics.md section 2.9)."""


def failed(instrument: Instrument, service: Service | None) -> bool:
    """Whether an account was served less often than the instrument promises.

    Once it was served at all, a few failures are judged as so many of LEAST requests: else a
    promise of 95 % would fall at the first of twenty, and whoever met it would stop asking.
    """
    if service is None:
        return False
    asked = service.served + service.faulted
    asked = max(asked, LEAST) if service.served else asked
    return service.faulted * PPM > (PPM - instrument.service_ppm) * asked


def replacement(state: State, instrument: Instrument) -> Amount:
    """Pico-credits a grain for the same model in the same country from somebody else.

    Nobody: as dear as the margin reaches. The blend decides between offers; rounded up.
    """
    most = instrument.price * (PPM + instrument.stress_ppm) // PPM
    try:
        grains = price(instrument.weights, BLEND)
    except Unpriced:
        return most  # it is for another kind of use than the blend
    found = most
    for id_ in state.models.get(instrument.model, ()):
        offer = state.offers[id_]
        other = offer.provider != instrument.issuer and offer.asset == instrument.asset
        if other and offer.zone.country == instrument.zone.country:
            try:
                found = min(found, -(-price(offer.tariff, BLEND) // grains))
            except Unpriced:
                continue  # it does not sell what this right is for
    return found


def due(listing: Listing, grains: int, replaced: Amount) -> Amount:
    """Refund and damages for so many grains, in pico-credits."""
    instrument = listing.instrument
    refund = grains * instrument.price
    if listing.plea is not None and listing.plea.granted:
        return refund
    worse = grains * max(0, replaced - instrument.price)
    return refund + worse + refund * instrument.penalty_ppm // PPM


def resale(instrument: Instrument) -> Amount:
    """Pico-credits a grain that an unused right brings back at its end.

    A stated share of the contract's price, and no market's: whoever could move the last
    trade, alone or with a friend, would be paid for it out of the bond.
    """
    return instrument.price * instrument.resale_ppm // PPM


def figure(listing: Listing) -> Amount:
    """What a cash contract settles on: the mean of verified use in its window, else the last
    auction's price, else its own; no higher than its bond reaches."""
    instrument = listing.instrument
    most = instrument.price * (PPM + instrument.penalty_ppm + instrument.stress_ppm) // PPM
    mean = listing.turnover // listing.volume if listing.volume else 0
    return min(most, mean or listing.reference)


def shared(dues: dict[str, Amount], bond: Amount) -> dict[str, Amount]:
    """All in full where the bond reaches, else in proportion, rounded down."""
    total = sum(dues.values())
    if total <= bond:
        return dues
    return {account: amount * bond // total for account, amount in dues.items()}
