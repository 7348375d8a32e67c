"""The exchange's doors: lots and prices, lookups, market data in sequence, sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doors import Doors
from exchange import Exchange
from hypothesis import given
from hypothesis import strategies as st

from allmende.core import exchange_commands as x
from allmende.core import machine
from allmende.core.contracts import LOT
from allmende.core.refusals import Refused, Why
from allmende.core.units import SECOND
from allmende.doors import lots
from allmende.doors.market_feed import QUEUE_MAX, RING_MAX, SLOW
from allmende.doors.market_ladder import Fold, ladder_of
from allmende.doors.plain import inward, outward
from allmende.lab.floor import Floor


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    folder: Path = tmp_path_factory.mktemp("exchange")
    with Exchange(folder) as market:
        yield market


@pytest.fixture
def market(exchange: Exchange) -> Iterator[Exchange]:
    yield exchange
    exchange.clear()
    machine.check(exchange.market.desk.state)


# Lots ---------------------------------------------------------------------------------


@given(st.integers(0, 10**18), st.sampled_from([LOT, 1, 10**6, 2**5, 10**18]))
def test_prices_and_quantities_come_back_as_they_went(number: int, lot: int) -> None:
    told = outward(lots.outward({"price": number, "grains": number}, lot))
    assert set(told) == {"price", "lots"}
    assert lots.inward(inward(told), lot) == {"price": number, "grains": number}


@given(st.text(max_size=30) | st.floats() | st.integers() | st.booleans() | st.none())
def test_what_is_no_quantity_is_refused_and_nothing_else(value: object) -> None:
    try:
        grains = lots.quantity(value, LOT)
    except Refused:
        return
    assert isinstance(value, str)
    assert lots.quantity(lots.text(grains, LOT), LOT) == grains


def test_a_third_of_a_lot_is_told_as_a_fraction() -> None:
    assert lots.text(1, 3) == "1/3"
    assert lots.text(-150_000_000, LOT) == "-1.5"


# The fold -----------------------------------------------------------------------------

ORDERS = st.lists(
    st.tuples(
        *(st.sampled_from(["rhine", "uni", "coop"]), st.sampled_from(["buy", "sell"])),
        *(st.integers(95, 105), st.integers(1, 4)),
        st.sampled_from(["good", "ioc", "post", "amend", "cancel", "fewer", "call", "wait"]),
    ),
    max_size=40,
)


@given(ORDERS)
def test_the_ladder_folded_from_facts_is_the_book_of_the_state(steps: Any) -> None:
    floor = Floor()
    floor.mint(20)
    fold, known = Fold(floor.state, 0), len(floor.events)
    for account, side, price, size, what in steps:
        with contextlib.suppress(Refused):
            act(floor, account, side, price * 100, size, what)
        for number, event in enumerate(floor.events[known:], known + 1):
            fold.take(number, event)
        known = len(floor.events)
        listing, ladder = floor.listing, fold.ladders["december"]
        whole = ladder_of(floor.state, listing, 0)
        assert ladder.sides == whole.sides
        assert (ladder.last, ladder.reference) == (whole.last, whole.reference)
        assert ladder.call_until == whole.call_until


def act(floor: Floor, account: str, side: str, price: int, size: int, what: str) -> None:
    own = [id_ for id_, w in floor.state.orders.items() if w.order.account == account]
    if what == "call":
        floor.do(x.OpenCall(instrument="december", until=floor.now + 60 * SECOND))
    elif what == "wait":
        floor.wait(61)
    elif what == "cancel" and own:
        floor.do(x.CancelOrder(id=own[0]))
    elif what in ("amend", "fewer") and own:
        same = floor.state.orders[own[0]].order.price
        grains = size * LOT // (1 if what == "amend" else 8)
        floor.do(x.AmendOrder(id=own[0], price=price if what == "amend" else same, grains=grains))
    else:
        term = what if what in ("ioc", "post") else "good"
        floor.place(account, side, price, size, term=term)


# Doing --------------------------------------------------------------------------------


def test_an_order_is_written_in_lots_and_credits_per_lot(market: Exchange) -> None:
    answer = market.order(market.uni, "buy", "0.97", "1.5")
    (placed,) = answer["events"]
    assert placed["order"]["id"] == answer["id"]
    assert (placed["order"]["price"], placed["order"]["lots"]) == ("0.97", "1.5")
    order = market.market.desk.state.orders[answer["id"]].order
    assert (order.price, order.grains, order.account) == (9_700, 150_000_000, "uni")
    (row,) = market.working(market.uni)
    assert (row["price"], row["lots"], row["left"]) == ("0.97", "1.5", "1.5")
    assert market.working(market.other) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"price": "0.975"}, "off_tick"),
        ({"price": "0.000000001"}, "off_tick"),
        ({"price": 0.97}, "bad_value"),
        ({"price": "-1"}, "off_tick"),
        ({"price": "1e30"}, "off_tick"),
        ({"lots": "0.001"}, "off_tick"),
        ({"lots": "0"}, "off_tick"),
        ({"lots": 1}, "bad_value"),
        ({"lots": "1e3"}, "bad_value"),
        ({"lots": "9999999999999999999"}, "off_tick"),
        ({"side": "both"}, "bad_value"),
        ({"term": "maybe"}, "bad_value"),
        ({"grains": 100}, "bad_value"),
        ({"until": "2001-01-01"}, "bad_value"),
        ({"instrument": "november"}, "no_instrument"),
        ({"account": "other"}, "not_allowed"),
        ({"lots": "1000"}, "no_credit"),
        ({"side": "sell"}, "no_credit"),
    ],
)
def test_an_order_that_should_not_be_is_refused_and_moves_nothing(
    market: Exchange, change: dict[str, Any], code: str
) -> None:
    before = machine.digest(market.market.desk.state)
    fields = {"instrument": "december", "side": "buy", "price": "0.97", "lots": "1"}
    answer = market.post("/api/place_order", {**fields, **change}, market.uni)
    assert answer.code == code, answer.text
    assert machine.digest(market.market.desk.state) == before


def test_what_is_missing_of_rights_is_told_in_lots(market: Exchange) -> None:
    fields = {"instrument": "december", "side": "sell", "price": "0.97", "lots": "1.5"}
    error = market.post("/api/place_order", fields, market.other).json["error"]
    assert error["lots"] == "1.5"
    assert "Missing: 1.5 lots of december." in error["message"]
    over = market.post("/api/mint_lots", {"instrument": "december", "lots": "51"}, market.host)
    assert (over.code, over.json["error"]["lots"]) == ("over_capacity", "1")
    held = Refused(Why.OVER_LIMIT, grains=LOT // 2)
    december = market.market.desk.state.listings["december"].instrument
    assert lots.explained(held, december).facts == {"lots": "0.5"}


def test_a_repeated_order_is_one_order_under_one_made_up_id(market: Exchange) -> None:
    fields = {"instrument": "december", "side": "buy", "price": "0.9", "lots": "1"}
    headers = {"idempotency-key": "once"}
    answers = [market.post("/api/place_order", fields, market.uni, headers) for _ in range(2)]
    assert answers[0].status == answers[1].status == 200
    assert answers[0].json == answers[1].json
    assert len(market.working(market.uni)) == 1
    changed = market.post("/api/place_order", {**fields, "lots": "2"}, market.uni, headers)
    assert changed.code == "replayed"


def test_nobody_is_told_with_whom_he_traded(market: Exchange) -> None:
    market.order(market.host, "sell", "1", id="hidden-ask")
    answer = market.order(market.uni, "buy", "1", "1")
    filled = answer["events"][1]
    assert (filled["type"], filled["price"], filled["lots"]) == ("filled", "1", "1")
    assert filled["buyer"] == "uni"
    said = json.dumps(answer) + market.get("/api/instruments/december/tape").text
    assert "hidden-ask" not in said
    assert "host" not in said
    (fill,) = market.get("/api/fills?limit=1", market.uni).json["fills"]
    assert (fill["side"], fill["role"], fill["price"]) == ("buy", "taker", "1")


def test_anothers_order_is_not_cancelled_by_a_foreign_or_forged_key(market: Exchange) -> None:
    id_ = market.order(market.uni, "buy", "0.9")["id"]
    for key, code in ((market.other, "not_allowed"), ("alm_forged", "unknown_key")):
        assert market.post("/api/cancel_order", {"id": id_}, key).code == code
        amended = {"id": id_, "price": "1", "lots": "1"}
        assert market.post("/api/amend_order", amended, key).code == code
        assert market.post("/api/cancel_orders", {"account": "uni"}, key).code == code
    assert [row["id"] for row in market.working(market.uni)] == [id_]


def test_a_request_for_quotes_draws_answers_that_only_two_see(market: Exchange) -> None:
    until = "2099-01-01"
    asked = market.ask("request_quotes", market.uni, instrument="december", lots="2", until=until)
    given = market.ask("quote", market.host, request=asked["id"], side="sell", price="1.02")
    (request,) = market.get("/api/requests", market.other).json
    assert (request["lots"], "account" in request) == ("2", False)
    assert market.get("/api/quotes", market.other).json == []
    (quote,) = market.get("/api/quotes", market.uni).json
    assert (quote["id"], quote["price"], "account" in quote) == (given["id"], "1.02", False)
    market.ask("accept_quote", market.uni, id=given["id"])
    (trade,) = market.get("/api/instruments/december/tape?limit=1").json["trades"]
    assert (trade["price"], trade["lots"], trade["taker"]) == ("1.02", "2", "buy")


# Looking ------------------------------------------------------------------------------


def test_a_contract_is_told_in_terms_and_in_sentences(market: Exchange) -> None:
    (row,) = market.get("/api/instruments").json
    assert (row["capacity"], row["price"], row["tick"]) == ("100", "1", "0.01")
    assert row["weights"] == {"input": "1", "cached": "0.2", "output": "4.21"}
    assert row["bond_per_lot"] == "1.25"
    says = " ".join(row["says"])
    for part in ("host owes", "'smol'", "DEU", "1,000,000 standard units", "4.21 for each output"):
        assert part in says
    for part in ("95 %", "5 %", "20 %"):
        assert part in says
    assert market.get("/api/instruments/december").json["id"] == "december"
    assert market.get("/api/instruments/november").code == "no_instrument"


def test_a_right_is_told_with_its_value_and_expiry_and_is_no_money(market: Exchange) -> None:
    market.order(market.host, "sell", "1.01")
    market.order(market.other, "buy", "1.01")
    market.order(market.other, "sell", "1.1", "0.25")
    (row,) = market.get("/api/rights", market.other).json
    assert (row["lots"], row["held"], row["available"]) == ("1", "0.25", "0.75")
    assert (row["price"], row["value"], row["phase"]) == ("1.01", "1.01", "delivering")
    assets = {row["asset"] for row in market.get("/api/balances", market.other).json}
    assert assets == {"credit"}


def test_the_book_is_levels_and_a_call_shows_where_it_would_end(market: Exchange) -> None:
    for price in ("0.9", "0.92", "0.9"):
        market.order(market.uni, "buy", price)
    book = market.get("/api/instruments/december/book?depth=2").json
    assert book["bids"] == [["0.92", "1"], ["0.9", "2"]]
    assert book["indicative"] is None
    market.ask("open_call", instrument="december", until=market.later(60))
    market.order(market.host, "sell", "0.9")
    book = market.get("/api/instruments/december/book").json
    assert book["indicative"] == {"price": "0.92", "lots": "1", "imbalance": "0"}
    assert book["call_cause"] == "operator"
    market.tick(61)
    (trade,) = market.get("/api/instruments/december/tape?limit=1").json["trades"]
    assert (trade["price"], trade["taker"]) == ("0.92", "")


def test_the_tape_goes_on_in_the_read_models_where_memory_ends(market: Exchange) -> None:
    for price in ("1", "1.01", "1.02"):
        market.order(market.host, "sell", price)
        market.order(market.uni, "buy", price)
    path = "/api/instruments/december/tape"
    live = market.get(f"{path}?limit=3").json
    assert [row["price"] for row in live["trades"]] == ["1.02", "1.01", "1"]
    market.market._hall.exchange.feed.ladder("december").tape.clear()
    past = market.get(f"{path}?limit=3").json
    assert past == live
    older = market.get(f"{path}?limit=2&before={live['trades'][0]['number']}").json
    assert older["trades"] == live["trades"][1:]
    candles = market.get("/api/instruments/december/candles?seconds=3600").json
    assert max(candle["high"] for candle in candles) == "1.02"
    assert sum(candle["trades"] for candle in candles) >= 3


def test_the_description_has_lots_and_every_path(market: Exchange) -> None:
    said = market.get("/api/openapi.json").json
    assert {"/api/place_order", "/api/instruments/{id}/book"} <= set(said["paths"])
    order = said["components"]["schemas"]["PlaceOrder"]
    assert order["properties"]["lots"]["description"] == "Lots."
    assert order["properties"]["price"]["description"] == "Credits per lot."
    assert {"instrument", "side", "price", "lots"} == set(order["required"])


# Streams ------------------------------------------------------------------------------


def test_a_snapshot_then_changes_each_after_the_one_before(market: Exchange) -> None:
    with market.socket() as ws:
        ws.send(op="subscribe", instrument="december")
        whole = ws.hear("snapshot")
        assert whole["bids"] == whole["asks"] == []
        id_ = market.order(market.uni, "buy", "0.9", "2")["id"]
        first = ws.hear("update")
        assert (first["prev"], first["bids"]) == (whole["seq"], [["0.9", "2"]])
        market.ask("amend_order", market.uni, id=id_, price="0.9", lots="1.5")
        second = ws.hear("update")
        assert (second["prev"], second["bids"]) == (first["seq"], [["0.9", "1.5"]])
        market.order(market.host, "sell", "0.9", "0.5")
        third = ws.hear("update")
        assert third["bids"] == [["0.9", "1"]]
        assert [(t["price"], t["lots"], t["taker"]) for t in third["trades"]] == [
            ("0.9", "0.5", "sell")
        ]
        market.ask("cancel_order", market.uni, id=id_)
        assert ws.hear("update")["bids"] == [["0.9", "0"]]


def test_a_gap_is_filled_from_the_ring_or_by_a_snapshot(market: Exchange) -> None:
    with market.socket() as ws:
        ws.send(op="subscribe", instrument="december")
        begun = ws.hear("snapshot")["seq"]
    for price in ("0.9", "0.91", "0.92"):
        market.order(market.uni, "buy", price)
    with market.socket() as ws:
        ws.send(op="subscribe", instrument="december", since=begun)
        missed = [ws.hear("update", "snapshot") for _ in range(3)]
        assert [row.get("bids") for row in missed] == [[[p, "1"]] for p in ("0.9", "0.91", "0.92")]
        assert missed[0]["prev"] == begun
        ws.ask(op="unsubscribe", instrument="december")
        for unknown in (begun + 10**9, 1):
            ws.send(op="subscribe", instrument="december", since=unknown)
            assert len(ws.hear("update", "snapshot")["bids"]) == 3
        ws.hear("subscribed")
        now = missed[-1]["seq"]
        assert ws.ask(op="subscribe", instrument="december", since=now)["type"] == "subscribed"


def test_a_stream_of_events_has_the_sequence_number_as_its_id(market: Exchange) -> None:
    path = "/api/market/events?instrument=december"
    whole = market.run(market.listen(path, "", {}, b"snapshot"))
    seq = int(whole.split(b"id: ")[1].split(b"\n")[0])
    market.order(market.uni, "buy", "0.93")
    again = market.run(market.listen(path, "", {"last-event-id": str(seq)}, b"update"))
    assert b"snapshot" not in again
    assert b'["0.93","1"]' in again
    assert market.get("/api/market/events?instrument=november").code == "no_instrument"


def test_a_slow_reader_is_dropped_with_a_notice_and_the_book_goes_on(market: Exchange) -> None:
    feed = market.market._hall.exchange.feed
    with market.socket(market.other, SO_RCVBUF=4_096) as slow, market.socket() as quick:
        for ws in (slow, quick):
            ws.ask(op="subscribe", instrument="december")
        session = slow.do("place_order", instrument="december", side="buy", price="0.5", lots="1")
        assert session["type"] == "done"
        market.run(flood(market, slow_reader(feed)))
        market.order(market.uni, "buy", "0.77")
        while quick.hear("update").get("bids") != [["0.77", "1"]]:
            continue
        *_, last = slow.end()
        assert (slow.closed, last["type"]) == (SLOW, "dropped")
        market.wait(lambda: not market.orders_of("other"))


def slow_reader(feed: Any) -> Any:
    """The reader that came first of those who follow december now."""
    return next(reader for reader, wants in feed._readers.items() if "december" in wants)


async def flood(market: Exchange, slow: Any) -> None:
    """Publish until somebody is dropped: never more than buffers and queue can hold."""
    feed, text = market.market._hall.exchange.feed, b'{"type":"noise","x":"%s"}' % (b"x" * 60_000)
    for _ in range(200 + QUEUE_MAX):
        for reader in list(feed._readers):
            if reader is slow:
                reader.push(0, text)
        await asyncio.sleep(0)
        if slow.ended:
            return
    raise AssertionError("nobody was dropped")


def test_a_queue_holds_more_than_a_ring_and_gives_up_when_full() -> None:
    assert QUEUE_MAX > RING_MAX


# Orders on a socket -------------------------------------------------------------------


def test_orders_end_with_their_connection(market: Exchange) -> None:
    with market.socket(market.uni) as ws:
        for price in ("0.9", "0.91"):
            done = ws.do("place_order", instrument="december", side="buy", price=price, lots="1")
            assert done["type"] == "done"
        kept = ws.do(
            "place_order",
            instrument="december",
            side="buy",
            price="0.92",
            lots="1",
            session="",
        )
        assert len(market.working(market.uni)) == 3
    market.wait(lambda: len(market.market.desk.state.orders) == 1)
    assert [row["id"] for row in market.working(market.uni)] == [kept["id"]]


def test_a_key_that_is_revoked_meanwhile_leaves_no_order(market: Exchange) -> None:
    made = market.ask("issue_key", member="uni", role="manage", budget="")
    with market.socket(made["secret"]) as ws:
        ws.do("place_order", instrument="december", side="buy", price="0.9", lots="1")
        market.ask("revoke_key", id=made["id"])
        refused = ws.do("cancel_orders")
        assert refused["error"]["code"] == "unknown_key"
        assert len(market.working(market.uni)) == 1
    market.wait(lambda: not market.market.desk.state.orders)


def test_what_a_call_has_frozen_is_cancelled_when_it_is_over(market: Exchange) -> None:
    with market.socket(market.uni) as ws:
        ws.do("place_order", instrument="december", side="buy", price="0.9", lots="1")
        market.ask("open_call", instrument="december", until=market.later(1))
    assert market.market.desk.state.listings["december"].call_until
    market.wait(lambda: not market.market.desk.state.orders)


def test_a_socket_takes_a_key_as_a_message_and_no_forged_one(market: Exchange) -> None:
    with market.socket("alm_forged") as ws:
        assert ws.rejected == 401
    with market.socket() as ws:
        fields = {"instrument": "december", "side": "buy", "price": "0.9", "lots": "1"}
        assert ws.do("place_order", **fields)["error"]["code"] == "unknown_key"
        assert ws.ask(op="key", key="alm_forged")["error"]["code"] == "unknown_key"
        assert ws.ask(op="key", key=market.other)["member"] == "other"
        placed = ws.do("place_order", **fields)
        assert placed["type"] == "done"
        foreign = market.order(market.uni, "buy", "0.8")["id"]
        assert ws.do("cancel_order", id=foreign)["error"]["code"] == "not_allowed"
        assert ws.do("deposit", member="other", amount="1")["error"]["code"] == "not_found"
        stolen = ws.do("place_order", **fields, session="ws-of-somebody-else")
        assert stolen["error"]["code"] == "bad_value"
        assert ws.do("cancel_order", id=placed["id"])["type"] == "done"


def test_a_restart_ends_sessions_and_keeps_books_and_sequence(tmp_path: Path) -> None:
    with Exchange(tmp_path) as before:
        kept = before.order(before.uni, "buy", "0.9", "2")["id"]
        before.order(before.uni, "buy", "0.91", session="of a process that died")
        seq = before.get("/api/instruments/december/book").json["seq"]
    with Doors(tmp_path, mode="limited_network") as after:
        (row,) = after.get("/api/orders", before.uni).json
        assert row["id"] == kept
        book = after.get("/api/instruments/december/book").json
        assert book["bids"] == [["0.9", "2"]]
        assert book["seq"] > seq


def test_arbitrary_bytes_on_a_socket_move_nothing(market: Exchange) -> None:
    before = machine.digest(market.market.desk.state)
    messages = [
        *("", "{", "null", "[]", "{}", '{"op":"do"}', '{"op":"nothing"}', "\x00", "[" * 5_000),
        *('{"op":"subscribe","instrument":"november"}', '{"op":"unsubscribe","instrument":"x"}'),
        *(b"\xff\xfe", b"\x00" * 100, '{"op":"do","command":"place_order","fields":[]}'),
        '{"op":"do","command":"place_order","fields":{"instrument":["december"],"side":{}}}',
        '{"op":"do","command":"tick","fields":{}}',
        '{"op":"subscribe","instrument":"december","since":1e99}',
    ]
    with market.socket(market.uni) as ws:
        for message in messages:
            ws.send_raw(message)
            kind = ws.hear("refused", "unsubscribed")["type"]
            assert kind == "refused" or "unsubscribe" in str(message)
        assert ws.ask(op="subscribe", instrument="december")["type"] == "subscribed"
    with market.socket(market.uni) as ws:
        ws.send_raw("x" * 70_000)
        ws.end()
        assert ws.closed == 1009
    for garbage in (b"\xff" * 40, b"\x81\x05hello", b"\xc1\x00", b"GET / HTTP/1.1\r\n\r\n"):
        with market.socket(market.uni) as ws:
            ws.send_frames(garbage)
            ws.end()
            assert ws.closed in (1002, 1006), garbage
    assert machine.digest(market.market.desk.state) == before
