"""The observatory's page of drills: N-1 by kind, live drills beside it, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from doors import Doors
from msgspec import structs

from allmende.core import commands as c
from allmende.core.units import Tariff, Zone


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Twenty-four receipts of one host; a second host of the model stands by in Sweden."""
    folder: Path = tmp_path_factory.mktemp("market")
    with Doors(folder) as market:
        market.furnish()
        offer = market.market.desk.state.offers["o"]
        other = structs.replace(
            offer, id="other", provider="other", zone=Zone("SWE"), tariff=Tariff(1_000_000, None, 0)
        )
        market.run(market.market.desk.submit(c.PostOffer(at=market.now(), offer=other)))
        alone = structs.replace(offer, id="alone", model="rare")
        market.run(market.market.desk.submit(c.PostOffer(at=market.now(), offer=alone)))
        market.receipts()
        yield market


@pytest.mark.parametrize(
    ("language", "says"),
    [("en", "still served without it"), ("de", "was ohne sie noch bedient wird")],
)
def test_the_page_shows_what_each_loss_leaves(
    doors: Doors, cookie: str, language: str, says: str
) -> None:
    page = doors.get(f"/observe/drills?lang={language}", headers={"cookie": cookie})
    assert page.status == 200
    assert says in page.text
    assert "allmende drill cut provider=" in page.text
    assert "market/drills@" in page.text


def test_a_file_has_the_rows_of_the_chart(doors: Doors, cookie: str) -> None:
    rows = doors.rows("drills.cuts", cookie, "?kind=provider")
    assert [(row["value"], row["served_ppm"], row["passed"]) for row in rows] == [
        ("host", "1000000", "1"),
        ("other", "1000000", "1"),
    ]
    assert {row["value"] for row in doors.rows("drills.cuts", cookie, "?kind=country")} == {
        "DEU",
        "SWE",
    }


def test_what_no_offer_says_is_told(doors: Doors, cookie: str) -> None:
    page = doors.get("/observe/drills?kind=cable&lang=en", headers={"cookie": cookie})
    assert "No offer says anything of this" in page.text
    assert doors.get("/observe/drills?kind=planet", headers={"cookie": cookie}).status == 422


def test_a_loss_that_nobody_bears_is_first_and_fails(doors: Doors, cookie: str) -> None:
    doors.run(
        doors.market.desk.submit(c.WithdrawOffer(at=doors.now(), id="other")),
    )
    (row,) = doors.rows("drills.cuts", cookie, "?kind=provider")
    assert (row["value"], row["served_ppm"], row["passed"]) == ("host", "0", "0")


def test_live_drills_stand_on_the_page_with_what_they_did(doors: Doors, cookie: str) -> None:
    assert "None yet" in doors.get("/observe/drills?lang=en", headers={"cookie": cookie}).text
    doors.ask("set_parameter", name="drills_allowed", value=1)
    doors.ask("start_drill", id="d1", offers=["alone"], seconds=60, label="cable=north <i>")
    page = doors.get("/observe/drills?lang=en", headers={"cookie": cookie}).text
    assert "A live drill is running: d1" in page
    assert "cable=north &lt;i&gt;" in page
    doors.ask("end_drill", id="d1")
    page = doors.get("/observe/drills?lang=en", headers={"cookie": cookie}).text
    assert "A live drill is running" not in page


def test_a_visitor_sees_figures_only_from_enough_receipts(tmp_path: Path) -> None:
    with Doors(tmp_path) as doors:
        doors.furnish()
        doors.receipt("r", doors.key("uni", budget="lab"))
        assert "Fewer than 20 requests" in doors.get("/observe/drills?lang=en").text
        assert not doors.rows("drills.cuts", query="?kind=provider")
