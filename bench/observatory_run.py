"""The observatory's benchmark, inside: makes synthetic receipts, or reports on them.

Rule: everything of a receipt follows from its number and the seed, by DuckDB's hash, so the
same seed makes the same receipts.
Invariant: payments sum to prices: the host has what author, operator and commons leave.
Worked number: a price of 101 with 10 %, 5 % and 1 %: 10, 5, 1, and the host 85.
"""

from __future__ import annotations

import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from allmende.adapters.parquet import duck, quoted
from allmende.adapters.parquet_report import report
from bench.observatory import Told

MONTHS = 12
COUNTRIES = ("DEU", "FRA", "USA", "CHN", "NLD", "SWE", "ESP", "POL", "IRL", "JPN", "IND", "BRA")
TOTALS = "totals.json"

_RECEIPTS = """
SELECT number, 'r' || lower(hex(hash(number, {seed}))) AS id,
  {start} + (number % 2592000) * 1000000 AS "at",
  'buyer' || (pow(h1 % 1000 / 1000.0, 3) * 5000)::INT AS account,
  'budget' || (h1 % 20000) AS budget, 'key' || (h1 % 40000) AS key,
  'host' || (h2 % 60) AS provider, 'offer' || (h2 % 400) AS offer, 'title' || (h2 % 40) AS title,
  'model' || (h2 % 40) AS model, countries[(h2 % 60 % {zones} + 1)::INT] AS country,
  'credit' AS asset, 'chat/completions' AS endpoint, 'Op' || (h2 % 60) AS operator,
  (h3 % 4000)::DECIMAL(38,0) AS input, 0::DECIMAL(38,0) AS cached,
  (h4 % 900 + 1)::DECIMAL(38,0) AS output, 0::DECIMAL(38,0) AS embedding,
  ((h3 % 4000) * 150000 + (h4 % 900 + 1) * 600000)::DECIMAL(38,0) AS price,
  (h4 % 900 * 100000 + 20000)::DECIMAL(38,0) AS uj_low,
  (h4 % 900 * 1420000 + 90000)::DECIMAL(38,0) AS uj_high,
  (h4 % 900 * 10)::DECIMAL(38,0) AS ug_low, (h4 % 900 * 160)::DECIMAL(38,0) AS ug_high,
  'metered' AS basis, 'agrees' AS verdict, 'complete' AS outcome, '' AS "right",
  '' AS payer, 1 AS final, (number // 10000)::BIGINT AS batch
FROM (SELECT range AS number, hash(range, {seed}, 1) AS h1, hash(range, {seed}, 2) AS h2,
  hash(range, {seed}, 3) AS h3, hash(range, {seed}, 4) AS h4, {countries} AS countries
  FROM range({first}, {last}))"""
_PAYMENTS = """
WITH r AS (SELECT *, price // 10 AS author, price // 20 AS fee, price // 100 AS levy FROM {month})
SELECT number, line, CASE line WHEN 0 THEN provider WHEN 1 THEN 'author' || substr(model, 6)
    WHEN 2 THEN 'operator' ELSE 'commons' END AS account,
  ['host', 'author', 'operator', 'commons'][line + 1] AS role, asset,
  (CASE line WHEN 0 THEN price - author - fee - levy WHEN 1 THEN author WHEN 2 THEN fee
    ELSE levy END)::DECIMAL(38,0) AS amount, "at", model, provider, country
FROM r, (SELECT unnest(range(4))::INT AS line)"""


def make(folder: Path, receipts: int, seed: int) -> None:
    each, price, made = receipts // MONTHS, 0, 0
    with duck("2GB", scratch=folder) as db:
        db.execute("SET preserve_insertion_order = false")
        for index in range(MONTHS):
            first, last = index * each, receipts if index == MONTHS - 1 else (index + 1) * each
            start = int(datetime(2026, index + 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
            paths = [_path(folder, name, index) for name in ("receipts", "payments")]
            query = _RECEIPTS.format(
                seed=seed, first=first, last=last, start=start, zones=len(COUNTRIES),
                countries=list(COUNTRIES),
            )  # fmt: skip
            _copy(db, query, paths[0])
            month = f"read_parquet({quoted(paths[0])})"
            _copy(db, _PAYMENTS.format(month=month), paths[1])
            total = db.execute(f"SELECT SUM(price), COUNT(*) FROM {month}").fetchone()
            price, made = price + int(total[0]), made + int(total[1])
    folder.joinpath(TOTALS).write_bytes(msgspec.json.encode([str(price), made]))


def _path(folder: Path, name: str, index: int) -> Path:
    path = folder / name / f"month=2026-{index + 1:02}" / f"{name}.parquet"
    path.parent.mkdir(parents=True)
    return path


def _copy(db: object, query: str, path: Path) -> None:
    db.execute(f"COPY ({query}) TO {quoted(path)} (FORMAT parquet, COMPRESSION zstd)")  # type: ignore[attr-defined]


def measured(folder: Path, memory: str) -> Told:
    price, receipts = msgspec.json.decode(folder.joinpath(TOTALS).read_bytes())
    files = sorted(folder.glob("*/*/*.parquet"))
    began = time.perf_counter()
    for path in files:
        path.read_bytes()
    read_s = time.perf_counter() - began
    began = time.perf_counter()
    found = report(folder, memory)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    (only,) = found.assets.values()
    whole = {sum(only.earned[by].values()) for by in only.earned} == {int(price)}
    scan_s, payments = _scan(folder, memory)
    return Told(
        seconds=seconds,
        peak_mb=peak,
        same=whole and found.receipts == receipts,
        receipts=found.receipts,
        payments=payments,
        megabytes=sum(path.stat().st_size for path in files) / 1e6,
        read_s=read_s,
        scan_s=scan_s,
    )


def _scan(folder: Path, memory: str) -> tuple[float, int]:
    """The same columns without grouping: what no report can be faster than here."""
    began = time.perf_counter()
    with duck(memory, scratch=folder) as db:
        paid, sold = (
            quoted(folder / name / "*" / "*.parquet") for name in ("payments", "receipts")
        )
        count = db.execute(
            "SELECT COUNT(*), SUM(amount), MAX(role), MAX(country), MAX(model), MAX(account),"
            f" MAX(asset) FROM read_parquet({paid})"
        ).fetchone()[0]
        db.execute(
            "SELECT SUM(price), MAX(account), SUM(input), SUM(output), SUM(uj_low), SUM(uj_high),"
            f" SUM(ug_low), SUM(ug_high), MAX(final) FROM read_parquet({sold})"
        ).fetchone()
    return time.perf_counter() - began, int(count)


def main(what: str, folder: str, *words: str) -> None:
    if what == "make":
        make(Path(folder), int(words[0]), int(words[1]))
    else:
        print(msgspec.json.encode(measured(Path(folder), words[0])).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
