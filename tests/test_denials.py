"""Denials: one counter of whom the gateway lets in and refuses, its page and its figures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from doors import Doors

from allmende.core.refusals import Refused, Why
from allmende.doors.denials import Denials, home, kind
from allmende.measure.access import Asked

PATH = "/observe/access"
HELLO = [{"role": "user", "content": "a secret that nobody counts"}]


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with Doors(tmp_path_factory.mktemp("market") / "a") as market:
        market.furnish()
        yield market


@pytest.fixture
def counted(doors: Doors) -> Denials:
    """The running gateway's, at its beginning."""
    found = doors.market._gateway.denials
    found.by_member.clear()
    return found


def test_the_worked_number_and_what_is_no_denial() -> None:
    found = Denials(5)
    for _ in range(7):
        found.let_in("uni")
    for _ in range(3):
        found.count(Refused(Why.CARBON_CAP, budget="b", lost=2, asset="credit"), "uni")
    found.count(Refused(Why.BAD_REQUEST), "uni")
    found.count(Refused(Why.UPSTREAM_FAILED), "uni")
    found.count(Refused(Why.UNKNOWN_KEY))
    assert found.asked(lambda _: "all") == {"all": Asked(10, 3)}
    assert found.codes()["bad_request"] == found.codes()["unknown_key"] == 1
    assert (found.by_budget["b"].requests, found.by_budget["b"].worth["credit"]) == (3, 6)


def test_memory_is_bounded_by_members_and_codes() -> None:
    found = Denials(0)
    for _ in range(1_000):
        found.count(Refused(Why.NO_OFFER), "uni")
        found.count(Refused(Why.UNKNOWN_KEY, "sk-secret"), "")
    assert len(found.by_member) == 2
    assert "secret" not in str(found.by_member)


def test_groups_are_kinds_and_the_tops_of_trees(doors: Doors) -> None:
    state = doors.market.desk.state
    assert kind(state)("uni") == state.members["uni"].kind
    assert kind(state)("gone") == "unknown"
    assert home(state)("uni") == "uni"


def test_the_gateway_counts_each_request_once(doors: Doors, counted: Denials) -> None:
    spender = doors.key("uni", budget="lab")
    ask = {"model": "nowhere", "messages": HELLO, "max_tokens": 4}
    assert doors.post("/v1/chat/completions", ask, spender).code == "unknown_model"
    assert doors.post("/v1/chat/completions", ask, "sk-unknown").code == "unknown_key"
    assert doors.get("/v1/nowhere", spender).status == 404
    assert dict(counted.by_member) == {("uni", "unknown_model"): 1, ("", "unknown_key"): 1}


def test_page_file_and_api_show_the_alarm(doors: Doors, counted: Denials) -> None:
    for _ in range(100):
        counted.let_in("host")
    for _ in range(60):
        counted.let_in("uni")
    for _ in range(40):
        counted.count(Refused(Why.NO_OFFER), "uni")
    cookie = doors.sign_in(doors.admin)
    text = doors.get(PATH, headers={"cookie": cookie}).text
    assert "organisation against provider: ALARM, below 0.8." in text
    german = doors.get(f"{PATH}?lang=de", headers={"cookie": cookie}).text
    assert "Organisation gegen Anbieter: ALARM, unter 0,8." in german
    found = doors.get("/api/denials", doors.admin).json
    assert found["ratio"]["low"] == 0.6
    assert {"by": "organisation", "group": "uni", "asked": 100, "denied": 40} in found["homes"]
    assert found["since"]
    rows = doors.rows("access.denials", cookie)
    assert {"by": "code", "group": "no_offer", "asked": "", "denied": "40"} in rows


def test_others_see_no_organisation_and_no_group_of_few(doors: Doors, counted: Denials) -> None:
    for _ in range(50):
        counted.let_in("uni")
    for _ in range(3):
        counted.count(Refused(Why.BUDGET_SPENT), "host")
    assert doors.get("/api/denials").status == 401
    found = doors.get("/api/denials", doors.key("uni", budget="lab")).json
    assert found["homes"] == []
    assert all(row["group"] not in ("provider", "organisation") for row in found["kinds"])
    assert found["codes"] == []
    assert found["ratio"]["low"] is None
    assert "budget_spent" not in doors.get(PATH).text
