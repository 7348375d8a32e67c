"""Parquet: what is read back is what was given, to the last digit; nothing is fetched."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.adapters.parquet import (
    AMOUNT,
    TEXT,
    WHOLE,
    NoDuckDB,
    duck,
    read,
    to_parquet,
    types_of,
    write,
)


def test_types_follow_the_largest_value_of_a_column() -> None:
    largest = (1 << 63) - 1
    assert types_of([{"a": largest}]) == {"a": WHOLE}
    assert types_of([{"a": largest}, {"a": largest + 1}]) == {"a": AMOUNT}
    assert types_of([{"a": "9" * 38}, {"a": None}], ("a",)) == {"a": AMOUNT}
    assert types_of([{"a": "-" + "9" * 38}], ("a",)) == {"a": AMOUNT}
    assert types_of([{"a": "1" + "0" * 38}], ("a",)) == {"a": TEXT}
    assert types_of([{"a": "7"}]) == {"a": TEXT}, "text is an amount only where that is said"


@given(st.lists(st.integers(-(10**38) + 1, 10**38 - 1), min_size=1, max_size=20))
@settings(max_examples=15, deadline=None)
def test_amounts_come_back_to_the_last_digit(amounts: list[int]) -> None:
    rows = [{"amount": str(amount)} for amount in amounts]
    assert [int(row["amount"]) for row in _back(to_parquet(rows, ("amount",)))] == amounts


@given(st.lists(st.text(max_size=20).filter(lambda text: "\0" not in text), max_size=20))
@settings(max_examples=15, deadline=None)
def test_any_text_comes_back(texts: list[str]) -> None:
    rows = [{"text": text, "n": n} for n, text in enumerate(texts)]
    found = _back(to_parquet(rows))
    assert [(row["text"], row["n"]) for row in found] == [(row["text"], row["n"]) for row in rows]


def test_larger_amounts_are_text(tmp_path: Path) -> None:
    found = _back(to_parquet([{"amount": str(10**60)}], ("amount",)))
    assert found == [{"amount": str(10**60)}]


def test_an_empty_file_has_its_columns(tmp_path: Path) -> None:
    assert write([], tmp_path / "x.parquet", {"a": AMOUNT, "b": TEXT}) == 0
    assert read(tmp_path / "x.parquet") == []
    assert to_parquet([])


def test_what_is_no_number_stops_the_file_and_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    write([{"a": "1"}], path, {"a": AMOUNT})
    before = path.read_bytes()
    with pytest.raises(Exception, match="abc"):
        write([{"a": "abc"}], path, {"a": AMOUNT})
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.parquet"]


def test_without_duckdb_it_says_how_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(NoDuckDB, match=r"pip install 'allmende\[observatory\]'"):
        to_parquet([{"a": 1}])


def test_no_extension_is_fetched() -> None:
    with duck() as db, pytest.raises(Exception, match="httpfs"):
        db.execute("SELECT * FROM read_parquet('https://127.0.0.1:9/x.parquet')")


def _back(data: bytes) -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.parquet")
        path.write_bytes(data)
        return read(path)
