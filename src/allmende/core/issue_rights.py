"""Issue of rights: instruments are listed, and lots minted against a bond.

Rule: an issuer mints only up to its declared capacity, and only what its bond secures;
a declared capacity earns nothing by itself.
Invariant: supply of an instrument = minus the balance of `issuer/<instrument>`; its bond
stands in `bond/<instrument>` until the window is settled.
Worked number: capacity 10 lots at 3.1 credits; minting 4 sets 4 * 3.875 = 15.5 credits
aside as bond; the eleventh lot is refused, and the refusal says that 1 lot is too many.
"""

from __future__ import annotations

from msgspec import structs

from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core import ledger, wallets
from allmende.core.contracts import (
    ALLOCATIONS,
    SESSIONS,
    SETTLEMENTS,
    SHAPES,
    UNITS,
    VOUCHERS,
    Instrument,
)
from allmende.core.custody import BRIDGED
from allmende.core.drilling import require_none
from allmende.core.identity import allow, allow_operator, find_member, new_id
from allmende.core.nouns import TITLE_KINDS
from allmende.core.orders import find_listing
from allmende.core.refusals import Refused, Why
from allmende.core.rights import bond_for, outstanding, require_live, value_tariff
from allmende.core.state import Listing, State
from allmende.core.trade_terms import GRAINS_MAX, PRICE_MAX, require_step
from allmende.core.units import DAY, METERS, PPM, SECOND, credits

WEIGHT_MAX = 10**9
WINDOW_MAX = 400 * DAY
TIERS = (0, 1, 2)


def list_instrument(state: State, command: x.ListInstrument) -> list[e.Event]:
    new = command.instrument
    bridged = BRIDGED + new.id in state.references
    new_id(new.id, new.id in state.listings or new.id in state.assets or bridged)
    find_member(state, new.issuer)
    allow(state, command.by, new.issuer, command.at)
    if new.asset not in state.assets:
        raise Refused(Why.NOT_FOUND, f"No asset {new.asset!r} to be paid in.")
    title = state.titles.get(new.title)
    if title is None or title.kind != new.kind:
        raise Refused(Why.NOT_FOUND, f"No title {new.title!r} of kind {new.kind!r}.")
    _require_terms(new, command.at)
    if new.kind == "model" and new.settlement == "physical":
        _require_delivery(state, new)
    call = state.parameters["call_seconds"] * SECOND
    until = min(command.at + call, new.end) if call or new.session == "call" else 0
    return [f.Listed(at=command.at, instrument=new, until=until)]


def _require_terms(new: Instrument, at: int) -> None:
    for name, value, known in (
        ("kind", new.kind, TITLE_KINDS),
        ("unit", new.unit, UNITS),
        ("session", new.session, SESSIONS),
        ("allocation", new.allocation, ALLOCATIONS),
        ("settlement", new.settlement, SETTLEMENTS),
        ("shape", new.shape, SHAPES),
        ("voucher", new.voucher, VOUCHERS),
    ):
        if value not in known:
            raise Refused(Why.BAD_VALUE, f"{name} is one of {', '.join(known)}, not {value!r}.")
    for name, number, least, most in (
        ("capacity", new.capacity, 1, GRAINS_MAX),
        ("price", new.price, 1, PRICE_MAX),
        ("tick", new.tick, 1, PRICE_MAX),
        ("lot", new.lot, 1, GRAINS_MAX),
        ("step", new.step, 1, new.lot),
        ("rate", new.rate, 0, GRAINS_MAX),
        ("context", new.context, 0, GRAINS_MAX),
        ("service_ppm", new.service_ppm, 0, PPM),
        ("penalty_ppm", new.penalty_ppm, 0, PPM),
        ("stress_ppm", new.stress_ppm, 0, PPM),
        ("resale_ppm", new.resale_ppm, 0, PPM),
    ):
        if not least <= number <= most:
            raise Refused(Why.BAD_VALUE, f"{name} is {least} to {most}, not {number}.")
    weights = [getattr(new.weights, meter) for meter in METERS]
    if not any(weights) or any(not 0 <= (weight or 0) <= WEIGHT_MAX for weight in weights):
        raise Refused(Why.BAD_VALUE, f"Weights are 0 to {WEIGHT_MAX} grains, and one is not 0.")
    if new.price % new.tick or new.lot % new.step or new.capacity % new.step:
        raise Refused(Why.OFF_TICK, "The price is whole ticks; lot and capacity are whole steps.")
    if new.shape == "ratable" and not new.rate:
        raise Refused(Why.BAD_VALUE, "A ratable right names its rate in grains an hour.")
    if not at < new.end or not 0 < new.end - new.start <= WINDOW_MAX:
        raise Refused(Why.BAD_VALUE, "The window ends after it starts, and not in the past.")


def _require_delivery(state: State, new: Instrument) -> None:
    """The offer that delivers is the issuer's own, of this title, model and zone."""
    offer = state.offers.get(new.offer)
    if offer is None or offer.provider != new.issuer:
        raise Refused(Why.NOT_FOUND, f"No offer {new.offer!r} of {new.issuer!r} to deliver it.")
    told = (new.title, new.model, new.zone, new.asset)
    if told != (offer.title, offer.model, offer.zone, offer.asset):
        raise Refused(Why.BAD_VALUE, "Title, model, zone and asset are those of the offer.")


def mint(state: State, command: x.MintLots) -> list[e.Event]:
    listing = find_listing(state, command.instrument)
    instrument = listing.instrument
    allow(state, command.by, instrument.issuer, command.at)
    require_live(listing, command.at)
    require_step(instrument, command.grains)
    require_none(state, instrument.offer, max(instrument.start, command.at))
    over = listing.issued + command.grains - instrument.capacity
    if over > 0:
        raise Refused(
            Why.OVER_CAPACITY,
            f"{instrument.id} has capacity for {instrument.capacity} grains and "
            f"{listing.issued} are issued: {over} too many.",
            missing=over,
        )
    bond = bond_for(state, instrument, command.grains)
    missing = bond - ledger.available(state, instrument.issuer, instrument.asset)
    if missing > 0:
        raise Refused(
            Why.NO_BOND,
            f"The bond for {command.grains} grains is {credits(bond)} {instrument.asset}; "
            f"{credits(missing)} are missing on the account of {instrument.issuer!r}.",
            missing=missing,
            asset=instrument.asset,
        )
    wallets.require(state, instrument.issuer, instrument.asset, bond)
    return [_lots(f.LotsMinted, command.at, instrument, command.grains, bond)]


def retire(state: State, command: x.RetireLots) -> list[e.Event]:
    listing = find_listing(state, command.instrument)
    instrument = listing.instrument
    allow(state, command.by, instrument.issuer, command.at)
    require_live(listing, command.at)
    require_step(instrument, command.grains)
    ledger.require(state, instrument.issuer, instrument.id, command.grains)
    keep = bond_for(state, instrument, outstanding(state, instrument.id) - command.grains)
    bond = ledger.available(state, ledger.bond_account(instrument.id), instrument.asset)
    return [_lots(f.LotsRetired, command.at, instrument, command.grains, max(0, bond - keep))]


def _lots(
    kind: type[f.LotsMinted], at: int, instrument: Instrument, grains: int, bond: int
) -> f.LotsMinted:
    return kind(
        at=at,
        instrument=instrument.id,
        issuer=instrument.issuer,
        right=ledger.issuer_account(instrument.id),
        bond=ledger.bond_account(instrument.id),
        asset=instrument.asset,
        grains=grains,
        amount=bond,
    )


def set_tier(state: State, command: x.SetTier) -> list[e.Event]:
    allow_operator(state, command.by, command.at)
    find_member(state, command.member)
    if command.tier not in TIERS:
        raise Refused(Why.BAD_VALUE, "A tier is 0, 1 or 2.")
    good = command.common_good
    return [f.TierSet(at=command.at, member=command.member, tier=command.tier, common_good=good)]


# Application --------------------------------------------------------------------------


def listed(state: State, event: f.Listed) -> None:
    new = event.instrument
    state.listings[new.id] = Listing(new, value_tariff(new), new.price, event.until)
    if new.kind != "model":
        return
    index = state.delivering if new.settlement == "physical" else state.indexing
    ids = (*index.get(new.model, ()), new.id)
    index[new.model] = tuple(sorted(ids, key=lambda id_: (state.listings[id_].instrument.end, id_)))


def minted(state: State, event: f.LotsMinted) -> None:
    ledger.post(state, event.postings)
    state.listings[event.instrument].issued += event.grains


def retired(state: State, event: f.LotsRetired) -> None:
    ledger.post(state, event.postings)
    state.listings[event.instrument].issued -= event.grains


def tier_set(state: State, event: f.TierSet) -> None:
    state.members[event.member] = structs.replace(
        state.members[event.member], tier=event.tier, common_good=event.common_good
    )


DECIDE = {
    x.ListInstrument: list_instrument,
    x.MintLots: mint,
    x.RetireLots: retire,
    x.SetTier: set_tier,
}
APPLY = {
    f.Listed: listed,
    f.LotsMinted: minted,
    f.LotsRetired: retired,
    f.TierSet: tier_set,
}
