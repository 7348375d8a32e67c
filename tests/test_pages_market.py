"""The market's pages: bought in three steps, told in words, in both languages, for anybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doors import Doors
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from allmende.core import commands as c
from allmende.core import exchange_commands as x
from allmende.core.contracts import LOT, Instrument
from allmende.core.nouns import Offer, Title
from allmende.core.units import CREDIT, DAY, MINUTE, Tariff, Units, Zone
from allmende.doors import charts, contract, forms, words
from allmende.doors.plain import to_instant

ZONE = Zone("DEU", "Rhine GmbH", "Big Inc", "USA")


def listed(doors: Doors) -> None:
    """Rights to `pear` for five days; its host offers 2 lots at 3.10 and 1 at 3.20; uni has 1."""
    doors.run(_listed(doors))


async def _listed(doors: Doors) -> None:
    at, desk = doors.now(), doors.market.desk
    offer = Offer(
        *("pear", "host", "p", "pear", "credit", Tariff(3_100_000, 620_000, 12_400_000)),
        *(ZONE, "http://127.0.0.1:1/v1"),
    )
    one = Instrument(
        id="pears",
        issuer="host",
        title="p",
        model="pear",
        offer="pear",
        start=at,
        end=at + 5 * DAY,
        capacity=20 * LOT,
        price=31_000,
        zone=ZONE,
        name="Pears <5 days>",
        rate=2 * LOT,
        context=8_000,
    )
    for command in (
        c.SetParameter(name="call_seconds", value=0),
        c.Deposit(member="host", amount=100 * CREDIT, reference="bond"),
        c.Deposit(member="uni", amount=100 * CREDIT, reference="uni"),
        c.RegisterTitle(title=Title("p", "author", "model", "Pear 1B")),
        c.PostOffer(offer=offer),
        x.ListInstrument(instrument=one),
        x.MintLots(instrument="pears", grains=10 * LOT),
        *(
            x.PlaceOrder(
                id=id_, instrument="pears", account="host", side="sell", price=price, grains=grains
            )
            for id_, price, grains in (("s1", 31_000, 3 * LOT), ("s2", 32_000, LOT))
        ),
        x.PlaceOrder(
            id="b1", instrument="pears", account="uni", side="buy", price=31_000, grains=LOT
        ),
    ):
        await desk.submit(structs.replace(command, at=at))


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder: Path = tmp_path_factory.mktemp("market")
    with Doors(folder, mode="limited_network") as market:
        market.furnish()
        listed(market)
        yield market


@pytest.fixture(scope="module")
def dean(doors: Doors) -> str:
    return doors.sign_in(doors.key("uni", "manage", "uni"))


@pytest.fixture(scope="module")
def host(doors: Doors) -> str:
    return doors.sign_in(doors.key("host", "manage"))


def page(doors: Doors, path: str, cookie: str = "") -> str:
    answer = doors.get(path, headers={"cookie": cookie})
    assert answer.status == 200, answer.text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.text))


def hidden(text: str) -> list[dict[str, str]]:
    """The fields of every form that orders."""
    found = re.findall(
        r'<form method="post" action="/do/place_order">(.*?)</form>', text, re.DOTALL
    )
    return [dict(re.findall(r'name="(\w+)" value="([^"]*)"', form)) for form in found]


# Reading ------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("path", ["/market", "/market/pears"])
def test_visitors_read_the_market_in_their_language(doors: Doors, path: str, language: str) -> None:
    answer = doors.get(f"{path}?lang={language}")
    assert answer.status == 200
    assert f'<html lang="{language}">' in answer.text
    assert "Pears &lt;5 days&gt;" in answer.text
    assert ("3.10" if language == "en" else "3,10") in answer.text
    assert not re.search(r"<style|<script(?! src=)|\sstyle=|\son[a-z]+=", answer.text)


def test_the_market_is_in_the_navigation_and_the_home_page_leads_to_it(doors: Doors) -> None:
    assert '<a href="/market" aria-current="page">Market</a>' in doors.get("/market/pears").text
    assert '<a href="/market">Buy tokens for later</a>' in doors.get("/").text


def test_every_field_of_the_contract_is_told_in_words(doors: Doors) -> None:
    text = page(doors, "/market/pears")
    for said in (
        "Host owes you use of the model pear, that is the title Pear 1B.",
        "A lot is 1,000,000 standard units.",
        "input 1, cached 0.2, output 4",
        "Made in DEU, by Rhine GmbH.",
        "Controlled by Big Inc, USA.",
        "At most 2 lots an hour for one account.",
        "A prompt may have 8000 tokens.",
        "At least 95 % of your requests must be answered",
        "20 % of the contract",
        "Example, one lot today: 3.1 back, 0.62 because a replacement costs 3.72, 0.155 penalty: "
        "3.875 credit in all.",
        "stand against 10 lots now",
        "For each lot 3.875 credit: its price of 3.1, 5 % penalty and a margin of 20 %.",
        "A single-purpose voucher",
        "You can sell rights here and pass them on to other members.",
        "Prices in steps of 0.01 credit a lot, amounts in steps of 0.01 lots.",
    ):
        assert said in text, said


def test_an_unknown_contract_is_told_as_a_page(doors: Doors, dean: str) -> None:
    for path in ("/market/nothing", "/market/%3Cb%3E", "/market/pears/orders/none"):
        answer = doors.get(path, headers={"cookie": dean})
        assert answer.status == 404
        assert "<b>" not in answer.text.partition("<main")[2].partition("<strong")[0]


# Buying -------------------------------------------------------------------------------


def test_a_visitor_is_shown_in_and_comes_back_to_what_he_wanted(doors: Doors) -> None:
    answer = doors.get("/market/pears/trade?side=buy&lots=2")
    assert answer.status == 303
    assert answer.headers["location"] == (
        "/sign-in?next=%2Fmarket%2Fpears%2Ftrade%3Fside%3Dbuy%26lots%3D2"
    )


def test_buying_is_shown_with_its_worst_price_then_done_and_told(doors: Doors, dean: str) -> None:
    path = "/market/pears/trade?side=buy&lots=1"
    text = page(doors, path, dean)
    for said in ("Buy: 1 million tokens", "You pay 3.1 credit and a fee of 0.0031", "3.17"):
        assert said in text, said
    (form,) = hidden(doors.get(path, headers={"cookie": dean}).text)
    assert (form["price"], form["term"], form["lots"]) == ("3.17", "ioc", "1")
    balances = doors.market.desk.state.balances
    before, had = balances["credit"]["uni"], balances["pears"]["uni"]
    done = doors.form("/do/place_order", form, dean)
    assert done.status == 303, done.text
    paid = before - balances["credit"]["uni"]
    assert paid == 31 * CREDIT // 10 + 31 * CREDIT // 10_000
    again = doors.form("/do/place_order", form, dean)
    assert again.headers["location"] == done.headers["location"], "sent twice, ordered once"
    assert balances["pears"]["uni"] == had + LOT
    told = page(doors, done.headers["location"], dean)
    for said in (
        "You bought 1 million tokens",
        "3.1 credit",
        "as always: requests are paid from this right first",
    ):
        assert said in told, said
    assert "million tokens of pear" in page(doors, "/market", dean)


def test_what_is_not_there_is_said_and_the_rest_can_wait(doors: Doors, dean: str) -> None:
    path = "/market/pears/trade?side=buy&lots=8,5"
    text = page(doors, path, dean)
    assert re.search(r"Only [\d.]+ of 8.5 are on offer now", text)
    now, wait = hidden(doors.get(path, headers={"cookie": dean}).text)
    assert (now["term"], wait["term"]) == ("ioc", "good")
    assert now["_idem"] != wait["_idem"]
    done = doors.form("/do/place_order", {**wait, "lots": "0.5", "price": "2.00"}, dean)
    told = page(doors, done.headers["location"], dean)
    assert "Your order waits" in told
    assert "0.5 more are wanted at 2.00 or less" in told
    order = done.headers["location"].rpartition("/")[2]
    assert "Buy 0.5 million tokens" in page(doors, "/market/pears", dean)
    cancelled = doors.form("/do/cancel_order", {"_at": "pears", "id": order}, dean)
    assert cancelled.headers["location"] == "/market/pears?done=cancel_order"
    assert order not in doors.market.desk.state.orders
    assert "Nothing was bought" in page(doors, done.headers["location"], dean)


def test_an_order_that_met_nobody_is_told_plainly(doors: Doors, dean: str) -> None:
    path = "/market/pears/trade?side=buy&lots=1"
    (form,) = hidden(doors.get(path, headers={"cookie": dean}).text)
    done = doors.form("/do/place_order", {**form, "price": "2.50"}, dean)
    told = page(doors, f"{done.headers['location']}?lang=de", dean)
    assert "Nichts wurde gekauft" in told
    assert "waren zu 2,50 oder weniger nicht zu haben" in told


def test_an_account_without_a_budget_is_warned_before_it_buys(doors: Doors, dean: str) -> None:
    text = page(doors, "/market/pears/trade?side=buy&lots=1&account=physics", dean)
    assert "No budget pays from physics" in text
    assert "The account lacks" in text
    raw = doors.get("/market/pears/trade?account=physics", headers={"cookie": dean}).text
    assert hidden(raw) == []


def test_a_refused_order_says_why_on_the_same_page(doors: Doors, dean: str) -> None:
    path = "/market/pears/trade?side=buy&lots=1"
    (form,) = hidden(doors.get(path, headers={"cookie": dean}).text)
    answer = doors.form("/do/place_order", {**form, "price": "3.105"}, dean)
    assert answer.status == 422
    assert "between two steps" in answer.text
    assert "steps of 0.01 credits a lot" in answer.text
    assert hidden(answer.text)[0]["_idem"].startswith(form["_idem"].rpartition("-")[0])


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("lots=0", 422),
        ("lots=abc", 422),
        ("lots=0.001", 422),
        ("lots=-1", 422),
        ("lots=99999999999999999999", 422),
        ("lots=1&account=other", 403),
        ("lots=1&account=commons", 403),
    ],
)
def test_what_cannot_be_ordered_is_refused_before_it_is_shown(
    doors: Doors, dean: str, query: str, status: int
) -> None:
    answer = doors.get(f"/market/pears/trade?side=buy&{query}", headers={"cookie": dean})
    assert answer.status == status, answer.text


def test_a_spender_reads_who_buys_and_whose_rights_pay(doors: Doors) -> None:
    spender = doors.key("physics", "spend", "lab")
    cookie = doors.sign_in(spender)
    assert doors.get("/market/pears/trade", headers={"cookie": cookie}).status == 403
    text = page(doors, "/market/pears", cookie)
    assert "Your key can spend, not buy" in text
    assert "paid from rights of uni" in page(doors, "/market/pears", cookie)


def test_a_form_of_another_site_orders_nothing(doors: Doors, dean: str) -> None:
    path = "/market/pears/trade?side=buy&lots=1"
    (form,) = hidden(doors.get(path, headers={"cookie": dean}).text)
    trades = doors.market.desk.state.listings["pears"].trades
    assert doors.form("/do/place_order", form, dean, origin="http://evil.example").status == 403
    assert doors.market.desk.state.listings["pears"].trades == trades


# Selling, issuing ---------------------------------------------------------------------


def test_selling_shows_what_it_brings(doors: Doors, dean: str, host: str) -> None:
    doors.run(_bid(doors, "bid", 29_900))
    text = page(doors, "/market/pears/trade?side=sell&lots=0.1", dean)
    assert "Nobody buys" in text, "the only bid is of the same owner"
    text = page(doors, "/market/pears/trade?side=sell&lots=0.1&account=host", host)
    assert "You get 0.299 credit less a fee of 0.000299" in text
    assert "Never less than 2.93" in text


async def _bid(doors: Doors, id_: str, price: int) -> None:
    fields = {"instrument": "pears", "account": "uni", "side": "buy", "grains": LOT // 10}
    await doors.market.desk.submit(x.PlaceOrder(at=doors.now(), id=id_, price=price, **fields))


def test_issuing_shows_the_bond_before_it_binds_it(doors: Doors, host: str, dean: str) -> None:
    text = page(doors, "/market/pears/issue?lots=2", host)
    assert "Issue lots: 2 million tokens" in text
    assert "7.75 credit" in text
    assert "12 of 20 lots" in text
    raw = doors.get("/market/pears/issue?lots=2", headers={"cookie": host}).text
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', raw))
    for _ in range(2):
        assert doors.form("/do/mint_lots", form, host).headers["location"] == (
            "/market/pears?done=mint_lots"
        )
    assert doors.market.desk.state.listings["pears"].issued == 12 * LOT
    over = doors.get("/market/pears/issue?lots=9", headers={"cookie": host}).text
    assert "more than the capacity" in over
    assert "/do/mint_lots" not in over
    assert doors.get("/market/pears/issue?lots=1", headers={"cookie": dean}).status == 403


def test_a_provider_lists_a_contract_by_form(doors: Doors, host: str) -> None:
    form = {
        "id": "apples",
        "name": "Apples",
        "offer": "pear",
        "capacity": "3",
        "price": "3.00",
        "start": "2099-01-01T00:00",
        "end": "2099-02-01T00:00",
        "session": "call",
        "weights.input": "1",
        "weights.cached": "0.2",
        "weights.output": "4.21",
    }
    answer = doors.form("/do/list_instrument", form, host)
    assert answer.headers.get("location") == "/market?done=list_instrument", answer.text
    made = doors.market.desk.state.listings["apples"].instrument
    assert (made.capacity, made.price, made.weights.output) == (3 * LOT, 30_000, 421)
    assert "in January 2099" in page(doors, "/market/apples")


# What happened ------------------------------------------------------------------------


def test_a_receipt_paid_by_a_right_names_the_lot(doors: Doors) -> None:
    secret = doors.key("uni", "spend", "lab")
    doors.run(_used(doors, "by-right", secret))
    cookie = doors.sign_in(secret)
    assert "Paid with 0.0024 lots of pears" in page(doors, "/receipts/by-right", cookie)
    assert "Paid with 0.0024 lots of pears" in page(doors, "/receipts", cookie)
    assert "Bezahlt mit 0,0024 Lots" in page(doors, "/receipts?lang=de", cookie)
    row = doors.get("/api/receipts", secret).json["receipts"][0]
    assert (row["right"], row["lots"]) == ("pears", "0.0024")
    doors.ask("close_batch")
    net = doors.get("/api/batches").json[0]["net"]
    assert {line["amount"] for line in net if line["asset"] == "pears"} == {"0.0024", "-0.0024"}


async def _used(doors: Doors, id_: str, secret: str) -> None:
    desk, hash_ = doors.market.desk, doors.market.counter.viewer(secret).key.hash
    fields: dict[str, Any] = {"endpoint": "chat/completions", "model": "pear"}
    hold = c.Reserve(at=doors.now(), id=id_, key=hash_, input_bound=900, output_bound=600, **fields)
    await desk.submit(hold)
    units = Units(input=400, output=500)
    await desk.submit(c.Capture(at=doors.now(), hold=id_, estimate=units, reported=units))


def test_a_settled_contract_keeps_its_page(tmp_path: Path) -> None:
    with Doors(tmp_path, mode="closed_loop") as doors:
        doors.furnish()
        listed(doors)
        cookie = doors.sign_in(doors.key("uni", "manage", "uni"))
        (form,) = hidden(doors.get("/market/pears/trade", headers={"cookie": cookie}).text)
        assert doors.form("/do/place_order", form, cookie).status == 303
        text = page(doors, "/market/pears/trade?side=sell&lots=1", cookie)
        assert "In this market only the issuer sells." in text
        doors.run(_ends(doors))
        text = page(doors, "/market/pears", cookie)
        for said in ("This contract has ended", "0 of 10 lots were used", "1.24 credit came back"):
            assert said in text, said
        assert "Ended" in page(doors, "/market")
        assert doors.get("/market/pears/trade", headers={"cookie": cookie}).status == 404


async def _ends(doors: Doors) -> None:
    for minutes in (0, 10):
        at = doors.now() + 5 * DAY + minutes * MINUTE
        await doors.market.desk.submit(c.Tick(at=at))


# Parts --------------------------------------------------------------------------------


CANDLE = st.tuples(
    st.integers(1, 10**15), st.integers(1, 10**15), st.integers(0, 59), st.integers(1, 10**18)
)


@given(st.lists(CANDLE, min_size=1, max_size=20))
def test_candles_stay_inside_their_drawing(rows: list[tuple[int, int, int, int]]) -> None:
    slots = {slot: (one, other, volume) for one, other, slot, volume in rows}
    candles = [
        {
            "at": slot * MINUTE,
            "open": str(one),
            "close": str(other),
            "volume": str(volume),
            "high": str(max(one, other)),
            "low": str(min(one, other)),
        }
        for slot, (one, other, volume) in sorted(slots.items(), reverse=True)
    ]
    found = charts.chart(candles, LOT, 60, 59 * MINUTE)
    assert found is not None
    assert len(found.scale) == charts.LINES + 1
    for bar in found.bars:
        assert 0 <= bar.x < bar.x + bar.width <= charts.SIZE
        assert 0 <= bar.top < bar.top + bar.height <= charts.SIZE
        assert 0 <= bar.high <= bar.top + bar.height
        assert bar.low <= charts.SIZE
        assert 0 < bar.volume <= charts.SIZE
    assert charts.chart([], LOT, 60, 0) is None


def test_the_lines_of_a_chart_are_round_and_as_in_its_docstring() -> None:
    row = {"at": 0, "volume": "1", "open": "30500", "close": "32100"}
    found = charts.chart([{**row, "high": "32100", "low": "30500"}], LOT, 60, 0)
    assert found is not None
    assert found.scale == ["3.25", "3.2", "3.15", "3.1", "3.05"]
    assert charts.seconds(0, 59 * MINUTE) == 60
    assert charts.seconds(0, 400 * DAY) == charts.SPANS_S[-1]


@pytest.mark.parametrize(
    ("start", "days", "kind"),
    [("2026-12-01", 31, "month"), ("2026-02-01", 28, "month"), ("2026-12-03", 1, "day"),
     ("2026-12-01", 30, "span"), ("2026-12-02", 31, "span")],
)  # fmt: skip
def test_a_window_is_named_as_people_name_it(start: str, days: int, kind: str) -> None:
    at = to_instant(start)
    assert contract.window(at, at + days * DAY)["kind"] == kind


def test_money_is_rounded_for_reading_and_steps_keep_their_zeros() -> None:
    english, german = words.load()["en"], words.load()["de"]
    assert english.about("3.0951") == "3.10"
    assert german.about("1234.5") == "1234,50"
    assert english.about("0.0012345") == "0.00123"
    assert english.about("0") == "0.00"
    assert english.step("3.3", "0.01") == "3.30"
    assert german.step("3", "0.01") == "3,00"
    assert english.step("3", "1") == "3"


def test_a_form_on_an_instrument_comes_back_to_it_whatever_it_names() -> None:
    place = forms.place("cancel_order", {"_at": "//evil/../x?y", "id": "o"})
    assert place.address == "/market/%2F%2Fevil%2F..%2Fx%3Fy"
    assert forms.fields("cancel_order", {"_at": "a", "_idem": "b", "id": "o"}) == {"id": "o"}
    assert forms.fields("place_order", {"lots": "1,5"}) == {"lots": "1.5"}
