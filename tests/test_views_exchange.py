"""The exchange's rows against what the events and the state say, and proofs of rights spent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from test_views_fold import folded
from test_views_queries import Asker
from views_history import Market, frames

from allmende.adapters.views_queries import ask
from allmende.adapters.views_schema import connect_reader
from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core.contracts import LOT
from allmende.core.custody import CHAIN
from allmende.core.ledger import bond_account, issuer_account
from allmende.core.nouns import Receipt
from allmende.core.refusals import Refused, Why
from allmende.core.rights import outstanding
from allmende.core.settle import receipt_leaf
from allmende.core.units import CREDIT, MINUTE, SECOND
from allmende.lab.floor import Floor
from allmende.wire import journal
from allmende.wire import receipt as proof

Row = dict[str, Any]
MARKET = Market(2).run(1_500)
ALL = {"a", "b", "host"}
TRADES = [(n, ev) for n, ev in enumerate(MARKET.events, 1) if isinstance(ev, f.Filled)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folded(tmp_path_factory.mktemp("views"), MARKET.events, group=300)


@pytest.fixture(scope="module")
def views(path: Path) -> Asker:
    return Asker(path)


def of(kind: type) -> list[Any]:
    return [event for event in MARKET.events if isinstance(event, kind)]


# Trades -------------------------------------------------------------------------------


def test_the_history_has_all_that_is_asked_about() -> None:
    for kind in (f.Filled, f.Redeemed, f.ClaimSettled, f.InstrumentSettled, f.LotsRetired):
        assert of(kind), kind
    assert {ev.taker for _, ev in TRADES} >= {"buy", "sell"}
    assert any(ev.receipt.right for ev in of(e.Captured))


def test_the_tape_is_the_trades_and_names_nobody(views: Asker) -> None:
    rows = views("tape", limit=1000)
    assert [(r["number"], r["price"], r["grains"], r["taker"]) for r in rows] == [
        (n, str(ev.price), str(ev.grains), ev.taker) for n, ev in reversed(TRADES)
    ]
    assert not rows[0].keys() & {"buyer", "seller", "buy", "sell"}
    assert [r["quote"] for r in rows] == [int(not (t.buy and t.sell)) for _, t in reversed(TRADES)]
    older = views("tape", limit=2, before=rows[2]["number"], instrument=rows[2]["instrument"])
    same = [r for r in rows[3:] if r["instrument"] == rows[2]["instrument"]]
    assert older == same[:2]


@pytest.mark.parametrize("seconds", [60, 3_600, 86_400])
def test_candles_of_any_length_are_the_trades_in_them(seconds: int, views: Asker) -> None:
    for instrument in {ev.instrument for _, ev in TRADES}:
        buckets: dict[int, list[f.Filled]] = defaultdict(list)
        for _, ev in TRADES:
            if ev.instrument == instrument and ev.buy and ev.sell:
                buckets[ev.at - ev.at % (seconds * SECOND)].append(ev)
        rows = views("candles", instrument=instrument, seconds=seconds, limit=1000)
        assert [candle(row) for row in reversed(rows)] == [
            slow(at, fills) for at, fills in sorted(buckets.items())
        ]


def candle(row: Row) -> tuple[int, ...]:
    prices = (row["open"], row["high"], row["low"], row["close"], row["volume"], row["turnover"])
    return (row["at"], *map(int, prices), row["trades"])


def slow(at: int, fills: list[f.Filled]) -> tuple[int, ...]:
    prices = [fill.price for fill in fills]
    volume = sum(fill.grains for fill in fills)
    turnover = sum(fill.price * fill.grains for fill in fills)
    ends = prices[0], max(prices), min(prices), prices[-1]
    return (at, *ends, volume, turnover, len(fills))


def test_candles_are_of_whole_minutes(views: Asker) -> None:
    for seconds in (0, 59, 61, -60):
        with pytest.raises(Refused) as refused:
            views("candles", instrument="x", seconds=seconds)
        assert refused.value.why is Why.BAD_VALUE
    with pytest.raises(Refused):
        views("candles")
    assert all(
        row["at"] % MINUTE == 0 for row in views("candles", instrument=TRADES[0][1].instrument)
    )


# Own business -------------------------------------------------------------------------


def test_orders_that_work_are_those_of_the_state(views: Asker) -> None:
    rows = views("orders", accounts=ALL, live=1, limit=1000)
    assert {row["id"]: (row["left"], row["price"]) for row in rows} == {
        id_: (str(w.left), str(w.order.price)) for id_, w in MARKET.state.orders.items()
    }


def test_what_orders_filled_is_what_was_traded(views: Asker) -> None:
    filled: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for _, ev in TRADES:
        for id_ in filter(None, (ev.buy, ev.sell)):
            filled[id_][0] += ev.grains
            filled[id_][1] += ev.grains * ev.price
    rows = views("orders", accounts=ALL, limit=1000)
    assert len(rows) == len(of(f.OrderPlaced))
    by_id: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        by_id[row["id"]][0] += int(row["filled"])
        by_id[row["id"]][1] += int(row["cost"])
    assert {k: v for k, v in by_id.items() if v[0]} == filled
    ends = {row["cause"] for row in rows if row["ended"]}
    assert ends <= {"filled", *(ev.cause for ev in of(f.OrderEnded))}
    assert all((row["left"] == "0") == (row["cause"] == "filled") for row in rows)


def test_pages_of_orders_and_fills_are_all_of_them(views: Asker) -> None:
    for name in ("orders", "fills"):
        whole = views(name, accounts={"a", "b"}, limit=1000)
        first = views(name, accounts={"a", "b"}, limit=3)
        rest = views(name, accounts={"a", "b"}, before=first[-1]["number"], limit=1000)
        assert first + rest == whole
        assert views(name, account="a", accounts={"b"}) == []
        with pytest.raises(Refused):
            views(name)


def test_fills_show_both_sides_and_who_paid_the_fee(views: Asker) -> None:
    rows = views("fills", accounts=ALL, limit=1000)
    assert len(rows) == 2 * len(TRADES)
    assert sum(int(row["fee"]) for row in rows) == sum(ev.fee for _, ev in TRADES)
    assert {row["role"] for row in rows} <= {"maker", "taker", "auction"}
    some = next(ev.sell for _, ev in TRADES if ev.sell)
    sold = [ev for _, ev in TRADES if ev.sell == some]
    mine = views("fills", accounts=ALL, order=some, limit=1000)
    assert [row["order"] for row in mine if row["side"] == "sell"] == [some] * len(sold)
    for row in rows:
        event = MARKET.events[row["number"] - 1]
        assert row["account"] == (event.buyer if row["side"] == "buy" else event.seller)


def test_settlements_and_claims_are_what_accounts_got(views: Asker) -> None:
    got: dict[tuple[str, str], int] = defaultdict(int)
    for event in (*of(f.ClaimSettled), *of(f.InstrumentSettled)):
        for account, asset, amount in event.lines:
            if account in ALL:
                got[account, asset] += amount
    rows = views("settlements", accounts=ALL, limit=1000)
    found: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        found[row["account"], row["instrument"]] += int(row["grains"])
        found[row["account"], "credit"] += int(row["amount"])
    assert {k: v for k, v in found.items() if v} == {k: v for k, v in got.items() if v}
    claims = views("claims", limit=1000)
    assert len(claims) == len(of(f.Claimed))
    upheld = [ev.upheld for ev in of(f.ClaimSettled)]
    assert sum(bool(row["upheld"]) for row in claims) == sum(upheld)


def test_a_claim_upheld_and_a_default_show_what_they_paid(tmp_path: Path) -> None:
    floor = Floor()
    floor.mint(4)
    floor.place("rhine", "sell", 10_000, 4)
    floor.place("uni", "buy", 10_000, 4)
    floor.do(c.WithdrawOffer(id="clean"))
    floor.do(x.ClaimDefault(id="c", instrument="december", account="uni", grains=2 * LOT))
    floor.fail("r")
    floor.wait(3_600)
    floor.close()
    views = Asker(folded(tmp_path, floor.events))
    (claim,) = views("claims", account="uni")
    assert (claim["upheld"], claim["grains"]) == (1, str(2 * LOT))
    window, upheld = views("settlements", account="uni")
    paid = floor.balance("uni") - 996 * CREDIT + 4 * CREDIT // 1000
    assert int(window["amount"]) + int(upheld["amount"]) == paid
    assert (window["grains"], upheld["grains"]) == (str(-2 * LOT), str(-2 * LOT))
    (row,) = views("instruments", id="december", live=0)
    assert (row["issued"], row["expired"], row["defaulted"]) == (
        str(2 * LOT),
        str(2 * LOT),
        ["uni"],
    )
    assert (row["bond"], row["delivered"], row["outstanding"]) == ("0", "0", "0")


# Instruments --------------------------------------------------------------------------


def test_instruments_stand_as_in_the_state(views: Asker) -> None:
    rows = {row["id"]: row for row in views("instruments", limit=1000)}
    assert set(rows) == {ev.instrument.id for ev in of(f.Listed)}
    assert {id_ for id_, row in rows.items() if row["settled"] is None} == set(
        MARKET.state.listings
    )
    credit = MARKET.state.balances["credit"]
    for id_, listing in MARKET.state.listings.items():
        row = rows[id_]
        assert int(row["issued"]) == listing.issued
        assert int(row["outstanding"]) == outstanding(MARKET.state, id_)
        assert int(row["delivered"]) == listing.delivered
        assert int(row["bond"]) == credit.get(bond_account(id_), 0)
        assert (row["trades"], row["last"]) == (
            listing.trades,
            str(listing.last) if listing.last else None,
        )


def test_a_settled_instrument_keeps_its_end(views: Asker) -> None:
    for event in of(f.InstrumentSettled):
        (row,) = views("instruments", id=event.instrument)
        assert (row["settled"], int(row["figure"])) == (event.at, event.figure)
        assert row["defaulted"] == list(event.defaulted)
        assert (row["bond"], row["outstanding"]) == ("0", "0")
        used = sum(r.grains for r in last_receipts() if r.right == event.instrument)
        assert int(row["delivered"]) == used


def test_issuers_show_what_stands_for_them(views: Asker) -> None:
    (row,) = views("issuers", issuer="host")
    listings = MARKET.state.listings
    assert (row["live"], row["settled"]) == (len(listings), len(of(f.InstrumentSettled)))
    credit = MARKET.state.balances["credit"]
    assert int(row["bond"]) == sum(credit.get(bond_account(id_), 0) for id_ in listings)


def test_rights_are_balances_like_any_other(views: Asker) -> None:
    for id_ in MARKET.state.listings:
        rows = views("balances", asset=id_)
        assert {row["account"]: int(row["balance"]) for row in rows if row["balance"] != "0"} == {
            account: grains for account, grains in MARKET.state.balances[id_].items() if grains
        }
        assert sum(int(row["balance"]) for row in rows) == 0
        assert all(r["account"] in (*ALL, CHAIN, issuer_account(id_)) for r in rows)


# Receipts -----------------------------------------------------------------------------


def last_receipts() -> Iterator[Receipt]:
    last = {
        ev.receipt.id: ev.receipt
        for ev in MARKET.events
        if isinstance(ev, e.Captured | e.Finalised | f.Redeemed)
    }
    return iter(last.values())


def test_receipts_name_the_lot_that_paid(views: Asker) -> None:
    rows = {row["id"]: row for row in views("receipts", limit=1000)}
    for receipt in last_receipts():
        row = rows[receipt.id]
        assert (row["right"], row["grains"], row["payer"]) == (
            receipt.right,
            str(receipt.grains),
            receipt.payer,
        )
    right = next(r.right for r in last_receipts() if r.right)
    found = views("receipts", right=right, limit=1000)
    assert {row["id"] for row in found} == {r.id for r in last_receipts() if r.right == right}


def test_a_redemption_and_a_request_paid_by_a_right_are_proved_offline() -> None:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw().hex()
    proved = set()
    for found in frames(MARKET.events):
        signed = msgspec.structs.replace(found, signature=key.sign(journal.signed(found.head)))
        for event in journal.events(found.body):
            if isinstance(event, e.Captured | f.Redeemed) and event.receipt.right:
                place = proof.anchor(signed, receipt_leaf(event.receipt))
                file = proof.encode(public, event.receipt, place)
                checks = proof.verify(file, public)
                assert all(check.ok for check in checks), checks
                wrong = file.replace(b'"grains": ', b'"grains": 1')
                assert not all(check.ok for check in proof.verify(wrong, public))
                proved.add(type(event))
    assert proved == {e.Captured, f.Redeemed}


@pytest.mark.parametrize(
    ("name", "arguments", "index"),
    [
        ("tape", {"instrument": "x"}, "trades_instrument"),
        ("orders", {"account": "a"}, "orders_account"),
        ("orders", {"accounts": {"a"}, "live": 1}, "orders_live"),
        ("fills", {"accounts": {"a"}}, "trades_seller"),
        ("receipts", {"right": "x"}, "receipts_right"),
    ],
)
def test_a_page_reads_an_index(
    name: str, arguments: dict[str, Any], index: str, path: Path
) -> None:
    asked = ask(name, arguments)
    with closing(connect_reader(path)) as db:
        plan = [str(row[3]) for row in db.execute(f"EXPLAIN QUERY PLAN {asked.sql}", asked.values)]
    assert any(f"INDEX {index} " in f"{step} " for step in plan), plan
