"""Orders: the book of one instrument, as price levels in time order.

Rule: the best price goes first, and at one price the order that came first.
Invariant: an id stands in exactly one level of one side while it rests; in continuous
trading the best bid is below the best ask.
Worked number: asks of 5 at 101 and 5 at 100; a bid for 7 at 101 takes 5 at 100, then 2 at
101: 702 for 7.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from allmende.core import ledger
from allmende.core.contracts import Order
from allmende.core.identity import root
from allmende.core.refusals import Refused, Why
from allmende.core.state import Listing, Side, State, Working
from allmende.core.units import Amount


def find_listing(state: State, id_: str) -> Listing:
    found = state.listings.get(id_)
    if found is None:
        raise Refused(Why.NO_INSTRUMENT, f"No instrument {id_!r}.")
    return found


def find_order(state: State, id_: str) -> Working:
    found = state.orders.get(id_)
    if found is None:
        raise Refused(Why.NO_ORDER, f"No order {id_!r} is open: it is filled, over or unknown.")
    return found


def side_of(listing: Listing, side: str) -> Side:
    return listing.bids if side == "buy" else listing.asks


def best_price(listing: Listing, side: str) -> Amount | None:
    """The highest bid or the lowest ask, in pico-credits a grain."""
    prices = side_of(listing, side).prices
    if not prices:
        return None
    return prices[-1] if side == "buy" else prices[0]


def queue(state: State, listing: Listing, side: str) -> Iterator[Working]:
    """Resting orders of a side, best first."""
    own = side_of(listing, side)
    for ids in reversed(own.queues) if side == "buy" else own.queues:
        for id_ in ids:
            yield state.orders[id_]


def opposite(state: State, listing: Listing, side: str, price: Amount) -> Iterator[Working]:
    """What an order of this side and price could trade with, best first."""
    for working in queue(state, listing, "sell" if side == "buy" else "buy"):
        other = working.order.price
        if other > price if side == "buy" else other < price:
            return
        yield working


def rest(state: State, working: Working) -> None:
    """Put an order into its book, last at its price, and set aside what it could be asked for.

    A quote stands outside the book.
    """
    order = working.order
    working.aside = True
    _aside(state, working, working.left)
    if order.request:
        return
    side = side_of(state.listings[order.instrument], order.side)
    place = bisect_left(side.prices, order.price)
    if place == len(side.prices) or side.prices[place] != order.price:
        side.prices.insert(place, order.price)
        side.queues.insert(place, {})
    side.queues[place][order.id] = None


def take(state: State, working: Working, grains: int) -> None:
    """Grains of an order are traded or given up; an order of none is gone."""
    working.left -= grains
    assert working.left >= 0, f"order {working.order.id} overfilled"
    if working.aside:
        _aside(state, working, -grains)
    if not working.left:
        leave(state, working)


def leave(state: State, working: Working) -> None:
    """Out of the book, and nothing set aside for it any more."""
    order = working.order
    if working.aside:
        _aside(state, working, -working.left)
        if not order.request:
            _unlist(side_of(state.listings[order.instrument], order.side), order)
    del state.orders[order.id]


def _unlist(side: Side, order: Order) -> None:
    place = bisect_left(side.prices, order.price)
    del side.queues[place][order.id]
    if not side.queues[place]:
        del side.prices[place], side.queues[place]


def _aside(state: State, working: Working, grains: int) -> None:
    account, asset, amount = ledger.order_aside(state, working.order, grains)
    ledger.set_aside(state, account, asset, amount)
    if working.order.side == "buy":
        top = root(state, account)
        after = state.exposure.get(top, 0) + amount
        if after:
            state.exposure[top] = after
        else:
            state.exposure.pop(top, None)


def check(state: State) -> None:
    """Levels and orders name each other; no crossed book in continuous trading."""
    listed = 0
    exposure: dict[str, Amount] = {}
    for listing in state.listings.values():
        for name, side in (("buy", listing.bids), ("sell", listing.asks)):
            prices = side.prices
            assert prices == sorted(set(prices)), f"{listing.instrument.id}: prices"
            for price, level in zip(prices, side.queues, strict=True):
                assert level, f"an empty level at {price}"
                listed += len(level)
                for id_ in level:
                    order = state.orders[id_].order
                    assert (order.side, order.price) == (name, price), f"order {id_} misplaced"
        bid, ask = best_price(listing, "buy"), best_price(listing, "sell")
        crossed = bid is not None and ask is not None and bid >= ask
        assert not crossed or listing.call_until, f"{listing.instrument.id} is crossed"
    resting = [w for w in state.orders.values() if w.aside and not w.order.request]
    assert len(resting) == listed, "the books list other orders than rest"
    for working in state.orders.values():
        assert working.left > 0, f"order {working.order.id} has nothing left"
        if working.aside and working.order.side == "buy":
            top = root(state, working.order.account)
            exposure[top] = exposure.get(top, 0) + working.order.price * working.left
    assert exposure == state.exposure, "exposure"
