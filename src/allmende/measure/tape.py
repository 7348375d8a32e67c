"""Tape: orders, trades, quotes and offers as plain data, folded from a market's events.

Rule: a pure fold over events and their numbers; it works out nothing that was not decided.
Invariant: feeding the same events again gives the same tape.
Worked number: a sell of 5 at 101 that rests, and a buy of 2 at 101: two orders, one trade at
101 that found no bid and 101 asked, and then a quote with 3 asked.

`recent` bounds memory: orders, trades, quotes and calls older than that are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from allmende.core import events as e
from allmende.core import exchange_events as f
from allmende.core.units import Amount, Instant
from allmende.measure.board import Board, Call, Life, Quote, Trade
from allmende.measure.ladder import Ladder
from allmende.measure.owners import Owners
from allmende.measure.provision import Provision

PRUNE_EVERY = 4_096


class Tape:
    """Feed it events in order; read `boards`, `owners` and `provision`."""

    def __init__(self, recent: Instant = 0) -> None:
        self.boards: dict[str, Board] = {}
        self.owners = Owners()
        self.provision = Provision()
        self.now: Instant = 0
        self._recent = recent
        self._ladders: dict[str, Ladder] = {}
        self._open: dict[str, Life] = {}
        self._standing: dict[str, tuple[tuple[Life, int], ...]] = {}
        self._fed = 0

    def feed(self, seq: int, event: e.Event) -> None:
        """Event number `seq`. What is no business of a tape passes."""
        self.now = max(self.now, event.at)
        fold = FOLDS.get(type(event))
        if fold is not None:
            fold(self, seq, event)
        self.owners.feed(event)
        self.provision.feed(seq, event)
        self._fed += 1
        if self._recent and self._fed % PRUNE_EVERY == 0:
            self._prune(self.now - self._recent)

    def _prune(self, before: Instant) -> None:
        for board in self.boards.values():
            board.lives = [life for life in board.lives if not life.over or life.ended >= before]
            board.trades = [trade for trade in board.trades if trade.at >= before]
            board.quotes = [quote for quote in board.quotes if quote.at >= before]
            board.calls = [call for call in board.calls if call.at >= before]

    # Folds, one for each kind of event ----------------------------------------------

    def _listed(self, seq: int, event: f.Listed) -> None:
        id_ = event.instrument.id
        self.boards[id_] = Board(event.instrument, in_call=event.until > 0)
        self.boards[id_].last = event.instrument.price
        self._ladders[id_] = Ladder()

    def _placed(self, seq: int, event: f.OrderPlaced) -> None:
        order = event.order
        board = self.boards[order.instrument]
        bid, ask = self._top(order.instrument)
        life = Life(seq, order, bid, ask, board.in_call, order.grains)
        board.lives.append(life)
        self._open[order.id] = life
        if event.rests:
            self._rest(seq, event.at, life)

    def _rested(self, seq: int, event: f.OrderRested) -> None:
        self._rest(seq, event.at, self._open[event.order])

    def _rest(self, seq: int, at: Instant, life: Life) -> None:
        life.rests = True
        self._move(seq, at, life, life.left)

    def _filled(self, seq: int, event: f.Filled) -> None:
        board = self.boards[event.instrument]
        lives = [self._open.get(event.buy), self._open.get(event.sell)]
        if board.in_call and event.instrument not in self._standing:
            self._standing[event.instrument] = self._snapshot(event.instrument)
        taker = lives[0 if event.taker == "buy" else 1] if event.taker else None
        bid, ask = (taker.bid, taker.ask) if taker is not None else self._top(event.instrument)
        board.trades.append(_trade(seq, event, lives, bid, ask))
        board.last = event.price
        for life in lives:
            if life is not None:
                life.filled += event.grains
                self._less(seq, event.at, life, event.grains)

    def _less(self, seq: int, at: Instant, life: Life, grains: int) -> None:
        life.left -= grains
        if life.rests:
            self._move(seq, at, life, -grains)
        if not life.left:
            self._over(seq, at, life, "filled")

    def _reduced(self, seq: int, event: f.OrderReduced) -> None:
        life = self._open[event.order]
        self._less(seq, event.at, life, life.left - event.left)

    def _ended(self, seq: int, event: f.OrderEnded) -> None:
        life = self._open[event.order]
        if life.rests:
            self._move(seq, event.at, life, -life.left)
        self._over(seq, event.at, life, event.cause)

    def _over(self, seq: int, at: Instant, life: Life, cause: str) -> None:
        life.over, life.ended, life.cause = seq, at, cause
        del self._open[life.order.id]

    def _called(self, seq: int, event: f.CallOpened) -> None:
        board = self.boards[event.instrument]
        board.in_call = True
        if event.cause == "closing":
            board.closing = event.at
        self._quote(seq, event.at, event.instrument)

    def _uncrossed(self, seq: int, event: f.Uncrossed) -> None:
        board = self.boards[event.instrument]
        standing = self._standing.pop(event.instrument, ())
        if event.price is not None:
            reference = _middle(board)
            board.calls.append(Call(seq, event.at, event.price, reference, standing))
        board.in_call = event.until > 0
        self._quote(seq, event.at, event.instrument)

    # The book ------------------------------------------------------------------------

    def _move(self, seq: int, at: Instant, life: Life, grains: int) -> None:
        order = life.order
        if not order.request:
            self._ladders[order.instrument].add(order.side, order.price, grains)
            self._quote(seq, at, order.instrument)

    def _top(self, instrument: str) -> tuple[Amount, Amount]:
        if self.boards[instrument].in_call:
            return 0, 0
        ladder = self._ladders[instrument]
        return ladder.best("buy")[0], ladder.best("sell")[0]

    def _quote(self, seq: int, at: Instant, instrument: str) -> None:
        """The book as it is now; of several changes in one instant the last one stands."""
        board, ladder = self.boards[instrument], self._ladders[instrument]
        bid, ask = self._top(instrument)
        if board.quotes and board.quotes[-1].at == at:
            board.quotes.pop()
        board.quotes.append(
            Quote(seq, at, bid, ask, ladder.depth("buy"), ladder.depth("sell"))
            if bid and ask
            else Quote(seq, at, bid, ask, (), ())
        )

    def _snapshot(self, instrument: str) -> tuple[tuple[Life, int], ...]:
        return tuple(
            (life, life.left)
            for life in self._open.values()
            if life.order.instrument == instrument and life.rests and not life.order.request
        )


def _trade(seq: int, event: f.Filled, lives: list[Life | None], bid: Amount, ask: Amount) -> Trade:
    buy, sell = (0 if life is None else life.seq for life in lives)
    return Trade(
        seq=seq,
        at=event.at,
        instrument=event.instrument,
        price=event.price,
        grains=event.grains,
        buyer=event.buyer,
        seller=event.seller,
        buy=buy,
        sell=sell,
        taker=event.taker,
        bid=bid,
        ask=ask,
    )


def _middle(board: Board) -> Amount:
    """Where the price stood before the call: half-way in the last two-sided quote."""
    for quote in reversed(board.quotes):
        if quote.bid and quote.ask:
            return (quote.bid + quote.ask) // 2
    return board.instrument.price


FOLDS: dict[type[e.Event], Any] = {
    f.Listed: Tape._listed,
    f.OrderPlaced: Tape._placed,
    f.OrderRested: Tape._rested,
    f.Filled: Tape._filled,
    f.OrderReduced: Tape._reduced,
    f.OrderEnded: Tape._ended,
    f.CallOpened: Tape._called,
    f.Uncrossed: Tape._uncrossed,
}


def record(events: Iterable[e.Event], recent: Instant = 0) -> Tape:
    """The tape of events numbered from 1."""
    tape = Tape(recent)
    for seq, event in enumerate(events, 1):
        tape.feed(seq, event)
    return tape
