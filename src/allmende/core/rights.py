"""Rights: what a right is worth, what secures it, and what its use leaves behind.

Rule: a right pays with its grains, and out of the issuer's bond the payees get the credit that
the grains are worth; whether the issuer served is counted with it.
Invariant: a bond covers the price of every grain outstanding, whatever is redeemed when.
Worked number: 10**8 grains at 31_000 with a penalty of 5 % and a margin of 20 % need a bond
of 3.875 credits; a request of 205_250 grains pays 6_362_750_000 pico of it to the payees.
"""

from __future__ import annotations

from msgspec import structs

from allmende.core import ledger
from allmende.core.book import Choice
from allmende.core.contracts import Instrument
from allmende.core.identity import root
from allmende.core.ledger import available, balance, bond_account, issuer_account
from allmende.core.nouns import Hold, Offer, Receipt, payer
from allmende.core.refusals import Refused, Why
from allmende.core.state import Listing, Service, State
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
CUT, LEFT = "provider_cut", "client_left"
"""How a request ended, in the words of the gateway."""
DISCOUNT_MAX_PPM = 500_000


def outstanding(state: State, instrument: str) -> int:
    """Grains that members hold."""
    return -state.balances.get(instrument, {}).get(issuer_account(instrument), 0)


def owned(state: State, instrument: str, top: str) -> int:
    """Grains that one owner has, with all its tree."""
    balances = state.balances.get(instrument, {})
    return sum(n for a, n in balances.items() if a in state.members and root(state, a) == top)


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


def grains_of(state: State, right: str, tariff: Tariff, units: Units) -> int:
    """Grains that usage takes of a right; 0 where none pays.

    Cached input takes fewer only where it costs the bond less.
    """
    if not right:
        return 0
    if tariff.cached is None and units.cached:
        units = structs.replace(units, input=units.input + units.cached, cached=0)
    return price(state.listings[right].instrument.weights, units)


# Using --------------------------------------------------------------------------------


def tariff_of(state: State, offer: Offer, right: str) -> Tariff:
    """What a request is charged by: the offer's tariff, or what the grains of a right are worth.

    A replacement is charged to the bond at its own tariff.
    """
    if not right:
        return offer.tariff
    listing = state.listings[right]
    return listing.value if offer.id == listing.instrument.offer else offer.tariff


def set_aside(state: State, hold: Hold, amount: Amount, grains: int) -> None:
    """Credit of whoever pays, and of a right its holder's grains; negative to give back."""
    ledger.set_aside(state, payer(hold.account, hold.right), hold.offer.asset, amount)
    if hold.right:
        ledger.set_aside(state, hold.account, hold.right, grains)
        state.listings[hold.right].redeeming += grains


def delivered(state: State, hold: Hold, receipt: Receipt) -> None:
    """Grains were used. The issuer gets the credit for it only if his own offer served to the
    end: one token, and then nothing, is a failure."""
    listing = state.listings[receipt.right]
    count(state, listing, receipt.account, receipt.grains)
    use(listing, receipt.account, receipt.grains, receipt.at)
    if hold.offer.id != listing.instrument.offer:
        return
    if receipt.outcome == CUT:
        fault(state, listing, receipt.account, receipt.at)
    else:
        service_of(listing, receipt.account).served += 1


def count(state: State, listing: Listing, account: str, grains: int) -> None:
    """Grains were delivered to an account, or taken back by a recount."""
    listing.delivered += grains
    if root(state, account) == root(state, listing.instrument.issuer):
        listing.own += grains


def voided(state: State, hold: Hold, cause: str, *, at: Instant, fault_: bool) -> None:
    """Nothing was delivered under a right. Who hangs up has no complaint: he was served."""
    listing = state.listings[hold.right]
    if hold.offer.id != listing.instrument.offer:
        return
    if fault_:
        fault(state, listing, hold.account, at)
    elif cause == LEFT:
        service_of(listing, hold.account).served += 1


def missed(state: State, instrument: str, account: str, at: Instant) -> None:
    """The issuer's offer was down when a holder asked."""
    listing = state.listings[instrument]
    trading = state.trading.get(listing.instrument.offer)
    service_of(listing, account).missed = trading.down_until if trading else at
    fault(state, listing, account, at)


def fault(state: State, listing: Listing, account: str, at: Instant) -> None:
    """The issuer was asked, and not there."""
    service = service_of(listing, account)
    service.faulted += 1
    service.owed = balance(state, account, listing.instrument.id)
    listing.first_fault = listing.first_fault or at


def service_of(listing: Listing, account: str) -> Service:
    return listing.service.setdefault(account, Service())


def use(listing: Listing, account: str, grains: int, at: Instant) -> None:
    """Count grains of an account against its hourly rate."""
    service = service_of(listing, account)
    if service.hour != at // HOUR:
        service.hour, service.used = at // HOUR, 0
    service.used = max(0, service.used + grains)


def require_rate(state: State, listing: Listing, account: str, grains: int, at: Instant) -> None:
    """Refuse more grains in an hour than the instrument allows an account, open ones included."""
    rate, own = listing.instrument.rate, (listing.instrument.id, account)
    if not rate:
        return
    service = listing.service.get(account)
    used = service.used if service is not None and service.hour == at // HOUR else 0
    used += sum(h.grains for h in state.holds.values() if (h.right, h.account) == own)
    if used + grains > rate:
        raise Refused(
            Why.RATE,
            f"{listing.instrument.id} allows {rate} grains an hour; {used} are used.",
            retry_after_us=HOUR - at % HOUR,
        )


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
