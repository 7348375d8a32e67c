"""Access: shares of what is known, alarms that are questions, and what a language costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from doors import Doors
from hypothesis import given
from hypothesis import strategies as st
from observed import directory, exact

from allmende.adapters import exits
from allmende.adapters.access_facts import facts
from allmende.adapters.claim_cards import cards
from allmende.adapters.languages import measured, sentences
from allmende.adapters.price_files import FOLDER
from allmende.adapters.price_formats import GOLD
from allmende.adapters.said import Said
from allmende.cli import main
from allmende.main import VIEWS
from allmende.measure.access import (
    Asked,
    Use,
    admission_ratio,
    affordability,
    denial_figures,
    free_share,
    premiums,
    satisfied,
)
from allmende.measure.figure import About, Undefined
from allmende.measure.leaving import Exit, Step

ABOUT = About(of="market", window="w", denominator="d", grade="ledger")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return directory(tmp_path_factory.mktemp("data"))


def access(data: Path, *words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["observatory", "access", "--data", str(data), *words])
    assert result.exit_code == code, result.output + result.stderr
    return result


def test_the_four_fifths_rule_asks_below_it_only() -> None:
    groups = {"a": Asked(100, 40), "b": Asked(100, 20)}
    assert admission_ratio(groups) == ("a", "b", pytest.approx(0.75))
    assert "ALARM" in denial_figures(ABOUT, groups, 0.8).why
    fine = {"a": Asked(100, 36), "b": Asked(100, 20)}
    assert "not below" in denial_figures(ABOUT, fine, 0.8).why
    assert not denial_figures(ABOUT, None, 0.8).defined
    assert not denial_figures(ABOUT, {"a": Asked(1, 0)}, 0.8).defined


def test_more_denied_than_asked_is_named() -> None:
    with pytest.raises(ValueError, match="b: 3 of 2"):
        admission_ratio({"a": Asked(1, 0), "b": Asked(2, 3)})
    with pytest.raises(Undefined, match="every time"):
        admission_ratio({"a": Asked(1, 1), "b": Asked(2, 2)})


def test_free_shares_are_of_users_tokens_and_energy_never_of_cost() -> None:
    uses = [Use("a", 100, 0, 5, 10, 100, 5, 10), Use("b", 300, 7, 15, 30)]
    found = {figure.key: figure for figure in free_share(ABOUT, uses)}
    assert found["free_users"].value == 0.5
    assert found["free_tokens"].value == 0.25
    assert (found["free_energy"].low, found["free_energy"].high) == (5 / 35, 10 / 25)
    assert not found["free_cost"].defined
    assert not any(figure.defined for figure in free_share(ABOUT, []))


def test_an_entitlement_is_bounded_from_below() -> None:
    uses = [Use("a", 100, 0, 0, 0), Use("b", 10, 0, 0, 0)]
    found = satisfied(ABOUT, uses, ["a", "b", "c", "d"], 100)
    assert (found.low, found.high) == (0.25, 1.0)
    assert affordability(ABOUT, 20, 1000, "me").value == 0.02


@given(st.lists(st.integers(1, 99), min_size=1, max_size=9), st.integers(1, 5))
def test_a_premium_is_a_ratio_within_its_interval(base: list[int], factor: int) -> None:
    one, same = premiums({"en": base, "x": [n * factor for n in base]}, "v")
    assert {one.language, same.language} == {"en", "x"}
    for found in (one, same):
        assert found.low <= found.ratio + 1e-9
        assert found.ratio <= found.high + 1e-9
        assert found.ratio == pytest.approx(factor if found.language == "x" else 1)


def test_every_sentence_is_in_every_language_and_english_is_the_measure() -> None:
    told = sentences()
    assert {len(texts) for texts in told.texts.values()} == {20}
    assert len(told.texts) == 10
    assert told.licence == "CC0-1.0"
    found, _ = measured()
    assert {one.ratio for one in found if one.language == "en"} == {1.0}
    of = {(one.vocabulary, one.language): one.ratio for one in found}
    assert of["cl100k_base", "hi"] > of["o200k_base", "hi"] > 1, "the newer one is kinder to Hindi"


def test_the_levy_is_what_receipts_and_balances_say(data: Path) -> None:
    found = facts(data / VIEWS)
    query = "SELECT total_of(amount) FROM earnings WHERE role = 'commons' AND asset = 'credit'"
    (collected,) = exact(data, query)[0]
    mine = {levy.asset: levy for levy in found.levies}
    assert str(mine["credit"].collected) == collected if "credit" in mine else collected == "0"
    for levy in found.levies:
        assert levy.collected + levy.other - levy.spent == levy.balance
    assert sum(use.tokens for use in found.uses) > 0


def test_the_command_tells_figures_levy_and_languages(data: Path, tmp_path: Path) -> None:
    denials = tmp_path / "denials.csv"
    denials.write_text("group,asked,denied\nstudents,100,40\nstaff,100,20\n")
    words = ("--basket", "20", "--income", "1000", "--income-source", "the office, 2026")
    told = json.loads(access(data, "--denials", str(denials), *words, "--json").stdout)
    figures = {figure["key"]: figure for figure in told["figures"]}
    assert figures["denial_ratio"]["low"] == 0.75
    assert "ALARM" in figures["denial_ratio"]["why"]
    assert figures["affordability"]["grade"] == "assumed"
    assert "not journalled" in access(data).stdout


def test_wrong_files_are_named_by_line(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("group,asked,denied\nstudents,many,1\n")
    assert "x.csv:2: asked is 'many'" in access(data, "--denials", str(path), code=1).stderr
    path.write_text("account,need\na,\n")
    assert "x.csv:2: no need" in access(data, "--needs", str(path), code=1).stderr
    path.write_text("account,need\nzzz,5\n")
    assert "no stated need" in access(data, "--needs", str(path), code=1).stderr
    assert "belong together" in access(data, "--basket", "1", code=2).stderr


def test_the_page_gets_languages_and_claims_also_where_gold_is_broken(tmp_path: Path) -> None:
    said = Said(tmp_path)
    premiums, claims = said()
    assert {one.language for one in premiums} == set(sentences().texts)
    assert len(claims) == len(cards())
    kept = tmp_path / FOLDER / GOLD.file
    kept.parent.mkdir()
    kept.write_text("not,gold\n1,2\n")
    gold = next(one for one in said()[1] if one.card.id == "gold-flat")
    assert gold.computed is not None
    assert gold.computed.low is None


def test_the_exit_meter_shows_the_last_drill_and_nobody_by_name(tmp_path: Path) -> None:
    with Doors(tmp_path) as doors:
        page = doors.get("/observe/access?lang=en").text
        assert "Nobody has drilled it yet" in page
        steps = Step("export", 0.25, "uni: 31 members"), Step("request", 1.5, "receipt r1")
        exits.add(tmp_path / "data", Exit("2026-11-20T10:00:00+00:00", "member", steps, 24, 3))
        page = doors.get("/observe/access?lang=de").text
        assert "1,8" in page
        assert "24" in page
        assert "31 members" not in page
        rows = doors.get("/observe/data/access.exit.csv").text.splitlines()
        assert len(rows) == 3
        failed = Exit("2026-11-21T10:00:00+00:00", "market", (Step("export", 1, "no", ok=False),))
        exits.add(tmp_path / "data", failed)
        assert "failed" in doors.get("/observe/access?lang=en").text
        with (tmp_path / "data" / exits.FILE).open("a") as file:
            file.write("garbage\n")
        assert "Nobody has drilled it yet" in doors.get("/observe/access?lang=en").text
