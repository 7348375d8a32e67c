"""Access facts: what the read models say about free use, the levy and members, of one moment.

Rule: sums are made from decimal text in Python, so they are exact at any size; free is a final
receipt with a price of zero that no right paid.
Invariant: for the commons' account, collected and other income less what left it is its balance.
Worked number: a levy of 1 % on two receipts of 66,000,000 pico has collected 1,320,000.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from allmende.adapters.views_file import moment
from allmende.core.ledger import COMMONS
from allmende.core.units import Amount
from allmende.measure.access import Use

_TOKENS = "input + cached + output + embedding"


class Levy(Struct, frozen=True):
    """Of one asset, since the market began: from receipts' levy; left; and what is there now."""

    asset: str
    collected: Amount
    other: Amount
    spent: Amount
    balance: Amount


class Facts(Struct, frozen=True):
    """`members` are those who could ask: all but providers and the operator."""

    number: int
    since: str
    until: str
    uses: tuple[Use, ...]
    members: tuple[str, ...]
    levies: tuple[Levy, ...]


def facts(views: Path, since: str = "", until: str = "9999") -> Facts:
    """Days from `since` up to `until`, both YYYY-MM-DD, the second not included. Raises NoViews."""
    with moment(views) as db:
        days = _days(db, since, until)
        return Facts(
            number=db.execute("SELECT number FROM fold").fetchone()[0],
            since=days[0],
            until=days[1],
            uses=tuple(_uses(db, since, until)),
            members=tuple(
                id_
                for (id_,) in db.execute(
                    "SELECT id FROM members WHERE kind IN ('organisation', 'person') ORDER BY id"
                )
            ),
            levies=tuple(_levies(db)),
        )


def _days(db: sqlite3.Connection, since: str, until: str) -> tuple[str, str]:
    query = "SELECT MIN(day), MAX(day) FROM usage WHERE day >= ? AND day < ?"
    first, last = db.execute(query, (since, until)).fetchone()
    return first or since or "-", last or "-"


def _uses(db: sqlite3.Connection, since: str, until: str) -> Iterator[Use]:
    """Of receipts: a row of `usage` may sum free ones and others."""
    query = (
        f'SELECT account, {_TOKENS}, price, uj_low, uj_high, "right" FROM receipts'
        " WHERE final = 1 AND date(at / 1000000, 'unixepoch') >= ?"
        " AND date(at / 1000000, 'unixepoch') < ? ORDER BY account"
    )
    sums: dict[str, list[int]] = {}
    for account, tokens, price, low, high, right in db.execute(query, (since, until)):
        mine = sums.setdefault(account, [0] * 7)
        free = int(price) == 0 and not right
        for at, value in enumerate((tokens, price, low, high)):
            mine[at] += int(value)
        for at, value in enumerate((tokens, low, high), 4):
            mine[at] += int(value) if free else 0
    for account, all_ in sums.items():
        yield Use(account, *all_)


def _levies(db: sqlite3.Connection) -> Iterator[Levy]:
    collected = _sums(
        db, "SELECT asset, amount FROM earnings WHERE account = ? AND role = 'commons'"
    )
    earned = _sums(db, "SELECT asset, amount FROM earnings WHERE account = ?")
    inward = _sums(db, "SELECT asset, amount FROM movements WHERE target = ?")
    spent = _sums(db, "SELECT asset, amount FROM movements WHERE source = ?")
    query = "SELECT asset, balance FROM balances WHERE account = ? ORDER BY hour"
    balance = {asset: int(value) for asset, value in db.execute(query, (COMMONS,))}
    for asset in sorted({*earned, *inward, *spent, *balance}):
        levied = collected.get(asset, 0)
        held, gone = balance.get(asset, 0), spent.get(asset, 0)
        yield Levy(asset, levied, held + gone - levied, gone, held)


def _sums(db: sqlite3.Connection, query: str) -> dict[str, Amount]:
    found: dict[str, Amount] = {}
    for asset, amount in db.execute(query, (COMMONS,)):
        found[asset] = found.get(asset, 0) + int(amount)
    return found
