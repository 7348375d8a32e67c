"""Parquet report: who earned what by role, country, model and month, from exported receipts.

Rule: one pass over payments and one over receipts, summed by DuckDB as DECIMAL(38,0) within a
memory limit; a sum beyond 38 digits is an error, never a wrong number.
Invariant: for each asset the sums by role, by country, by model, by month and by account are
the same, and are the prices of the final receipts.
Worked number: payments of 80 and 20 to two hosts are an HHI of 6,800; two buyers of 1 and 3 a
Gini of 0.25.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from allmende.adapters.parquet import duck, quoted
from allmende.measure import concentration

BY = ("role", "country", "model", "month", "account")
MEMORY = "2GB"


class Summed(Struct, frozen=True):
    """Of one asset, in pico-credits: what was earned by each value of each of BY, and by host.

    `spent` is by buyer; `hhi` is of hosts' receipts (0 to 10,000); `gini` of what buyers spent.
    """

    earned: Mapping[str, Mapping[str, int]]
    hosts: Mapping[str, int]
    spent: Mapping[str, int]
    hhi: float | None
    gini: float | None

    @property
    def total(self) -> int:
        return sum(self.earned["role"].values())


class Report(Struct, frozen=True):
    """`units` by meter; `energy` is microjoules and micrograms, low and high."""

    receipts: int
    pending: int
    months: tuple[str, str] | None
    assets: Mapping[str, Summed]
    units: Mapping[str, int]
    energy: Mapping[str, int]


def report(folder: Path, memory: str = MEMORY, threads: int = 2) -> Report:
    """Of a folder that `export` wrote as Parquet. Raises NoDuckDB, FileNotFoundError."""
    paid, sold = (folder / name / "*" / "*.parquet" for name in ("payments", "receipts"))
    if not any(folder.glob("receipts/*/*.parquet")):
        raise FileNotFoundError(f"{folder} has no receipts/month=.../receipts.parquet")
    with duck(memory, threads, scratch=folder) as db:
        db.execute("SET preserve_insertion_order = false")
        earned = _grouped(db, _EARNED.format(quoted(paid))) if _any(folder, "payments") else {}
        hosts = _pairs(db, _HOSTS.format(quoted(paid))) if _any(folder, "payments") else {}
        spent = _pairs(db, _SPENT.format(quoted(sold)))
        whole = db.execute(_WHOLE.format(quoted(sold))).fetchone()
    assets = {asset: _summed(asset, earned, hosts, spent) for asset in sorted(spent)}
    receipts, pending, first, last, *sums = whole
    numbers = dict(zip((*_UNITS, *_ENERGY), (int(value or 0) for value in sums), strict=True))
    return Report(
        receipts=receipts,
        pending=pending or 0,
        months=(first, last) if first else None,
        assets=assets,
        units={name: numbers[name] for name in _UNITS},
        energy={name: numbers[name] for name in _ENERGY},
    )


def hhi(amounts: Mapping[str, int]) -> float | None:
    """0 to 10,000; None of nothing."""
    return concentration.hhi(concentration.shares(amounts))[0] if any(amounts.values()) else None


def gini(amounts: Mapping[str, int]) -> float | None:
    """0 if all have the same; None of nothing. Integers until the last division."""
    ranked, total = sorted(amounts.values()), sum(amounts.values())
    n = len(ranked)
    return (
        sum((2 * i - n - 1) * x for i, x in enumerate(ranked, 1)) / (n * total) if total else None
    )


_UNITS = ("input", "cached", "output", "embedding")
_ENERGY = ("uj_low", "uj_high", "ug_low", "ug_high")
_FILE = "read_parquet({}, hive_partitioning = true, hive_types = {{'month': VARCHAR}})"
_EARNED = f"""
    SELECT GROUPING(role, country, model, month, account),
      COALESCE(role, country, model, month, account), asset, SUM(amount::DECIMAL(38,0))
    FROM {_FILE}
    GROUP BY GROUPING SETS
      ((role, asset), (country, asset), (model, asset), (month, asset), (account, asset))"""
_HOSTS = f"""SELECT asset, account, SUM(amount::DECIMAL(38,0)) FROM {_FILE}
    WHERE role = 'host' GROUP BY ALL"""
_SPENT = f"""SELECT asset, account, SUM(price::DECIMAL(38,0)) FROM {_FILE}
    WHERE final = 1 GROUP BY ALL"""
_WHOLE = f"""SELECT COUNT(*), SUM((final = 0)::INT), MIN(month), MAX(month),
    {", ".join(f"SUM({name}::DECIMAL(38,0))" for name in (*_UNITS, *_ENERGY))} FROM {_FILE}"""


def _any(folder: Path, name: str) -> bool:
    return any(folder.glob(f"{name}/*/*.parquet"))


def _grouped(db: Any, query: str) -> dict[str, dict[str, dict[str, int]]]:
    """asset -> dimension -> value -> sum. GROUPING has a 0 where a column is not summed over."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for bits, value, asset, total in db.execute(query).fetchall():
        kept = next(i for i in range(len(BY)) if not bits >> (len(BY) - 1 - i) & 1)
        found.setdefault(asset, {}).setdefault(BY[kept], {})[value or ""] = int(total)
    return found


def _pairs(db: Any, query: str) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for asset, account, total in db.execute(query).fetchall():
        found.setdefault(asset, {})[account] = int(total)
    return found


def _summed(
    asset: str,
    earned: Mapping[str, Mapping[str, Mapping[str, int]]],
    hosts: Mapping[str, Mapping[str, int]],
    spent: Mapping[str, Mapping[str, int]],
) -> Summed:
    mine = earned.get(asset, {})
    return Summed(
        earned={by: dict(sorted(mine.get(by, {}).items())) for by in BY},
        hosts=hosts.get(asset, {}),
        spent=spent[asset],
        hhi=hhi(hosts.get(asset, {})),
        gini=gini(spent[asset]),
    )
