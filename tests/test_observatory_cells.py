"""What visitors may not have: small parts, by any page or file of the observatory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from doors import Doors

from allmende.core import commands as c
from allmende.core.actors import Registry
from allmende.core.state import State
from allmende.core.units import Units
from allmende.doors.observatory.actors import Actors
from allmende.doors.observatory.concentration import By, figured
from allmende.doors.observatory.overview import pairs
from allmende.doors.observatory.sellers import Market, Quality, hushed
from allmende.measure import value
from allmende.measure.cells import K
from allmende.measure.control import Control
from allmende.measure.value import UNKNOWN, Actor, Line

FEW = "Fewer than 20 receipts"


def line(role: str, account: str, payments: int, payer: str = "uni") -> Line:
    where = ("host", "t", "m", "DEU", "", "", "")
    return Line(role, account, payer, "", *where, payments, 100 * payments)


def test_a_small_seller_cannot_be_had_from_the_figures_of_its_market() -> None:
    cells = {name: {"receipts": n, "tokens": n, "credit": n} for name, n in (("a", 24), ("b", 2))}
    market = Market("serving", "all", 26, cells)
    assert hushed(market, 0) == market
    public = hushed(market, K)
    assert public.cells == {UNKNOWN: {"receipts": 26, "tokens": 26, "credit": 26}}
    (hhi, *_) = figured(public, "tokens", By("all", Quality([], {})))
    assert (hhi.low, hhi.high) == (0, 10_000)


def test_a_tile_shows_no_part_that_its_table_does_not() -> None:
    found = [line("host", "host", 30), line("author", "author", 3), line("commons", "commons", 30)]
    who = Actors({}, Control(Registry()), State())
    told = value.capture(found, {})
    tiles = {tile.key: tile for k in (K,) for pair in pairs([], [], told, who, k) for tile in pair}
    assert (tiles["makers"].part, tiles["makers"].whole) == (0, 0)
    all_of = {tile.key: tile for pair in pairs([], [], told, who, 0) for tile in pair}
    assert (all_of["makers"].part, all_of["makers"].whole) == (300, 6_300)


def test_what_leaves_a_country_counts_the_receipts_spent_elsewhere() -> None:
    known = {"far": Actor(country="USA")}
    found = [line("host", "host", 30), line("author", "a", 30), line("host", "host", 2, "far")]
    assert value.spent_where(found, known, "DEU") == (30, 2)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with Doors(tmp_path_factory.mktemp("market")) as market:
        market.furnish()
        spender = market.receipts()
        market.run(waits(market, spender))
        yield market


async def waits(market: Doors, secret: str) -> None:
    at, key = market.now(), market.market.counter.viewer(secret).key.hash
    desk, units = market.market.desk, Units(input=200, output=60)
    await desk.submit(
        c.Reserve(
            at=at, id="w", key=key, endpoint="chat/completions", model="smol",
            input_bound=1_000, output_bound=256,
        )
    )  # fmt: skip
    await desk.submit(c.Capture(at=at, hold="w", estimate=units, reported=units, pending=True))


def test_one_receipt_that_waits_is_not_told_to_everybody(doors: Doors) -> None:
    cookie = doors.sign_in(doors.admin)
    assert "wait for their recount" in doors.get("/observe/value", headers={"cookie": cookie}).text
    assert "wait for their recount" not in doors.get("/observe/value").text


def test_persons_who_earn_have_no_name_for_everybody(doors: Doors) -> None:
    cookie = doors.sign_in(doors.admin)
    assert "Author &lt;b&gt;" in doors.get("/observe/value", headers={"cookie": cookie}).text
    for page in ("/observe", "/observe/value", "/observe/concentration"):
        said = doors.get(page).text
        assert "Author" not in said.replace("Authors", ""), page


def test_figures_of_few_members_are_not_told_to_everybody(tmp_path: Path) -> None:
    with Doors(tmp_path) as market:
        market.furnish()
        market.receipts()
        market.receipt("s", market.key("other", budget="other"))
        said = market.get("/observe/data/distribution.figures.csv").text
        (gini,) = [row for row in said.splitlines() if row.startswith("used,gini,")]
        assert gini.startswith("used,gini,,,")
        cookie = {"cookie": market.sign_in(market.admin)}
        said = market.get("/observe/data/distribution.figures.csv", headers=cookie).text
        assert "used,gini,0." in said


PAGES = (
    *("", "/value", "/rents", "/concentration", "/distribution", "/dependence", "/sovereignty"),
    *("/climate", "/control", "/drills", "/access", "/race"),
)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_answers_whatever_its_address_asks(doors: Doors, page: str) -> None:
    """Shown, or refused as a bad value; never an error of ours, also before the oldest rule."""
    queries = ("?to=2020-01-01", "?window=7", "?asset=x", "?entity=x", "?by=x", "?kind=x", "?law=x")
    for query in (*queries, "?home=x", "?weight=x", "?by=account", "?lang=xx"):
        for cookie in ("", doors.sign_in(doors.admin)):
            answer = doors.get(f"/observe{page}{query}", headers={"cookie": cookie})
            assert answer.status in (200, 422), (query, answer.text[:200])
    assert doors.get(f"/observe{page}?to=2020-01-01").status == 200


FILES = (
    *("../../etc/passwd", "..%2f..%2fetc%2fpasswd", "value.earned.csv%00", " .csv"),
    "overview.account.csv",
)


@pytest.mark.parametrize("name", FILES)
def test_no_file_but_tables_that_a_visitor_may_have(doors: Doors, name: str) -> None:
    assert doors.get(f"/observe/data/{name}").status == 404
