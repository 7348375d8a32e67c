"""The page of control: proposals with their reasons beside what persons have signed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from doors import Doors

from allmende.core.actors import Actor, Registry, Stake, Supply

DATED: Any = {"source": "made up", "date": "2020-01-01", "grade": "seen"}
REGISTRY = Registry(
    (Actor("gmbh", "Host GmbH", "DEU", accounts=("host",), **DATED),
     Actor("inc", "Big & <b>Inc</b>", "USA", **DATED)),
    (Stake("inc", "gmbh", 600_000, 600_000, **DATED),),
    (Supply("offer", "o", "network", "AEC-1", **DATED),),
)  # fmt: skip


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with Doors(tmp_path_factory.mktemp("market")) as market:
        market.furnish()
        yield market


@pytest.fixture(scope="module")
def known(doors: Doors) -> Doors:
    told = msgspec.to_builtins(REGISTRY)
    doors.ask("import_actors", registry=told, source="test")
    return doors


def test_without_a_registry_the_page_says_so_and_bounds_everything(tmp_path: Path) -> None:
    with Doors(tmp_path) as empty:
        empty.furnish()
        page = empty.get("/observe/control").text
        assert "No registry of legal entities was imported" in page
        (found,) = empty.get("/api/exposure").json
        assert found["exposure"] == {"low": 0, "high": 3}
        assert empty.get("/api/behind").json[0]["basis"] == "unknown"


def test_the_page_shows_the_chain_in_both_languages_and_nobody_has_signed(known: Doors) -> None:
    page = known.get("/observe/control?lang=en").text
    assert "has 60 % of the votes of Host GmbH." in page
    assert "nobody has signed: it counts as E3, kill switch 2" in page
    assert "&lt;b&gt;Inc" in page
    assert "<b>Inc" not in page
    german = known.get("/observe/control?lang=de&law=CHN").text
    assert "Chinas nationales Geheimdienstgesetz" in german
    assert "Oberste Mutter" in german
    assert known.get("/observe/control?law=XXX").status == 422


def test_json_and_files_say_the_same(known: Doors) -> None:
    (found,) = known.get("/api/exposure?law=USA&offer=o&lang=de").json
    assert found["exposure"] == {"low": 3, "high": 3}
    assert found["kill_switch"] == {"low": 2, "high": 2}
    assert any("60 % der Stimmen von Host GmbH" in text for text in found["reasoning"])
    assert known.get("/api/exposure?offer=nothing").status == 404
    assert known.get("/api/exposure?law=Mars").status == 422
    rows = known.rows("control.exposure")
    assert [(row["offer"], row["exposure_high"], row["signers"]) for row in rows] == [
        ("o", "3", "")
    ]
    (behind,) = known.get("/api/behind").json
    assert (behind["parent"], behind["control"], behind["cables"]) == (
        *("inc", ["DEU", "USA"], ["AEC-1"]),
    )
    seals = known.rows("control.seals")
    assert [row["level"] for row in seals] == [""] * 8


def test_a_signature_stands_beside_the_proposal(known: Doors) -> None:
    known.ask(
        "assess",
        regime="US",
        exposure=2,
        kill_switch=2,
        reasoning="The customer has the keys.",
        signer="Ada Lovelace",
        provider="host",
        offer="o",
        expires="2030-01-01",
    )
    page = known.get("/observe/control?law=USA").text
    assert "signed by Ada Lovelace: E2, kill switch 2" in page
