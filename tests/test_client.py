"""allmende.client: calls as data, one HTTP protocol without I/O, a book beside the market's."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from exchange import Exchange
from hypothesis import given
from hypothesis import strategies as st

from allmende.client import AsyncClient, Book, Client, Failed, calls
from allmende.client.line import Address, Line
from allmende.client.market import Follower

D = Decimal


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    folder: Path = tmp_path_factory.mktemp("exchange")
    with Exchange(folder) as market:
        yield market


@pytest.fixture
def market(exchange: Exchange) -> Iterator[Exchange]:
    yield exchange
    exchange.clear()


# Without I/O --------------------------------------------------------------------------


def answer(status: int, body: bytes, *, chunked: bool = False) -> bytes:
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n"
    if chunked:
        return f"{head}transfer-encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + (
            body + b"\r\n0\r\n\r\n"
        )
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


@given(st.integers(1, 40), st.booleans())
def test_an_answer_may_come_in_any_pieces(size: int, chunked: bool) -> None:
    line = Line(Address("http://market.test"), "alm_key")
    sent = line.send(calls.orders("december"))
    assert sent.startswith(b"GET /api/orders?instrument=december HTTP/1.1\r\n")
    assert b"authorization: Bearer alm_key\r\n" in sent.lower().replace(b"bearer", b"Bearer")
    raw = answer(200, b"[]", chunked=chunked)
    parts = [
        part for start in range(0, len(raw), size) for part in line.take(raw[start : start + size])
    ]
    assert b"".join(parts) == b"[]"
    assert line.done
    assert line.reusable
    assert line.send(calls.rights()).startswith(b"GET /api/rights ")


def test_a_refusal_is_one_exception_with_code_sentence_and_facts() -> None:
    line = Line(Address("http://market.test"), "")
    line.send(calls.buy("december", "1", "3.1"))
    error = {"code": "no_credit", "message": "Not enough.", "type": "x", "missing": "0.5"}
    with pytest.raises(Failed) as failed:
        line.take(answer(402, json.dumps({"error": error}).encode()))
    assert (failed.value.code, failed.value.sentence) == ("no_credit", "Not enough.")
    assert (failed.value.facts, failed.value.status) == ({"missing": "0.5"}, 402)
    assert line.reusable


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (answer(500, b"<html>"), "http"),
        (answer(404, b'{"error": "text"}'), "http"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "unreachable"),
        (b"", "unreachable"),
    ],
)
def test_what_is_no_market_is_said_to_be_none(raw: bytes, code: str) -> None:
    line = Line(Address("http://market.test"), "")
    line.send(calls.instruments())
    with pytest.raises(Failed) as failed:
        line.take(raw)
    assert failed.value.code == code


def test_an_answer_that_says_something_else_is_unreadable() -> None:
    with pytest.raises(Failed) as failed:
        calls.orders().answer(b'[{"id": 1}]')
    assert failed.value.code == "unreadable"


def test_a_call_is_exact_and_acts_once() -> None:
    call = calls.buy("december", D("1.50"), 3, until=datetime(2027, 1, 1, tzinfo=UTC))
    assert json.loads(call.body) == {
        "instrument": "december",
        "side": "buy",
        "lots": "1.50",
        "price": "3",
        "until": "2027-01-01T00:00:00+00:00",
    }
    assert len(call.idem) == 32
    assert calls.do("cancel_order", idem="mine", id="x").idem == "mine"
    with pytest.raises(TypeError, match="exact"):
        calls.buy("december", "1", 3.1)  # type: ignore[arg-type]


def test_an_address_is_a_url() -> None:
    assert (Address("https://a.test/x/").port, Address("http://a.test").port) == (443, 80)
    for wrong in ("market.test", "ftp://market.test", "http://"):
        with pytest.raises(ValueError, match="no address"):
            Address(wrong)


def message(**fields: Any) -> bytes:
    return b"event: market\ndata: " + json.dumps(fields).encode() + b"\n\n"


def test_a_gap_breaks_the_stream_and_it_is_asked_for_again_from_there() -> None:
    follower = Follower("december")
    assert follower.call().target == "/api/market/events?instrument=december"
    whole = message(type="snapshot", seq=7, bids=[["3", "5"]], asks=[["3.1", "2"]], last="3.05")
    (change,) = follower.take(whole)
    assert (change.fresh, change.book.bid, change.book.ask) == (True, D(3), D("3.1"))
    after = message(type="update", prev=7, seq=9, bids=[["3", "0"]], asks=[])
    missed = message(type="update", prev=10, seq=12, bids=[["2.9", "1"]], asks=[])
    assert len(follower.take(after + missed)) == 1
    assert follower.broken
    assert (follower.book.seq, follower.book.bids) == (9, {})
    assert follower.call().target.endswith("since=9")
    assert follower.take(after) == [], "what is known already changes nothing"
    between = message(type="update", prev=9, seq=10, bids=[["2.9", "4"]])
    assert len(follower.take(between + missed)) == 2
    assert follower.book.levels("buy") == [(D("2.9"), D(1))]


def test_a_dropped_reader_comes_back_from_where_it_was() -> None:
    follower = Follower("december")
    follower.call()
    follower.take(message(type="snapshot", seq=7, bids=[], asks=[]))
    follower.take(message(type="dropped", reason="slow"))
    assert follower.broken
    assert follower.call().target.endswith("since=7")


@given(st.binary(max_size=60))
def test_a_stream_of_anything_is_refused_or_changes_nothing(data: bytes) -> None:
    follower = Follower("december")
    follower.call()
    with contextlib.suppress(Failed):
        assert follower.take(b"data: " + data + b"\n\n") == []
    assert follower.book == Book("december")


# With a market ------------------------------------------------------------------------


def test_the_sync_client_trades(market: Exchange) -> None:
    with Client(market.url, market.host) as host, Client(market.url, market.uni) as uni:
        (one,) = uni.instruments()
        assert (one.id, one.tick, one.capacity) == ("december", D("0.01"), D(100))
        asked = host.sell("december", "2", "1")
        bought = uni.market_buy("december", "1.5", "1.05")
        assert [(fill.price, fill.lots) for fill in bought.fills] == [(D(1), D("1.5"))]
        (order,) = host.orders()
        assert (order.id, order.left) == (asked.id, D("0.5"))
        host.amend(order.id, "0.25", "1")
        assert host.depth("december").asks == ((D(1), D("0.25")),)
        host.cancel(order.id)
        assert uni.tape("december", limit=1).trades[0].lots == D("1.5")
        assert uni.fills(limit=1).fills[0].role == "taker"
        (right,) = uni.rights()
        assert (right.lots, right.value) == (D("1.5"), D("1.5"))
        assert uni.me().member["id"] == "uni"
        assert uni.candles("december")[0].trades >= 1
        assert {row.account for row in uni.balances()} == {"uni", "physics"} & {"uni"}


def test_the_async_client_trades_at_once_on_several_connections(market: Exchange) -> None:
    async def traded() -> None:
        async with AsyncClient(market.url, market.uni) as uni:
            done = await asyncio.gather(
                *(uni.buy("december", 1, D("0.9") + D(n) / 100) for n in range(8))
            )
            assert len({one.id for one in done}) == 8
            assert len(await uni.orders("december")) == 8
            ended = await uni.cancel_all("december")
            assert len(ended.events) == 8
            until = datetime(2099, 1, 1, tzinfo=UTC)
            request = await uni.request_quotes("december", "3", until)
            async with AsyncClient(market.url, market.host) as host:
                assert [row.id for row in await host.requests()] == [request.id]
                quote = await host.quote(request.id, "sell", "1.01")
            assert [row.id for row in await uni.quotes(request.id)] == [quote.id]
            taken = await uni.accept(quote.id)
            assert taken.fills[0].lots == D(3)

    asyncio.run(traded())


def test_a_refusal_of_the_market_reaches_the_caller(market: Exchange) -> None:
    with Client(market.url, market.uni) as uni:
        with pytest.raises(Failed) as failed:
            uni.sell("december", "10000", "1")
        assert failed.value.code == "no_credit"
        assert D(failed.value.facts["lots"]) > 0
        with pytest.raises(Failed) as unknown:
            uni.instrument("no/such thing")
        assert unknown.value.status == 404
    with Client(market.url, "alm_forged") as nobody, pytest.raises(Failed) as forged:
        nobody.orders()
    assert forged.value.code == "unknown_key"


def test_where_nobody_listens_the_market_is_unreachable() -> None:
    for work in (lambda: Client("http://127.0.0.1:9").instruments(), unreachable_async):
        with pytest.raises(Failed) as failed:
            work()
        assert failed.value.code == "unreachable"


def unreachable_async() -> object:
    return asyncio.run(_unreachable())


async def _unreachable() -> object:
    return await AsyncClient("http://127.0.0.1:9").instruments()


def test_a_connection_that_was_closed_meanwhile_is_opened_again(market: Exchange) -> None:
    with Client(market.url, market.uni) as uni:
        uni.instruments()
        market.hang_up()
        placed = uni.buy("december", "1", "0.9")
        assert [row.id for row in uni.orders()] == [placed.id]


def server_book(market: Exchange) -> tuple[Any, Any, int]:
    ladder = market.market._hall.exchange.feed.ladder("december")
    row = market.get("/api/instruments/december/book?depth=1000").json
    sides = [[(D(price), D(lots)) for price, lots in row[side]] for side in ("bids", "asks")]
    return sides[0], sides[1], ladder.seq


def trade(market: Exchange, round_: int) -> None:
    """Some orders that rest, trade and go again."""
    price = f"0.{90 + round_ % 7}"
    market.order(market.uni, "buy", price, "0.5")
    market.order(market.host, "sell", f"1.0{round_ % 7}", "0.5")
    if round_ % 3 == 0:
        market.order(market.host, "sell", price, "0.25")
    if round_ % 5 == 0:
        market.ask("cancel_orders", market.uni)


def test_the_followed_book_is_the_servers_also_over_gaps(market: Exchange) -> None:
    """Connections are cut while it trades; the ring, and then a snapshot, fill what is missed."""
    feed = market.market._hall.exchange.feed
    with Client(market.url) as anybody, contextlib.closing(anybody.follow("december")) as changes:
        assert next(changes).fresh
        for round_ in range(20):
            trade(market, round_)
            if round_ in (6, 13):
                market.hang_up()
            if round_ == 13:
                feed._rings["december"].clear()
        *_, seq = server_book(market)
        fresh = 0
        for change in changes:
            fresh += change.fresh
            if change.book.seq >= seq:
                break
        bids, asks, _ = server_book(market)
        assert (change.book.levels("buy"), change.book.levels("sell")) == (bids, asks)
        assert bids
        assert asks
        assert fresh == 1, "the ring filled the first gap, a snapshot the second"


def test_the_async_client_follows_too(market: Exchange) -> None:
    async def followed() -> Book:
        async with AsyncClient(market.url) as anybody:
            changes = anybody.follow("december")
            book = (await anext(changes)).book
            await asyncio.to_thread(trade, market, 1)
            while book.bid is None or book.ask is None:
                book = (await anext(changes)).book
            await changes.aclose()
            return book

    book = asyncio.run(followed())
    bids, asks, _ = server_book(market)
    assert (book.levels("buy"), book.levels("sell")) == (bids, asks)
