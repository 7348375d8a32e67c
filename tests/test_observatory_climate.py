"""The observatory's page of climate: ranges, files, caps, and what caps refused since the start."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest
from doors import RECEIPTS, Doors

from allmende.core.refusals import Refused, Why
from allmende.core.units import CREDIT
from allmende.doors.denials import Denials
from allmende.doors.observatory.climate import hushed
from allmende.doors.observatory.value import REST
from allmende.measure.climate import Used

PATH = "/observe/climate"
JOULES = (200 * 1_000 + 60 * 100_000) / 1e9, (200 * 2_000 + 60 * 300_000) / 1e9
"""Of one receipt, as the furniture's offer states its energy."""


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with Doors(tmp_path_factory.mktemp("market") / "a") as market:
        market.furnish()
        market.receipts()
        market.ask("set_carbon_cap", id="lab", cap_ug="2.5")
        yield market


def page(doors: Doors, query: str = "", cookie: str = "") -> str:
    answer = doors.get(f"{PATH}{query}", headers={"cookie": cookie})
    assert answer.status == 200, answer.text
    return answer.text


def test_everybody_sees_ranges_with_their_boundary(doors: Doors) -> None:
    text = page(doors)
    assert "Electricity in mJ" in text, "the unit fits the longest bar"
    assert "without training" in text
    assert "host" in text
    assert "SCI" in text
    assert "No offer stated it" in text, "the furniture states no water"
    assert "0.24 Wh" in text, "published, as context"
    assert "Lab" not in text, "a budget is its organisation's own"


def test_an_estimate_claims_three_digits_at_most_and_no_power_of_ten(doors: Doors) -> None:
    text = html.unescape(re.sub(r"<[^>]*>|(?:width|height|x|y|d)[12]?=\S*", " ", page(doors)))
    shown = [line for line in text.splitlines() if re.search(r"\d (?:m|µ|k)?(?:J|g|l|kWh)\b", line)]
    assert any("–" in line for line in shown)
    for found in re.findall(r"[\d.,]*\d(?=(?:–[\d.,]+)? [mµk]?(?:J|g|l)\b)", "\n".join(shown)):
        assert len(found.replace(".", "").replace(",", "").lstrip("0")) <= 3, found
    assert "·10" not in text


def test_the_page_is_german_too(doors: Doors) -> None:
    text = page(doors, "?lang=de")
    assert "Was es das Klima kostet" in text
    assert "Strom in mJ" in text


def test_the_file_has_what_the_receipts_sum_to(doors: Doors, cookie: str) -> None:
    (row,) = doors.rows("climate.used", cookie, "?by=country")
    assert (row["country"], row["receipts"], row["tokens_out"]) == ("DEU", "24", str(24 * 60))
    low, high = float(row["energy_j_low"]), float(row["energy_j_high"])
    assert (low, high) == pytest.approx([RECEIPTS * j for j in JOULES], rel=1e-3)
    assert row["tokens_unstated"] == "0"
    assert float(row["energy_without_water_j"]) == pytest.approx(high)


def test_members_are_for_operators(doors: Doors, cookie: str) -> None:
    assert 'aria-current="true">member' in page(doors, "?by=account", cookie)
    assert doors.get(f"{PATH}?by=account").status == 422


def test_caps_are_for_who_sees_the_budget_with_what_they_refused(doors: Doors, cookie: str) -> None:
    lost = doors.market._gateway.denials
    lost.count(Refused(Why.CARBON_CAP, budget="lab", lost=CREDIT // 50, asset="credit"))
    lost.count(Refused(Why.CARBON_CAP, budget="lab"))
    text = page(doors, "", cookie)
    assert "2.5 g" in text
    assert "0.02 credit" in text
    assert "1 for energy unknown" in text
    told = doors.get("/api/carbon", doors.admin).json
    (row,) = told["budgets"]
    assert (row["id"], row["cap_ug"], row["refused"]) == ("lab", 2_500_000, 2)
    assert row["refused_worth"] == {"credit": "0.02"}
    assert told["since"]
    assert doors.get("/api/carbon").status == 401
    stranger = doors.key("other", budget="other")
    assert doors.get("/api/carbon", stranger).json["budgets"] == []


def test_a_cap_refuses_at_the_gateway_and_is_counted(doors: Doors) -> None:
    doors.ask("set_carbon_cap", id="chem", cap_ug=1)
    spender = doors.key("uni", budget="chem")
    body = {"model": "smol", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4_000}
    answer = doors.post("/v1/chat/completions", body, spender)
    assert (answer.status, answer.code) == (403, "carbon_cap")
    error = answer.json["error"]
    assert error["missing_ug"] > 0
    assert " g are missing" in error["message"]
    loss = doors.market._gateway.denials.by_budget["chem"]
    assert loss.requests == 1
    assert loss.worth["credit"] > 0
    doors.ask("set_carbon_cap", id="chem", cap_ug=None)


def test_the_worked_number_of_the_losses() -> None:
    lost = Denials(5)
    for _ in range(3):
        lost.count(Refused(Why.CARBON_CAP, budget="b", lost=CREDIT // 50, asset="credit"))
    lost.count(Refused(Why.NO_OFFER))
    loss = lost.by_budget["b"]
    assert (loss.requests, loss.worth["credit"], lost.since) == (3, 3 * CREDIT // 50, 5)


def test_what_rests_on_few_receipts_is_put_together_or_left_out() -> None:
    every = {name: Used(n, joules=(1.0, n)) for name, n in (("a", 50), ("b", 15), ("c", 12))}
    found = hushed(every, 20)
    assert list(found) == ["a", REST]
    assert found[REST].receipts == 27
    assert hushed({"b": every["b"]}, 20) == {}
    assert list(hushed(every, 0)) == ["a", "b", "c"]
