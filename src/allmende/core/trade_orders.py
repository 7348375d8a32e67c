"""Trade by order: place, match, amend, cancel, in price-time priority.

Rule: an order is checked and funded before it is seen; what crosses trades at the resting
order's price; what is left rests, or ends as its term says.
Invariant: every fill is one balanced exchange, and releases exactly what both sides had set
aside for it.
Worked number: a bid for 7 lots at 3.2 credits meets asks of 5 at 3.0 and 5 at 3.1: it pays
15 + 6.2 credits and a fee of 0.1 %, and 3 lots stay offered at 3.1.
"""

from __future__ import annotations

from msgspec import structs

from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core import ledger, orders
from allmende.core.contracts import TERMS, Order
from allmende.core.identity import allow, find_member, new_id, root
from allmende.core.refusals import Refused, Why
from allmende.core.state import Listing, State, Working
from allmende.core.trade_terms import require_terms
from allmende.core.units import PPM, SECOND, Amount, Instant


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
    require_terms(state, listing, order, command.by)
    if command.term not in TERMS:
        raise Refused(Why.BAD_VALUE, f"A term is one of {', '.join(TERMS)}.")
    return admit(state, listing, order, command.term)


def admit(
    state: State, listing: Listing, order: Order, term: str, freed: Amount = 0
) -> list[e.Event]:
    """An order into the book or against it. `freed` comes back from the order it replaces."""
    resting = listing.call_until > 0
    meets = next(orders.opposite(state, listing, order.side, order.price), None)
    if resting and term in ("ioc", "fok"):
        raise Refused(Why.HALTED, "A call collects orders; there is nothing to take at once.")
    if resting:
        _require_no_own(state, listing, order)
    if resting or meets is None:
        if term == "fok":
            raise Refused(Why.UNFILLED, f"0 of {order.grains} grains are there at that price.")
        _require_funds(state, listing, order, 0, order.grains, freed)
        if term == "ioc":
            return [f.OrderPlaced(at=order.at, order=order, rests=False), _ended(order, "ioc")]
        return [f.OrderPlaced(at=order.at, order=order)]
    if term == "post":
        raise Refused(Why.WOULD_TRADE, f"It would trade at {meets.order.price}.")
    return _match(state, listing, order, term, freed)


def _require_no_own(state: State, listing: Listing, order: Order) -> None:
    """In a call nobody's orders may cross his own: at one price they would have to trade."""
    top = root(state, order.account)
    for working in orders.opposite(state, listing, order.side, order.price):
        if root(state, working.order.account) == top:
            raise Refused(Why.WOULD_TRADE, f"It would trade with your own {working.order.id}.")


class _Run:
    """One order on its way through the book: what it did, and why it stopped."""

    def __init__(self, listing: Listing, order: Order) -> None:
        self.events: list[e.Event] = [f.OrderPlaced(at=order.at, order=order, rests=False)]
        self.left = order.grains
        self.cost = 0
        self.stopped = ""
        self.number = listing.trades


def _match(state: State, listing: Listing, order: Order, term: str, freed: Amount) -> list[e.Event]:
    run = _Run(listing, order)
    fee_ppm = state.parameters["trade_fee_ppm"]
    top = root(state, order.account)
    for maker in orders.opposite(state, listing, order.side, order.price):
        price = maker.order.price
        if _outside(state, listing, price):
            run.stopped = "breaker"
        elif root(state, maker.order.account) == top:
            if order.guard == "oldest":
                run.events.append(_ended(maker.order, "self_trade", order.at))
                continue
            run.stopped = "self_trade"
        if run.stopped:
            break
        grains = min(run.left, maker.left)
        fee = price * grains * fee_ppm // PPM
        run.number += 1
        run.events.append(_filled(state, listing, order, maker, grains, fee, run.number))
        run.left -= grains
        run.cost += price * grains + fee if order.side == "buy" else fee
        if not run.left:
            break
    return _finish(state, listing, order, term, freed, run)


def _finish(
    state: State, listing: Listing, order: Order, term: str, freed: Amount, run: _Run
) -> list[e.Event]:
    """What is left rests or ends, after the whole run is funded."""
    if term == "fok" and run.left:
        done = order.grains - run.left
        raise Refused(Why.UNFILLED, f"{done} of {order.grains} grains are there at that price.")
    rests = run.left if term == "good" and run.stopped != "self_trade" else 0
    _require_funds(state, listing, order, run.cost, rests, freed)
    if run.stopped == "breaker":
        until = order.at + max(1, state.parameters["call_seconds"]) * SECOND
        until = min(until, listing.instrument.end)
        run.events.append(
            f.CallOpened(at=order.at, instrument=order.instrument, until=until, cause="breaker")
        )
    if rests:
        run.events.append(f.OrderRested(at=order.at, order=order.id))
    elif run.left:
        run.events.append(_ended(order, run.stopped or term))
    return run.events


def _outside(state: State, listing: Listing, price: Amount) -> bool:
    """Whether a trade at this price would be too far from the reference."""
    band = state.parameters["breaker_ppm"]
    return abs(price - listing.reference) * PPM > band * listing.reference


def _filled(
    state: State,
    listing: Listing,
    taker: Order,
    maker: Working,
    grains: int,
    fee: Amount,
    number: int,
) -> f.Filled:
    assert state.market is not None
    buy, sell = (taker, maker.order) if taker.side == "buy" else (maker.order, taker)
    return f.Filled(
        at=taker.at,
        number=number,
        instrument=taker.instrument,
        asset=listing.instrument.asset,
        buy=buy.id,
        sell=sell.id,
        buyer=buy.account,
        seller=sell.account,
        price=maker.order.price,
        grains=grains,
        taker=taker.side,
        fee=fee,
        operator=state.market.operator,
    )


def _require_funds(
    state: State, listing: Listing, order: Order, cost: Amount, rests: int, freed: Amount
) -> None:
    """Fills, fees and what will rest, all from what is available now."""
    instrument = listing.instrument
    if order.side == "buy":
        need = cost + order.price * rests - freed
        ledger.require(state, order.account, instrument.asset, need)
    else:
        ledger.require(state, order.account, instrument.id, order.grains - freed)


def _ended(order: Order, cause: str, at: Instant | None = None) -> f.OrderEnded:
    return f.OrderEnded(at=order.at if at is None else at, order=order.id, cause=cause)


# Changing one's mind ------------------------------------------------------------------


def amend(state: State, command: x.AmendOrder) -> list[e.Event]:
    working = _own(state, command.id, command.by, command.at)
    old = working.order
    listing = state.listings[old.instrument]
    _require_not_frozen(state, listing, command.at)
    if old.request:
        raise Refused(Why.NO_ORDER, "A quote is cancelled and given again, not amended.")
    new = structs.replace(old, price=command.price, grains=command.grains, at=command.at)
    require_terms(state, listing, new, command.by)
    if command.price == old.price and command.grains <= working.left:
        if command.grains == working.left:
            return []
        return [f.OrderReduced(at=command.at, order=old.id, left=command.grains)]
    freed = ledger.order_aside(state, old, working.left).amount
    ended = _ended(old, "amended", command.at)
    return [ended, *admit(state, listing, new, "good", freed)]


def cancel(state: State, command: x.CancelOrder) -> list[e.Event]:
    working = _own(state, command.id, command.by, command.at)
    _require_not_frozen(state, state.listings[working.order.instrument], command.at)
    return [_ended(working.order, "cancelled", command.at)]


def cancel_all(state: State, command: x.CancelOrders) -> list[e.Event]:
    """What may be cancelled of an account's orders; those in a frozen call stay."""
    find_member(state, command.account)
    allow(state, command.by, command.account, command.at)
    return [
        _ended(working.order, "cancelled", command.at)
        for working in state.orders.values()
        if working.order.account == command.account
        and command.instrument in ("", working.order.instrument)
        and command.session in ("", working.order.session)
        and not _frozen(state, state.listings[working.order.instrument], command.at)
    ]


def _own(state: State, id_: str, by: str, at: Instant) -> Working:
    working = orders.find_order(state, id_)
    allow(state, by, working.order.account, at)
    return working


def _frozen(state: State, listing: Listing, at: Instant) -> bool:
    freeze = state.parameters["freeze_seconds"] * SECOND
    return listing.call_until > 0 and at >= listing.call_until - freeze


def _require_not_frozen(state: State, listing: Listing, at: Instant) -> None:
    if _frozen(state, listing, at):
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
    listing.trades, listing.last = event.number, event.price


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
