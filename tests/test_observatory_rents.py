"""The observatory's page of rents: what the market takes, and asks against their open floor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from doors import Doors
from hypothesis import given
from hypothesis import strategies as st

from allmende.core import commands as c
from allmende.core.nouns import Member, Offer
from allmende.core.units import Tariff, Zone
from allmende.doors.observatory.rents import take
from allmende.measure.cells import Cell
from allmende.measure.figure import About
from allmende.measure.rents_market import alike

ABOUT = About(of="credit", window="2026-11", denominator="final receipts", grade="ledger")


def offer(id_: str, provider: str, rate: int | None, context: int = 8192) -> Offer:
    tariff = Tariff(input=rate, output=rate)
    return Offer(
        *(id_, provider, "t", "m", "credit", tariff, Zone("DEU"), "http://127.0.0.1:1/v1"),
        context=context,
    )


def test_the_worked_number() -> None:
    offers = [offer(name, name, rate) for name, rate in zip("abcd", (10, 20, 30, 60), strict=True)]
    (found,) = alike(offers, dict.fromkeys("abcd", 5.0), {})
    assert found.floor == 20
    assert [ask.above for ask in found.asks] == pytest.approx([-1, 0, 1 / 3, 2 / 3])


def test_one_owner_is_one_host_and_unlike_offers_are_apart() -> None:
    offers = [offer("a", "x", 10), offer("b", "y", 20), offer("c", "z", 30)]
    (found,) = alike(offers, {}, {"x": "big", "y": "big"})
    assert (found.floor, found.why[:7]) == (None, "2 hosts")
    longer = alike([*offers, offer("d", "w", 1, context=32_768)], {}, {})
    assert [(one.context, one.floor) for one in longer] == [(8192, 20), (32_768, None)]
    assert alike([offer("a", "x", None)], {}, {}) == []
    free = alike([offer(name, name, 0) for name in "abc"], {}, {})[0]
    assert (free.floor, free.asks[0].above) == (0, None)


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 9), min_size=1))
def test_every_offer_is_in_one_row_and_at_least_one_of_the_cheapest_is_not_above(
    rates: dict[str, int],
) -> None:
    found = alike([offer(name, name, rate) for name, rate in rates.items()], {}, {})
    assert sorted(ask.offer for one in found for ask in one.asks) == sorted(rates)
    (one,) = found
    assert (one.floor is None) == (len(rates) < 3)
    if one.floor is not None:
        assert sum((ask.above or 0) <= 1e-9 for ask in one.asks) >= 2


def test_what_the_market_takes_is_withheld_where_it_is_of_few() -> None:
    layers = {"serving": Cell(500, 90), "platform": Cell(40, 10)}
    assert take(ABOUT, layers, 20).value == pytest.approx(0.1)
    few = take(ABOUT, {**layers, "platform": Cell(3, 10)}, 20)
    assert not few.defined
    assert "too few" in few.why
    assert take(ABOUT, {"serving": Cell(500, 90)}, 20).value == 0
    assert take(ABOUT, {}, 20).why == "Nothing was paid through the platform."


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder: Path = tmp_path_factory.mktemp("market")
    with Doors(folder) as market:
        market.furnish()
        at = market.now()
        for name, rate in (("second", 300_000), ("third", 600_000)):
            tariff = Tariff(rate, None, 4 * rate)
            ask = Offer(
                *(f"o-{name}", name, "t", "smol", "credit", tariff, Zone("FRA")),
                "http://127.0.0.1:1/v1",
                sealed_secret="s1.hidden",
            )
            member = Member(name, name.title(), "provider")
            for command in (c.AddMember(at=at, member=member), c.PostOffer(at=at, offer=ask)):
                market.run(market.market.desk.submit(command))
        market.receipts()
        yield market


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_page_shows_every_ask_beside_its_floor(doors: Doors, language: str) -> None:
    cookie = doors.sign_in(doors.admin)
    said = doors.get(f"/observe/rents?lang={language}", headers={"cookie": cookie}).text
    words = {"en": ("Above the open floor", "What the market takes"), "de": ("Boden", "Der Teil")}
    for word in (*words[language], "o-second", "o-third", "allmende observatory rents"):
        assert word in said


def test_the_file_has_the_floor_by_volume(doors: Doors) -> None:
    rows = {row["offer"]: row for row in doors.rows("rents.asks")}
    assert set(rows) == {"o", "o-second", "o-third"}
    blend = (0.8 * 150_000 + 0.2 * 600_000) / 1e6
    assert float(rows["o"]["price_per_million"]) == pytest.approx(blend)
    floors = [float(row["floor_per_million"]) for row in rows.values()]
    assert floors == pytest.approx([blend] * 3), "all was bought of the cheapest"
    assert int(rows["o"]["above_floor_ppm"]) == 0
    assert int(rows["o-third"]["above_floor_ppm"]) > 500_000
