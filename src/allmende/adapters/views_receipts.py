"""Queries about receipts: lists, the live feed, one receipt, payments, batches.

Rule: a list that is confined to grants takes the newest of each grant from its index, then
the newest of those: what it costs grows with the grants and the page, not with the market.
Invariant: a receipt has one row; it comes again in the feed when it becomes final.
Worked number: 20 accounts and a page of 50 look at no more than 1_000 rows of an index.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allmende.adapters.views_schema import ENERGY, PARTIES, UNITS
from allmende.adapters.views_select import (
    GRANTS,
    Query,
    Row,
    Select,
    Where,
    granted,
    ids,
    needed,
    sets,
    texts,
    wholes,
)

_TAKES = {
    **texts(*PARTIES, "verdict", "outcome", "right"),
    **wholes("final", "since", "until", "limit"),
    **sets(*GRANTS),
}
_PLAIN = (
    *("number", "changed", "id", "at", *PARTIES, "endpoint", "operator", *UNITS, "price"),
    *(*ENERGY, "basis", "verdict", "outcome", "right", "payer", "final", "price_before"),
    *("cause", "batch", "batch_leaf", "frame", "frame_leaf", "captured_frame", "captured_leaf"),
)
_COLUMNS = {
    **{name: f'r."{name}"' for name in _PLAIN},
    "grains": "CAST(r.grains AS TEXT)",
    "waterfall": "json_extract(CAST(b.body AS TEXT), '$.waterfall')",
}
_FROM = "FROM receipts r JOIN bodies b USING (number)"
_JSON = frozenset({"waterfall"})


def _narrow(given: Mapping[str, Any]) -> Where:
    """The filters. What few receipts are (pending, in disagreement) is said in so many words,
    because SQLite takes an index of those few for no parameter."""
    where = Where(given).equal(*PARTIES, "outcome").between("at")
    if "right" in given:
        where.add("\"right\" <> ''").equal("right")
    if "final" in given:
        where.add("final = 1" if given["final"] else "final = 0")
    if given.get("verdict") == "disagrees":
        return where.add("verdict = 'disagrees'")
    return where.equal("verdict")


def _receipts(given: Mapping[str, Any]) -> Select:
    narrow = _narrow(given).before("number")
    limit = narrow.limit()
    grants = granted(given)
    newest = f"ORDER BY number DESC {limit}"
    if grants is None:
        numbers = f"SELECT number FROM receipts {narrow} {newest}"
    else:
        narrow.values.update(grants)
        picks = [
            f"SELECT p.number FROM json_each(:{name}) JOIN receipts p ON p.number IN (SELECT number"
            f" FROM receipts WHERE {GRANTS[name]} = value{narrow.also()} {newest})"
            for name in grants
        ]
        numbers = f"SELECT number FROM ({' UNION '.join(picks)}) {newest}"
    rest = f"{_FROM} WHERE r.number IN ({numbers}) ORDER BY r.number DESC"
    return Select(_COLUMNS, rest, narrow.values, _JSON)


def _feed(given: Mapping[str, Any]) -> Select:
    """Along the changes, whatever is asked: who polls is never far behind."""
    where = _narrow(given).add("changed > :after", after=given.get("after", 0)).seen()
    changes = "receipts INDEXED BY receipts_changed"
    numbers = f"SELECT number FROM {changes} {where} ORDER BY changed {where.limit()}"
    rest = f"{_FROM} WHERE r.number IN ({numbers}) ORDER BY changed"
    return Select(_COLUMNS, rest, where.values, _JSON)


def _receipt(given: Mapping[str, Any]) -> Select:
    needed(given, "id")
    where = Where(given).equal("id", prefix="r.").seen()
    columns = {**_COLUMNS, "body": "CAST(b.body AS TEXT)"}
    rest = f"{_FROM} {where} ORDER BY r.number DESC LIMIT 1"
    return Select(columns, rest, where.values, _JSON)


def _waterfall(row: Row) -> Row:
    row["waterfall"] = [
        {"role": role, "account": account, "amount": str(amount)}
        for role, account, amount in row["waterfall"]
    ]
    return row


def _payments(given: Mapping[str, Any]) -> Select:
    needed(given, "account", "accounts")
    accounts = {given["account"]} if "account" in given else set(given["accounts"])
    if "account" in given and "accounts" in given:
        accounts &= set(given["accounts"])
    narrow = Where(given).equal("role", "asset")
    if "before" in given:
        narrow.add("(number, line) < (:before, :before_line)")
        narrow.values |= {"before": given["before"], "before_line": given.get("before_line", 0)}
    newest = f"ORDER BY number DESC, line DESC {narrow.limit()}"
    narrow.values["accounts"] = ids(accounts)
    lines = (
        "(SELECT q.* FROM json_each(:accounts) JOIN payments q ON q.account = value AND "
        "(q.number, q.line) IN (SELECT number, line FROM payments WHERE account = value"
        f"{narrow.also()} {newest}) {newest})"
    )
    names = ("account", "number", "line", "role", "asset", "amount")
    columns = {name: f"p.{name}" for name in names}
    columns |= {"receipt": "r.id", "at": "r.at", "model": "r.model", "provider": "r.provider"}
    rest = f"FROM {lines} p JOIN receipts r USING (number) ORDER BY number DESC, line DESC"
    return Select(columns, rest, narrow.values)


_BATCH = {
    **{name: name for name in ("number", "at", "event", "receipts", "net", "frame")},
    **{name: f"lower(hex({name}))" for name in ("root", "receipts_root")},
}


def _batches(given: Mapping[str, Any]) -> Select:
    where = Where(given).equal("number").before("number")
    rest = f"FROM batches {where} ORDER BY number DESC {where.limit()}"
    return Select(_BATCH, rest, where.values, frozenset({"net"}))


def _batch(given: Mapping[str, Any]) -> Select:
    needed(given, "number")
    return _batches(given)


def _net(row: Row) -> Row:
    names = ("account", "asset", "amount")
    row["net"] = [dict(zip(names, line, strict=True)) for line in row["net"]]
    return row


def _batch_leaves(given: Mapping[str, Any]) -> Select:
    needed(given, "batch")
    where = Where(given).equal("batch")
    columns = {"start": "start", "leaves": "lower(hex(leaves))"}
    return Select(columns, f"FROM batch_leaves {where} ORDER BY start", where.values)


def _leaves(row: Row) -> Row:
    text = row["leaves"]
    row["leaves"] = [text[i : i + 64] for i in range(0, len(text), 64)]
    return row


RECEIPTS = {
    "receipts": Query({**_TAKES, **wholes("before")}, _receipts, _waterfall),
    "feed": Query({**_TAKES, **wholes("after")}, _feed, _waterfall),
    "receipt": Query({**texts("id"), **sets(*GRANTS)}, _receipt, _waterfall),
    "payments": Query(
        {
            **texts("account", "role", "asset"),
            **sets("accounts"),
            **wholes("before", "before_line", "limit"),
        },
        _payments,
    ),
    "batches": Query(wholes("before", "limit"), _batches, _net),
    "batch": Query(wholes("number"), _batch, _net),
    "batch_leaves": Query(wholes("batch"), _batch_leaves, _leaves),
}
