"""Queries that sum: totals, usage for invoices, earnings, balances.

Rule: sums are of final receipts, by the day they were delivered on (UTC); balances are of all
postings, at the end of each hour that had one.
Invariant: a total over all values of a dimension is the same for every dimension.
Worked number: 50 receipts of 66_000_000 pico in November are one line of `usage`, of
"3300000000", if one key bought them of one model and provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allmende.adapters.views_schema import CAPTURED, ENERGY, PARTIES, ROLLUPS, UNITS
from allmende.adapters.views_select import (
    GRANTS,
    Query,
    Select,
    Where,
    choice,
    exact,
    needed,
    sets,
    texts,
    wholes,
)
from allmende.core.units import DAY

_SPANS = {"total": None, "day": "day", "month": "substr(day, 1, 7)"}
_PERIOD = texts("since", "until", "by")
_COUNTS = (*UNITS, *ENERGY)
_MEASURES = {
    **{name: f"SUM({name})" for name in ("receipts", "disagreed", "incomplete")},
    **{name: exact(name) for name in (*UNITS, "price", *ENERGY)},
}
_NUMBERS = frozenset(_COUNTS)
"""Summed as text for exactness, and whole numbers in the answer."""
_BELOW = (
    "budget IN (WITH RECURSIVE below(id) AS (SELECT :under UNION SELECT b.id FROM budgets b"
    " JOIN below ON b.parent = below.id) SELECT id FROM below)"
)


def _totals(given: Mapping[str, Any]) -> Select:
    dimension = choice(given, "dimension", PARTIES)
    where = Where(given).equal(*PARTIES).between("day").seen()
    span = _span(given)
    groups = {"value": dimension, **span, "asset": "asset"}
    asked = {dimension, *(GRANTS.get(name, name) for name in given)} & frozenset(PARTIES)
    table = next((name for name, has in ROLLUPS.items() if asked <= set(has)), "usage")
    rest = f"FROM {table} {where} GROUP BY {_by(groups)} ORDER BY {_by(groups)}"
    return Select({**groups, **_MEASURES}, rest, where.values, _NUMBERS)


def _usage(given: Mapping[str, Any]) -> Select:
    where = Where(given).equal(*PARTIES, prefix="u.").between("day").seen()
    if "month" in given:
        month = given["month"]
        where.add("day >= :first AND day < :after", first=f"{month}-01", after=f"{month}-32")
    if "under" in given:
        where.add(_BELOW, under=given["under"])
    groups = {"month": "substr(day, 1, 7)", **{name: f"u.{name}" for name in _INVOICE}}
    measures = {name: sql for name, sql in _MEASURES.items() if name not in _QUALITY}
    columns = {**groups, "budget_name": "COALESCE(n.name, '')", **measures}
    rest = (
        f"FROM usage u LEFT JOIN budgets n ON n.id = u.budget {where} "
        f"GROUP BY {_by(groups)} ORDER BY {_by(groups)}"
    )
    return Select(columns, rest, where.values, _NUMBERS)


_INVOICE = ("account", "budget", "key", "model", "provider", "asset")
_QUALITY = ("disagreed", "incomplete")


def _earnings(given: Mapping[str, Any]) -> Select:
    where = Where(given).equal("account", "role", "asset").among("account", "accounts")
    where.between("day")
    groups = {"account": "account", "role": "role", "asset": "asset", **_span(given)}
    columns = {**groups, "payments": "SUM(payments)", "amount": exact("amount")}
    rest = f"FROM earnings {where} GROUP BY {_by(groups)} ORDER BY {_by(groups)}"
    return Select(columns, rest, where.values)


def _captured(given: Mapping[str, Any]) -> Select:
    """Who earned what, where, out of whose use: earnings without their days."""
    where = Where(given).equal("asset", "model").between("day")
    groups = {name: name for name in CAPTURED if name != "day"}
    columns = {**groups, "payments": "SUM(payments)", "amount": exact("amount")}
    rest = f"FROM earnings {where} GROUP BY {_by(groups)} ORDER BY {_by(groups)}"
    return Select(columns, rest, where.values)


def _sold(given: Mapping[str, Any]) -> Select:
    """What each offer sold of each title, with whom it last named as operator and parent."""
    where = Where(given).equal("asset", "model", prefix="u.").between("day")
    groups = {name: f"u.{name}" for name in ("provider", "offer", "title", "model", "country")}
    named = {
        name: f"COALESCE((SELECT o.{name} FROM offers o WHERE o.offer = u.offer"
        " ORDER BY o.number DESC LIMIT 1), '')"
        for name in ("operator", "parent", "parent_country")
    }
    columns = {
        **groups,
        **named,
        "receipts": "SUM(receipts)",
        **{name: exact(name) for name in (*UNITS, "price")},
    }
    rest = f"FROM sales u {where} GROUP BY {_by(groups)} ORDER BY {_by(groups)}"
    return Select(columns, rest, where.values, _NUMBERS)


def _balances(given: Mapping[str, Any]) -> Select:
    where = Where(given).equal("account", "asset").among("account", "accounts")
    columns = {name: name for name in ("account", "asset", "balance")} | {"hour": "MAX(hour)"}
    rest = f"FROM balances {where} GROUP BY account, asset ORDER BY account, asset"
    return Select(columns, rest, where.values)


def _balance_history(given: Mapping[str, Any]) -> Select:
    """SQLite gives the other columns of a lone MAX from the row that has it."""
    needed(given, "account")
    where = Where(given).equal("account", "asset").between("hour")
    bucket = {"hour": "hour", "day": f"hour - hour % {DAY}"}[choice(given, "by", _BUCKETS, "hour")]
    columns = {"account": "account", "asset": "asset", "at": bucket, "balance": "balance"}
    last = f"(SELECT *, MAX(hour) FROM balances {where} GROUP BY asset, {bucket})"
    return Select(columns, f"FROM {last} ORDER BY asset, at", where.values)


_BUCKETS = ("hour", "day")


def _span(given: Mapping[str, Any]) -> dict[str, str]:
    """The column that splits sums by time, if any."""
    by = choice(given, "by", _SPANS, "total")
    expression = _SPANS[by]
    return {by: expression} if expression else {}


def _by(groups: Mapping[str, str]) -> str:
    return ", ".join(groups.values())


_CONFINED = {**texts(*PARTIES), **sets(*GRANTS)}
_WHOSE = {**texts("account", "asset"), **sets("accounts")}

SUMS = {
    "totals": Query({**_CONFINED, **_PERIOD, **texts("dimension")}, _totals),
    "usage": Query({**_CONFINED, **texts("since", "until", "month", "under")}, _usage),
    "earnings": Query({**_WHOSE, **_PERIOD, **texts("role")}, _earnings),
    "sold": Query(texts("asset", "model", "since", "until"), _sold),
    "captured": Query(texts("asset", "model", "since", "until"), _captured),
    "balances": Query(_WHOSE, _balances),
    "balance_history": Query(
        {**texts("account", "asset", "by"), **wholes("since", "until")}, _balance_history
    ),
}
