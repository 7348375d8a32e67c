"""The fold against the slow obvious way, whatever the groups, and after errors."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from views_history import Market, frames, write

from allmende.adapters.views_fold import fold
from allmende.adapters.views_schema import PARTIES, ROLLUPS, connect
from allmende.core import events as e
from allmende.core import exchange_events as x
from allmende.core.nouns import Receipt
from allmende.core.observe import DIMENSIONS, Totals, observe
from allmende.core.settle import canonical, receipt_leaf
from allmende.wire import journal, merkle

ALL = 10**9


def folded(path: Path, events: list[e.Event], *, seed: int = 0, group: int = ALL) -> Path:
    """Tables into which these events are folded, about `group` at a time."""
    with (
        closing(write(path / f"j{seed}-{group}", frames(events, seed))) as source,
        closing(connect(path / f"v{seed}-{group}")) as db,
    ):
        while fold(db, source.frames, group):
            pass
    return path / f"v{seed}-{group}"


def table(db: sqlite3.Connection, query: str) -> list[dict[str, object]]:
    cursor = db.execute(query)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def dump(path: Path) -> list[str]:
    with closing(connect(path)) as db:
        return list(db.iterdump())


def standing(events: list[e.Event]) -> Iterator[tuple[int, int, Receipt]]:
    """(number of capture, of last change, receipt as it stands)"""
    captured, changed, last = {}, {}, {}
    for number, event in enumerate(events, 1):
        if isinstance(event, e.Captured | e.Finalised | x.Redeemed):
            captured.setdefault(event.receipt.id, number)
            changed[event.receipt.id], last[event.receipt.id] = number, event.receipt
    return ((captured[id_], changed[id_], receipt) for id_, receipt in last.items())


@settings(max_examples=8)
@given(seed=st.integers(0, 1 << 32))
def test_tables_are_what_the_events_say(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    market = Market(seed).run(400)
    path = folded(tmp_path_factory.mktemp("views"), market.events)
    with closing(connect(path)) as db:
        check_receipts(db, market.events)
        check_sums(db, market.events)
        check_batches(db, market)
        check_proofs(db, market.events)
        check_balances(db, market)


def check_balances(db: sqlite3.Connection, market: Market) -> None:
    rows = table(db, "SELECT account, asset, balance, MAX(hour) FROM balances GROUP BY 1, 2")
    found = {(row["asset"], row["account"]): int(str(row["balance"])) for row in rows}
    assert {key: amount for key, amount in found.items() if amount} == {
        (asset, account): amount
        for asset, accounts in market.state.balances.items()
        for account, amount in accounts.items()
        if amount
    }


def check_receipts(db: sqlite3.Connection, events: list[e.Event]) -> None:
    rows = table(db, "SELECT * FROM receipts JOIN bodies USING (number) ORDER BY number")
    assert len(rows) == len(list(standing(events)))
    for row, (number, changed, receipt) in zip(rows, sorted(standing(events)), strict=True):
        assert (row["number"], row["changed"], row["id"]) == (number, changed, receipt.id)
        assert row["body"] == canonical(receipt)
        assert row["price"] == str(receipt.price)
        assert row["final"] == (receipt.verdict != "pending")
        assert int(str(row["output"])) == receipt.units.output


def check_sums(db: sqlite3.Connection, events: list[e.Event]) -> None:
    totals = Totals()
    for event in events:
        observe(totals, event)
    columns = dict(zip(DIMENSIONS, ("account", "provider", "country", "title"), strict=True))
    usage = table(db, "SELECT * FROM usage")
    for dimension, column in columns.items():
        sums: dict[tuple[object, object], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for row in usage:
            into = sums[row[column], row["asset"]]
            for place, name in enumerate(("receipts", "output", "price", "uj_high")):
                into[place] += int(str(row[name]))
        assert sums == {
            (value, asset): [total.receipts, total.output, total.money, total.uj[1]]
            for value, assets in totals.by[dimension].items()
            for asset, total in assets.items()
        }
    for name, parties in ROLLUPS.items():
        check_rollup(db, usage, name, ("day", *parties))
    for source in ("payments", "earnings"):
        earned: dict[str, dict[str, dict[str, int]]] = {}
        for row in table(db, f"SELECT * FROM {source}"):
            roles = earned.setdefault(str(row["account"]), {}).setdefault(str(row["role"]), {})
            asset = str(row["asset"])
            roles[asset] = roles.get(asset, 0) + int(str(row["amount"]))
        assert earned == totals.earned


def check_rollup(
    db: sqlite3.Connection, usage: list[dict[str, object]], name: str, keys: tuple[str, ...]
) -> None:
    """Usage again, by fewer parties."""
    sums: dict[tuple[object, ...], dict[str, int]] = {}
    for row in usage:
        into = sums.setdefault(tuple(row[key] for key in keys), {})
        for column in row.keys() - {*keys, *PARTIES}:
            into[column] = into.get(column, 0) + int(str(row[column]))
    found = table(db, f"SELECT * FROM {name}")
    assert {
        tuple(row[key] for key in keys): {
            column: int(str(row[column])) for column in row.keys() - {*keys}
        }
        for row in found
    } == sums
    assert all(isinstance(row["price"], str) for row in found)


def check_batches(db: sqlite3.Connection, market: Market) -> None:
    closed = [event for event in market.events if isinstance(event, e.BatchClosed)]
    rows = table(db, "SELECT * FROM batches ORDER BY number")
    assert [row["root"] for row in rows] == [event.root for event in closed]
    for event in closed:
        chunks = db.execute(
            "SELECT leaves FROM batch_leaves WHERE batch = ? ORDER BY start", (event.number,)
        )
        leaves = b"".join(chunk for (chunk,) in chunks)
        hashes = [leaves[i : i + 32] for i in range(0, len(leaves), 32)]
        assert merkle.root(hashes) == event.receipts_root
        members = table(
            db, f"SELECT body FROM receipts JOIN bodies USING (number) WHERE batch = {event.number}"
            " ORDER BY batch_leaf"
        )  # fmt: skip
        decoded = [msgspec.json.decode(bytes(r["body"]), type=Receipt) for r in members]  # type: ignore[arg-type]
        assert [receipt_leaf(receipt) for receipt in decoded] == hashes
    assert db.execute("SELECT leaves FROM fold").fetchone()[0] == market.state.batch.receipts


def check_proofs(db: sqlite3.Connection, events: list[e.Event]) -> None:
    by_first = {found.first: found for found in frames(events)}
    for row in table(db, "SELECT * FROM receipts JOIN bodies USING (number)"):
        receipt = msgspec.json.decode(bytes(row["body"]), type=Receipt)  # type: ignore[arg-type]
        leaves = journal.leaves(journal.events(by_first[row["frame"]].body))  # type: ignore[index]
        assert leaves[row["frame_leaf"]] == receipt_leaf(receipt)  # type: ignore[index]
        assert row["captured_frame"] <= row["number"]  # type: ignore[operator]


@pytest.mark.parametrize("group", [1, 7, 100])
def test_groups_do_not_matter(group: int, tmp_path: Path) -> None:
    events = Market(3).run(600).events
    whole = dump(folded(tmp_path, events))
    assert dump(folded(tmp_path, events, group=group)) == whole


def test_usage_beyond_64_bits_is_exact(tmp_path: Path) -> None:
    market = Market(1).run(800)
    with closing(connect(folded(tmp_path, market.events))) as db:
        prices = [int(str(row["price"])) for row in table(db, "SELECT price FROM usage")]
    final = [r.price for _, _, r in standing(market.events) if r.verdict != "pending"]
    assert sum(prices) == sum(final)
    assert max(prices) > 1 << 63


def test_a_gap_or_another_chain_changes_nothing(tmp_path: Path) -> None:
    found = list(frames(Market(1).run(100).events))
    alien = list(frames(Market(2).run(100).events))
    with closing(connect(tmp_path / "v")) as db:
        fold(db, lambda after: found[:3], ALL)
        before = list(db.iterdump())
        for wrong in (found[4:5], [msgspec.structs.replace(found[3], prev=alien[0].head)]):
            with pytest.raises(AssertionError):
                fold(db, lambda after, wrong=wrong: wrong, ALL)  # type: ignore[misc]
            assert list(db.iterdump()) == before


def test_no_secret_no_hash_no_address_is_in_the_tables(tmp_path: Path) -> None:
    text = "\n".join(dump(folded(tmp_path, Market(1).run(50).events)))
    for private in ("1" * 64, "sealed", "10.0.0.7"):
        assert private not in text
