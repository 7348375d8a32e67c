"""The observatory's page of dependence: by weight and by layer, and nothing small for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doors import Doors

from allmende.doors.observatory.dependence import choices

PATH = "/observe/dependence"


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Twenty-four answers by a host owned in the USA, from an author in France."""
    folder: Path = tmp_path_factory.mktemp("market")
    with Doors(folder) as market:
        market.furnish()
        market.receipts()
        registry: dict[str, list[dict[str, Any]]] = {
            "actors": [
                {"id": "big", "name": "Big Inc", "jurisdiction": "USA", "accounts": ["host"]},
                {"id": "writer", "name": "Writer", "jurisdiction": "FRA", "accounts": ["author"]},
            ],
            "stakes": [],
        }
        source = {"source": "a test", "date": "2026-01-01"}
        registry = {name: [row | source for row in rows] for name, rows in registry.items()}
        market.ask("import_actors", registry=registry, source="a test")
        yield market


def table(doors: Doors, name: str, cookie: str = "", query: str = "") -> dict[str, dict[str, str]]:
    rows = doors.rows(f"dependence.{name}", cookie, query)
    return {next(iter(row.values())): row for row in rows}


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_page_says_how_much_is_foreign_and_which_layer_is_weakest(
    doors: Doors, cookie: str, language: str
) -> None:
    said = doors.get(f"{PATH}?home=FRA&lang={language}", headers={"cookie": cookie}).text
    words = {
        "en": ("Who depends on whom", "weakest", "Nobody has said which workloads are critical"),
        "de": ("Wer von wem abhängt", "schwächste", "Niemand hat gesagt, welche Anwendungen"),
    }
    for word in words[language]:
        assert word in said
    assert "10.000" in said or "10,000" in said, "one host alone"


def test_shares_are_of_the_owners_country(doors: Doors, cookie: str) -> None:
    weights = table(doors, "weights", cookie, "?home=FRA")
    assert (weights["tokens"]["low_ppm"], weights["tokens"]["high_ppm"]) == ("1000000", "1000000")
    credit = weights["credit"]
    assert credit["low_ppm"] == weights["users"]["low_ppm"], "there is one user"
    assert 0 < int(credit["low_ppm"]) <= int(credit["high_ppm"]) <= 900_000
    assert weights["critical"]["low_ppm"] == ""
    assert weights["critical"]["why"]
    layers = table(doors, "layers", cookie, "?home=FRA")
    assert layers["serving"]["low_ppm"] == "1000000"
    assert layers["model"]["high_ppm"] == "0"
    abroad = table(doors, "layers", cookie, "?home=USA")
    assert (abroad["serving"]["high_ppm"], abroad["model"]["low_ppm"]) == ("0", "1000000")


def test_users_are_too_few_to_be_shown_to_everybody(doors: Doors) -> None:
    weights = table(doors, "weights", query="?home=FRA")
    assert weights["users"]["low_ppm"] == ""
    assert "too few" in weights["users"]["why"]
    assert weights["tokens"]["low_ppm"] == "1000000"
    suppliers = doors.get(f"{PATH}?home=FRA&lang=en").text.split("How few hosts")[1]
    assert "<b>not known</b>" in suppliers


def test_an_unknown_home_is_refused(doors: Doors, cookie: str) -> None:
    assert doors.get(f"{PATH}?home=XXX", headers={"cookie": cookie}).status == 422


def test_a_small_market_shows_nothing_to_everybody(tmp_path: Path) -> None:
    with Doors(tmp_path) as market:
        market.furnish()
        spender = market.key("uni", budget="lab")
        for number in range(3):
            market.receipt(f"r-{number}", spender)
        assert "Fewer than 20 receipts" in market.get(PATH).text
        weights = table(market, "weights")
        assert not any(row["low_ppm"] for row in weights.values())
        assert not table(market, "layers")


def test_the_eu_is_no_way_to_subtract_a_country_that_is_not_shown() -> None:
    union = frozenset({"DEU", "FRA"})
    assert choices(["DEU", "USA"], ["DEU", "USA"], union) == ["EU", "DEU", "USA"]
    assert choices(["DEU", "FRA", "USA"], ["DEU", "USA"], union) == ["DEU", "USA"]
    assert choices(["USA"], ["USA"], union) == ["EU", "USA"]
    assert choices(["unknown"], ["unknown"], union) == ["EU"]
    assert choices([], [], frozenset()) == []
