"""Trade: offers come to the book, change and leave.

Rule: only its provider posts under an offer's id; open holds keep the terms they were
made under.
Invariant: `models` lists exactly the standing offers of each model.
Worked number: a provider raises a tariff from 150_000 to 200_000 pico a token while 3
holds are open: those 3 are charged at 150_000.
"""

from __future__ import annotations

from collections import Counter

from msgspec import structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core.identity import allow, find_member, new_id
from allmende.core.nouns import ENDPOINTS, Offer
from allmende.core.refusals import Refused, Why
from allmende.core.state import State, Trading
from allmende.core.units import METERS, EnergyRate, Instant, Tariff

RATE_MAX = 10**15
"""Pico-credits a unit: a thousand credits a token is a slip of the keyboard."""
ENERGY_MAX = 10**15
"""Nanojoules a token: a megajoule."""


def post_offer(state: State, command: c.PostOffer) -> list[e.Event]:
    offer = command.offer
    standing = state.offers.get(offer.id)
    new_id(offer.id, standing is not None and standing.provider != offer.provider)
    find_member(state, offer.provider)
    allow(state, command.by, offer.provider, command.at)
    if offer.title not in state.titles:
        raise Refused(Why.NOT_FOUND, f"No title {offer.title!r}: register it first.")
    if offer.asset not in state.assets:
        raise Refused(Why.NOT_FOUND, f"No asset {offer.asset!r}.")
    if not 0 < len(offer.model) <= 200:
        raise Refused(Why.BAD_VALUE, "An offer names the model that callers ask for.")
    _require_terms(offer)
    if standing is not None:
        _require_owed(state, standing, offer, command.at)
    return [e.OfferPosted(at=command.at, offer=offer)]


def _require_terms(offer: Offer) -> None:
    unknown = sorted(set(offer.endpoints) - set(ENDPOINTS))
    if unknown or not offer.endpoints:
        raise Refused(Why.BAD_VALUE, f"Endpoints are of {', '.join(ENDPOINTS)}; not {unknown}.")
    _require_tariff(offer.tariff)
    for name, value, most in (
        ("capacity", offer.capacity, 1_000_000),
        ("context", offer.context, 100_000_000),
        ("max_output", offer.max_output, 10_000_000),
        ("first_byte_s", offer.first_byte_s, 3_600),
        ("idle_s", offer.idle_s, 3_600),
    ):
        if not 1 <= value <= most:
            raise Refused(Why.BAD_VALUE, f"{name} is 1 to {most}, not {value}.")
    _require_energy(offer.energy)
    country = offer.zone.country
    if len(country) != 3 or not country.isalpha() or not country.isupper():
        raise Refused(Why.BAD_VALUE, f"A zone's country is three letters as DEU, not {country!r}.")


def _require_energy(rate: EnergyRate) -> None:
    stated = (rate.input_nj, rate.output_nj, rate.grid_g_per_kwh)
    water = [part for part in (rate.site_ml_per_kwh, rate.grid_ml_per_kwh) if part is not None]
    if any(not 0 <= low <= high <= ENERGY_MAX for low, high in (*stated, *water)):
        raise Refused(
            Why.BAD_VALUE, "Energy is ranges (low, high) of nanojoules, g/kWh and ml/kWh."
        )


def _require_tariff(tariff: Tariff) -> None:
    prices = [getattr(tariff, meter) for meter in METERS]
    if all(price is None for price in prices):
        raise Refused(Why.UNPRICED, "An offer names a price; free is a price of 0.")
    if any(price is not None and not 0 <= price <= RATE_MAX for price in prices):
        raise Refused(Why.BAD_VALUE, f"A price is 0 to {RATE_MAX} pico-credits a unit.")


def restate_energy(state: State, command: c.RestateEnergy) -> list[e.Event]:
    """Requests under way keep the rate that they were held with, and an outage lasts."""
    offer = _find_offer(state, command.id)
    allow(state, command.by, offer.provider, command.at)
    _require_energy(command.energy)
    new = structs.replace(offer, energy=command.energy)
    return [e.OfferPosted(at=command.at, offer=new, restated=True)]


def _find_offer(state: State, id_: str) -> Offer:
    offer = state.offers.get(id_)
    if offer is None:
        raise Refused(Why.NOT_FOUND, f"No offer {id_!r}.")
    return offer


def withdraw_offer(state: State, command: c.WithdrawOffer) -> list[e.Event]:
    offer = _find_offer(state, command.id)
    allow(state, command.by, offer.provider, command.at)
    _require_owed(state, offer, None, command.at)
    return [e.OfferWithdrawn(at=command.at, id=command.id)]


def _require_owed(state: State, old: Offer, new: Offer | None, at: Instant) -> None:
    """An offer that rights stand against stays, stays what it is, and takes no less."""
    kept = new is not None and _sells(new) == _sells(old) and _takes_no_less(new, old)
    for id_ in state.delivering.get(old.model, ()):
        instrument = state.listings[id_].instrument
        if instrument.offer == old.id and at < instrument.end and not kept:
            raise Refused(
                Why.OWED,
                f"It delivers {id_}: leave title, model, zone and asset, and take no less.",
            )


def _sells(offer: Offer) -> tuple[object, ...]:
    return offer.title, offer.model, offer.zone, offer.asset


def _takes_no_less(new: Offer, old: Offer) -> bool:
    """Whether every request that the old offer would take fits the new one too."""
    limits = ((o.capacity, o.context, o.max_output) for o in (new, old))
    more = all(n >= m for n, m in zip(*limits, strict=True))
    return more and set(new.endpoints) >= set(old.endpoints)


def offer_posted(state: State, event: e.OfferPosted) -> None:
    offer = event.offer
    _unlist(state, offer.id)
    state.offers[offer.id] = offer
    state.models[offer.model] = (*state.models.get(offer.model, ()), offer.id)
    trading = state.trading.setdefault(offer.id, Trading())
    if not event.restated:
        trading.faults, trading.down_until = 0, 0


def offer_withdrawn(state: State, event: e.OfferWithdrawn) -> None:
    _unlist(state, event.id)
    del state.offers[event.id]
    if not state.trading[event.id].in_flight:
        del state.trading[event.id]


def _unlist(state: State, id_: str) -> None:
    standing = state.offers.get(id_)
    if standing is None:
        return
    rest = tuple(other for other in state.models[standing.model] if other != id_)
    if rest:
        state.models[standing.model] = rest
    else:
        del state.models[standing.model]


def check(state: State) -> None:
    listed = sorted(id_ for ids in state.models.values() for id_ in ids)
    assert listed == sorted(state.offers), "the book lists other offers than stand"
    open_ = Counter(hold.offer.id for hold in state.holds.values())
    for id_, trading in state.trading.items():
        assert trading.in_flight == open_[id_], f"offer {id_}: {trading.in_flight} in flight"


DECIDE = {
    c.PostOffer: post_offer,
    c.RestateEnergy: restate_energy,
    c.WithdrawOffer: withdraw_offer,
}
APPLY = {e.OfferPosted: offer_posted, e.OfferWithdrawn: offer_withdrawn}
