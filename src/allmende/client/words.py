"""Words: what the exchange answers, typed. Prices are credits per lot, quantities are lots."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

BUY, SELL = "buy", "sell"


class Failed(Exception):
    """Any no: the market's, with its `code`, or `unreachable` where none answered.

    `facts` are what the refusal carries beside its sentence, such as `missing` credits.
    """

    def __init__(self, code: str, sentence: str, facts: dict[str, Any], status: int = 0) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.facts = facts
        self.status = status


class Instrument(Struct, frozen=True):
    """A contract. `says` is what it promises, in sentences; `price` is what its bond secures."""

    id: str
    issuer: str
    title: str
    model: str
    kind: str
    name: str
    start: datetime
    end: datetime
    price: Decimal
    tick: Decimal
    step: Decimal
    capacity: Decimal
    outstanding: Decimal
    bond: Decimal
    says: tuple[str, ...]
    phase: str
    reference: Decimal
    trades: int
    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None
    call_until: datetime | None = None


class Clearing(Struct, frozen=True):
    """Where a running call would uncross now."""

    price: Decimal
    lots: Decimal
    imbalance: Decimal


class Depth(Struct, frozen=True):
    """The best levels of a book, as (price, lots), best first."""

    instrument: str
    seq: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]
    reference: Decimal
    last: Decimal | None = None
    call_until: datetime | None = None
    indicative: Clearing | None = None


class Trade(Struct, frozen=True):
    """A line of the tape. `taker` is the side that came last, "" in an auction."""

    number: int
    trade: int
    at: datetime
    price: Decimal
    lots: Decimal
    taker: str


class Tape(Struct, frozen=True):
    """Newest first. `before` goes on to what is older; None: there is nothing."""

    trades: tuple[Trade, ...]
    before: int | None = None


class Candle(Struct, frozen=True):
    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    lots: Decimal
    turnover: Decimal
    trades: int


class Order(Struct, frozen=True):
    """A working order. `left` of `lots` is not traded yet."""

    id: str
    instrument: str
    side: str
    price: Decimal
    lots: Decimal
    left: Decimal
    at: datetime
    until: datetime
    account: str = ""
    session: str = ""
    request: str = ""


class Fill(Struct, frozen=True):
    """One side of a trade of one's own. `role` is maker, taker or auction."""

    number: int
    at: datetime
    instrument: str
    account: str
    side: str
    order: str
    role: str
    price: Decimal
    lots: Decimal
    fee: Decimal


class Fills(Struct, frozen=True):
    fills: tuple[Fill, ...]
    before: int | None = None


class Right(Struct, frozen=True):
    """What an account holds of an instrument. `value` is credits at the last price."""

    account: str
    instrument: str
    name: str
    model: str
    lots: Decimal
    held: Decimal
    available: Decimal
    price: Decimal
    value: Decimal
    start: datetime
    end: datetime
    phase: str


class Request(Struct, frozen=True):
    """Somebody asks for quotes; `account` is told to whoever may see it."""

    id: str
    lots: Decimal
    until: datetime
    instrument: str = ""
    account: str = ""


class Balance(Struct, frozen=True):
    """Credit of an account: all of it, what is set aside, what is free."""

    account: str
    asset: str
    balance: Decimal
    held: Decimal
    available: Decimal


class Me(Struct, frozen=True):
    """Who a key is."""

    market: dict[str, Any]
    key: dict[str, Any]
    member: dict[str, Any]
    balances: tuple[Balance, ...]


class Traded(Struct, frozen=True):
    """A fill as the answer to an order has it."""

    price: Decimal
    lots: Decimal
    fee: Decimal = Decimal(0)


class Done(Struct, frozen=True):
    """What a command led to. `id` is the new thing's, where it named one."""

    events: tuple[dict[str, Any], ...]
    id: str = ""
    fills: tuple[Traded, ...] = field(default=())
