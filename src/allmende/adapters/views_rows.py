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
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from allmende.adapters.views_schema import CAPTURED, CHUNK, ENERGY, PARTIES, ROLLUPS, UNITS, fit
from allmende.core.nouns import Receipt
from allmende.core.settle import canonical
from allmende.core.units import DAY, SECOND, Amount, Instant, Water

_MEASURES = (*UNITS, "price", *ENERGY)
_FIXED = (
    *("number", "id", "at", *PARTIES, "endpoint", "operator", "outcome", "right", "payer"),
    *("captured_frame", "captured_leaf"),
)
_STANDING = (
    *("changed", *_MEASURES, "basis", "verdict", "grains", "final", "price_before"),
    *("cause", "batch", "batch_leaf", "frame", "frame_leaf"),
)
_COUNTS = ("receipts", "disagreed", "incomplete", *_MEASURES)


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
_EARNED = ("payments", "amount")
_EARNING = _insert("earnings", (*CAPTURED, *_EARNED)) + _adding(_EARNED)
_USAGE = _insert("usage", ("day", *PARTIES, *_COUNTS)) + _adding(_COUNTS)
_ROLLUPS = {
    tuple(map(PARTIES.index, parties)): _insert(table, ("day", *parties, *_COUNTS))
    + _adding(_COUNTS)
    for table, parties in ROLLUPS.items()
}
"""Places of its parties -> what writes a rollup."""
_MOVEMENT = "INSERT INTO movements VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_BALANCE = """
INSERT INTO balances VALUES (?1, ?2, ?3, plus(COALESCE((
  SELECT balance FROM balances WHERE account = ?1 AND asset = ?2 ORDER BY hour DESC LIMIT 1),
  '0'), ?4)) ON CONFLICT DO UPDATE SET balance = excluded.balance"""


_LEAVES = "INSERT OR REPLACE INTO batch_leaves VALUES (?, ?, ?)"
_PRICE = _MEASURES.index("price")
_INTEGER = 1 << 63
_NONE = (0, 0)


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

    def post(self, hour: Instant, postings: Iterable[tuple[str, str, Amount]]) -> None:
        """Money that moved in this hour."""
        moved = self._moved
        for account, asset, amount in postings:
            key = (account, asset, hour)
            moved[key] = moved.get(key, 0) + amount

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
        db = self._db
        db.executemany(_MOVEMENT, self._movements)
        db.executemany(_BALANCE, [(*key, str(amount)) for key, amount in self._moved.items()])
        db.executemany(_LEAVES, [(*key, bytes(leaves)) for key, leaves in self._leaves.items()])

    def _write_receipts(self) -> None:
        new, changed, bodies, sums = [], [], [], Sums()
        for number, standing in self._standing.items():
            receipt = standing.receipt
            parties, measures = _parties(receipt), _measures(receipt)
            columns = _standing(standing, measures)
            place = self._captured.get(number)
            if place is None:
                changed.append((*columns, number))
            else:
                new.append((*_fixed(number, receipt, parties), *place, *columns))
            bodies.append((number, standing.body or canonical(receipt)))
            if receipt.verdict != "pending":
                sums.add(number, receipt, parties, measures)
        self._db.executemany(_NEW, new)
        self._db.executemany(_CHANGE, changed)
        self._db.executemany(_BODY, bodies)
        sums.write(self._db)


class Sums:
    """What receipts that will not change any more add up to."""

    def __init__(self) -> None:
        self._payments: list[tuple[object, ...]] = []
        self._earned: dict[tuple[str, ...], list[Amount]] = {}
        self._used: dict[tuple[str, ...], list[tuple[int, ...]]] = {}

    def add(
        self, number: int, receipt: Receipt, parties: tuple[str, ...], measures: tuple[int, ...]
    ) -> None:
        day, asset = _day(receipt.at // DAY), receipt.asset
        context = (asset, day, *_context(receipt))
        for line, payment in enumerate(receipt.waterfall):
            role, account, amount = payment.role, payment.account, payment.amount
            self._payments.append((account, number, line, role, asset, str(amount)))
            self._earned.setdefault((account, role, *context), []).append(amount)
        disagreed, incomplete = receipt.verdict == "disagrees", receipt.outcome != "complete"
        counts = (1, disagreed, incomplete, *measures)
        self._used.setdefault((day, *parties), []).append(counts)

    def write(self, db: sqlite3.Connection) -> None:
        db.executemany(_PAYMENT, self._payments)
        earned = [(*key, len(lines), str(sum(lines))) for key, lines in self._earned.items()]
        db.executemany(_EARNING, earned)
        db.executemany(_USAGE, _summed(self._used))
        for places, statement in _ROLLUPS.items():
            rolled: dict[tuple[str, ...], list[tuple[int, ...]]] = {}
            for (day, *parties), counts in self._used.items():
                rolled.setdefault((day, *(parties[i] for i in places)), []).extend(counts)
            db.executemany(statement, _summed(rolled))


def _summed(found: Mapping[tuple[str, ...], list[tuple[int, ...]]]) -> list[tuple[object, ...]]:
    return [(*key, *_total(counts)) for key, counts in found.items()]


def _total(counts: list[tuple[int, ...]]) -> tuple[int | str, ...]:
    """Column by column, as columns hold it."""
    first, disagreed, incomplete, *measures = map(sum, zip(*counts, strict=True))
    return (first, disagreed, incomplete, *_columns(measures))


def _fixed(number: int, receipt: Receipt, parties: tuple[str, ...]) -> tuple[object, ...]:
    """In the order of _FIXED, without the place."""
    return (
        *(number, receipt.id, receipt.at, *parties),
        *(receipt.endpoint, receipt.zone.operator, receipt.outcome, receipt.right, receipt.payer),
    )


def _standing(standing: Standing, measures: tuple[int, ...]) -> tuple[object, ...]:
    """In the order of _STANDING."""
    changed, receipt, before, cause, proof, _ = standing
    final = int(receipt.verdict != "pending")
    return (
        *(changed, *_columns(measures)),
        *(receipt.basis, receipt.verdict, fit(receipt.grains), final, before, cause, *proof),
    )


def _columns(measures: Sequence[int]) -> Sequence[int | str]:
    """As columns hold them: the price as text, and counts beyond 64 bits."""
    units, price, energy = measures[:_PRICE], measures[_PRICE], measures[_PRICE + 1 :]
    return (*_fit(units), str(price), *_fit(energy))


def _fit(values: Sequence[int]) -> Sequence[int | str]:
    """The same, as columns can hold them; nearly always as they are."""
    return values if max(values) < _INTEGER else [*map(fit, values)]


def _parties(receipt: Receipt) -> tuple[str, ...]:
    """In the order of PARTIES."""
    return (
        *(receipt.account, receipt.budget, receipt.key, receipt.provider, receipt.offer),
        *(receipt.title, receipt.model, receipt.zone.country, receipt.asset),
    )


def _context(receipt: Receipt) -> tuple[str, ...]:
    """In the order of CAPTURED, from the payer on."""
    zone = receipt.zone
    return (
        *(receipt.account, receipt.right, receipt.provider, receipt.title, receipt.model),
        *(zone.country, zone.operator, zone.parent, zone.parent_country),
    )


def _measures(receipt: Receipt) -> tuple[int, ...]:
    """In the order of _MEASURES."""
    units, energy, water = receipt.units, receipt.energy, receipt.water or Water()
    tokens = units.input + units.cached + units.output + units.embedding
    return (
        *(units.input, units.cached, units.output, units.embedding),
        *(units.image, units.audio, units.second, units.query),
        *(receipt.price, *energy.uj, *energy.ug),
        *(*(water.site_ul or _NONE), *(water.grid_ul or _NONE)),
        *((tokens, units.output) if energy.method == "none" else _NONE),
        energy.uj[1] if water.site_ul is None or water.grid_ul is None else 0,
    )


@lru_cache(maxsize=8)
def _day(days: int) -> str:
    """Days since 1970 as YYYY-MM-DD."""
    return datetime.fromtimestamp(days * DAY // SECOND, UTC).strftime("%Y-%m-%d")
