"""Trade by quote: somebody asks for prices, several answer, one answer is taken.

Rule: a quote is a funded order that stands outside the book, for the one who asked alone.
Invariant: at most one quote of a request is taken, whole, and the others then end.
Worked number: a request for 50 lots draws asks at 3.05 and 3.02; taking the second moves 50
lots against 151 credits, prints one trade, and releases the first.
"""

from __future__ import annotations

from msgspec import structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core import ledger, orders
from allmende.core.contracts import Order, QuoteRequest
from allmende.core.identity import allow, feature, find_member, new_id, root
from allmende.core.refusals import Refused, Why
from allmende.core.rights import require_live
from allmende.core.state import State, Working
from allmende.core.trade_terms import require_limits, require_step, require_terms, signed
from allmende.core.units import PPM


def request(state: State, command: x.RequestQuotes) -> list[e.Event]:
    listing = orders.find_listing(state, command.instrument)
    new_id(command.id, command.id in state.requests)
    find_member(state, command.account)
    allow(state, command.by, command.account, command.at)
    require_live(listing, command.at)
    require_step(listing.instrument, command.grains)
    if not command.at < command.until:
        raise Refused(Why.BAD_VALUE, "The request would have ended before it came.")
    asked = QuoteRequest(
        command.id,
        command.instrument,
        command.account,
        command.grains,
        min(command.until, listing.instrument.end),
    )
    return [f.QuotesRequested(at=command.at, request=asked)]


def quote(state: State, command: x.Quote) -> list[e.Event]:
    asked = state.requests.get(command.request)
    if asked is None:
        raise Refused(Why.NOT_FOUND, f"No request {command.request!r} is open.")
    new_id(command.id, command.id in state.orders)
    order = Order(
        id=command.id,
        instrument=asked.instrument,
        account=command.account,
        side=command.side,
        price=command.price,
        grains=asked.grains,
        at=command.at,
        until=min(command.until or asked.until, asked.until),
        request=asked.id,
    )
    order = signed(state, state.listings[asked.instrument], order)
    require_terms(state, state.listings[asked.instrument], order, command.by)
    if root(state, order.account) == root(state, asked.account):
        raise Refused(Why.WOULD_TRADE, "It would trade with its own owner.")
    aside = ledger.order_aside(state, order, order.grains)
    ledger.require(state, aside.account, aside.asset, aside.amount)
    return [f.OrderPlaced(at=command.at, order=order, rests=True)]


def accept(state: State, command: x.AcceptQuote) -> list[e.Event]:
    working = orders.find_order(state, command.id)
    order = working.order
    asked = state.requests.get(order.request)
    if asked is None:
        raise Refused(Why.NO_ORDER, f"{command.id!r} is not a quote.")
    allow(state, command.by, asked.account, command.at)
    listing = state.listings[asked.instrument]
    require_live(listing, command.at)
    if command.at >= order.until:
        raise Refused(Why.ENDED, "The quote has ended.")
    return [_traded(state, asked, working, command.at), *_over(state, asked.id, command)]


def _traded(state: State, asked: QuoteRequest, working: Working, at: int) -> f.Filled:
    """The one trade; who asked is its taker, and pays the fee."""
    assert state.market is not None
    order, listing = working.order, state.listings[asked.instrument]
    instrument = listing.instrument
    value = order.price * order.grains
    fee = value * state.parameters["trade_fee_ppm"] // PPM
    buys = order.side == "sell"
    if buys:
        require_limits(state, structs.replace(order, account=asked.account, side="buy"))
        ledger.require(state, asked.account, instrument.asset, value + fee)
    else:
        if asked.account != instrument.issuer:
            feature(state, "trade_rights")
        ledger.require(state, asked.account, instrument.id, order.grains)
    return f.Filled(
        at=at,
        number=listing.trades + 1,
        instrument=instrument.id,
        asset=instrument.asset,
        buy="" if buys else order.id,
        sell=order.id if buys else "",
        buyer=asked.account if buys else order.account,
        seller=order.account if buys else asked.account,
        price=order.price,
        grains=order.grains,
        taker="buy" if buys else "sell",
        fee=fee,
        operator=state.market.operator,
    )


def _over(state: State, request: str, command: x.AcceptQuote) -> list[e.Event]:
    """Every other quote of the request ends, and then the request."""
    others = [
        f.OrderEnded(at=command.at, order=id_, cause="not_taken")
        for id_, working in sorted(state.orders.items())
        if working.order.request == request and id_ != command.id
    ]
    return [*others, f.RequestEnded(at=command.at, request=request)]


def due(state: State, command: c.Tick) -> list[e.Event]:
    return [
        f.RequestEnded(at=command.at, request=id_)
        for id_, asked in sorted(state.requests.items())
        if command.at >= asked.until
    ]


def requested(state: State, event: f.QuotesRequested) -> None:
    state.requests[event.request.id] = event.request


def request_ended(state: State, event: f.RequestEnded) -> None:
    del state.requests[event.request]


DECIDE = {x.RequestQuotes: request, x.Quote: quote, x.AcceptQuote: accept, c.Tick: due}
APPLY = {f.QuotesRequested: requested, f.RequestEnded: request_ended}
