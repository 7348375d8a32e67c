"""Trade by order: place, amend, cancel, in price-time priority.

Rule: an order is checked and funded before it is seen. Fewer grains at the same price keep
the place in the queue; any other change is a new order. A call about to end is not left.
Invariant: every fill is one balanced exchange, and releases exactly what both sides had set
aside for it.
Worked number: a bid for 7 lots, amended to 5 at its price, stays first; amended to 8, last.
"""

from __future__ import annotations

from msgspec import structs

from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core import ledger, matching, orders
from allmende.core.contracts import TERMS, Order
from allmende.core.identity import allow, find_member, new_id
from allmende.core.refusals import Refused, Why
from allmende.core.state import Listing, State, Working
from allmende.core.trade_terms import frozen, require_step, require_terms, signed
from allmende.core.units import Instant


def place(state: State, command: x.PlaceOrder) -> list[e.Event]:
    listing = orders.find_listing(state, command.instrument)
    new_id(command.id, command.id in state.orders)
    order = Order(
        id=command.id,
        instrument=command.instrument,
        account=command.account,
        side=command.side,
        price=command.price,
        grains=command.grains,
        at=command.at,
        until=command.until or listing.instrument.end,
        session=command.session[:64],
        guard=command.guard,
    )
    order = signed(state, listing, order)
    require_terms(state, listing, order, command.by)
    if command.term not in TERMS:
        raise Refused(Why.BAD_VALUE, f"A term is one of {', '.join(TERMS)}.")
    return matching.admit(state, listing, order, command.term)


# Changing one's mind ------------------------------------------------------------------


def amend(state: State, command: x.AmendOrder) -> list[e.Event]:
    working = _own(state, command.id, command.by, command.at)
    old = working.order
    listing = state.listings[old.instrument]
    if old.request:
        raise Refused(Why.NO_ORDER, "A quote is cancelled and given again, not amended.")
    _require_not_frozen(state, listing, command.at)
    if command.price == old.price and command.grains <= working.left:
        require_step(listing.instrument, command.grains)
        if command.grains == working.left:
            return []
        return [f.OrderReduced(at=command.at, order=old.id, left=command.grains)]
    new = structs.replace(old, price=command.price, grains=command.grains, at=command.at)
    require_terms(state, listing, new, command.by, working)
    freed = ledger.order_aside(state, old, working.left).amount
    gone = matching.ended(old, "amended", command.at)
    return [gone, *matching.admit(state, listing, new, "good", freed)]


def cancel(state: State, command: x.CancelOrder) -> list[e.Event]:
    working = _own(state, command.id, command.by, command.at)
    if not working.order.request:
        _require_not_frozen(state, state.listings[working.order.instrument], command.at)
    return [matching.ended(working.order, "cancelled", command.at)]


def cancel_all(state: State, command: x.CancelOrders) -> list[e.Event]:
    """What may be cancelled of an account's orders; those in a frozen call stay."""
    find_member(state, command.account)
    allow(state, command.by, command.account, command.at)
    return [
        matching.ended(working.order, "cancelled", command.at)
        for working in state.orders.values()
        if working.order.account == command.account
        and command.instrument in ("", working.order.instrument)
        and command.session in ("", working.order.session)
        and (
            working.order.request
            or not frozen(state, state.listings[working.order.instrument], command.at)
        )
    ]


def _own(state: State, id_: str, by: str, at: Instant) -> Working:
    working = orders.find_order(state, id_)
    allow(state, by, working.order.account, at)
    return working


def _require_not_frozen(state: State, listing: Listing, at: Instant) -> None:
    if frozen(state, listing, at):
        raise Refused(Why.HALTED, "The call is about to uncross: orders stand as they are.")


# Application --------------------------------------------------------------------------


def placed(state: State, event: f.OrderPlaced) -> None:
    working = Working(event.order, event.order.grains)
    state.orders[event.order.id] = working
    if event.rests:
        orders.rest(state, working)


def filled(state: State, event: f.Filled) -> None:
    for id_ in (event.buy, event.sell):
        if id_:  # who takes a quote has no order
            orders.take(state, state.orders[id_], event.grains)
    ledger.post(state, event.postings)
    listing = state.listings[event.instrument]
    listing.trades = event.number
    if event.buy and event.sell:  # what two agree on outside the book marks nothing
        listing.last = event.price


def rested(state: State, event: f.OrderRested) -> None:
    orders.rest(state, state.orders[event.order])


def reduced(state: State, event: f.OrderReduced) -> None:
    working = state.orders[event.order]
    orders.take(state, working, working.left - event.left)


def ended(state: State, event: f.OrderEnded) -> None:
    orders.leave(state, state.orders[event.order])


DECIDE = {
    x.PlaceOrder: place,
    x.AmendOrder: amend,
    x.CancelOrder: cancel,
    x.CancelOrders: cancel_all,
}
APPLY = {
    f.OrderPlaced: placed,
    f.Filled: filled,
    f.OrderRested: rested,
    f.OrderReduced: reduced,
    f.OrderEnded: ended,
}
