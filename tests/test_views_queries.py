"""Queries against what the events say: pages, grants, sums, history, wrong questions."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_views_fold import folded, standing
from views_history import Market

from allmende.adapters.views import SqliteViews, to_csv
from allmende.adapters.views_queries import QUERIES, ask
from allmende.adapters.views_schema import connect_reader
from allmende.adapters.views_select import exact
from allmende.core import events as e
from allmende.core import exchange_events as f
from allmende.core.nouns import VERDICTS, Receipt
from allmende.core.refusals import Refused, Why
from allmende.core.settle import canonical

Row = dict[str, Any]
MARKET = Market(11).run(900)
TRADED = next(ev.instrument for ev in MARKET.events if isinstance(ev, f.Filled))
FINAL = [r for _, _, r in standing(MARKET.events) if r.verdict != "pending"]
NEEDED = {
    "receipt": {"id": FINAL[0].id},
    "payments": {"account": "host"},
    "batch": {"number": 1},
    "batch_leaves": {"batch": 1},
    "totals": {"dimension": "provider"},
    "balance_history": {"account": "a"},
    "offer_history": {"offer": "o0"},
    "candles": {"instrument": TRADED},
    "orders": {"accounts": {"a", "b"}},
    "fills": {"account": "host"},
    "settlements": {"accounts": {"a", "b", "host"}},
}
"""What some queries cannot do without."""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folded(tmp_path_factory.mktemp("views"), MARKET.events)


class Asker:
    """Asks one question in an event loop of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, name: str, **arguments: object) -> list[Row]:
        async def rows() -> list[Row]:
            views = SqliteViews(self._path)
            try:
                return await views.rows(name, **arguments)
            finally:
                await views.close()

        return asyncio.run(rows())

    def pages(self, name: str, **arguments: object) -> Iterator[Row]:
        """All rows, a few at a time."""
        page = self(name, limit=7, **arguments)
        while page:
            yield from page
            last = {k: page[-1][c] for k, c in CURSOR[name].items()}
            page = self(name, limit=7, **arguments, **last)


CURSOR = {
    "receipts": {"before": "number"},
    "payments": {"before": "number", "before_line": "line"},
    "movements": {"before": "number"},
    "batches": {"before": "number"},
    "feed": {"after": "changed"},
}


@pytest.fixture(scope="module")
def views(file: Path) -> Asker:
    return Asker(file)


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_every_query_answers_with_rows(name: str, views: Asker) -> None:
    rows = views(name, **NEEDED.get(name, {}))
    assert rows
    assert all(row.keys() == rows[0].keys() for row in rows)


@pytest.mark.parametrize("name", ["receipts", "movements", "batches"])
def test_pages_are_all_rows_newest_first(name: str, views: Asker) -> None:
    numbers = [row["number"] for row in views.pages(name)]
    assert numbers == [row["number"] for row in views(name, limit=1000)]
    assert numbers == sorted(set(numbers), reverse=True)


def test_a_page_stands_while_new_rows_come(tmp_path: Path) -> None:
    half, whole = MARKET.events[:500], MARKET.events
    early, late = Asker(folded(tmp_path, half)), Asker(folded(tmp_path, whole, seed=1))
    first = early("receipts", limit=10)
    second = [row["id"] for row in late("receipts", limit=10, before=first[-1]["number"])]
    assert second == [row["id"] for row in early("receipts", limit=20)][10:]


def seen(receipt: Receipt, grants: dict[str, set[str]]) -> bool:
    columns = {"accounts": "account", "budgets": "budget", "providers": "provider"}
    return not grants or any(getattr(receipt, columns[g]) in ids for g, ids in grants.items())


@given(
    grants=st.dictionaries(
        st.sampled_from(["accounts", "budgets", "providers"]),
        st.sets(st.sampled_from(["a", "b", "nobody", "low", "gold", "host", "other"])),
    ),
    narrow=st.dictionaries(st.sampled_from(["key", "provider"]), st.sampled_from(["k2", "host"])),
)
def test_grants_show_exactly_what_they_allow(
    grants: dict[str, set[str]], narrow: dict[str, str], views: Asker
) -> None:
    last = {r.id: r for _, _, r in standing(MARKET.events)}
    expected = [
        r.id
        for r in last.values()
        if seen(r, grants) and all(getattr(r, name) == value for name, value in narrow.items())
    ]
    found = views("receipts", limit=1000, **grants, **narrow)
    assert sorted(row["id"] for row in found) == sorted(expected)
    assert [row["id"] for row in found[:5]] == [
        row["id"] for row in views("receipts", limit=5, **grants, **narrow)
    ]
    feed = views("feed", limit=1000, **grants, **narrow)
    assert sorted(row["id"] for row in feed) == sorted(expected)
    counted = views("totals", dimension="key", **grants, **narrow)
    final = [id_ for id_ in expected if last[id_].verdict != "pending"]
    assert sum(row["receipts"] for row in counted) == len(final)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_filters_of_verdict_and_finality(verdict: str, views: Asker) -> None:
    expected = {r.id for _, _, r in standing(MARKET.events) if r.verdict == verdict}
    assert {row["id"] for row in views("receipts", limit=1000, verdict=verdict)} == expected
    final = views("receipts", limit=1000, verdict=verdict, final=1)
    assert {row["id"] for row in final} == (set() if verdict == "pending" else expected)
    assert len(views("receipts", limit=1000, verdict=verdict, final=0)) + len(final) == len(
        expected
    )


def test_the_feed_brings_each_change(tmp_path: Path) -> None:
    views, shown, after = Asker(folded(tmp_path, MARKET.events[:300])), {}, 0
    for row in views.pages("feed"):
        assert row["changed"] > after
        shown[row["id"]], after = row, row["changed"]
    views = Asker(folded(tmp_path, MARKET.events, seed=1))
    for row in views.pages("feed"):
        shown[row["id"]] = row
    now = {row["id"]: row for row in views("receipts", limit=1000)}
    assert shown == now


def test_one_receipt_says_everything(views: Asker) -> None:
    receipt = FINAL[-1]
    (row,) = views("receipt", id=receipt.id)
    assert row["body"].encode() == canonical(receipt)
    assert [int(line["amount"]) for line in row["waterfall"]] == [
        payment.amount for payment in receipt.waterfall
    ]
    assert int(row["price"]) == receipt.price
    assert views("receipt", id=receipt.id, accounts={"nobody"}) == []
    assert len(views("receipt", id=receipt.id, accounts={receipt.account})) == 1


def test_a_correction_shows_what_it_corrects(views: Asker) -> None:
    corrected = {
        event.receipt.id: -event.before[0].amount
        for event in MARKET.events
        if isinstance(event, e.Finalised) and event.before
    }
    rows = {row["id"]: row for row in views("receipts", limit=1000) if row["price_before"]}
    assert {id_: int(row["price_before"]) for id_, row in rows.items()} == corrected
    assert {row["cause"] for row in rows.values()} == {"recounted"}


@pytest.mark.parametrize("by", ["total", "day", "month"])
def test_totals_of_every_dimension_are_the_same(by: str, views: Asker) -> None:
    for dimension in ("account", "budget", "key", "provider", "offer", "title", "model", "country"):
        sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        for row in views("totals", dimension=dimension, by=by):
            assert by == "total" or row[by]
            counts = (row["receipts"], row["output"], int(row["price"]))
            sums[row["asset"]] = [a + b for a, b in zip(sums[row["asset"]], counts, strict=True)]
        assert sums == {
            asset: [len(of), sum(r.units.output for r in of), sum(r.price for r in of)]
            for asset in ("credit", "gold")
            if (of := [r for r in FINAL if r.asset == asset])
        }


def test_usage_of_a_budget_includes_those_below(views: Asker) -> None:
    rows = views("usage", under="top")
    assert {row["budget"] for row in rows} == {"top", "low"}
    assert sum(int(row["price"]) for row in rows) == sum(
        r.price for r in FINAL if r.budget in ("top", "low")
    )
    months = {row["month"] for row in rows}
    assert sum(len(views("usage", under="top", month=month)) for month in months) == len(rows)


def test_usage_as_csv_runs_nothing_in_a_spreadsheet(views: Asker) -> None:
    rows = views("usage", budget="low")
    lines = list(csv.DictReader(io.StringIO(to_csv(rows))))
    assert [line["price"] for line in lines] == [row["price"] for row in rows]
    assert {line["budget_name"] for line in lines} == {"'=Low"}


def test_earnings_and_payments_agree(views: Asker) -> None:
    for account in ("host", "author", "commons"):
        expected = sum(p.amount for r in FINAL for p in r.waterfall if p.account == account)
        lines = list(views.pages("payments", account=account))
        assert sum(int(line["amount"]) for line in lines) == expected
        assert len({(line["number"], line["line"]) for line in lines}) == len(lines)
        for by in ("total", "day", "month"):
            assert sum(int(row["amount"]) for row in views("earnings", account=account, by=by)) == (
                expected
            )


def test_balances_end_each_hour_and_day_as_posted(views: Asker) -> None:
    hours = views("balance_history", account="a", asset="credit")
    assert [row["at"] for row in hours] == sorted({row["at"] for row in hours})
    final = MARKET.state.balances["credit"]["a"]
    assert int(hours[-1]["balance"]) == final
    days = views("balance_history", account="a", asset="credit", by="day")
    assert {row["balance"] for row in days} <= {row["balance"] for row in hours}
    assert 1 < len(days) < len(hours)
    (now,) = views("balances", account="a", asset="credit")
    assert int(now["balance"]) == int(days[-1]["balance"]) == final


def test_offers_keep_every_version(views: Asker) -> None:
    posted = [ev for ev in MARKET.events if isinstance(ev, e.OfferPosted) and ev.offer.id == "o1"]
    history = views("offer_history", offer="o1")
    assert [row["terms"]["tariff"] for row in history] == [
        row["terms"]["tariff"] for row in sorted(history, key=lambda row: row["number"])
    ]
    assert len(history) == len(posted)
    assert all(row["until"] for row in history[:-1])
    assert {row["offer"] for row in views("offers")} == set(MARKET.state.offers)


@given(st.lists(st.integers(0, 10**34), min_size=1, max_size=8))
def test_sums_in_sql_are_exact(values: list[int]) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        union = " UNION ALL ".join(f"SELECT '{value}' AS x" for value in values)
        assert db.execute(f"SELECT {exact('x')} FROM ({union})").fetchone() == (str(sum(values)),)


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("nothing", {}, Why.NOT_FOUND),
        ("receipts", {"x": 1}, Why.BAD_REQUEST),
        ("receipts", {"limit": 0}, Why.BAD_VALUE),
        ("receipts", {"limit": 1001}, Why.BAD_VALUE),
        ("receipts", {"before": "1"}, Why.BAD_VALUE),
        ("receipts", {"before": 1 << 63}, Why.BAD_VALUE),
        ("receipts", {"accounts": "a"}, Why.BAD_VALUE),
        ("totals", {"dimension": "price; DROP TABLE fold"}, Why.BAD_VALUE),
        ("payments", {}, Why.BAD_REQUEST),
    ],
)
def test_wrong_questions_are_refused(name: str, arguments: dict[str, Any], why: Why) -> None:
    with pytest.raises(Refused) as refused:
        ask(name, arguments)
    assert refused.value.why is why


def test_the_sql_and_the_tables_in_the_docs_exist(file: Path) -> None:
    page = (Path(__file__).parent.parent / "docs/life/observe.md").read_text()
    tables, rest = page.split("```sql\n")
    firsts = [line.split("|")[1] for line in tables.splitlines() if line.startswith("| `")]
    documented = set(re.findall(r"\w+", " ".join(firsts)))
    with closing(connect_reader(file)) as db:
        assert documented == {
            name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        }
        for statement in rest.split("```")[0].split(";"):
            db.execute(statement)


def test_readers_cannot_write(file: Path) -> None:
    with closing(connect_reader(file)) as db, pytest.raises(sqlite3.OperationalError):
        db.execute("DELETE FROM fold")


@pytest.mark.parametrize(
    ("name", "arguments", "index"),
    [
        ("receipts", {"account": "a"}, "account"),
        ("receipts", {"key": "k1", "before": 100}, "key"),
        ("receipts", {"accounts": {"a", "b"}}, "account"),
        ("receipts", {"budgets": {"low"}, "providers": {"host"}}, "provider"),
        ("receipts", {"final": 0}, "pending"),
        ("receipts", {"verdict": "disagrees"}, "disputed"),
        ("receipt", {"id": "r1"}, "id"),
        ("feed", {"after": 9, "accounts": {"a"}}, "changed"),
    ],
)
def test_a_page_reads_an_index_and_not_the_table(
    name: str, arguments: dict[str, Any], index: str, file: Path
) -> None:
    asked = ask(name, arguments)
    with closing(connect_reader(file)) as db:
        plan = [str(row[3]) for row in db.execute(f"EXPLAIN QUERY PLAN {asked.sql}", asked.values)]
    assert any(f"INDEX receipts_{index} " in f"{step} " for step in plan), plan
    assert "SCAN receipts" not in plan, plan
