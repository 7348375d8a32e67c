"""Exchange: instruments, orders, trades, candles and claims as rows, folded from the journal.

Rule: what is rare (instruments, claims, settlements) is written as it is folded; orders,
trades and candles are gathered and written once a fold, each order as it stands at its end.
Invariant: the grains that an order filled are those of its trades, and a candle's volume is
that of the trades in its minute, but for those agreed on by a quote.
Worked number: a bid for 7 lots that takes 5 at 3.0 and 2 at 3.1 credits is one row of
`orders` (filled 7 lots, cost 21.2 credits, cause "filled"), two of `trades`, one candle.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct, structs

from allmende.core import exchange_events as x
from allmende.core.nouns import BOND, ISSUER
from allmende.core.units import MINUTE, Amount, Instant

FILLED = "filled"
"""The cause of an order's end that no event names."""
_ORDER = f"INSERT OR REPLACE INTO orders VALUES ({', '.join('?' * 17)})"
_TRADE = f"INSERT INTO trades VALUES ({', '.join('?' * 13)})"
_CANDLE = """
INSERT INTO candles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  high = max(high, excluded.high), low = min(low, excluded.low), close = excluded.close,
  volume = plus(volume, excluded.volume), turnover = plus(turnover, excluded.turnover),
  trades = trades + excluded.trades"""


class Order(Struct):
    """A row of `orders`, in the order of its columns."""

    number: int
    changed: int
    id: str
    at: Instant
    instrument: str
    account: str
    side: str
    price: Amount
    grains: int
    until: Instant
    session: str
    request: str
    left: int
    filled: int = 0
    cost: str = "0"
    ended: Instant | None = None
    cause: str | None = None


class Candle(Struct):
    """What one fold adds to one minute of one instrument."""

    open: Amount
    high: Amount
    low: Amount
    close: Amount
    volume: int = 0
    turnover: Amount = 0
    trades: int = 0


class Exchange:
    """Filled event by event, then written once."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._orders: dict[str, Order] = {}
        """The last order of each id; an id may come again when its order is over."""
        self._touched: dict[int, Order] = {}
        self._trades: list[tuple[object, ...]] = []
        self._candles: dict[tuple[str, Instant], Candle] = {}

    def write(self) -> None:
        db = self._db
        db.executemany(_ORDER, [structs.astuple(order) for order in self._touched.values()])
        db.executemany(_TRADE, self._trades)
        rows = [
            (*key, c.open, c.high, c.low, c.close, str(c.volume), str(c.turnover), c.trades)
            for key, c in self._candles.items()
        ]
        db.executemany(_CANDLE, rows)

    # --- orders and trades ---------------------------------------------------------------

    def placed(self, number: int, event: x.OrderPlaced) -> None:
        order = event.order
        row = Order(
            *(number, number, order.id, event.at, order.instrument, order.account, order.side),
            *(order.price, order.grains, order.until, order.session, order.request, order.grains),
        )
        self._orders[order.id] = self._touched[number] = row

    def reduced(self, number: int, event: x.OrderReduced) -> None:
        self._changed(number, event.order).left = event.left

    def ended(self, number: int, event: x.OrderEnded) -> None:
        order = self._changed(number, event.order)
        order.ended, order.cause = event.at, event.cause

    def filled(self, number: int, event: x.Filled) -> None:
        for id_ in (event.buy, event.sell):
            if id_:  # who takes a quote has no order
                self._fill(self._changed(number, id_), event)
        self._trades.append(
            (
                *(number, event.number, event.at, event.instrument, event.asset, event.price),
                *(event.grains, event.buyer, event.seller, event.buy, event.sell, event.taker),
                str(event.fee),
            )
        )
        if event.buy and event.sell:  # what two agree on outside the book marks nothing
            self._tick(event)

    def _fill(self, order: Order, event: x.Filled) -> None:
        order.left -= event.grains
        order.filled += event.grains
        order.cost = str(int(order.cost) + event.price * event.grains)
        if not order.left:
            order.ended, order.cause = event.at, FILLED

    def _tick(self, event: x.Filled) -> None:
        price, key = event.price, (event.instrument, event.at - event.at % MINUTE)
        candle = self._candles.get(key)
        if candle is None:
            candle = self._candles[key] = Candle(price, price, price, price)
        candle.high, candle.low = max(candle.high, price), min(candle.low, price)
        candle.close = price
        candle.volume += event.grains
        candle.turnover += price * event.grains
        candle.trades += 1

    def _changed(self, number: int, id_: str) -> Order:
        """The order of this id as it stands: gathered here, or written before."""
        order = self._orders.get(id_)
        if order is None:
            query = "SELECT * FROM orders WHERE id = ? ORDER BY number DESC LIMIT 1"
            order = self._orders[id_] = Order(*self._db.execute(query, (id_,)).fetchone())
        order.changed = number
        self._touched[order.number] = order
        return order

    # --- instruments ---------------------------------------------------------------------

    def listed(self, number: int, event: x.Listed) -> None:
        new = event.instrument
        self._db.execute(
            "INSERT INTO instruments (id, number, at, issuer, title, model, kind, settlement,"
            ' asset, start, "end", name, terms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
            (
                *(new.id, number, event.at, new.issuer, new.title, new.model, new.kind),
                *(new.settlement, new.asset, new.start, new.end, new.name, _json(new)),
            ),
        )

    def minted(self, number: int, event: x.LotsMinted) -> None:
        self._issue(event.instrument, event.grains)

    def retired(self, number: int, event: x.LotsRetired) -> None:
        self._issue(event.instrument, -event.grains)

    def _issue(self, instrument: str, grains: int) -> None:
        query = "UPDATE instruments SET issued = issued + ? WHERE id = ?"
        self._db.execute(query, (grains, instrument))

    def settled(self, number: int, event: x.InstrumentSettled) -> None:
        expired = self._settle(number, event, "window", event.instrument)
        self._db.execute(
            "UPDATE instruments SET settled = ?, figure = ?, resale = ?, defaulted = ?,"
            " expired = ? WHERE id = ?",
            (
                *(event.at, event.figure, event.resale, _json(event.defaulted), expired),
                event.instrument,
            ),
        )

    # --- claims --------------------------------------------------------------------------

    def claimed(self, number: int, event: x.Claimed) -> None:
        claim = event.claim
        self._db.execute(
            "INSERT INTO claims VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
            (
                *(number, claim.id, event.at, claim.instrument, claim.account, claim.grains),
                *(str(claim.stake), claim.due),
            ),
        )

    def claim_settled(self, number: int, event: x.ClaimSettled) -> None:
        query = "SELECT number, instrument FROM claims WHERE id = ? AND settled IS NULL"
        row, instrument = self._db.execute(query, (event.claim,)).fetchone()
        change = "UPDATE claims SET settled = ?, upheld = ? WHERE number = ?"
        self._db.execute(change, (event.at, event.upheld, row))
        self._issue(instrument, -self._settle(number, event, "claim", instrument))

    def _settle(
        self, number: int, event: x.ClaimSettled | x.InstrumentSettled, kind: str, instrument: str
    ) -> int:
        """A row for each member that it took or brought something; the grains that went back."""
        assets: dict[str, str] = {}
        grains: dict[str, int] = {}
        amounts: dict[str, Amount] = {}
        for account, asset, amount in event.lines:
            if account.startswith((ISSUER, BOND)):
                continue
            into = grains if asset == instrument else amounts
            into[account] = into.get(account, 0) + amount
            if asset != instrument:
                assets[account] = asset
        rows = [
            (
                *(account, number, event.at, kind, instrument, assets.get(account, "")),
                *(str(grains.get(account, 0)), str(amounts.get(account, 0))),
            )
            for account in sorted({*grains, *amounts})
        ]
        self._db.executemany("INSERT INTO settlements VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        return -sum(grains.values())


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


EXCHANGE: dict[type, Callable[[Exchange, int, Any], None]] = {
    x.Listed: Exchange.listed,
    x.LotsMinted: Exchange.minted,
    x.LotsRetired: Exchange.retired,
    x.OrderPlaced: Exchange.placed,
    x.OrderReduced: Exchange.reduced,
    x.OrderEnded: Exchange.ended,
    x.Filled: Exchange.filled,
    x.InstrumentSettled: Exchange.settled,
    x.Claimed: Exchange.claimed,
    x.ClaimSettled: Exchange.claim_settled,
}
