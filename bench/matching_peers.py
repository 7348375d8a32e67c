"""Peers' order books on the stated flow: `python matching_peers.py NAME FLOW.npy TRADES.npy FILL`.

Rule: runs under the Python of bench/.env/matching and imports nothing of ours. Every book gets
its calls prepared in its own form; only making them is timed. Where a book tells its trades,
having them in Python is part of the time.
Invariant: one line of JSON: seconds of CPU for all events after the first FILL, and whether
the outcome was the oracle's: the same trades, or else the same best prices and orders left.
Worked number: a million events in 0.5 s are 2 million a second.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

BUY, SELL, CANCEL = 0, 1, 4
"""As allmende.lab.matching.terms, which is not installed here."""

Event = tuple[int, int, int, int]
Trade = tuple[int, int, int, int]
Call = tuple[Callable[..., Any], tuple[Any, ...]]


class Task:
    """The events, how many of them only fill the book, and what is to come of them."""

    def __init__(self, flow: str, trades: str, fill: int) -> None:
        self.events: list[Event] = np.load(flow).tolist()
        self.trades: list[Trade] = np.load(trades).tolist()
        self.fill = fill

    def timed(self, calls: Sequence[Any], play: Callable[[Sequence[Any]], object]) -> float:
        """Seconds of CPU for the calls that do not only fill the book."""
        play(calls[: self.fill])
        rest = calls[self.fill :]
        gc.collect()
        began = time.process_time()
        play(rest)
        return time.process_time() - began

    def left(self) -> dict[int, Event]:
        """The orders that rest in the end: (side, id, tick, grains left) by id."""
        left = {event[1]: event[3] for event in self.events if event[0] != CANCEL}
        for maker, taker, _, grains in self.trades:
            left[maker] -= grains
            left[taker] -= grains
        gone = {event[1] for event in self.events if event[0] == CANCEL}
        return {
            id_: (kind, id_, tick, left[id_])
            for kind, id_, tick, _ in self.events
            if kind != CANCEL and left[id_] and id_ not in gone
        }

    def best(self) -> tuple[int, int]:
        """The highest bid and the lowest ask in the end."""
        left = self.left().values()
        return max(e[2] for e in left if e[0] == BUY), min(e[2] for e in left if e[0] == SELL)


def _play(calls: Sequence[Call]) -> None:
    for call, words in calls:
        call(*words)


def bourse(task: Task) -> tuple[float, bool]:
    """Its clock must move with every event, or it drops orders; its ids count its orders."""
    from bourse import core

    book = core.OrderBook(0, 1, True)
    ids = [event[1] for event in task.events if event[0] != CANCEL]
    numbers = {id_: number for number, id_ in enumerate(ids)}
    calls: list[tuple[int, Callable[..., Any], tuple[Any, ...]]] = []
    for at, (kind, id_, tick, grains) in enumerate(task.events):
        if kind == CANCEL:
            calls.append((at, book.cancel_order, (numbers[id_],)))
        else:
            calls.append((at, book.place_order, (kind == BUY, grains, 0, tick)))

    def play(part: Sequence[Any]) -> None:
        set_time = book.set_time
        for at, call, words in part:
            set_time(at)
            call(*words)

    seconds = task.timed(calls, play)
    told = [(ids[maker], ids[taker], *rest) for _, _, *rest, taker, maker in book.get_trades()]
    return seconds, told == task.trades


def limit_order_book(task: Task) -> tuple[float, bool]:
    from limit_order_book import LimitOrderBook

    book = LimitOrderBook()
    calls: list[Call] = []
    for kind, id_, tick, grains in task.events:
        if kind == CANCEL:
            calls.append((book.cancel, (id_,)))
        else:
            calls.append((book.limit_buy if kind == BUY else book.limit_sell, (id_, grains, tick)))
    seconds = task.timed(calls, _play)
    same = (book.best_buy(), book.best_sell()) == task.best()
    return seconds, same and book.count() == len(task.left())


def liquibook(task: Task) -> tuple[float, bool]:
    """With a listener, who must hear of everything to hear of fills."""
    import liquibook as module

    told: list[Trade] = []
    ids: dict[int, int] = {}

    def on_fill(_: Any, taker: Any, maker: Any, grains: int, price: int) -> None:
        told.append((ids[maker.order_id_], ids[taker.order_id_], price, grains))

    def ignore(*_: Any) -> None:
        """Each of its callbacks must exist."""

    other = "accept reject cancel cancel_reject replace replace_reject trigger_stop".split()
    body = {"on_fill": on_fill, **{f"on_{name}": ignore for name in other}}
    listener = type("Listener", (module.OrderListener,), body)()
    book = module.DepthOrderBook()
    book.set_order_listener(listener)
    seconds = task.timed(_liquibook_calls(task, book, ids), _play)
    return seconds, told == task.trades


def liquibook_deaf(task: Task) -> tuple[float, bool]:
    """With no listener: nobody hears of a trade."""
    import liquibook as module

    book = module.DepthOrderBook()
    seconds = task.timed(_liquibook_calls(task, book, {}), _play)
    depth = book.depth()
    return seconds, (depth.bids().price(), depth.asks().price()) == task.best()


def _liquibook_calls(task: Task, book: Any, ids: dict[int, int]) -> list[Call]:
    import liquibook as module

    calls: list[Call] = []
    made: dict[int, Any] = {}
    for kind, id_, tick, grains in task.events:
        if kind != CANCEL:
            made[id_] = module.SimpleOrder(kind == BUY, tick, grains, 0, 0)
            ids[made[id_].order_id_] = id_
        calls.append((book.cancel if kind == CANCEL else book.add, (made[id_],)))
    return calls


def lightmatchingengine(task: Task) -> tuple[float, bool]:
    """Its ids count its orders, from 1. It tells a taker's trade before its makers'."""
    from lightmatchingengine.lightmatchingengine import LightMatchingEngine

    engine = LightMatchingEngine()
    ids = [event[1] for event in task.events if event[0] != CANCEL]
    numbers = {id_: number for number, id_ in enumerate(ids, 1)}
    calls: list[Call] = []
    for kind, id_, tick, grains in task.events:
        if kind == CANCEL:
            calls.append((engine.cancel_order, (numbers[id_], "x")))
        else:
            calls.append((engine.add_order, ("x", tick, grains, 1 if kind == BUY else 2)))
    made: list[tuple[Any, list[Any]]] = []

    def play(part: Sequence[Call]) -> None:
        for call, words in part:
            answer = call(*words)
            if type(answer) is tuple and answer[1]:
                made.append(answer)

    seconds = task.timed(calls, play)
    told = [
        (ids[trade.order_id - 1], ids[order.order_id - 1], trade.trade_price, trade.trade_qty)
        for order, trades in made
        for trade in trades
        if trade.order_id != order.order_id
    ]
    return seconds, told == task.trades


def nautilus_trader(task: Task) -> tuple[float, bool]:
    """A book that is told what happened and matches nothing: what each trade took away is
    an update or a deletion. The objects it is told with are made beforehand."""
    from nautilus_trader.model.book import OrderBook
    from nautilus_trader.model.enums import BookType
    from nautilus_trader.model.identifiers import InstrumentId

    book = OrderBook(InstrumentId.from_str("A.B"), BookType.L3_MBO)
    every = _nautilus_calls(task, book)
    seconds = task.timed(every, lambda part: [_play(calls) for calls in part])
    best = int(book.best_bid_price()), int(book.best_ask_price())
    resting = sum(len(level.orders()) for level in (*book.bids(), *book.asks()))
    return seconds, best == task.best() and resting == len(task.left())


def _nautilus_calls(task: Task, book: Any) -> list[list[Call]]:
    """What each event of the flow changes."""
    from nautilus_trader.model.data import BookOrder
    from nautilus_trader.model.enums import OrderSide
    from nautilus_trader.model.objects import Price, Quantity

    sides = {BUY: OrderSide.BUY, SELL: OrderSide.SELL}
    standing: dict[int, list[int]] = {}
    hits: dict[int, list[Trade]] = {}
    for trade in task.trades:
        hits.setdefault(trade[1], []).append(trade)

    def told(call: Callable[..., Any], id_: int) -> Call:
        side, tick, left = standing[id_]
        return call, (BookOrder(sides[side], Price(tick, 0), Quantity(max(left, 1), 0), id_), 0)

    every = []
    for kind, id_, tick, grains in task.events:
        if kind == CANCEL:
            every.append([told(book.delete, id_)])
            continue
        calls = []
        for maker, _, _, taken in hits.get(id_, ()):
            standing[maker][2] -= taken
            grains -= taken
            calls.append(told(book.update if standing[maker][2] else book.delete, maker))
        if grains:
            standing[id_] = [kind, tick, grains]
            calls.append(told(book.add, id_))
        every.append(calls)
    return every


BOOKS = (
    bourse,
    limit_order_book,
    nautilus_trader,
    liquibook,
    liquibook_deaf,
    lightmatchingengine,
)


def main(name: str, flow: str, trades: str, fill: str) -> None:
    books = {book.__name__: book for book in BOOKS}
    seconds, same = books[name](Task(flow, trades, int(fill)))
    print(json.dumps({"seconds": seconds, "same": bool(same)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
