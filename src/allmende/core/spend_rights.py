"""Spend of rights outside the model API: machine time and datasets are redeemed by command.

Rule: the holder alone redeems, whole and now; the payees are paid out of the bond.
Invariant: what is redeemed was held, and becomes a receipt like any other.
Worked number: 3 seconds at a weight of 100 grains and 500 pico a grain use 300 grains and
pay 150_000 pico-credits.
"""

from __future__ import annotations

from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core import ledger
from allmende.core.contracts import Instrument
from allmende.core.identity import allow, find_member, new_id
from allmende.core.nouns import Offer, Receipt
from allmende.core.orders import find_listing
from allmende.core.refusals import Refused, Why
from allmende.core.rights import count, require_live, require_rate, service_of, use, value_tariff
from allmende.core.state import State
from allmende.core.units import METERS, Energy, Unpriced, price
from allmende.core.waterfall import payments, shares

UNITS_MAX = 10**12


def redeem(state: State, command: x.Redeem) -> list[e.Event]:
    listing = find_listing(state, command.instrument)
    instrument = listing.instrument
    new_id(command.id, command.id in state.holds or command.id in state.provisional)
    find_member(state, command.account)
    allow(state, command.by, command.account, command.at)
    require_live(listing, command.at)
    if instrument.kind == "model" or instrument.settlement != "physical":
        raise Refused(Why.BAD_VALUE, f"{instrument.id} is used by calling its model, or settles.")
    if command.at < instrument.start:
        raise Refused(Why.HALTED, f"{instrument.id} delivers from {instrument.start} on.")
    grains = _grains(instrument, command)
    ledger.require(state, command.account, instrument.id, grains)
    require_rate(state, listing, command.account, grains, command.at)
    return [f.Redeemed(at=command.at, receipt=_receipt(state, instrument, command, grains))]


def _grains(instrument: Instrument, command: x.Redeem) -> int:
    used = [getattr(command.units, meter) for meter in METERS]
    if any(not 0 <= number <= UNITS_MAX for number in used) or not any(used):
        raise Refused(Why.BAD_VALUE, f"Units are 1 to {UNITS_MAX}.")
    try:
        return price(instrument.weights, command.units)
    except Unpriced as meter:
        raise Refused(Why.UNPRICED, f"{instrument.id} has no weight for {meter}.") from None


def _receipt(state: State, instrument: Instrument, command: x.Redeem, grains: int) -> Receipt:
    assert state.market is not None
    cost = grains * instrument.price
    sold = _sold(instrument)
    return Receipt(
        id=command.id,
        market=state.market.id,
        at=command.at,
        account=command.account,
        budget="",
        key="",
        provider=instrument.issuer,
        offer=instrument.offer,
        title=instrument.title,
        model=instrument.model,
        endpoint="redeem",
        zone=instrument.zone,
        asset=instrument.asset,
        tariff=sold.tariff,
        units=command.units,
        price=cost,
        waterfall=payments(instrument.issuer, shares(state, sold), cost),
        energy=Energy(),
        basis="redeemed",
        verdict="unchecked",
        outcome="complete",
        answer_hash=command.evidence[:64],
        right=instrument.id,
        grains=grains,
        payer=ledger.bond_account(instrument.id),
    )


def _sold(instrument: Instrument) -> Offer:
    """What is sold, as an offer: redeeming needs none that stands."""
    return Offer(
        id=instrument.offer,
        provider=instrument.issuer,
        title=instrument.title,
        model=instrument.model,
        asset=instrument.asset,
        tariff=value_tariff(instrument),
        zone=instrument.zone,
        url="",
    )


def redeemed(state: State, event: f.Redeemed) -> None:
    receipt = event.receipt
    ledger.post(state, event.postings)
    listing = state.listings[receipt.right]
    count(state, listing, receipt.account, receipt.grains)
    service_of(listing, receipt.account).served += 1
    use(listing, receipt.account, receipt.grains, receipt.at)
    state.tally.captured += 1


DECIDE = {x.Redeem: redeem}
APPLY = {f.Redeemed: redeemed}
