"""Model of the exchange: its books and rights, summed again from all events that ever were.

Rule: an order is what was placed, less what was traded and given up, until it ended; nothing
that the machine carries along is looked at, only compared.
Invariant: rights are neither made nor lost: minted = retired + used + taken back + held.
Worked number: an order of 5 steps that traded 2 and was reduced to 1 has 1 left, and ends
when that trades.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from allmende.core import events as e
from allmende.core import exchange_events as f
from allmende.core.contracts import Claim, Instrument, Order
from allmende.core.state import Listing, State


class Open(Struct):
    """An order that is not over. `rested` is its place among all that ever came to rest."""

    order: Order
    left: int
    rested: int = 0


def agree(state: State, events: Sequence[e.Event]) -> None:
    """Assert that books, claims and rights are what history makes of them."""
    standing = instruments(events)
    assert state.listings.keys() == standing.keys(), "instruments"
    live = orders(events)
    assert {id_: w.left for id_, w in state.orders.items()} == {
        id_: open_.left for id_, open_ in live.items()
    }, "orders"
    for listing in state.listings.values():
        for side, kept in (("buy", listing.bids), ("sell", listing.asks)):
            flat = [id_ for queue in kept.queues for id_ in queue]
            assert flat == _queue(live, listing.instrument.id, side), f"{side} queue"
        _rights_add_up(listing, events)
    assert state.claims == claims(events), "claims"
    assert state.exposure == _exposure(state, live), "exposure"
    _trades_are_numbered(events)


def instruments(events: Iterable[e.Event]) -> dict[str, Instrument]:
    """Those that are listed and not settled."""
    found: dict[str, Instrument] = {}
    for event in events:
        if isinstance(event, f.Listed):
            found[event.instrument.id] = event.instrument
        elif isinstance(event, f.InstrumentSettled):
            del found[event.instrument]
    return found


def orders(events: Iterable[e.Event]) -> dict[str, Open]:
    found: dict[str, Open] = {}
    for number, event in enumerate(events, 1):
        if isinstance(event, f.OrderPlaced):
            assert event.order.id not in found, f"{event.order.id} is placed twice"
            found[event.order.id] = Open(event.order, event.order.grains, number * event.rests)
        elif isinstance(event, f.OrderRested):
            found[event.order].rested = number
        elif isinstance(event, f.OrderReduced):
            found[event.order].left = event.left
        elif isinstance(event, f.OrderEnded):
            del found[event.order]
        elif isinstance(event, f.Filled):
            for id_ in filter(None, (event.buy, event.sell)):
                _fill(found, id_, event)
    return found


def _fill(found: dict[str, Open], id_: str, event: f.Filled) -> None:
    """A trade is within an order's limit, and leaves no less than nothing of it."""
    open_ = found[id_]
    price, limit = event.price, open_.order.price
    assert price <= limit if open_.order.side == "buy" else price >= limit, f"{id_}: worse"
    assert open_.order.account == (event.buyer if id_ == event.buy else event.seller)
    open_.left -= event.grains
    assert open_.left >= 0, f"{id_} is filled twice"
    if not open_.left:
        del found[id_]


def claims(events: Iterable[e.Event]) -> dict[str, Claim]:
    found: dict[str, Claim] = {}
    for event in events:
        if isinstance(event, f.Claimed):
            found[event.claim.id] = event.claim
        elif isinstance(event, f.ClaimSettled):
            del found[event.claim]
    return found


def set_aside(events: Sequence[e.Event]) -> Iterator[tuple[str, str, int]]:
    """(asset, account, amount) of what resting orders and claims may still take."""
    terms = {v.instrument.id: v.instrument for v in events if isinstance(v, f.Listed)}
    for open_ in orders(events).values():
        order = open_.order
        if order.side == "sell":
            yield order.instrument, order.account, open_.left
        else:
            yield terms[order.instrument].asset, order.account, order.price * open_.left
    for claim in claims(events).values():
        yield terms[claim.instrument].asset, claim.account, claim.stake


def _queue(live: dict[str, Open], instrument: str, side: str) -> list[str]:
    """Ids at rest, prices ascending, and at each price in the order in which they came."""
    own = [
        open_
        for open_ in live.values()
        if (open_.order.instrument, open_.order.side) == (instrument, side)
        and not open_.order.request
    ]
    return [open_.order.id for open_ in sorted(own, key=lambda o: (o.order.price, o.rested))]


def _rights_add_up(listing: Listing, events: Sequence[e.Event]) -> None:
    """Of one listing, since it was listed under this id."""
    id_, source = listing.instrument.id, f"issuer/{listing.instrument.id}"
    since = max(n for n, v in enumerate(events) if isinstance(v, f.Listed) and _is(v, id_))
    made = used = back = 0
    for event in events[since:]:
        supply = -sum(p.amount for p in event.postings if (p.account, p.asset) == (source, id_))
        if isinstance(event, f.LotsMinted):
            made += supply
        elif isinstance(event, f.ClaimSettled):
            back -= supply
        else:
            used -= supply
    assert listing.issued == made - back, f"{id_}: issued"
    assert listing.delivered == used, f"{id_}: delivered"
    assert 0 <= listing.issued <= listing.instrument.capacity, f"{id_}: over-issued"


def _is(event: f.Listed, id_: str) -> bool:
    return event.instrument.id == id_


def _exposure(state: State, live: dict[str, Open]) -> dict[str, int]:
    total: dict[str, int] = defaultdict(int)
    for open_ in live.values():
        if open_.order.side == "buy":
            top = state.members[open_.order.account]
            while top.home:
                top = state.members[top.home]
            total[top.id] += open_.order.price * open_.left
    return dict(total)


def _trades_are_numbered(events: Iterable[e.Event]) -> None:
    """From 1 on, without a gap, for each instrument since it was listed."""
    last: dict[str, int] = {}
    for event in events:
        if isinstance(event, f.Listed):
            last[event.instrument.id] = 0
        elif isinstance(event, f.Filled):
            last[event.instrument] += 1
            assert event.number == last[event.instrument], "a trade's number"
