"""The pages to govern with: for everybody, in both languages, and nothing of few is told."""

from __future__ import annotations

import asyncio
import csv
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chains import serve
from chromium import Browser, require
from doors import Doors
from market import HandClock

from allmende.core.refusals import Refused
from allmende.doors import simulating
from allmende.doors.simulating import Forks, Simulating, published
from allmende.doors.words import load

PATHS = ("/govern", "/govern/simulation", "/govern/levy", "/govern/juries")
CHANGE = "/govern/simulation?name=operator_fee_ppm&value=60000&window=all"
WIDE = 360


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with Doors(tmp_path_factory.mktemp("market")) as market:
        market.furnish()
        spender = market.key("uni", budget="lab")
        for number in range(24):
            market.receipt(f"r-{number}", spender)
        for name in ("ada", "bo", "cy"):
            market.ask("add_member", id=name, name=name.title(), kind="person")
        market.ask("call_jury", size=2, source="hash of block 9 of chain 1")
        market.ask("draw_jury", id="jury-1", seed="ab" * 32)
        yield market


@pytest.fixture(scope="module")
def cookie(doors: Doors) -> str:
    return doors.sign_in(doors.admin)


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("path", PATHS)
def test_everybody_sees_them(doors: Doors, cookie: str, path: str, language: str) -> None:
    for headers in ({}, {"cookie": cookie}):
        answer = doors.get(f"{path}?lang={language}", headers=headers)
        assert answer.status == 200
        assert f'<html lang="{language}">' in answer.text
        assert load()[language]("page.govern/levy") in answer.text


def test_a_rule_says_its_class_and_who_changes_it(doors: Doors) -> None:
    said = doors.get("/govern").text
    assert "changed by an operator" in said
    assert ">mission</span>" in said
    assert '/govern/simulation?name=levy_ppm"' in said
    assert '/govern/simulation?name=breaker_ppm"' not in said


def test_a_change_is_tried_out_by_members_and_read_by_everybody(doors: Doors, cookie: str) -> None:
    assert "Sign in" in doors.get(CHANGE).text
    assert doors.get(CHANGE).status == 401
    said = doors.get(CHANGE, headers={"cookie": cookie}).text
    assert "are the ledger, to the last digit" in said
    assert "24 served as it was, 24 with the change" in said
    assert "are the ledger" in doors.get(CHANGE).text, "it is there now, and costs nothing"
    file = doors.get(CHANGE.replace("/simulation", "/data/simulation.csv"))
    rows = list(csv.DictReader(file.text.splitlines()))
    gains = {row["of"]: float(row["gains"].strip("'")) for row in rows if row["by"] == "role"}
    assert gains["operator"] == -gains["host"] > 0


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("name=levy_ppm&value=100001", "0 to 100000"),
        ("name=breaker_ppm&value=2000", "decides on no request"),
        ("name=nothing&value=1", "Parameters are"),
        ("name=levy_ppm&value=much", "whole number"),
        ("name=levy_ppm&value=1&window=9", "window is one of"),
    ],
)
def test_what_cannot_be_tried_is_refused_on_the_page(
    doors: Doors, cookie: str, query: str, said: str
) -> None:
    answer = doors.get(f"/govern/simulation?{query}", headers={"cookie": cookie})
    assert answer.status == 422
    assert said in answer.text


def test_the_levy_is_public(doors: Doors) -> None:
    said = doors.get("/govern/levy").text
    assert "1 %" in said
    told = doors.get("/api/levy").json
    assert told["balances"][0]["balance"] in said
    rows = list(csv.DictReader(doors.get("/govern/data/levy.csv").text.splitlines()))
    assert [row["receipts"] for row in rows] == ["24"]


def test_a_jury_shows_its_names_to_members_only(doors: Doors, cookie: str) -> None:
    everybody = doors.get("/govern/juries").text
    assert "ab" * 32 in everybody
    assert "my-organisation" not in everybody
    member = doors.get("/govern/juries", headers={"cookie": cookie}).text
    assert "my-organisation" in member
    assert "--check jury-1" in member


def test_a_jury_is_called_and_drawn_by_form(doors: Doors, cookie: str) -> None:
    form = {"size": "1", "source": "dice", "by_kind": "on"}
    assert (
        doors.form("/do/call_jury", form, cookie).headers["location"].startswith("/govern/juries")
    )
    assert "waits for its seed" in doors.get("/govern/juries").text
    refused = doors.form("/do/draw_jury", {"id": "jury-2", "seed": "x"}, cookie)
    assert "in hex" in refused.text
    assert doors.form("/do/draw_jury", {"id": "jury-2", "seed": "00"}, cookie).status == 303


def test_one_fork_runs_at_a_time_and_few_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulating, "WAIT_S", 0.01)
    gate, ran = threading.Event(), []

    def run(name: str, value: int, window: int | None) -> dict[str, Any]:
        gate.wait(10)
        ran.append(value)
        return {"why_not": "too small"} if not value else {"value": value}

    async def ask() -> None:
        clock = HandClock()
        sim = Simulating(Forks(("levy_ppm",), run), clock)
        for value in range(simulating.WAITING):
            assert await sim.ask("levy_ppm", value, "30") is None
        with pytest.raises(Refused, match="being worked out"):
            await sim.ask("levy_ppm", 99, "30")
        assert sim.glance("levy_ppm", 98, "30") is None
        assert not sim.known("levy_ppm", 98, "30")
        gate.set()
        monkeypatch.setattr(simulating, "WAIT_S", 10)
        assert await sim.ask("levy_ppm", 1, "30") == {"value": 1}
        with pytest.raises(Refused, match="too small"):
            await sim.ask("levy_ppm", 0, "30")
        assert await sim.ask("levy_ppm", 3, "30") == {"value": 3}
        clock.at += simulating.KEPT_FOR + 1
        assert sim.glance("levy_ppm", 3, "30") == {"value": 3}, "the old one, while anew"
        assert await sim.ask("levy_ppm", 3, "30") == {"value": 3}
        assert ran == [0, 1, 2, 3, 3]

    asyncio.run(ask())


def row(of: str, receipts: int, earned: int) -> dict[str, Any]:
    return {
        "asset": "credit", "by": "country", "of": of, "accounts": 1, "receipts": receipts,
        "paid_before": 0, "paid_after": 0, "earned_before": earned, "earned_after": 2 * earned,
    }  # fmt: skip


def test_groups_of_few_receipts_are_put_together_or_left_out() -> None:
    rows = [row("DEU", 500, 50), row("FRA", 40, 9), row("SWE", 12, 5), row("ITA", 9, 3)]
    told = {one["of"]: one for one in published(rows, 20)}
    assert told.keys() == {"DEU", "(rest)"}
    assert told["(rest)"]["gains"] == 17
    assert told["(rest)"]["accounts"] == 3
    assert [one["of"] for one in published(rows, 0)] == ["DEU", "FRA", "SWE", "ITA"]
    alone = published([row("DEU", 500, 50), row("FRA", 3, 9)], 20)
    assert [(one["of"], one["gains"]) for one in alone] == [("(rest)", 59)]
    assert published([row("SWE", 12, 5), row("ITA", 9, 3)], 20) == []


def test_no_page_is_wider_than_a_phone(doors: Doors, cookie: str, tmp_path: Path) -> None:
    require()
    serving = serve(doors.market.app)
    url = doors.run(serving.__aenter__())
    try:
        with Browser(tmp_path) as browser:
            browser.size(WIDE, 800)
            for path in (*PATHS[2:], CHANGE):
                browser.open(f"{url}{path}{'&' if '?' in path else '?'}lang=de")
                wide = browser.run("return document.documentElement.scrollWidth")
                assert wide <= WIDE, path
    finally:
        doors.run(serving.__aexit__(None, None, None))
