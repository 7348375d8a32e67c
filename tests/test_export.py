"""Exports: exact, of one moment, without secrets, all or nothing."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from observed import directory, events, exact

from allmende.adapters.export import METADATA, SQLITE, export, safe, snapshot
from allmende.adapters.parquet import read
from allmende.adapters.views_file import NoViews
from allmende.adapters.views_schema import connect
from allmende.cli import main
from allmende.core import events as e
from allmende.main import VIEWS


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return directory(tmp_path_factory.mktemp("data"))


def test_parquet_has_every_receipt_and_sums_to_the_ledger(data: Path, tmp_path: Path) -> None:
    export(data / VIEWS, tmp_path / "out", "parquet")
    found = read(tmp_path / "out/receipts/*/*.parquet")
    assert len(found) == exact(data, "SELECT COUNT(*) FROM receipts")[0][0] > 50
    (said,) = exact(data, "SELECT total_of(price) FROM receipts")[0]
    assert str(sum(int(row["price"]) for row in found)) == said
    assert len({row["month"] for row in found}) > 1, "the month is a column of a partitioned read"
    paid = read(tmp_path / "out/payments/*/*.parquet")
    (earned,) = exact(data, "SELECT total_of(amount) FROM earnings")[0]
    assert str(sum(int(row["amount"]) for row in paid)) == earned


def test_csv_and_parquet_say_the_same(data: Path, tmp_path: Path) -> None:
    export(data / VIEWS, tmp_path / "p", "parquet")
    export(data / VIEWS, tmp_path / "c", "csv")
    for path in sorted((tmp_path / "p").rglob("*.parquet")):
        other = (tmp_path / "c" / path.relative_to(tmp_path / "p")).with_suffix(".csv")
        with other.open(newline="") as file:
            lines = list(csv.DictReader(file))
        rows = [{n: v for n, v in row.items() if n != "month"} for row in read(path)]
        texts = [{n: "" if v is None else str(safe(v)) for n, v in row.items()} for row in rows]
        assert lines == texts


def test_sqlite_is_whole_readable_and_described(data: Path, tmp_path: Path) -> None:
    done = export(data / VIEWS, tmp_path / "out", "sqlite")
    path = tmp_path / "out" / SQLITE
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT COUNT(*) FROM receipts").fetchone()[0] == done.files["receipts"]
    assert not path.stat().st_mode & 0o222
    said = json.loads((tmp_path / "out" / METADATA).read_text())
    assert "receipts" in said["databases"]["allmende"]["tables"]
    assert said["allmende"]["event"] == len(events())


@pytest.mark.parametrize("format_", ["parquet", "csv", "sqlite"])
def test_no_secret_is_in_any_file(data: Path, tmp_path: Path, format_: str) -> None:
    posted = [event.offer for event in events() if isinstance(event, e.OfferPosted)]
    assert any(offer.sealed_secret for offer in posted)
    secrets = {b"1" * 64, b"2" * 64, b"http://10.0.0.7", b'"sealed', b"a signature"}
    export(data / VIEWS, tmp_path / "out", format_)
    for path in (tmp_path / "out").rglob("*"):
        held = path.read_bytes() if path.is_file() else b""
        assert not [secret for secret in secrets if secret in held], path


def test_a_snapshot_is_of_one_moment_while_the_market_writes(data: Path, tmp_path: Path) -> None:
    folder = directory(tmp_path / "live")
    with closing(connect(folder / VIEWS)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM payments")
        number = snapshot(folder / VIEWS, tmp_path / "copy")
        writer.execute("ROLLBACK")
    assert number == len(events())
    with closing(sqlite3.connect(tmp_path / "copy")) as db:
        assert db.execute("SELECT COUNT(*) FROM payments").fetchone()[0] > 50


def test_nothing_is_overwritten_and_nothing_is_left_behind(data: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine").write_text("kept")
    with pytest.raises(ValueError, match="overwrites nothing"):
        export(data / VIEWS, taken, "csv")
    with pytest.raises(NoViews, match="No read models"):
        export(tmp_path / "none", tmp_path / "new", "csv")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    assert [path.name for path in taken.iterdir()] == ["mine"]


def test_a_cell_is_no_formula() -> None:
    assert safe("=1+1") == "'=1+1"
    assert safe("-5") == "-5"
    assert safe("-5+cmd") == "'-5+cmd"
    assert safe(-5) == -5


def test_the_command_says_what_it_wrote(data: Path, tmp_path: Path) -> None:
    words = ["observatory", "export", "--data", str(data), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert "receipts/month=" in result.output
    again = CliRunner().invoke(main, words)
    assert again.exit_code == 1
    assert "overwrites nothing" in again.stderr
