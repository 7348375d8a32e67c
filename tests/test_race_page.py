"""The page of the race: nothing without an import, and all of it in both languages after one."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from doors import Doors

from allmende.adapters.aside import aside
from allmende.adapters.kept import Kept
from allmende.adapters.price_files import PriceFiles, read
from allmende.adapters.race_files import Given, race_kept
from allmende.adapters.race_formats import ALL, CARBON
from allmende.core.units import SECOND
from allmende.doors.observatory.frame import Public
from allmende.doors.observatory.race import Race

CARBON_FILE = (
    "Google Cloud Region,Location,Google CFE,Grid carbon intensity (gCO2eq / kWh)\n"
    "europe-north2,Stockholm,0.99,3\nasia-south1,Mumbai,0.1,679\n"
)


class At:
    """A clock that stands."""

    def now(self) -> int:
        return int(datetime(2026, 11, 21, tzinfo=UTC).timestamp()) * SECOND


class Only:
    """What the section reads of its sources."""

    def __init__(self, race: Kept[Given | str]) -> None:
        self.public = Public(race)
        self.aside = aside


def gathered(race: Kept[Given | str]) -> Any:
    return asyncio.run(Race(Only(race)).gather(None))  # type: ignore[arg-type]


def imported(data: Path) -> Kept[Given | str]:
    path = data / "carbon-file.csv"
    path.write_text(CARBON_FILE)
    found = read(path, date(2026, 11, 21), ALL)
    PriceFiles(data).keep(found, "carbon-file.csv", datetime(2026, 11, 21, tzinfo=UTC))
    return race_kept(data, At())  # type: ignore[arg-type]


def test_without_an_import_there_is_nothing(tmp_path: Path):
    found = gathered(race_kept(tmp_path, At()))  # type: ignore[arg-type]
    assert found.shows == {"race": {}, "unread": ""}
    assert not found.tables


def test_after_an_import_there_is_a_panel_in_every_language(tmp_path: Path):
    found = gathered(imported(tmp_path))
    keys = {
        language: {one.key: one for one in made} for language, made in found.shows["race"].items()
    }
    assert keys["en"]["carbon"].title != keys["de"]["carbon"].title
    assert "carbon-file.csv, sha256" in keys["en"]["carbon"].source
    assert ", 2026-11-21" in keys["en"]["carbon"].source
    assert found.tables["carbon"].rows == keys["en"]["carbon"].table


def test_it_is_read_again_only_after_another_import(tmp_path: Path):
    kept = imported(tmp_path)
    first = kept()
    assert kept() is first
    path = tmp_path / "more.csv"
    path.write_text(CARBON_FILE + "x,Here,0.5,100\n")
    PriceFiles(tmp_path).keep(read(path, date(2026, 11, 21), ALL), "more.csv", datetime.now(UTC))
    second = kept()
    assert second is not first
    assert len(getattr(second, "carbon")) == 3  # noqa: B009 - it may be a sentence


def test_a_damaged_history_is_said_and_stops_nothing(tmp_path: Path):
    kept = imported(tmp_path)
    (PriceFiles(tmp_path).folder / CARBON.file).write_text("a\nb\n")
    found = gathered(kept)
    assert "is damaged" in found.shows["unread"]
    assert not found.tables


def test_a_visitor_sees_the_page_before_and_after_an_import(tmp_path: Path):
    path = tmp_path / "carbon-file.csv"
    path.write_text(CARBON_FILE)
    with Doors(tmp_path) as doors:
        before = doors.get("/observe/race")
        assert before.status == 200
        assert "allmende observatory import" in before.text
        files = PriceFiles(tmp_path / "data")
        files.keep(read(path, date(2026, 11, 21), ALL), path.name, datetime.now(UTC))
        for language, said in (("en", "Electricity under"), ("de", "Strom unter")):
            page = doors.get(f"/observe/race?lang={language}").text
            assert said in page
            assert '<svg xmlns="http://www.w3.org/2000/svg" class="drawing"' in page
            assert "/observe/data/race.carbon.csv" in page
        table = doors.get("/observe/data/race.carbon.csv")
        assert table.text.splitlines()[1] == "europe-north2,Stockholm,3.0,0.99"
