"""Market: one instrument's book, kept beside the market's own from what it streams.

Rule: a snapshot, then updates; each names the sequence number that it follows. Where they do
not meet, or the stream ends, it is asked for again from the last number that was whole.
Invariant: at sequence number n the book equals the market's at n.
Worked number: at 118 an update with prev 118 and seq 121 is applied; one with prev 120 is a
gap, and the stream is asked for since 118.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from allmende.client.calls import Call
from allmende.client.words import Failed, Request, Trade

Level = tuple[Decimal, Decimal]
TRIES = 8
"""Streams in a row that end before anything came; then the market is unreachable."""
PAUSE_S = 0.2
"""Before the second of them, and twice as long before each after it."""


class Snapshot(Struct, tag_field="type", tag="snapshot"):
    seq: int
    bids: list[Level]
    asks: list[Level]
    call_until: datetime | None = None
    last: Decimal | None = None
    settled: bool = False


class Update(Struct, tag_field="type", tag="update"):
    prev: int
    seq: int
    bids: list[Level] = []
    asks: list[Level] = []
    trades: list[Trade] = []
    requests: list[Request] = []
    call_until: datetime | msgspec.UnsetType | None = msgspec.UNSET
    settled: bool = False


class Dropped(Struct, tag_field="type", tag="dropped"):
    reason: str = ""


class Closing(Struct, tag_field="type", tag="closing"):
    pass


_READ = msgspec.json.Decoder(Snapshot | Update | Dropped | Closing).decode


@dataclass
class Book:
    """Lots at each price. `seq` is the market's sequence number of all of it."""

    instrument: str
    seq: int = 0
    bids: dict[Decimal, Decimal] = field(default_factory=dict)
    asks: dict[Decimal, Decimal] = field(default_factory=dict)
    last: Decimal | None = None
    call_until: datetime | None = None
    settled: bool = False

    @property
    def bid(self) -> Decimal | None:
        return max(self.bids, default=None)

    @property
    def ask(self) -> Decimal | None:
        return min(self.asks, default=None)

    def levels(self, side: str) -> list[Level]:
        """(price, lots), best first."""
        if side == "buy":
            return sorted(self.bids.items(), reverse=True)
        return sorted(self.asks.items())

    def begin(self, whole: Snapshot) -> None:
        self.bids, self.asks = dict(whole.bids), dict(whole.asks)
        self.seq, self.last, self.settled = whole.seq, whole.last, whole.settled
        self.call_until = whole.call_until

    def change(self, update: Update) -> None:
        for own, levels in ((self.bids, update.bids), (self.asks, update.asks)):
            for price, lots in levels:
                if lots:
                    own[price] = lots
                else:
                    own.pop(price, None)
        if update.trades:
            self.last = update.trades[-1].price
        if update.call_until is not msgspec.UNSET:
            self.call_until = update.call_until
        self.seq, self.settled = update.seq, update.settled


@dataclass(frozen=True)
class Change:
    """The book after a message. `fresh`: it was a snapshot, so trades may have been missed."""

    book: Book
    trades: tuple[Trade, ...] = ()
    requests: tuple[Request, ...] = ()
    fresh: bool = False


class Follower:
    """What a stream means, without I/O: `call` opens it, `take` reads it.

    `broken` says that it must be opened again, after `pause` seconds.
    """

    def __init__(self, instrument: str) -> None:
        self.book = Book(instrument)
        self.broken = False
        self._known = False
        self._idle = 0
        self._rest = b""

    def call(self) -> Call[bytes]:
        """The request that opens the stream, or opens it again where it broke."""
        self.broken, self._rest = False, b""
        query: dict[str, object] = {"instrument": self.book.instrument}
        if self._known:
            query["since"] = self.book.seq
        self._idle += 1
        return Call("GET", f"/api/market/events?{urlencode(query)}", bytes)

    @property
    def ended(self) -> bool:
        """The instrument is settled: nothing more will come."""
        return self.book.settled

    @property
    def tired(self) -> bool:
        return self._idle > TRIES

    @property
    def pause_s(self) -> float:
        return PAUSE_S * 2 ** max(0, self._idle - 1) if self._idle else 0.0

    def take(self, data: bytes) -> list[Change]:
        """Changes in what came in. After a gap the rest is left, and `broken` set."""
        found: list[Change] = []
        *events, self._rest = (self._rest + data).split(b"\n\n")
        for event in events:
            if event.startswith(b":"):
                self._idle = 0  # the market is there, and has nothing to say
            lines = (line for line in event.split(b"\n") if line.startswith(b"data: "))
            for line in lines:
                change = self._message(line.removeprefix(b"data: "))
                if change is not None:
                    found.append(change)
            if self.broken or self.ended:
                break
        return found

    def _message(self, raw: bytes) -> Change | None:
        try:
            message = _READ(raw)
        except msgspec.MsgspecError as error:
            raise Failed("unreadable", f"The stream is not the exchange's: {error}.", {}) from None
        if isinstance(message, Snapshot):
            self.book.begin(message)
            self._known, self._idle = True, 0
            return Change(self.book, fresh=True)
        if isinstance(message, Update) and self._known:
            if message.seq <= self.book.seq:
                return None
            if message.prev == self.book.seq:
                self.book.change(message)
                self._idle = 0
                return Change(self.book, tuple(message.trades), tuple(message.requests))
        self.broken = True
        return None
