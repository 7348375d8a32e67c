"""Matching: one order's way through the book of its instrument.

Rule: what crosses trades at the resting order's price, best first; orders whose time is over
are ended and not met; a price too far from the reference stops it and opens a call.
Invariant: whoever meets his own order does not trade with it, nor in the call that follows;
nothing is decided that is not paid for.
Worked number: a bid for 7 lots at 3.2 credits meets asks of 5 at 3.0 and 5 at 3.1: it pays
15 + 6.2 credits and a fee of 0.1 %, and 3 lots stay offered at 3.1.
"""

from __future__ import annotations

from allmende.core import events as e
from allmende.core import exchange_events as f
from allmende.core import ledger, orders
from allmende.core.contracts import Order
from allmende.core.identity import root
from allmende.core.refusals import Refused, Why
from allmende.core.state import Listing, State, Working
from allmende.core.units import PPM, SECOND, Amount, Instant


def admit(
    state: State, listing: Listing, order: Order, term: str, freed: Amount = 0
) -> list[e.Event]:
    """An order into the book or against it. `freed` comes back from the order it replaces."""
    if listing.call_until:
        if term in ("ioc", "fok"):
            raise Refused(Why.HALTED, "A call collects orders; there is nothing to take at once.")
        _require_no_own(state, listing, order)
    elif term == "post":
        _require_no_trade(state, listing, order)
    meets = next(orders.opposite(state, listing, order.side, order.price), None)
    if listing.call_until or (meets is None and term in ("good", "post")):
        _require_funds(state, listing, order, 0, order.grains, freed)
        return [f.OrderPlaced(at=order.at, order=order)]
    return _match(state, listing, order, term, freed)


def _require_no_trade(state: State, listing: Listing, order: Order) -> None:
    for working in orders.opposite(state, listing, order.side, order.price):
        if order.at < working.order.until:
            raise Refused(Why.WOULD_TRADE, f"It would trade at {working.order.price}.")


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
        if order.at >= maker.order.until:
            run.events.append(ended(maker.order, "expired", order.at))
            continue
        if _outside(state, listing, price):
            run.stopped = "breaker"
        elif root(state, maker.order.account) == top:
            if order.guard == "oldest":
                run.events.append(ended(maker.order, "self_trade", order.at))
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
    rests = run.left if term in ("good", "post") and run.stopped != "self_trade" else 0
    if rests and run.stopped == "breaker":
        rests = _beside_own(state, listing, order, run)
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
        cause = "self_trade" if run.stopped and term in ("good", "post") else run.stopped or term
        run.events.append(ended(order, cause))
    return run.events


def _beside_own(state: State, listing: Listing, order: Order, run: _Run) -> int:
    """What may wait in the breaker's call: it has one price, at which own orders would meet."""
    gone = {event.order for event in run.events if isinstance(event, f.OrderEnded)}
    top = root(state, order.account)
    own = [
        working.order
        for working in orders.opposite(state, listing, order.side, order.price)
        if working.order.id not in gone and root(state, working.order.account) == top
    ]
    if own and order.guard == "newest":
        return 0
    run.events += [ended(other, "self_trade", order.at) for other in own]
    return run.left


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


def ended(order: Order, cause: str, at: Instant | None = None) -> f.OrderEnded:
    return f.OrderEnded(at=order.at if at is None else at, order=order.id, cause=cause)
