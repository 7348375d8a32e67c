"""Trade terms: what an order, a quote or a quantity must be before it is looked at.

Rule: prices are whole ticks and quantities whole steps; nobody has more open than his tier
allows, or holds more of an instrument than one owner may, with all that he owns.
Invariant: what passes here is well formed, in time and allowed; funds are checked after.
Worked number: at a tick of 100 pico a grain 31_050 is refused and 31_000 is not: 3.1
credits a lot.
"""

from __future__ import annotations

from msgspec import structs

from allmende.core import wallets
from allmende.core.contracts import GUARDS, SIDES, Instrument, Order
from allmende.core.identity import allow, feature, find_member, root
from allmende.core.refusals import Refused, Why
from allmende.core.rights import outstanding, owned, require_live
from allmende.core.state import Listing, State, Working
from allmende.core.units import CREDIT, PPM, SECOND, Instant, credits

PRICE_MAX = 10**15
"""Pico-credits a grain: a hundred thousand credits a standard unit is a slip."""
GRAINS_MAX = 10**18
"""Ten thousand million lots; what a stranger may send is within 64 bits."""


def require_terms(
    state: State, listing: Listing, order: Order, by: str, old: Working | None = None
) -> None:
    """Refuse what is malformed, not allowed, too late or over a limit.

    `old` is the order that this one would replace.
    """
    instrument = listing.instrument
    find_member(state, order.account)
    allow(state, by, order.account, order.at)
    if order.side not in SIDES or order.guard not in GUARDS:
        raise Refused(Why.BAD_VALUE, "A side is buy or sell; a guard is newest or oldest.")
    require_live(listing, order.at)
    if not 0 < order.price <= PRICE_MAX or order.price % instrument.tick:
        raise Refused(Why.OFF_TICK, f"A price is 1 or more ticks of {instrument.tick} pico.")
    require_step(instrument, order.grains)
    if not order.at < order.until:
        raise Refused(Why.BAD_VALUE, "The order would have ended before it came.")
    if order.side == "sell" and order.account != instrument.issuer:
        feature(state, "trade_rights")
    if order.side == "buy":
        require_limits(state, order, old)


def signed(state: State, listing: Listing, order: Order) -> Order:
    """A wallet's bid, for no longer than its permit lasts."""
    if order.side != "buy":
        return order
    asset = listing.instrument.asset
    until = wallets.until(state, order.account, asset, order.until, order.at)
    return structs.replace(order, until=until)


def frozen(state: State, listing: Listing, at: Instant) -> bool:
    """Whether a call is about to uncross, and orders stand as they are."""
    freeze = state.parameters["freeze_seconds"] * SECOND
    return listing.call_until > 0 and at >= listing.call_until - freeze


def require_limits(state: State, order: Order, old: Working | None = None) -> None:
    """What one owner may have open, by his tier, and hold of one instrument."""
    top = root(state, order.account)
    tier = state.members[top].tier
    most = state.parameters[f"tier{tier}_open_credits"] * CREDIT
    freed = old.order.price * old.left if old is not None else 0
    over = state.exposure.get(top, 0) - freed + order.price * order.grains - most
    if over > 0:
        raise Refused(
            Why.OVER_LIMIT,
            f"Tier {tier} of {top!r} allows {credits(most)} in open buy orders; this is "
            f"{credits(over)} more.",
            missing=over,
        )
    share = state.parameters["position_ppm"]
    if share < PPM:
        id_ = order.instrument
        held = owned(state, id_, top) + _wanted(state, id_, top) + order.grains
        held -= old.left if old is not None else 0
        most = outstanding(state, order.instrument) * share // PPM
        if held > most:
            raise Refused(
                Why.OVER_LIMIT,
                f"{top!r} may hold {most} grains of {order.instrument}, with all it owns; "
                f"this would make {held}.",
                grains=held - most,
            )


def _wanted(state: State, instrument: str, top: str) -> int:
    """Grains that one owner bids for, with all its tree, quotes included."""
    return sum(
        working.left
        for working in state.orders.values()
        if (working.order.instrument, working.order.side) == (instrument, "buy")
        and root(state, working.order.account) == top
    )


def require_step(instrument: Instrument, grains: int) -> None:
    if not 0 < grains <= GRAINS_MAX or grains % instrument.step:
        raise Refused(
            Why.OFF_TICK,
            f"A quantity is steps of {instrument.step} grains, and not {grains}.",
        )
