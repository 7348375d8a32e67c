"""Market rows: the exchange as the state has it, for one viewer, as plain data.

Rule: instruments are everybody's; orders, rights, quotes and who asks for one are seen by
whoever `sight` grants their account, and a quote by who asked for it too.
Invariant: prices leave as credits per lot, quantities as lots, money as credits: all text.
Worked number: 4 lots last traded at 3.1 read lots "4", price "3.1", value "12.4".
"""

from __future__ import annotations

from typing import Any

import msgspec

from allmende.core import ledger, orders, rights
from allmende.core.contracts import Instrument, QuoteRequest
from allmende.core.state import Listing, State, Working
from allmende.core.units import Instant, credits
from allmende.doors import lots, market_says, sight
from allmende.doors.plain import iso, outward
from allmende.doors.sight import Viewer

Row = dict[str, Any]


def instrument(state: State, listing: Listing, at: Instant) -> Row:
    """Every term of a contract, the same in sentences, and how it is doing."""
    one = listing.instrument
    issuer, bond = ledger.issuer_account(one.id), ledger.bond_account(one.id)
    out = -ledger.balance(state, issuer, one.id)
    return {
        **terms(one),
        "says": market_says.says(one),
        "phase": _phase(one, at),
        "bid": _best(listing, "buy"),
        "ask": _best(listing, "sell"),
        "last": lots.per_lot(listing.last, one.lot) if listing.last else None,
        "reference": lots.per_lot(listing.reference, one.lot),
        "call_until": iso(listing.call_until) if listing.call_until else None,
        "trades": listing.trades,
        "issued": lots.text(listing.issued, one.lot),
        "outstanding": lots.text(out, one.lot),
        "delivered": lots.text(listing.delivered, one.lot),
        "bond": credits(ledger.balance(state, bond, one.asset)),
        "bond_per_lot": credits(rights.bond_for(state, one, one.lot)),
        "plea": outward(msgspec.to_builtins(listing.plea)) if listing.plea else None,
    }


def terms(one: Instrument) -> Row:
    """The contract's data, as it was listed."""
    found: Row = outward(lots.outward(msgspec.to_builtins(one), one.lot))
    return found


def _phase(one: Instrument, at: Instant) -> str:
    if at < one.start:
        return "ahead"
    return "delivering" if at < one.end else "ended"


def _best(listing: Listing, side: str) -> str | None:
    price = orders.best_price(listing, side)
    return None if price is None else lots.per_lot(price, listing.instrument.lot)


def order(state: State, working: Working) -> Row:
    one, lot = working.order, state.listings[working.order.instrument].instrument.lot
    return {
        "id": one.id,
        "instrument": one.instrument,
        "account": one.account,
        "side": one.side,
        "price": lots.per_lot(one.price, lot),
        "lots": lots.text(one.grains, lot),
        "left": lots.text(working.left, lot),
        "at": iso(one.at),
        "until": iso(one.until),
        "session": one.session,
        "request": one.request,
    }


def own_orders(state: State, viewer: Viewer, instrument: str = "") -> list[Row]:
    """Orders in books that the viewer may see, as they came."""
    return [
        order(state, working)
        for working in state.orders.values()
        if not working.order.request
        and instrument in ("", working.order.instrument)
        and sight.member(state, viewer, working.order.account)
    ]


def own_rights(state: State, viewer: Viewer, at: Instant) -> list[Row]:
    """Rights by account, nearest expiry first: how many, what they are worth, until when."""
    found = sorted(state.listings.values(), key=lambda one: (one.instrument.end, one.instrument.id))
    return [
        _right(state, listing, account, at)
        for listing in found
        for account, grains in state.balances.get(listing.instrument.id, {}).items()
        if grains > 0 and sight.member(state, viewer, account)
    ]


def _right(state: State, listing: Listing, account: str, at: Instant) -> Row:
    one = listing.instrument
    grains = ledger.balance(state, account, one.id)
    free = ledger.available(state, account, one.id)
    price = listing.last or listing.reference
    return {
        "account": account,
        "instrument": one.id,
        "name": one.name,
        "model": one.model,
        "lots": lots.text(grains, one.lot),
        "held": lots.text(grains - free, one.lot),
        "available": lots.text(free, one.lot),
        "price": lots.per_lot(price, one.lot),
        "value": credits(grains * price),
        "start": iso(one.start),
        "end": iso(one.end),
        "phase": _phase(one, at),
    }


def requests(state: State, viewer: Viewer) -> list[Row]:
    """Open requests for quotes; who asks is named to whoever may see him."""
    return [_request(state, viewer, asked) for asked in state.requests.values()]


def _request(state: State, viewer: Viewer, asked: QuoteRequest) -> Row:
    mine = sight.member(state, viewer, asked.account)
    return {
        "id": asked.id,
        "instrument": asked.instrument,
        "lots": lots.text(asked.grains, state.listings[asked.instrument].instrument.lot),
        "until": iso(asked.until),
        **({"account": asked.account} if mine else {}),
    }


def quotes(state: State, viewer: Viewer, request: str = "") -> list[Row]:
    """Quotes that the viewer gave or asked for. `account` is told to whoever may see it."""
    found = []
    for working in state.orders.values():
        asked = state.requests.get(working.order.request)
        if asked is None or request not in ("", asked.id):
            continue
        row = order(state, working)
        given = sight.member(state, viewer, working.order.account)
        if not given:
            del row["account"]
        if given or sight.member(state, viewer, asked.account):
            found.append(row)
    return found


# From the read models -----------------------------------------------------------------


def trade(row: Row, lot: int) -> Row:
    """A line of the tape, as market_feed.line has it."""
    return {
        "number": row["number"],
        "trade": row["trade"],
        "at": iso(row["at"]),
        **_figures(row, lot),
        "taker": row["taker"],
    }


def candle(row: Row, lot: int) -> Row:
    """First, highest, lowest and last price of a span of time, and what traded in it."""
    prices = {name: lots.per_lot(int(row[name]), lot) for name in ("open", "high", "low", "close")}
    volume = lots.text(int(row["volume"]), lot)
    turnover = credits(int(row["turnover"]))
    return {
        "at": iso(row["at"]),
        **prices,
        "lots": volume,
        "turnover": turnover,
        "trades": row["trades"],
    }


def fill(row: Row, lot: int) -> Row:
    """One side of a trade, as its owner reads it."""
    same = ("number", "trade", "instrument", "account", "side", "order", "role")
    return {
        **{name: row[name] for name in same},
        "at": iso(row["at"]),
        **_figures(row, lot),
        "fee": credits(int(row["fee"])),
    }


def _figures(row: Row, lot: int) -> Row:
    price, grains = int(row["price"]), int(row["grains"])
    return {"price": lots.per_lot(price, lot), "lots": lots.text(grains, lot)}
