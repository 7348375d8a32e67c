"""Board: what happened to one instrument, as plain data: orders, trades, quotes and calls.

Rule: each thing carries the number of the event it came from, so that whoever reads a figure
or an alert can look that event up in the journal.
Invariant: an order's grains = filled + given up + left.
Worked number: an order of 5 lots at event 40, of which 2 were traded before it was cancelled
at event 52: left 3, filled 2, over 52.
"""

from __future__ import annotations

from msgspec import Struct, field

from allmende.core.contracts import Instrument, Order
from allmende.core.units import Amount, Instant


class Life(Struct):
    """An order from its placing (event `seq`) to its end (event `over`, 0 while it works).

    `bid` and `ask` are what it found, 0 for none; `call` that it came during one; `request`
    that it was a quote, outside the book.
    """

    seq: int
    order: Order
    bid: Amount
    ask: Amount
    call: bool
    left: int
    filled: int = 0
    rests: bool = False
    over: int = 0
    ended: Instant = 0
    cause: str = ""


class Trade(Struct, frozen=True):
    """One fill. `bid` and `ask` are what its taker found; `taker` is "" in an auction.

    `buy` and `sell` are the orders' own events, 0 where a quote was taken without an order.
    """

    seq: int
    at: Instant
    instrument: str
    price: Amount
    grains: int
    buyer: str
    seller: str
    buy: int
    sell: int
    taker: str
    bid: Amount
    ask: Amount

    @property
    def sign(self) -> int:
        """+1 where a buyer came last, -1 where a seller did, 0 in an auction."""
        return {"buy": 1, "sell": -1}.get(self.taker, 0)

    @property
    def aggressor(self) -> str:
        return {"buy": self.buyer, "sell": self.seller}.get(self.taker, "")


class Quote(Struct, frozen=True):
    """The top of the book from `at` on, and grains within ladder.DEPTH_BP; 0 for none."""

    seq: int
    at: Instant
    bid: Amount
    ask: Amount
    bids: tuple[int, ...]
    asks: tuple[int, ...]


class Call(Struct, frozen=True):
    """An auction that traded: its price, and (order, grains) of all that stood in it."""

    seq: int
    at: Instant
    price: Amount
    reference: Amount
    orders: tuple[tuple[Life, int], ...]


class Board(Struct):
    """All about one instrument. `closing` is when its last call opened, 0 before."""

    instrument: Instrument
    lives: list[Life] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    quotes: list[Quote] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    closing: Instant = 0
    in_call: bool = False
    last: Amount = 0
