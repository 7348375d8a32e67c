"""Queries about the exchange: instruments and who stands for them, tape, candles, own business.

Rule: the tape names nobody; orders, fills, claims and settlements are asked for by account.
Invariant: prices, grains and money are decimal text: pico-credits a grain, grains, pico-credits.
Worked number: trades of 2 lots at 31_000 and 1 at 32_000 in one minute are one candle with
open "31000", close "32000", volume "300000000" and turnover "9400000000000".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allmende.adapters.views_select import (
    Query,
    Select,
    Where,
    exact,
    ids,
    needed,
    sets,
    texts,
    wholes,
    within,
)
from allmende.core.nouns import BOND, ISSUER
from allmende.core.refusals import Refused, Why
from allmende.core.units import SECOND

_MINUTE_S = 60
_LAST = "SELECT {} FROM trades WHERE instrument = i.id{} ORDER BY number DESC LIMIT 1"
_BOOK = " AND buy <> '' AND sell <> ''"
"""A quote that was taken has an order on one side only, and marks no price."""
_BALANCE = (
    "COALESCE((SELECT balance FROM balances WHERE account = '{}' || i.id AND asset = i.{}"
    " ORDER BY hour DESC LIMIT 1), '0')"
)
_OUTSTANDING = f"ltrim({_BALANCE.format(ISSUER, 'id')}, '-')"
_BOND = _BALANCE.format(BOND, "asset")


def _text(*names: str, prefix: str = "") -> dict[str, str]:
    """Columns of integers as decimal text."""
    return {name: f'CAST({prefix}"{name}" AS TEXT)' for name in names}


def _plain(*names: str, prefix: str = "") -> dict[str, str]:
    return {name: f'{prefix}"{name}"' for name in names}


# Instruments --------------------------------------------------------------------------

_INSTRUMENT = {
    **_plain("id", "number", "at", "issuer", "title", "model", "kind", prefix="i."),
    **_plain("settlement", "asset", "start", "end", "name", "terms", prefix="i."),
    "capacity": "CAST(json_extract(i.terms, '$.capacity') AS TEXT)",
    **_text("issued", "expired", prefix="i."),
    "outstanding": _OUTSTANDING,
    "delivered": f"CAST(i.issued - i.expired - CAST({_OUTSTANDING} AS INTEGER) AS TEXT)",
    "bond": _BOND,
    **_plain("settled", prefix="i."),
    **_text("figure", "resale", prefix="i."),
    **_plain("defaulted", prefix="i."),
    "last": f"CAST(({_LAST.format('price', _BOOK)}) AS TEXT)",
    "trades": f"COALESCE(({_LAST.format('trade', '')}), 0)",
}
"""`issued` counts what was minted and not taken back; a settled one's bond is paid out."""
_PARTIES = ("id", "issuer", "title", "model", "kind", "settlement", "asset")


def _instruments(given: Mapping[str, Any]) -> Select:
    where = Where(given).equal(*_PARTIES, prefix="i.").before("i.number")
    if "live" in given:
        where.add("(i.settled IS NULL) = :live", live=given["live"])
    rest = f"FROM instruments i {where} ORDER BY i.number DESC {where.limit()}"
    return Select(_INSTRUMENT, rest, where.values, frozenset({"terms", "defaulted"}))


def _issuers(given: Mapping[str, Any]) -> Select:
    """One row per issuer and asset: what it lists, what failed, what its bonds are worth."""
    where = Where(given).equal("issuer", "asset", prefix="i.")
    columns = {
        **_plain("issuer", "asset"),
        "live": "SUM(settled IS NULL)",
        "settled": "SUM(settled IS NOT NULL)",
        "defaulted": "SUM(defaulted <> '[]')",
        "bond": exact("bond"),
    }
    each = f"(SELECT i.issuer, i.asset, i.settled, i.defaulted, {_BOND} AS bond FROM instruments i"
    rest = f"FROM {each} {where}) GROUP BY issuer, asset ORDER BY issuer, asset"
    return Select(columns, rest, where.values)


# Trades -------------------------------------------------------------------------------


def _tape(given: Mapping[str, Any]) -> Select:
    where = Where(given).equal("instrument").between("at").before("number")
    columns = {
        **_plain("number", "trade", "at", "instrument", "asset"),
        **_text("price", "grains"),
        "taker": "taker",
        "quote": "buy = '' OR sell = ''",
    }
    rest = f"FROM trades {where} ORDER BY number DESC {where.limit()}"
    return Select(columns, rest, where.values)


def _candles(given: Mapping[str, Any]) -> Select:
    """Newest first. `seconds` is whole minutes; a bucket begins at a multiple of them."""
    needed(given, "instrument")
    seconds = given.get("seconds", _MINUTE_S)
    if seconds < _MINUTE_S or seconds % _MINUTE_S:
        raise Refused(Why.BAD_VALUE, "seconds is a whole number of minutes, from 60 on.")
    where = Where(given).equal("instrument").between("minute").before("minute")
    where.values["size"] = seconds * SECOND
    grouped = (
        "(SELECT minute - minute % :size AS at, MIN(minute) AS first, MAX(minute) AS last,"
        " MAX(high) AS high, MIN(low) AS low, SUM(trades) AS trades,"
        f" {exact('volume')} AS volume, {exact('turnover')} AS turnover"
        f" FROM candles {where} GROUP BY minute - minute % :size"
        f" ORDER BY at DESC {where.limit()})"
    )
    columns = {
        "at": "g.at",
        "open": "CAST(o.open AS TEXT)",
        **_text("high", "low", prefix="g."),
        "close": "CAST(c.close AS TEXT)",
        **_plain("volume", "turnover", "trades", prefix="g."),
    }
    ends = "o.instrument = :instrument AND c.instrument = :instrument"
    rest = (
        f"FROM {grouped} g JOIN candles o ON o.minute = g.first JOIN candles c"
        f" ON c.minute = g.last WHERE {ends} ORDER BY g.at DESC"
    )
    return Select(columns, rest, where.values)


# One's own ----------------------------------------------------------------------------


def _accounts(given: Mapping[str, Any]) -> str:
    """The accounts asked about, as a JSON array. Refused without any."""
    needed(given, "account", "accounts")
    one, several = given.get("account"), given.get("accounts")
    if one is None:
        return ids(several or ())
    return ids({one} if several is None else {one} & set(several))


_ORDER = {
    **_plain("number", "changed", "id", "at", "instrument", "account", "side"),
    **_text("price", "grains", "left", "filled"),
    **_plain("cost", "until", "session", "request", "ended", "cause"),
}


def _orders(given: Mapping[str, Any]) -> Select:
    """`cost` is pico-credits of all fills; `live` those that still work, or those that do not."""
    narrow = Where(given).equal("instrument", "id", "request").before("number")
    if "live" in given:
        narrow.add("ended IS NULL" if given["live"] else "ended IS NOT NULL")
    narrow.values["accounts"] = _accounts(given)
    newest = f"ORDER BY number DESC {narrow.limit()}"
    picks = (
        "SELECT p.number FROM json_each(:accounts) JOIN orders p ON p.number IN (SELECT number"
        f" FROM orders WHERE account = value{narrow.also()} {newest})"
    )
    rest = f"FROM orders WHERE number IN ({picks}) {newest}"
    return Select(_ORDER, rest, narrow.values)


def _fills(given: Mapping[str, Any]) -> Select:
    """One row per side: a trade between two of the accounts comes twice, the buyer's first."""
    narrow = Where(given).equal("instrument").before("number")
    if "order" in given:
        narrow.add("(buy = :order OR sell = :order)", order=given["order"])
    narrow.values["accounts"] = _accounts(given)
    newest = f"ORDER BY number DESC {narrow.limit()}"
    picks = " UNION ALL ".join(
        f"SELECT t.*, '{side}' AS side, t.{party} AS account, t.{side} AS \"order\" FROM"
        f" json_each(:accounts) JOIN trades t ON t.number IN (SELECT number FROM trades"
        f" WHERE {party} = value{narrow.also()} {newest})"
        for side, party in (("buy", "buyer"), ("sell", "seller"))
    )
    columns = {
        **_plain("number", "trade", "at", "instrument", "asset", "account", "side", "order"),
        **_text("price", "grains"),
        "fee": "CASE WHEN taker = side THEN fee ELSE '0' END",
        "role": "CASE taker WHEN '' THEN 'auction' WHEN side THEN 'taker' ELSE 'maker' END",
    }
    rest = f"FROM ({picks}) ORDER BY number DESC, side {narrow.limit()}"
    return Select(columns, rest, narrow.values)


def _claims(given: Mapping[str, Any]) -> Select:
    where = Where(given).equal("instrument", "account").among("account", "accounts")
    where.before("number")
    columns = {
        **_plain("number", "id", "at", "instrument", "account"),
        **_text("grains"),
        **_plain("stake", "due", "settled", "upheld"),
    }
    rest = f"FROM claims {where} ORDER BY number DESC {where.limit()}"
    return Select(columns, rest, where.values)


def _settlements(given: Mapping[str, Any]) -> Select:
    """What a window's end (`window`) or a claim took (negative) or brought, per account."""
    where = Where(given).equal("instrument", "kind").before("number")
    where.add(within("account", "accounts"), accounts=_accounts(given))
    columns = _plain("number", "at", "account", "kind", "instrument", "asset", "grains", "amount")
    rest = f"FROM settlements {where} ORDER BY number DESC, account {where.limit()}"
    return Select(columns, rest, where.values)


_PAGE = wholes("before", "limit")
_WHOSE = {**texts("account", "instrument"), **sets("accounts"), **_PAGE}

MARKET = {
    "instruments": Query({**texts(*_PARTIES), **wholes("live"), **_PAGE}, _instruments),
    "issuers": Query(texts("issuer", "asset"), _issuers),
    "tape": Query({**texts("instrument"), **wholes("since", "until"), **_PAGE}, _tape),
    "candles": Query(
        {**texts("instrument"), **wholes("seconds", "since", "until"), **_PAGE}, _candles
    ),
    "orders": Query({**_WHOSE, **texts("id", "request"), **wholes("live")}, _orders),
    "fills": Query({**_WHOSE, **texts("order")}, _fills),
    "claims": Query(_WHOSE, _claims),
    "settlements": Query({**_WHOSE, **texts("kind")}, _settlements),
}
