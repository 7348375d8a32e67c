"""Sovereignty by API and on its page: what routing obeys, by whose word, and who sees what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from doors import Doors

PAPER: dict[str, Any] = {
    "offer": "o",
    "objective": "SOV-3",
    "level": 3,
    "claim": "Data stay <here>.",
    "issuer": "Auditors",
    "issued": "2020-01-01",
    "expires": "2099-01-01",
    "document": "ab" * 32,
}
WORD: dict[str, Any] = {
    "regime": "US",
    "provider": "host",
    "exposure": 1,
    "kill_switch": 1,
    "reasoning": "Updates come from there.",
    "signer": "Ada Lovelace",
    "expires": "2099-01-01",
}


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with Doors(tmp_path_factory.mktemp("market")) as market:
        market.furnish()
        market.ask("file_evidence", id="p", **PAPER)
        market.ask("file_evidence", id="claim", **{**PAPER, "objective": "SOV-1"})
        market.ask("confirm_evidence", id="p")
        low = {**PAPER, "offer": "", "provider": "host", "level": 1}
        market.ask("file_evidence", id="q", **low)
        market.ask("confirm_evidence", id="q")
        market.ask("assess", **WORD)
        market.ask("set_floor", budget="uni", min_seal={"SOV-3": 1}, max_exposure="US:1")
        yield market


def test_what_an_offer_shows_is_public_and_the_lowest_counts(doors: Doors) -> None:
    (row,) = doors.get("/api/sovereignty").json
    seals = {one["objective"]: one for one in row["objectives"]}
    assert (row["level"], seals["SOV-3"]["level"], seals["SOV-3"]["contradictory"]) == (0, 1, True)
    assert {piece["id"] for piece in seals["SOV-3"]["evidence"]} == {"p", "q"}
    assert seals["SOV-1"] == {
        "objective": "SOV-1", "level": 0, "contradictory": False, "evidence": [],
    }  # fmt: skip
    reach = {one["regime"]: one for one in row["regimes"]}
    assert (reach["US"]["exposure"], reach["US"]["kill_switch"]) == (1, 1)
    assert reach["US"]["signed"][0]["signer"] == "Ada Lovelace"
    assert (reach["CN"]["exposure"], reach["CN"]["assessed"]) == (3, False)


def test_claims_are_for_who_may_confirm_or_made_them(doors: Doors) -> None:
    def ids(key: str | None) -> set[str]:
        return {row["id"] for row in doors.get("/api/evidence", key).json}

    assert ids(None) == {"p", "q"}
    assert ids(doors.admin) == {"p", "q", "claim"}
    host = doors.ask("issue_key", member="host", role="manage")["secret"]
    other = doors.ask("issue_key", member="other", role="manage")["secret"]
    assert ids(host) == {"p", "q", "claim"}
    assert ids(other) == {"p", "q"}


def test_a_provider_files_and_does_not_confirm(doors: Doors) -> None:
    host = doors.ask("issue_key", member="host", role="manage")["secret"]
    filed = doors.post("/api/file_evidence", {"id": "own", **PAPER}, host)
    assert filed.status == 200
    assert doors.post("/api/confirm_evidence", {"id": "own"}, host).status == 403
    signed = doors.post("/api/assess", {**WORD, "exposure": 0}, host)
    assert signed.status == 403
    doors.ask("withdraw_evidence", id="own")


def test_floors_are_seen_by_who_sees_the_budget(doors: Doors) -> None:
    rows = {row["budget"]: row for row in doors.get("/api/floors", doors.admin).json}
    assert rows["lab"]["own"]["min_seal"] == ""
    assert rows["lab"]["holds"] == {
        "min_seal": "SOV-3:1", "max_exposure": "US:1", "max_kill_switch": "",
    }  # fmt: skip
    other = doors.ask("issue_key", member="other", role="manage")["secret"]
    assert {row["budget"] for row in doors.get("/api/floors", other).json} == {"other"}


def test_a_bad_import_names_its_rows_and_imports_nothing(doors: Doors) -> None:
    rows = [
        {**PAPER, "id": "a", "objective": "SOV-5"},
        {**PAPER, "id": "b", "objective": "SOV-6", "issuer": "host"},
    ]
    answer = doors.post("/api/import_evidence", {"rows": rows}, doors.admin)
    assert answer.status == 422
    told = answer.json["error"]
    assert list(told["rows"]) == ["row 2 (b)"]
    assert "circular" in told["message"]
    assert "a" not in {row["id"] for row in doors.get("/api/evidence", doors.admin).json}


HEADS = [("en", "What each offer can show"), ("de", "Was jedes Angebot belegen kann")]


@pytest.mark.parametrize(("language", "says"), HEADS)
def test_the_page_shows_levels_reach_and_by_whose_word(
    doors: Doors, language: str, says: str
) -> None:
    page = doors.get(f"/observe/sovereignty?lang={language}").text
    assert says in page
    assert "Data stay &lt;here&gt;." in page
    assert "Ada Lovelace" in page
    assert "E1" in page
    assert "SOV-3:1" not in page, "a visitor sees no budget"


def test_the_tables_behind_the_page_are_files(doors: Doors) -> None:
    levels = doors.get("/observe/data/sovereignty.levels.csv").text.splitlines()
    assert len(levels) == 1 + 8
    assert any("SOV-3,1,1" in line for line in levels)
    assert "Updates come from there." in doors.get("/observe/data/sovereignty.reach.csv").text


def test_the_gateway_refuses_what_is_below_and_says_what_would_cure_it(doors: Doors) -> None:
    key = doors.ask("issue_key", member="uni", budget="lab")["secret"]
    body = {"model": "smol", "messages": [{"role": "user", "content": "hi"}]}
    wish = {"min_seal": "SOV-2:2", "max_kill_switch": {"US": 0}}
    answer = doors.post("/v1/chat/completions", {**body, "allmende": wish}, key)
    assert (answer.status, answer.code) == (503, "no_offer")
    told = answer.json["error"]
    assert told["conditions"] == {"sovereignty": 1}
    assert "SOV-2 is 0, not 2" in told["cures"]["o"]
    assert "US's kill switch is 1 as assessed, not 0" in told["cures"]["o"]
    doors.ask("set_floor", budget="lab", max_exposure="CN:1")
    refused = doors.post("/v1/chat/completions", body, key)
    assert refused.json["error"]["conditions"] == {"exposure": 1}
    doors.ask("set_floor", budget="lab")
