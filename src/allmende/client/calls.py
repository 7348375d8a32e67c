"""Calls: everything that can be asked, as data; the two shells carry it there and back.

Rule: a call is a request and how to read its answer; it does no I/O, so there is one of
each, and not one for each kind of I/O.
Invariant: whatever a call does, it does once: it has an idempotency key from the start.
Worked number: buy("december", "1.5", "3.1") is POST /api/place_order with lots "1.5" and
price "3.1", read as a `Done` with its fills.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import quote as escaped
from urllib.parse import urlencode

import msgspec
from msgspec import structs

import allmende.client.words as w

T = TypeVar("T")
Number: TypeAlias = Decimal | int | str
"""An exact number; a float is none."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """`read` takes the body of a good answer."""

    method: str
    target: str
    read: Callable[[bytes], T]
    body: bytes = b""
    idem: str = ""

    def answer(self, body: bytes) -> T:
        """What a good answer's body says. Raises Failed if it does not say that."""
        try:
            return self.read(body)
        except msgspec.MsgspecError as error:
            sentence = f"The server's answer to {self.target} is not the exchange's: {error}."
            raise w.Failed("unreadable", sentence, {}) from None


# Looking ------------------------------------------------------------------------------


def me() -> Call[w.Me]:
    """Who this key is, and what its member has."""
    return _get("me", w.Me)


def balances() -> Call[list[w.Balance]]:
    """Credit of every account that the key sees."""
    return _get("balances", list[w.Balance])


def instruments() -> Call[list[w.Instrument]]:
    return _get("instruments", list[w.Instrument])


def instrument(id_: str) -> Call[w.Instrument]:
    return _get(f"instruments/{_part(id_)}", w.Instrument)


def depth(id_: str, levels: int = 10) -> Call[w.Depth]:
    """The best levels of a book; to follow it, see `follow`."""
    return _get(f"instruments/{_part(id_)}/book", w.Depth, depth=levels)


def tape(id_: str, before: int | None = None, limit: int = 50) -> Call[w.Tape]:
    """Trades, newest first."""
    return _get(f"instruments/{_part(id_)}/tape", w.Tape, before=before, limit=limit)


def candles(id_: str, seconds: int = 3_600, limit: int = 50) -> Call[list[w.Candle]]:
    """Prices by time, newest first; `seconds` is whole minutes."""
    return _get(f"instruments/{_part(id_)}/candles", list[w.Candle], seconds=seconds, limit=limit)


def orders(instrument: str = "") -> Call[list[w.Order]]:
    """Own orders that work."""
    return _get("orders", list[w.Order], instrument=instrument)


def fills(instrument: str = "", before: int | None = None, limit: int = 50) -> Call[w.Fills]:
    """What was bought and sold, newest first."""
    return _get("fills", w.Fills, instrument=instrument, before=before, limit=limit)


def rights() -> Call[list[w.Right]]:
    """What is held of each instrument, nearest expiry first."""
    return _get("rights", list[w.Right])


def requests() -> Call[list[w.Request]]:
    """Who asks for quotes now."""
    return _get("requests", list[w.Request])


def quotes(request: str = "") -> Call[list[w.Order]]:
    """Quotes that were given to us, or by us."""
    return _get("quotes", list[w.Order], request=request)


# Trading ------------------------------------------------------------------------------


def buy(instrument: str, lots: Number, price: Number, **more: Any) -> Call[w.Done]:
    """A limit order. `more`: term (good, ioc, fok, post), until, account, session, guard, id."""
    return order(w.BUY, instrument, lots, price, **more)


def sell(instrument: str, lots: Number, price: Number, **more: Any) -> Call[w.Done]:
    """As buy."""
    return order(w.SELL, instrument, lots, price, **more)


def market_buy(instrument: str, lots: Number, protection: Number, **more: Any) -> Call[w.Done]:
    """What can be had now at `protection` a lot or less; the rest is cancelled."""
    return order(w.BUY, instrument, lots, protection, term="ioc", **more)


def market_sell(instrument: str, lots: Number, protection: Number, **more: Any) -> Call[w.Done]:
    """What can be sold now at `protection` a lot or more; the rest is cancelled."""
    return order(w.SELL, instrument, lots, protection, term="ioc", **more)


def order(side: str, instrument: str, lots: Number, price: Number, **more: Any) -> Call[w.Done]:
    """Any order; see buy."""
    return do("place_order", instrument=instrument, side=side, lots=lots, price=price, **more)


def amend(id_: str, lots: Number, price: Number) -> Call[w.Done]:
    """Fewer lots at the same price keep their place in the queue."""
    return do("amend_order", id=id_, lots=lots, price=price)


def cancel(id_: str) -> Call[w.Done]:
    return do("cancel_order", id=id_)


def cancel_all(instrument: str = "", **more: Any) -> Call[w.Done]:
    """All orders of the key's member, or of one instrument. `more`: account, session."""
    return do("cancel_orders", instrument=instrument, **more)


def request_quotes(instrument: str, lots: Number, until: datetime) -> Call[w.Done]:
    return do("request_quotes", instrument=instrument, lots=lots, until=until)


def quote(request: str, side: str, price: Number, **more: Any) -> Call[w.Done]:
    """Answer a request; `side` is what we would do."""
    return do("quote", request=request, side=side, price=price, **more)


def accept(id_: str) -> Call[w.Done]:
    """Take a quote."""
    return do("accept_quote", id=id_)


def do(command: str, *, idem: str = "", **fields: Any) -> Call[w.Done]:
    """Any command of the market. With an `idem` of one's own it can be sent again later."""
    body = msgspec.json.encode({name: _written(name, value) for name, value in fields.items()})
    return Call("POST", f"/api/{command}", _done, body, idem or secrets.token_hex(16))


# In and out ---------------------------------------------------------------------------


def _get(path: str, kind: type[T], **query: object) -> Call[T]:
    told = urlencode({name: value for name, value in query.items() if value not in (None, "")})
    read = msgspec.json.Decoder(kind).decode
    return Call("GET", f"/api/{path}" + (f"?{told}" if told else ""), read)


def _part(id_: str) -> str:
    return escaped(id_, safe="")


def _written(name: str, value: Any) -> Any:
    """Exact numbers as decimal text, instants in UTC. TypeError for a float."""
    if isinstance(value, float):
        raise TypeError(f"{name} is exact: a text, Decimal or int, and not the float {value!r}.")
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int) and name in ("lots", "price"):
        return str(value)
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _done(body: bytes) -> w.Done:
    done = msgspec.json.decode(body, type=w.Done)
    filled = [event for event in done.events if event.get("type") == "filled"]
    return structs.replace(done, fills=tuple(msgspec.convert(filled, list[w.Traded])))
