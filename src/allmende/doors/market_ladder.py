"""Ladder: what everybody may see of one instrument's book, folded from durable facts.

Rule: grains at each price, trades, calls; never whose. It follows the facts as they become
durable, and not the state, which is a commit ahead.
Invariant: at every sequence number it equals the sum of the resting orders of the facts up
to then; a price with nothing at it is not there.
Worked number: an ask of 5 lots at 3.1 of which 2 trade is one change, ("sell", 31_000, 3
lots), and one trade.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from allmende.core import exchange_events as f
from allmende.core.contracts import Instrument, Order, QuoteRequest
from allmende.core.orders import queue
from allmende.core.state import Listing, State
from allmende.core.uncross import Clearing, clearing
from allmende.core.units import Amount, Instant

TAPE_MAX = 500
"""Trades of an instrument that are kept at hand; the read models have all of them."""


class Trade(Struct, frozen=True):
    """One line of the tape. `number` is the event's, `trade` counts in the instrument."""

    number: int
    trade: int
    at: Instant
    price: Amount
    grains: int
    taker: str


@dataclass
class Open:
    """An order of the facts so far; one that does not rest is about to trade or end."""

    order: Order
    left: int
    rests: bool


@dataclass
class Change:
    """What happened to a ladder since its last sequence number."""

    at: Instant
    prices: set[tuple[str, Amount]] = field(default_factory=set)
    trades: list[Trade] = field(default_factory=list)
    requests: list[QuoteRequest] = field(default_factory=list)
    status: bool = False

    def __bool__(self) -> bool:
        return bool(self.prices or self.trades or self.requests or self.status)


class Ladder:
    """One per instrument. `seq` is the number of the last event in it."""

    def __init__(self, instrument: Instrument, seq: int, reference: Amount, until: Instant) -> None:
        self.instrument = instrument
        self.seq = seq
        self.sides: dict[str, dict[Amount, int]] = {"buy": {}, "sell": {}}
        self.reference = reference
        self.call_until = until
        self.cause = "opening" if until else ""
        self.last: Amount = 0
        self.settled = False
        self.tape: deque[Trade] = deque(maxlen=TAPE_MAX)

    def levels(self, side: str, depth: int = 0) -> list[tuple[Amount, int]]:
        """(price, grains), best first; `depth` 0 is all of them."""
        found = sorted(self.sides[side].items(), reverse=side == "buy")
        return found[:depth] if depth else found

    def indicative(self) -> Clearing | None:
        """Where a running call would uncross now."""
        if not self.call_until:
            return None
        return clearing(self.sides["buy"].items(), self.sides["sell"].items(), self.reference)

    def add(self, side: str, price: Amount, grains: int) -> None:
        """More grains at a price, or fewer."""
        levels = self.sides[side]
        after = levels.get(price, 0) + grains
        assert after >= 0, f"{self.instrument.id}: {after} grains at {price}"
        if after:
            levels[price] = after
        else:
            del levels[price]


def ladder_of(state: State, listing: Listing, seq: int) -> Ladder:
    """The ladder of a listing as the state has it, when all of that is durable."""
    found = Ladder(listing.instrument, seq, listing.reference, listing.call_until)
    found.last = listing.last
    for side in ("buy", "sell"):
        for working in queue(state, listing, side):
            found.add(side, working.order.price, working.left)
    return found


class Fold:
    """All ladders, and what changed in them since `taken` was called."""

    def __init__(self, state: State, seq: int) -> None:
        self.ladders = {id_: ladder_of(state, one, seq) for id_, one in state.listings.items()}
        self._orders = {
            id_: Open(working.order, working.left, working.aside)
            for id_, working in state.orders.items()
        }
        self._changes: dict[str, Change] = {}

    def take(self, number: int, event: object) -> None:
        """Fold in event `number`, if it is about the exchange."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, number, event)

    def taken(self) -> dict[str, Change]:
        """What changed, by instrument; then it counts as told."""
        found, self._changes = self._changes, {}
        return {id_: change for id_, change in found.items() if change}

    def _change(self, instrument: str, at: Instant) -> Change:
        change = self._changes.setdefault(instrument, Change(at))
        change.at = at
        return change

    def _add(self, open_: Open, grains: int, at: Instant) -> None:
        """More or fewer grains of an order; in the ladder only if it is in the book."""
        open_.left += grains
        if open_.rests:
            self._show(open_.order, grains, at)

    def _show(self, order: Order, grains: int, at: Instant) -> None:
        if grains and not order.request:
            self.ladders[order.instrument].add(order.side, order.price, grains)
            self._change(order.instrument, at).prices.add((order.side, order.price))

    # --- events --------------------------------------------------------------------------

    def listed(self, number: int, event: f.Listed) -> None:
        new = event.instrument
        self.ladders[new.id] = Ladder(new, number, new.price, event.until)
        self._change(new.id, event.at).status = True

    def placed(self, _: int, event: f.OrderPlaced) -> None:
        open_ = self._orders[event.order.id] = Open(event.order, 0, event.rests)
        self._add(open_, event.order.grains, event.at)

    def filled(self, number: int, event: f.Filled) -> None:
        for id_ in (event.buy, event.sell):
            if id_:
                open_ = self._orders[id_]
                self._add(open_, -event.grains, event.at)
                if not open_.left:
                    del self._orders[id_]
        ladder = self.ladders[event.instrument]
        trade = Trade(number, event.number, event.at, event.price, event.grains, event.taker)
        ladder.tape.append(trade)
        ladder.last = event.price
        self._change(event.instrument, event.at).trades.append(trade)

    def rested(self, _: int, event: f.OrderRested) -> None:
        open_ = self._orders[event.order]
        open_.rests = True
        self._show(open_.order, open_.left, event.at)

    def reduced(self, _: int, event: f.OrderReduced) -> None:
        open_ = self._orders[event.order]
        self._add(open_, event.left - open_.left, event.at)

    def ended(self, _: int, event: f.OrderEnded) -> None:
        open_ = self._orders.pop(event.order)
        self._add(open_, -open_.left, event.at)

    def called(self, _: int, event: f.CallOpened) -> None:
        ladder = self.ladders[event.instrument]
        ladder.call_until, ladder.cause = event.until, event.cause
        self._change(event.instrument, event.at).status = True

    def uncrossed(self, _: int, event: f.Uncrossed) -> None:
        ladder = self.ladders[event.instrument]
        ladder.call_until, ladder.cause = event.until, "periodic" if event.until else ""
        ladder.reference = ladder.reference if event.price is None else event.price
        self._change(event.instrument, event.at).status = True

    def requested(self, _: int, event: f.QuotesRequested) -> None:
        self._change(event.request.instrument, event.at).requests.append(event.request)

    def settled(self, _: int, event: f.InstrumentSettled) -> None:
        self.ladders[event.instrument].settled = True
        self._change(event.instrument, event.at).status = True


_HANDLERS: dict[type, Callable[[Fold, int, Any], None]] = {
    f.Listed: Fold.listed,
    f.OrderPlaced: Fold.placed,
    f.Filled: Fold.filled,
    f.OrderRested: Fold.rested,
    f.OrderReduced: Fold.reduced,
    f.OrderEnded: Fold.ended,
    f.CallOpened: Fold.called,
    f.Uncrossed: Fold.uncrossed,
    f.QuotesRequested: Fold.requested,
    f.InstrumentSettled: Fold.settled,
}
