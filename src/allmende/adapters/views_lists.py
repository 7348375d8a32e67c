"""Queries that list who and what a market has: members to parameters, and movements.

Rule: each row of LISTS is a table, its columns, its filters and its order.
Invariant: no list shows what the tables do not hold: hashes, secrets, addresses.
Worked number: `offers` of a market where one offer was posted twice shows 1 row, and
`offer_history` of that offer 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allmende.adapters.views_select import (
    Query,
    Select,
    Where,
    ids,
    needed,
    sets,
    texts,
    wholes,
    within,
)

_OFFER = (
    *("offer", "number", "at", "until", "withdrawn", "provider", "title", "model", "asset"),
    *("country", "operator", "parent", "parent_country", "terms"),
)


def _list(
    table: str, columns: tuple[str, ...], filters: Mapping[str, type], order: str, *json: str
) -> Query:
    """All rows of a table that match the filters."""

    def select(given: Mapping[str, Any]) -> Select:
        where = Where(given).equal(*filters)
        named = {name: f'"{name}"' for name in columns}
        return Select(
            named, f"FROM {table} {where} ORDER BY {order}", where.values, frozenset(json)
        )

    return Query(filters, select)


def _keys(given: Mapping[str, Any]) -> Select:
    where = Where(given).equal("id", "member", "budget", "role")
    if "live" in given:
        where.add("(revoked IS NULL) = :live", live=given["live"])
    names = ("id", "member", "role", "budget", "name", "models", "max_rate", "per_minute")
    columns = {name: name for name in (*names, "expires", "at", "revoked")}
    rest = f"FROM keys {where} ORDER BY id"
    return Select(columns, rest, where.values, frozenset({"models"}))


def _permits(given: Mapping[str, Any]) -> Select:
    where = Where(given).equal("member", "lane", "budget").among("member", "accounts")
    if "live" in given:
        where.add("(ended IS NULL) = :live", live=given["live"])
    names = ("number", "at", "member", "lane", "key", "limit", "models", "expires", "budget")
    columns = {name: f'"{name}"' for name in (*names, "base", "vouched", "ended")}
    rest = f"FROM permits {where} ORDER BY number DESC"
    return Select(columns, rest, where.values, frozenset({"models"}))


def _offers(given: Mapping[str, Any]) -> Select:
    where = Where(given).equal("provider", "model", "title", "asset", "country")
    where.add("(until IS NULL) = :standing", standing=given.get("standing", 1))
    columns = {name: name for name in _OFFER}
    rest = f"FROM offers {where} ORDER BY model, offer, number"
    return Select(columns, rest, where.values, frozenset({"terms"}))


def _offer_history(given: Mapping[str, Any]) -> Select:
    needed(given, "offer")
    where = Where(given).equal("offer")
    columns = {name: name for name in _OFFER}
    rest = f"FROM offers {where} ORDER BY number"
    return Select(columns, rest, where.values, frozenset({"terms"}))


def _movements(given: Mapping[str, Any]) -> Select:
    where = Where(given).equal("kind", "asset").before("number")
    if "account" in given:
        where.add("(source = :account OR target = :account)", account=given["account"])
    if "accounts" in given:
        either = f"({within('source', 'accounts')} OR {within('target', 'accounts')})"
        where.add(either, accounts=ids(given["accounts"]))
    names = ("number", "at", "kind", "source", "target", "asset", "amount", "reference")
    rest = f"FROM movements {where} ORDER BY number DESC {where.limit()}"
    return Select({name: name for name in names}, rest, where.values)


def _progress(given: Mapping[str, Any]) -> Select:
    columns = {
        **{name: name for name in ("number", "now", "receipts", "batch", "leaves")},
        "pending": "(SELECT COUNT(*) FROM receipts WHERE final = 0)",
    }
    return Select(columns, "FROM fold", {})


LISTS = {
    "market": _list("market", ("id", "name", "mode", "operator", "public_key", "at"), {}, "id"),
    "members": _list(
        "members",
        ("id", "name", "kind", "home", "at", "tier"),
        texts("id", "home", "kind"),
        "id",
    ),
    "budgets": _list(
        "budgets",
        ("id", "name", "owner", "parent", "asset", "period", "limit", "at"),
        texts("id", "owner", "parent"),
        "id",
    ),
    "keys": Query({**texts("id", "member", "budget", "role"), **wholes("live")}, _keys),
    "wallets": _list(
        "wallets", ("member", "address", "asset", "at"), texts("member", "address"), "member"
    ),
    "permits": Query(
        {**texts("member", "budget"), **wholes("lane", "live"), **sets("accounts")}, _permits
    ),
    "assets": _list("assets", ("id", "issuer", "name", "at"), texts("id"), "id"),
    "titles": _list(
        "titles",
        ("id", "owner", "kind", "name", "waterfall", "evidence", "licence", "at"),
        texts("id", "owner", "kind"),
        "id",
        "waterfall",
    ),
    "offers": Query(
        {**texts("provider", "model", "title", "asset", "country"), **wholes("standing")},
        _offers,
    ),
    "offer_history": Query(texts("offer"), _offer_history),
    "movements": Query(
        {
            **texts("account", "kind", "asset"),
            **sets("accounts"),
            **wholes("before", "limit"),
        },
        _movements,
    ),
    "parameters": _list(
        "parameters",
        ("number", "at", "name", "value", "effective", "kind"),
        texts("name"),
        "number, name",
    ),
    "progress": Query({}, _progress),
}
