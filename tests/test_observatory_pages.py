"""The observatory's pages: who earned what, where; benefit beside harm; data behind charts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from doors import RECEIPTS, Doors

from allmende.cli import main
from allmende.core.refusals import Refused
from allmende.core.units import DAY, credits
from allmende.doors.observatory.files import to_csv
from allmende.doors.observatory.frame import Table
from allmende.doors.observatory.windows import window

NOW = 20_778 * DAY
"""2026-11-21."""
PRICE = 66_000_000


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Twenty-four receipts of one host and one author; another host has two."""
    folder: Path = tmp_path_factory.mktemp("market")
    with Doors(folder) as market:
        market.furnish()
        market.receipts()
        yield market


# Languages ----------------------------------------------------------------------------

PAGES = ("", "/value", "/rents", "/concentration", "/distribution", "/dependence", "/sovereignty",
         "/climate", "/control", "/drills", "/access", "/race")  # fmt: skip
ENGLISH = re.compile(
    r"\b(?:the|of|and|which|nobody|nothing|with|without|tokens in|members|receipts|is|no|are|not)\b"
)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("key", ["cookie", ""])
def test_a_german_page_has_no_english_sentence(
    doors: Doors, cookie: str, path: str, key: str
) -> None:
    """Titles of laws and sources say of themselves that they are English; commands are code."""
    answer = doors.get(f"/observe{path}?lang=de", headers={"cookie": cookie if key else ""})
    assert answer.status == 200
    text = re.sub(r"(?s)<(style|script|code)\b.*?</\1>", " ", answer.text.partition("<main")[2])
    text = re.sub(r'(?s)<(\w+)[^>]* lang="en"[^>]*>.*?</\1>', " ", text)
    shown = re.sub(r"(?s)<[^>]*>", "\n", text)
    assert [line for line in shown.splitlines() if ENGLISH.search(line)] == []


# Windows ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "since", "until"),
    [
        ({}, "2026-10-23", "2026-11-22"),
        ({"window": "7"}, "2026-11-15", "2026-11-22"),
        ({"window": "all"}, "", "2026-11-22"),
        ({"from": "2026-11-02", "to": "2026-11-02"}, "2026-11-02", "2026-11-03"),
        ({"from": "2026-11-02"}, "2026-11-02", "2026-11-22"),
        ({"to": "2026-11-02"}, "2020-01-01", "2026-11-03"),
    ],
)
def test_a_window_is_whole_days(query: dict[str, str], since: str, until: str) -> None:
    found = window(query, NOW)
    assert (found.since, found.until) == (since, until)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"window": "8"}, "window"),
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-11-22"}, "to"),
        ({"from": "2019-12-31"}, "from"),
        ({"from": "2026-11-20", "to": "2026-11-02"}, "to"),
        ({"from": "2026-11-20", "window": "7"}, "window"),
        ({"from": "2026-13-01"}, "from"),
    ],
)
def test_a_window_that_is_none_is_refused_by_its_field(query: dict[str, str], field: str) -> None:
    with pytest.raises(Refused, match=field):
        window(query, NOW)


def test_a_page_in_a_bad_window_is_told_and_not_shown(doors: Doors) -> None:
    answer = doors.get("/observe/value?from=2999-01-01")
    assert answer.status == 422
    assert "2999-01-01" in answer.text


def test_days_without_receipts_are_empty(doors: Doors, cookie: str) -> None:
    for path in ("/observe", "/observe/value"):
        answer = doors.get(f"{path}?to=2020-01-02", headers={"cookie": cookie})
        assert "Nothing yet" in answer.text
    assert doors.rows("value.earned", cookie, "?to=2020-01-02") == []


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_tab_opens_for_everybody(doors: Doors, cookie: str, language: str) -> None:
    tabs = re.findall(r'<a href="(/observe[/a-z]*)"', doors.get("/observe").text)
    assert len(set(tabs)) > 4
    for path in set(tabs):
        for headers in ({}, {"cookie": cookie}):
            answer = doors.get(f"{path}?lang={language}", headers=headers)
            assert answer.status == 200, path
            assert f'<html lang="{language}">' in answer.text


# Value --------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_page_says_who_earned_what_where_and_that_it_equals_the_ledger(
    doors: Doors, cookie: str, language: str
) -> None:
    said = doors.get(f"/observe/value?lang={language}", headers={"cookie": cookie}).text
    total = RECEIPTS * PRICE
    shown = f"{total:,}" if language == "en" else f"{total:,}".replace(",", ".")
    equal = {"en": "The sums equal the ledger", "de": "Die Summen gleichen dem Hauptbuch"}
    assert f"{equal[language]}: 24" in said
    assert shown in said
    for word in ("Author &lt;b&gt;", "DEU", {"en": "unknown", "de": "unbekannt"}[language]):
        assert word in said
    assert "<b>Host</b>" in said


def test_every_file_sums_to_the_ledger(doors: Doors, cookie: str) -> None:
    for name in ("earned", "role", "layer", "actor", "place", "owner"):
        rows = doors.rows(f"value.{name}", cookie)
        assert sum(int(row["pico_credits"]) for row in rows) == RECEIPTS * PRICE, name
    earned = {row["actor"]: row for row in doors.rows("value.earned", cookie)}
    assert earned["author"]["pico_credits"] == str(RECEIPTS * PRICE // 10)
    assert (earned["host"]["place"], earned["host"]["owner_country"]) == ("DEU", "unknown")


@pytest.mark.parametrize("query", ["entity=nobody", "asset=gold", "home=XXX"])
def test_unknown_choices_are_refused(doors: Doors, cookie: str, query: str) -> None:
    assert doors.get(f"/observe/value?{query}", headers={"cookie": cookie}).status == 422


def test_the_command_prints_the_same_and_checks_every_posting(doors: Doors, cookie: str) -> None:
    run = CliRunner().invoke(
        main, ["observatory", "value", "--data", doors.settings.data, "--json"]
    )
    assert run.exit_code == 0, run.output
    said: dict[str, Any] = json.loads(run.output)
    assert said["equal"]
    assert (said["receipts"], said["pico_credits"]) == (RECEIPTS, str(RECEIPTS * PRICE))
    page = {row["actor"]: row["pico_credits"] for row in doors.rows("value.earned", cookie)}
    assert {row["actor"]: row["pico_credits"] for row in said["earned"]} == page
    words = CliRunner().invoke(main, ["observatory", "value", "--data", doors.settings.data])
    assert f"sums equal the ledger: {RECEIPTS * PRICE:,} pico-credits" in words.output
    missing = CliRunner().invoke(
        main, ["observatory", "value", "--data", doors.settings.data, "--asset", "gold"]
    )
    assert missing.exit_code == 1
    assert "credit" in missing.output + missing.stderr


# Benefit and harm ---------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "de"])
def test_no_benefit_is_shown_without_its_harm(doors: Doors, language: str) -> None:
    said = doors.get(f"/observe?lang={language}").text
    pairs = re.findall(r'<li class="card pair">(.*?)</li>', said, re.DOTALL)
    assert len(pairs) >= 4
    for pair in pairs:
        assert re.findall(r'<div class="(benefit|harm)">', pair) == ["benefit", "harm"]
        assert pair.count('<p class="big">') == 2
        assert pair.count("<dl") == 2, "each says how it is counted"


def test_what_stood_on_the_page_before_still_does(doors: Doors, cookie: str) -> None:
    said = doors.get("/observe", headers={"cookie": cookie}).text
    for word in ("By member", "By provider", "By country", "By title", "By model", "uni"):
        assert word in said


# Small cells --------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Doors]:
    with Doors(tmp_path) as market:
        market.furnish()
        spender = market.key("uni", budget="lab")
        for number in range(3):
            market.receipt(f"r-{number}", spender)
        yield market


def test_the_registry_moves_an_account_to_its_country_and_its_owner(small: Doors) -> None:
    registry: dict[str, list[dict[str, Any]]] = {
        "actors": [
            {"id": "big", "name": "Big Inc", "jurisdiction": "USA"},
            {"id": "writer", "name": "Writer", "jurisdiction": "FRA", "accounts": ["author"]},
            {"id": "local", "name": "Local GmbH", "jurisdiction": "DEU", "accounts": ["host"]},
        ],
        "stakes": [{"holder": "big", "entity": "local", "votes_ppm": 510_000}],
    }
    source = {"source": "a test", "date": "2026-01-01"}
    registry = {name: [row | source for row in rows] for name, rows in registry.items()}
    small.ask("import_actors", registry=registry, source="a test")
    cookie = small.sign_in(small.admin)
    earned = {row["role"]: row for row in small.rows("value.earned", cookie)}
    assert earned["author"] | {"share_ppm": ""} == {
        "asset": "credit",
        "actor": "writer",
        "role": "author",
        "place": "FRA",
        "owner_country": "FRA",
        "receipts_at_least": "3",
        "share_ppm": "",
        "pico_credits": str(3 * PRICE // 10),
    }
    assert (earned["host"]["actor"], earned["host"]["owner_country"]) == ("big", "USA")
    legal = {row["actor"] for row in small.rows("value.earned", cookie, "?entity=legal")}
    assert {"host", "author"} <= legal


def test_fewer_than_k_receipts_are_shown_to_operators_alone(small: Doors) -> None:
    cookie = small.sign_in(small.admin)
    for path in ("/observe", "/observe/value"):
        public = small.get(path)
        assert "Fewer than 20 receipts" in public.text, path
        assert credits(3 * PRICE) not in public.text
        assert credits(3 * PRICE) in small.get(path, headers={"cookie": cookie}).text
    for name in ("value.earned", "value.role", "overview.provider"):
        for row in small.rows(name):
            assert str(3 * PRICE) not in row.values()
            assert str(3 * PRICE * 9 // 10) not in row.values()


def test_the_public_sees_a_small_host_with_others_and_every_sum(tmp_path: Path) -> None:
    with Doors(tmp_path) as market:
        market.furnish()
        market.ask("add_member", id="tiny", name="Tiny host", kind="provider")
        spender = market.key("uni", budget="lab")
        for number in range(22):
            market.receipt(f"r-{number}", spender)
        market.ask("withdraw_offer", id="o")
        terms = {"provider": "tiny", "title": "t", "model": "smol", "asset": "credit"}
        price = {"input": "0.15", "output": "0.6"}
        market.ask(
            "post_offer", id="p", **terms, tariff=price, zone={"country": "SWE"},
            url="https://8.8.8.8/v1",
        )  # fmt: skip
        for number in range(2):
            market.receipt(f"t-{number}", spender)
        cookie = market.sign_in(market.admin)
        for name in ("earned", "actor", "place", "role"):
            every = market.rows(f"value.{name}", cookie)
            public = market.rows(f"value.{name}")
            sums = [sum(int(row["pico_credits"]) for row in rows) for rows in (every, public)]
            assert sums == [24 * PRICE] * 2, name
        assert "tiny" in {row["actor"] for row in market.rows("value.actor", cookie)}
        assert "tiny" not in {row["actor"] for row in market.rows("value.actor")}
        assert "Tiny host" not in market.get("/observe/value").text
        assert "Tiny host" in market.get("/observe/value", headers={"cookie": cookie}).text
        assert "2 others together" in market.get("/observe/value").text


def test_a_market_may_say_how_small_is_too_small(tmp_path: Path) -> None:
    with Doors(tmp_path, min_cell=2) as market:
        market.furnish()
        market.receipts(3)
        assert sum(int(row["pico_credits"]) for row in market.rows("value.role")) == 3 * PRICE


# Concentration and distribution -------------------------------------------------------------


def test_one_host_is_a_monopoly_and_unknown_layers_are_ranges(doors: Doors, cookie: str) -> None:
    rows = {(row["of"], row["key"]): row for row in doors.rows("concentration.figures", cookie)}
    serving = rows["serving, all, tokens", "hhi"]
    assert (float(serving["low"]), float(serving["high"])) == (10_000, 10_000)
    chips = rows["chip, all, credit", "hhi"]
    assert (float(chips["low"]), float(chips["high"]), chips["grade"]) == (0, 10_000, "reported")
    assert rows["serving, all, quality", "hhi"]["why"]
    sellers = doors.rows("concentration.sellers", cookie)
    for layer in ("serving", "model", "cloud", "chip"):
        own = [row for row in sellers if (row["layer"], row["model"]) == (layer, "all")]
        assert sum(int(row["credit"]) for row in own) == RECEIPTS * PRICE, layer


def test_theil_adds_up_and_the_curve_ends_at_all(doors: Doors, cookie: str) -> None:
    regions = doors.rows("distribution.regions", cookie)
    assert sum(float(row["share"]) for row in regions) == pytest.approx(1)
    points = [row for row in doors.rows("distribution.lorenz", cookie) if row["of"] == "earned"]
    assert (points[-1]["share_of_heads"], points[-1]["share_of_value"]) == ("1.0", "1.0")
    said = doors.get("/observe/distribution", headers={"cookie": cookie}).text
    assert '<svg xmlns="http://www.w3.org/2000/svg" class="drawing"' in said


def test_curves_of_few_are_not_for_everybody(small: Doors) -> None:
    assert small.rows("distribution.lorenz") == []
    assert small.rows("distribution.figures") == []
    assert small.rows("concentration.figures") == []


def test_a_member_sees_its_own_whatever_its_size(small: Doors) -> None:
    manager = small.sign_in(small.key("uni", "manage", "uni"))
    (row,) = small.rows("overview.account", manager)
    assert (row["value"], row["price"]) == ("uni", str(3 * PRICE))


# Files --------------------------------------------------------------------------------


def test_a_file_runs_nothing_in_a_spreadsheet_and_keeps_figures() -> None:
    said = to_csv(Table([{"a": "=SUM(A1)", "b": "-5", "c": -5, "d": None}])).decode()
    assert said.splitlines() == ["a,b,c,d", "'=SUM(A1),-5,-5,"]


@pytest.mark.parametrize(
    "name", ["value.nothing.csv", "nothing.earned.csv", "value.earned.exe", "value"]
)
def test_files_that_are_none_are_not_found(doors: Doors, name: str) -> None:
    assert doors.get(f"/observe/data/{name}").status == 404


def test_parquet_has_the_rows_of_the_csv(doors: Doors, cookie: str, tmp_path: Path) -> None:
    parquet = pytest.importorskip("allmende.adapters.parquet")
    pytest.importorskip("duckdb", reason="the extra observatory is not installed")
    answer = doors.get("/observe/data/value.earned.parquet", headers={"cookie": cookie})
    assert answer.status == 200
    (tmp_path / "earned.parquet").write_bytes(answer.body)
    rows = parquet.read(tmp_path / "earned.parquet")
    ours = doors.rows("value.earned", cookie)
    assert [str(row["pico_credits"]) for row in rows] == [row["pico_credits"] for row in ours]
    assert [row["actor"] for row in rows] == [row["actor"] for row in ours]


def test_files_keep_the_choices_of_the_page(doors: Doors, cookie: str) -> None:
    said = doors.get("/observe/value?window=7&entity=legal", headers={"cookie": cookie}).text
    assert "/observe/data/value.earned.csv?window=7&amp;entity=legal" in said
