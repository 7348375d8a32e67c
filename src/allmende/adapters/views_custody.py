"""Wallets and permits in the reference tables, and what a movement to or from a chain is called.

Rule: a permit is a row of its own until its lane is taken over or it expires; a session's budget
is a budget like any other, whose limit is what was signed.
Invariant: no session's key reaches a table, sealed or not, and no signature.
Worked number: two permits on one lane are two rows, the first ended when the second began.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec

from allmende.core import abroad_events as b
from allmende.core import charter_events as h
from allmende.core import custody_events as w
from allmende.core import events as e


def linked(db: sqlite3.Connection, number: int, event: w.WalletLinked) -> None:
    row = (event.member, event.address, event.asset, event.at)
    db.execute("INSERT INTO wallets VALUES (?, ?, ?, ?)", row)


def granted(db: sqlite3.Connection, number: int, event: w.PermitGranted) -> None:
    permit = event.permit
    _end(db, event.member, permit.lane, event.at)
    models = msgspec.json.encode(permit.models).decode()
    vouched = event.base if event.budget and not permit.sealed else permit.limit
    db.execute(
        "INSERT INTO permits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        (
            *(number, event.at, event.member, permit.lane, permit.key, str(permit.limit)),
            *(models, permit.expires, event.budget, str(event.base), str(vouched)),
        ),
    )
    if event.budget:
        db.execute(
            "INSERT OR REPLACE INTO budgets VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(event.budget, f"Session {permit.lane}", event.member, event.parent),
                *(event.asset, "total", str(vouched - event.base), event.at),
            ),
        )


def ended(db: sqlite3.Connection, number: int, event: w.PermitEnded) -> None:
    _end(db, event.member, event.lane, event.at)


def _end(db: sqlite3.Connection, member: str, lane: int, at: int) -> None:
    """What stood on a lane stands no more, and its session may spend nothing."""
    place = "member = ? AND lane = ? AND ended IS NULL"
    rows = db.execute(f"SELECT budget FROM permits WHERE {place}", (member, lane))
    for (budget,) in rows.fetchall():
        db.execute("""UPDATE budgets SET "limit" = '0' WHERE id = ?""", (budget,))
    db.execute(f"UPDATE permits SET ended = ? WHERE {place}", (at, member, lane))


def vouched(db: sqlite3.Connection, number: int, event: w.Vouched) -> None:
    query = (
        "SELECT number, budget, base FROM permits WHERE member = ? AND lane = ? AND ended IS NULL"
    )
    row, budget, base = db.execute(query, (event.member, event.lane)).fetchone()
    db.execute("UPDATE permits SET vouched = ? WHERE number = ?", (str(event.amount), row))
    limit = str(event.amount - int(base))
    db.execute('UPDATE budgets SET "limit" = ? WHERE id = ?', (limit, budget))


CUSTODY: dict[type[e.Event], Callable[[sqlite3.Connection, int, Any], None]] = {
    w.WalletLinked: linked,
    w.PermitGranted: granted,
    w.PermitEnded: ended,
    w.Vouched: vouched,
}


# Movements ----------------------------------------------------------------------------


def followed(db: sqlite3.Connection, event: w.VaultFollowed) -> tuple[str, str]:
    query = "SELECT address FROM wallets WHERE member = ?"
    (address,) = db.execute(query, (event.member,)).fetchone()
    if event.requested < 0:
        return "contested", address
    return "paid_in" if event.deposited >= event.requested else "taken_out", address


def wrapped(db: sqlite3.Connection, event: w.RightsWrapped) -> tuple[str, str]:
    return "wrapped", event.wrap.to


def wrap_ended(db: sqlite3.Connection, event: w.WrapEnded) -> tuple[str, str]:
    return "wrap_returned", event.id


def unwrapped(db: sqlite3.Connection, event: w.RightsUnwrapped) -> tuple[str, str]:
    return "unwrapped", event.reference


def sent_abroad(db: sqlite3.Connection, event: b.SentAbroad) -> tuple[str, str]:
    return "sent_abroad", f"{event.peer}/{event.passage.number}"


def from_abroad(db: sqlite3.Connection, event: b.ReceivedFrom) -> tuple[str, str]:
    return "from_abroad", f"{event.peer}/{event.answer.number}"


def passage_ended(db: sqlite3.Connection, event: b.PassageEnded) -> tuple[str, str]:
    return "went_home" if event.taken else "came_back", f"{event.peer}/{event.number}"


def enacted(db: sqlite3.Connection, event: h.Enacted) -> tuple[str, str]:
    """A grant out of the commons; any other decision moves nothing, and stands in no line."""
    return "granted", f"decision {event.decision.number}"


MOVED: dict[type[e.Event], Callable[[sqlite3.Connection, Any], tuple[str, str]]] = {
    w.VaultFollowed: followed,
    w.RightsWrapped: wrapped,
    w.WrapEnded: wrap_ended,
    w.RightsUnwrapped: unwrapped,
    b.SentAbroad: sent_abroad,
    b.ReceivedFrom: from_abroad,
    b.PassageEnded: passage_ended,
    h.Enacted: enacted,
}
"""Event -> the kind of movement that it is, and its reference: an address, or what names it."""
