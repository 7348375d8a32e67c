"""Rows: what one fold gathers for the big tables, and how it is written.

Rule: a receipt is written once per fold, as it stands at its end; sums are added to what
the tables hold, exactly.
Invariant: payments, earnings and usage count a receipt once, when it is final; balances
follow every posting.
Worked number: a receipt of 66_000_000 pico with a host, an author, a fee and a levy is 1 row
of `receipts` and 4 of `payments`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from allmende.adapters.views_schema import CHUNK, ENERGY, PARTIES, UNITS, fit
from allmende.core.nouns import Receipt
from allmende.core.settle import canonical
from allmende.core.units import DAY, SECOND, Amount, Instant

_FIXED = (
    *("number", "id", "at", *PARTIES, "endpoint", "operator", "outcome"),
    *("captured_frame", "captured_leaf"),
)
_STANDING = (
    *("changed", *UNITS, "price", *ENERGY, "basis", "verdict", "final", "price_before"),
    *("cause", "batch", "batch_leaf", "frame", "frame_leaf"),
)
_COUNTS = ("receipts", "disagreed", "incomplete", *UNITS, "price", *ENERGY)


def _insert(table: str, columns: tuple[str, ...]) -> str:
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"


def _adding(columns: tuple[str, ...]) -> str:
    sums = ", ".join(f"{name} = plus({name}, excluded.{name})" for name in columns)
    return f" ON CONFLICT DO UPDATE SET {sums}"


_NEW = _insert("receipts", _FIXED + _STANDING)
_CHANGE = f"UPDATE receipts SET {', '.join(f'{name} = ?' for name in _STANDING)} WHERE number = ?"
_BODY = "INSERT OR REPLACE INTO bodies VALUES (?, ?)"
_PAYMENT = "INSERT INTO payments VALUES (?, ?, ?, ?, ?, ?)"
_EARNING = "INSERT INTO earnings VALUES (?, ?, ?, ?, ?, ?)" + _adding(("payments", "amount"))
_USAGE = _insert("usage", ("day", *PARTIES, *_COUNTS)) + _adding(_COUNTS)
_MOVEMENT = "INSERT INTO movements VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_BALANCE = """
INSERT INTO balances VALUES (?1, ?2, ?3, plus(COALESCE((
  SELECT balance FROM balances WHERE account = ?1 AND asset = ?2 ORDER BY hour DESC LIMIT 1),
  '0'), ?4)) ON CONFLICT DO UPDATE SET balance = excluded.balance"""


_LEAVES = "INSERT OR REPLACE INTO batch_leaves VALUES (?, ?, ?)"
_PRICE = _COUNTS.index("price")
_INTEGER = 1 << 63


class Standing(NamedTuple):
    """A receipt as it stands: which event made it so, and where its leaf is."""

    changed: int
    receipt: Receipt
    before: str | None
    cause: str | None
    proof: tuple[int | None, int | None, int, int]
    body: bytes | None


class Rows:
    """Filled event by event, then written once."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._numbers: dict[str, int] = {}
        self._captured: dict[int, tuple[int, int]] = {}
        self._standing: dict[int, Standing] = {}
        self._movements: list[tuple[object, ...]] = []
        self._moved: dict[tuple[str, str, Instant], Amount] = {}
        self._leaves: dict[tuple[int, int], bytearray] = {}

    def captured(self, number: int, receipt: str, place: tuple[int, int]) -> None:
        """A new row, with the frame and leaf that it was captured in."""
        self._numbers[receipt] = number
        self._captured[number] = place

    def find(self, receipt: str) -> int:
        """The row of a captured receipt: gathered here, or written before."""
        number = self._numbers.get(receipt)
        if number is None:
            (number,) = self._db.execute(
                "SELECT MAX(number) FROM receipts WHERE id = ?", (receipt,)
            ).fetchone()
            assert number is not None, f"{receipt} was finalised and never captured"
        return int(number)

    def stands(self, row: int, standing: Standing) -> None:
        self._standing[row] = standing

    def post(self, account: str, asset: str, hour: Instant, amount: Amount) -> None:
        key = (account, asset, hour)
        self._moved[key] = self._moved.get(key, 0) + amount

    def movement(self, row: tuple[object, ...]) -> None:
        self._movements.append(row)

    def leaf(self, batch: int, index: int, leaf: bytes) -> None:
        """Add a leaf to its chunk, which is read when it was begun by an earlier fold."""
        key = (batch, index - index % CHUNK)
        chunk = self._leaves.get(key)
        if chunk is None:
            chunk = self._leaves[key] = bytearray(self._chunk(key) if index % CHUNK else b"")
        assert len(chunk) == 32 * (index - key[1]), f"leaf {index} of batch {batch}"
        chunk += leaf

    def _chunk(self, key: tuple[int, int]) -> bytes:
        query = "SELECT leaves FROM batch_leaves WHERE batch = ? AND start = ?"
        return bytes(self._db.execute(query, key).fetchone()[0])

    def write(self) -> None:
        self._write_receipts()
        self._write_sums()
        db = self._db
        db.executemany(_MOVEMENT, self._movements)
        db.executemany(_BALANCE, [(*key, str(amount)) for key, amount in self._moved.items()])
        db.executemany(_LEAVES, [(*key, bytes(leaves)) for key, leaves in self._leaves.items()])

    def _write_receipts(self) -> None:
        new, changed, bodies = [], [], []
        for number, standing in self._standing.items():
            columns = _standing(standing)
            place = self._captured.get(number)
            if place is None:
                changed.append((*columns, number))
            else:
                new.append((*_fixed(number, standing.receipt), *place, *columns))
            bodies.append((number, standing.body or canonical(standing.receipt)))
        self._db.executemany(_NEW, new)
        self._db.executemany(_CHANGE, changed)
        self._db.executemany(_BODY, bodies)

    def _write_sums(self) -> None:
        """Count the receipts that will not change any more."""
        payments: list[tuple[object, ...]] = []
        earned: dict[tuple[str, ...], list[Amount]] = {}
        used: dict[tuple[str, ...], list[tuple[int, ...]]] = {}
        for number, (_, receipt, *_) in self._standing.items():
            if receipt.verdict == "pending":
                continue
            day, asset = _day(receipt.at // DAY), receipt.asset
            for line, (role, account, amount) in enumerate(_lines(receipt)):
                payments.append((account, number, line, role, asset, str(amount)))
                earned.setdefault((account, role, asset, day), []).append(amount)
            used.setdefault((day, *_parties(receipt)), []).append(_counts(receipt))
        self._db.executemany(_PAYMENT, payments)
        self._db.executemany(
            _EARNING, [(*key, len(lines), str(sum(lines))) for key, lines in earned.items()]
        )
        self._db.executemany(_USAGE, [(*key, *_sum(counts)) for key, counts in used.items()])


def _fixed(number: int, receipt: Receipt) -> tuple[object, ...]:
    """In the order of _FIXED, without the place."""
    return (
        *(number, receipt.id, receipt.at, *_parties(receipt)),
        *(receipt.endpoint, receipt.zone.operator, receipt.outcome),
    )


def _standing(standing: Standing) -> tuple[object, ...]:
    """In the order of _STANDING."""
    receipt = standing.receipt
    units, energy = _measures(receipt)
    final = int(receipt.verdict != "pending")
    return (
        *(standing.changed, *_fit(units), str(receipt.price), *_fit(energy)),
        *(receipt.basis, receipt.verdict, final, standing.before, standing.cause),
        *standing.proof,
    )


def _counts(receipt: Receipt) -> tuple[int, ...]:
    """In the order of _COUNTS."""
    units, energy = _measures(receipt)
    disagreed, incomplete = receipt.verdict == "disagrees", receipt.outcome != "complete"
    return (1, disagreed, incomplete, *units, receipt.price, *energy)


def _sum(counts: list[tuple[int, ...]]) -> list[int | str]:
    """Column by column, as columns hold it."""
    sums = [sum(column) for column in zip(*counts, strict=True)]
    columns = list(_fit(sums))
    columns[_PRICE] = str(sums[_PRICE])
    return columns


def _fit(values: Sequence[int]) -> Sequence[int | str]:
    """The same, as columns can hold them; nearly always as they are."""
    return values if min(values) > -_INTEGER and max(values) < _INTEGER else [*map(fit, values)]


def _parties(receipt: Receipt) -> tuple[str, ...]:
    """In the order of PARTIES."""
    return (
        *(receipt.account, receipt.budget, receipt.key, receipt.provider, receipt.offer),
        *(receipt.title, receipt.model, receipt.zone.country, receipt.asset),
    )


def _measures(receipt: Receipt) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """In the order of UNITS and of ENERGY."""
    units, energy = receipt.units, receipt.energy
    return (
        *(units.input, units.cached, units.output, units.embedding),
        *(units.image, units.audio, units.second),
    ), energy.uj + energy.ug


def _lines(receipt: Receipt) -> list[tuple[str, str, Amount]]:
    return [(payment.role, payment.account, payment.amount) for payment in receipt.waterfall]


@lru_cache(maxsize=8)
def _day(days: int) -> str:
    """Days since 1970 as YYYY-MM-DD."""
    return datetime.fromtimestamp(days * DAY // SECOND, UTC).strftime("%Y-%m-%d")
