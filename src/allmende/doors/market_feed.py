"""Market feed: the exchange's public data to everybody who listens, in sequence.

Rule: one message per instrument and commit, made once for all, and only of durable facts.
`seq` is the number of the journal's last event in it, `prev` that of the message before, so
a reader sees a gap by one comparison, and numbers stay true over a restart.
Invariant: a reader that does not read costs at most QUEUE_MAX messages, and then its place;
publishing never waits for anybody.
Worked number: whoever saw 118 and hears {"prev": 118, "seq": 121} missed nothing; whoever
saw 117 asks with since=117 and gets 118 and 121, or a snapshot if that was too long ago.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from allmende.core.events import Event
from allmende.core.refusals import Refused, Why
from allmende.core.units import Instant
from allmende.desk import Desk
from allmende.doors import lots
from allmende.doors.market_ladder import Change, Fold, Ladder, Trade
from allmende.doors.plain import iso

RING_MAX = 256
"""Messages of an instrument that a reader who missed them can have again."""
QUEUE_MAX = 512
"""Messages that may wait for one reader: more than a ring, so that catching up fits."""
READERS_MAX = 1_024
INSTRUMENTS_MAX = 64
"""That one reader may follow."""
SLOW = 4008
"""Close code of a WebSocket whose reader was too slow."""
CLOSING = 1001

_ENCODE = msgspec.json.Encoder().encode


class Reader:
    """Somebody who listens: a queue, and why it ended."""

    def __init__(self, most: int = QUEUE_MAX) -> None:
        self.queue: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue(most)
        self.ended = 0
        """A close code: the message before it was the last."""

    def push(self, seq: int, message: bytes) -> None:
        """Give a message, or give up. `seq` is 0 where it is not part of a sequence."""
        if self.ended:
            return
        if self.queue.full():
            text = f"More than {self.queue.maxsize} messages waited for you. Come back with since."
            self.end(SLOW, {"type": "dropped", "reason": text}, clear=True)
        else:
            self.queue.put_nowait((seq, message))

    def end(self, code: int, last: dict[str, Any], *, clear: bool = False) -> None:
        """Nothing more after `last`; what waits is thrown away if `clear`."""
        if self.ended:
            return
        self.ended = code
        while clear and not self.queue.empty():
            self.queue.get_nowait()
        if self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait((0, _ENCODE(last)))

    async def next(self, within_s: float) -> tuple[int, bytes] | None:
        """The next message; None if there is none for so long."""
        if not self.queue.empty():
            return self.queue.get_nowait()
        try:
            return await asyncio.wait_for(self.queue.get(), within_s)
        except TimeoutError:
            return None

    @property
    def done(self) -> bool:
        return bool(self.ended) and self.queue.empty()


class Feed:
    """One per market. `open` when the desk has started."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._fold: Fold | None = None
        self._rings: dict[str, deque[tuple[int, int, bytes]]] = {}
        self._readers: dict[Reader, set[str]] = {}
        self._closed = False

    def open(self) -> None:
        """Begin with the state, of which all is durable now."""
        assert self._desk.committed == self._desk.number, "something waits to be committed"
        self._fold = Fold(self._desk.state, self._desk.committed)
        self._desk.watch(self.heard)

    def close(self) -> None:
        """Every reader hears that it is over."""
        self._closed = True
        for reader in list(self._readers):
            reader.end(CLOSING, {"type": "closing"})

    def heard(self, last: int, events: Sequence[Event]) -> None:
        """Facts up to number `last` are durable: tell everybody."""
        assert self._fold is not None
        for number, event in enumerate(events, last - len(events) + 1):
            self._fold.take(number, event)
        for id_, change in self._fold.taken().items():
            self._publish(self._fold.ladders[id_], change, last)

    def _publish(self, ladder: Ladder, change: Change, seq: int) -> None:
        id_ = ladder.instrument.id
        prev, ladder.seq = ladder.seq, seq
        message = _ENCODE(update(ladder, change, prev))
        self._rings.setdefault(id_, deque(maxlen=RING_MAX)).append((prev, seq, message))
        for reader, wants in self._readers.items():
            if id_ in wants:
                reader.push(seq, message)
        if ladder.settled:
            del self._rings[id_]
            del self.ladders[id_]

    # --- reading -------------------------------------------------------------------------

    @property
    def ladders(self) -> dict[str, Ladder]:
        assert self._fold is not None, "the feed is not open"
        return self._fold.ladders

    def ladder(self, id_: str) -> Ladder:
        """Refused(NO_INSTRUMENT)."""
        found = self.ladders.get(id_)
        if found is None:
            raise Refused(Why.NO_INSTRUMENT, f"No instrument {id_[:70]!r}.")
        return found

    def enter(self, most: int = QUEUE_MAX) -> Reader:
        """A new reader, of nothing yet. Refused(CAPACITY, CLOSING)."""
        if self._closed:
            raise Refused(Why.CLOSING)
        if len(self._readers) >= READERS_MAX:
            raise Refused(Why.CAPACITY, f"{READERS_MAX} listen already.", retry_after_us=5_000_000)
        reader = Reader(most)
        self._readers[reader] = set()
        return reader

    def leave(self, reader: Reader) -> None:
        """Safe to call twice."""
        self._readers.pop(reader, None)

    def follow(self, reader: Reader, id_: str, since: int | None = None) -> None:
        """What was missed after sequence number `since`, or a snapshot; then what happens.

        Refused(NO_INSTRUMENT, OVER_LIMIT).
        """
        ladder = self.ladder(id_)
        wants = self._readers[reader]
        if id_ not in wants and len(wants) >= INSTRUMENTS_MAX:
            raise Refused(Why.OVER_LIMIT, f"One reader follows {INSTRUMENTS_MAX} at most.")
        for seq, message in self._missed(ladder, since):
            reader.push(seq, message)
        wants.add(id_)

    def unfollow(self, reader: Reader, id_: str) -> None:
        self._readers[reader].discard(id_)

    def _missed(self, ladder: Ladder, since: int | None) -> list[tuple[int, bytes]]:
        if since == ladder.seq:
            return []
        ring = self._rings.get(ladder.instrument.id, ())
        if since is not None and any(prev == since for prev, _, _ in ring):
            return [(seq, message) for prev, seq, message in ring if prev >= since]
        return [(ladder.seq, _ENCODE(snapshot(ladder)))]


# Messages -----------------------------------------------------------------------------


def snapshot(ladder: Ladder, depth: int = 0) -> dict[str, Any]:
    """The whole book, or its best `depth` levels."""
    return {
        "type": "snapshot",
        "instrument": ladder.instrument.id,
        "seq": ladder.seq,
        **{side: _levels(ladder, ladder.levels(name, depth)) for side, name in _SIDES.items()},
        **status(ladder),
    }


def update(ladder: Ladder, change: Change, prev: int) -> dict[str, Any]:
    """What changed: levels as they are now (0 lots: gone), trades, calls, requests."""
    lot = ladder.instrument.lot
    found: dict[str, Any] = {
        "type": "update",
        "instrument": ladder.instrument.id,
        "prev": prev,
        "seq": ladder.seq,
        "at": iso(change.at),
    }
    for side, name in _SIDES.items():
        own = ladder.sides[name]
        levels = [(price, own.get(price, 0)) for at, price in sorted(change.prices) if at == name]
        if levels:
            found[side] = _levels(ladder, levels)
    if change.trades:
        found["trades"] = [line(trade, lot) for trade in change.trades]
    if change.requests:
        found["requests"] = [
            {"id": one.id, "lots": lots.text(one.grains, lot), "until": iso(one.until)}
            for one in change.requests
        ]
    if change.status:
        found |= status(ladder)
    return found


def status(ladder: Ladder) -> dict[str, Any]:
    """How an instrument trades at the moment."""
    lot = ladder.instrument.lot
    return {
        "call_until": _iso(ladder.call_until),
        "call_cause": ladder.cause,
        "reference": lots.per_lot(ladder.reference, lot),
        "last": lots.per_lot(ladder.last, lot) if ladder.last else None,
        "settled": ladder.settled,
    }


def line(trade: Trade, lot: int) -> dict[str, Any]:
    """A line of the tape."""
    return {
        "number": trade.number,
        "trade": trade.trade,
        "at": iso(trade.at),
        "price": lots.per_lot(trade.price, lot),
        "lots": lots.text(trade.grains, lot),
        "taker": trade.taker,
    }


_SIDES = {"bids": "buy", "asks": "sell"}


def _levels(ladder: Ladder, levels: list[tuple[int, int]]) -> list[tuple[str, str]]:
    lot = ladder.instrument.lot
    return [(lots.per_lot(price, lot), lots.text(grains, lot)) for price, grains in levels]


def _iso(at: Instant) -> str | None:
    return iso(at) if at else None
