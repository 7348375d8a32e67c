"""Trade by call: opening, closing, periodic and after a breaker, at one price.

Rule: a call collects orders until its end, then all that can trade does, at the one price of
`uncross`; shortly before, orders are frozen.
Invariant: what buyers get in a call is what sellers give, in price-time priority on both
sides; nobody trades worse than his limit.
Worked number: bids 10 at 105 and 10 at 103, asks 10 at 101 and 10 at 104, reference 104:
10 trade at 104, between the first bid and the first ask.
"""

from __future__ import annotations

from collections.abc import Iterator

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core import orders
from allmende.core.allocation import allotted, in_turn
from allmende.core.identity import allow_operator
from allmende.core.refusals import Refused, Why
from allmende.core.rights import require_live
from allmende.core.state import Listing, State, Working
from allmende.core.uncross import Clearing, clearing
from allmende.core.units import SECOND, Instant


def open_call(state: State, command: x.OpenCall) -> list[e.Event]:
    allow_operator(state, command.by, command.at)
    listing = orders.find_listing(state, command.instrument)
    require_live(listing, command.at)
    if listing.call_until:
        raise Refused(Why.HALTED, "A call is running already.")
    if not command.at < command.until <= listing.instrument.end:
        raise Refused(Why.BAD_VALUE, "A call ends after it begins, and within the window.")
    return [_opened(listing, command.at, command.until, "operator")]


def _opened(listing: Listing, at: Instant, until: Instant, cause: str) -> f.CallOpened:
    return f.CallOpened(at=at, instrument=listing.instrument.id, until=until, cause=cause)


def due(state: State, command: c.Tick) -> list[e.Event]:
    """End orders whose time is over, uncross calls that are due, open closing calls."""
    out: list[e.Event] = []
    over = {
        working.order.id
        for working in state.orders.values()
        if command.at >= working.order.until and not _at_close(state, working)
    }
    out += [f.OrderEnded(at=command.at, order=id_, cause="expired") for id_ in sorted(over)]
    closing = state.parameters.get("call_seconds", 0) * SECOND
    for _, listing in sorted(state.listings.items()):
        end = listing.instrument.end
        if listing.call_until and command.at >= listing.call_until:
            out += _uncross(state, listing, command.at, over)
            if command.at >= end:
                out += _closed(state, listing, command.at, out, over)
        elif not listing.call_until and end - closing <= command.at < end and closing:
            out.append(_opened(listing, command.at, end, "closing"))
        elif not listing.call_until and command.at >= end:
            out += _closed(state, listing, command.at, out, over)
    return out


def _at_close(state: State, working: Working) -> bool:
    """Whether an order waits for the closing call, and ends with it."""
    return working.order.until >= state.listings[working.order.instrument].instrument.end


def _closed(
    state: State, listing: Listing, at: Instant, out: list[e.Event], over: set[str]
) -> list[e.Event]:
    """After the last call nothing stays in the book."""
    traded: dict[str, int] = {}
    for event in out:
        if isinstance(event, f.Filled) and event.instrument == listing.instrument.id:
            for id_ in (event.buy, event.sell):
                traded[id_] = traded.get(id_, 0) + event.grains
    return [
        f.OrderEnded(at=at, order=id_, cause="closed")
        for id_, working in sorted(state.orders.items())
        if working.order.instrument == listing.instrument.id
        and id_ not in over
        and working.left > traded.get(id_, 0)
    ]


def _uncross(state: State, listing: Listing, at: Instant, over: set[str]) -> list[e.Event]:
    bids = _standing(state, listing, "buy", over)
    asks = _standing(state, listing, "sell", over)
    found = clearing(
        ((w.order.price, w.left) for w in bids),
        ((w.order.price, w.left) for w in asks),
        listing.reference,
        lowest=listing.instrument.allocation != "price",
    )
    out: list[e.Event] = (
        [] if found is None else list(_fills(state, listing, at, found, bids, asks))
    )
    instrument = listing.instrument
    again = at + max(1, state.parameters["call_seconds"]) * SECOND
    until = min(again, instrument.end) if instrument.session == "call" else 0
    out.append(
        f.Uncrossed(
            at=at,
            instrument=instrument.id,
            price=None if found is None else found.price,
            grains=0 if found is None else found.grains,
            imbalance=0 if found is None else found.imbalance,
            until=until if at < instrument.end else 0,
        )
    )
    return out


def _standing(state: State, listing: Listing, side: str, over: set[str]) -> list[Working]:
    return [w for w in orders.queue(state, listing, side) if w.order.id not in over]


def _fills(
    state: State,
    listing: Listing,
    at: Instant,
    found: Clearing,
    bids: list[Working],
    asks: list[Working],
) -> Iterator[f.Filled]:
    """Walk what buyers are allotted and what sellers offer, until the volume is exhausted."""
    number = listing.trades
    willing = [bid for bid in bids if bid.order.price >= found.price]
    buyers = iter(allotted(state, listing, willing, found.grains))
    sellers = iter(in_turn(asks, found.grains))
    buy, wants = next(buyers)
    sell, gives = next(sellers)
    rest = found.grains
    while rest:
        grains = min(wants, gives)
        number += 1
        yield f.Filled(
            at=at,
            number=number,
            instrument=listing.instrument.id,
            asset=listing.instrument.asset,
            buy=buy.order.id,
            sell=sell.order.id,
            buyer=buy.order.account,
            seller=sell.order.account,
            price=found.price,
            grains=grains,
        )
        rest, wants, gives = rest - grains, wants - grains, gives - grains
        if rest and not wants:
            buy, wants = next(buyers)
        if rest and not gives:
            sell, gives = next(sellers)


def call_opened(state: State, event: f.CallOpened) -> None:
    state.listings[event.instrument].call_until = event.until


def uncrossed(state: State, event: f.Uncrossed) -> None:
    listing = state.listings[event.instrument]
    listing.call_until = event.until
    if event.price is not None:
        listing.reference = event.price


DECIDE = {x.OpenCall: open_call, c.Tick: due}
APPLY = {f.CallOpened: call_opened, f.Uncrossed: uncrossed}
