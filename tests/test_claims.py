"""Claims, training and savings: ranges, reasons, and no saving while a cost is blank."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from allmende.adapters.claim_cards import cards, read
from allmende.cli import main
from allmende.measure.claims import check, compute
from allmende.measure.savings import COSTS, Blank, plan, saving
from allmende.measure.training import GPT4, Run, needed

PLAN = {
    "months": 12,
    "hours_saved": 100,
    "hour_value": 40,
    "implementation": 10_000,
    "adaptation": 5_000,
    "checking_hours": 20,
    "operating": 500,
}


def run(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["observatory", *words])
    assert result.exit_code == code, result.output + result.stderr
    return result


# Claims -------------------------------------------------------------------------------


def test_every_card_is_whole_in_both_languages() -> None:
    found = cards()
    assert {card.id for card in found} >= {
        *("gpt4-energy", "gpt4-data", "gpt4-cost", "price-36-4", "gold-flat", "token-origin"),
        *("cloud-act", "chips-bis", "deepseek", "cloud-share"),
    }
    for card in found:
        assert card.claim.en != card.claim.de
        assert card.reasoning.en != card.reasoning.de
        assert card.sources
        assert card.said[0] in "AB"
    wrong = {card.id for card in found if card.verdict == "wrong"}
    assert wrong == {"gold-flat", "token-origin", "cloud-act"}


def test_computed_values_are_those_of_the_anchors() -> None:
    found = {one.card.id: one.computed for one in check(cards())}
    assert found["price-36-4"] is not None
    assert found["price-36-4"].low == pytest.approx(-78.8, abs=0.05)
    assert "36 to 4 USD" in found["price-36-4"].how
    assert found["cloud-share"] is not None
    assert found["cloud-share"].low == pytest.approx(1410)
    assert found["gpt4-energy"] is not None
    assert "64.35 GWh" in found["gpt4-energy"].how
    assert found["gpt4-energy"].low == pytest.approx(16.0, abs=0.1)
    assert found["gold-flat"] is not None
    assert found["gold-flat"].low is None, "no gold is imported here"


def test_gold_is_computed_from_what_is_imported() -> None:
    gold = [(date(1960, 1, 1), 35.0), *((date(1980 + n, 1, 1), v) for n, v in GOLD)]
    found = compute("gold", gold)
    assert found.low is not None
    assert found.low > 0
    assert "deepest fall 60 %" in found.how
    assert "1980-01" in found.how, "before August 1971 it was fixed"


GOLD = ((0, 500.0), (10, 200.0), (20, 300.0), (30, 1100.0))


def test_a_broken_card_is_named() -> None:
    with pytest.raises(ValueError, match="claim x: "):
        read('[[claim]]\nid = "x"\nverdict = "perhaps"')
    with pytest.raises(ValueError, match="no computation"):
        compute("magic")


def test_the_command_prints_all_and_counts(tmp_path: Path) -> None:
    told = run("claims", "--data", str(tmp_path)).stdout
    assert "1 supported, 7 loose, 3 wrong." in told
    assert "Cloud Patriot Act" in told
    german = run("claims", "--data", str(tmp_path), "--lang", "de").stdout
    assert "brauchte das 50-Fache" in german
    assert len(json.loads(run("claims", "--data", str(tmp_path), "--json").stdout)) == len(cards())


# Training -----------------------------------------------------------------------------


def test_training_takes_ranges_only() -> None:
    found = needed(GPT4)
    assert found.gwh == (pytest.approx(20.57, abs=0.01), pytest.approx(60.76, abs=0.01))
    with pytest.raises(ValueError, match="utilisation"):
        needed(Run((1e25, 1e25), (0.5, 1.5), (312, 312), (0.4, 0.4), (1.1, 1.1)))
    assert "GWh" in run("training").stdout
    assert "no range LOW:HIGH" in run("training", "--flop", "2e25", code=2).stderr
    assert "million, GPU-hours only" in run("training", "--gpu-hour", "1:2").stdout


# Savings ------------------------------------------------------------------------------


def test_the_worked_number_breaks_even_in_month_six() -> None:
    found = saving(plan(PLAN))
    assert found.curve[1] == (-12_300, -12_300)
    assert (found.soonest, found.latest) == (6, 6)
    assert found.total == (17_400, 17_400)


@pytest.mark.parametrize("field", sorted(COSTS))
def test_no_saving_while_a_cost_is_blank(field: str) -> None:
    with pytest.raises(Blank) as refused:
        plan({name: value for name, value in PLAN.items() if name != field})
    assert set(refused.value.fields) == {field}
    with pytest.raises(Blank):
        plan({**PLAN, field: ""})
    with pytest.raises(Blank, match=f"why.{field}"):
        plan({**PLAN, field: 0})
    assert saving(plan({**PLAN, field: 0, "why": {field: "done before"}}))


RANGES = st.tuples(st.integers(0, 500), st.integers(0, 500)).map(sorted)


@given(hours=RANGES, checking=RANGES, ramp=st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_a_wider_input_never_narrows_the_answer(
    hours: list[int], checking: list[int], ramp: tuple[int, int]
) -> None:
    wide = {**PLAN, "hours_saved": hours, "checking_hours": checking, "ramp": sorted(ramp)}
    wide["why"] = {"checking_hours": "a property test"}
    one = {**wide, "hours_saved": hours[0], "checking_hours": checking[1], "ramp": max(ramp)}
    outer, inner = saving(plan(wide)), saving(plan(one))
    for (low, high), (least, most) in zip(outer.curve, inner.curve, strict=True):
        assert low <= least <= most <= high


def test_a_file_with_blanks_is_refused_with_their_names(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text("hours_saved = [60, 120]\nhour_value = 40\noperating = 100\n")
    said = run("saving", "--file", str(path), code=1).stderr
    assert "No saving is stated" in said
    for name in ("implementation", "adaptation", "checking_hours"):
        assert name in said
    assert "operating" not in said
    path.write_text(run("saving", "--example").stdout)
    assert "Broken even: at the soonest month" in run("saving", "--file", str(path)).stdout
    path.write_text("months = ")
    assert "is no TOML" in run("saving", "--file", str(path), code=1).stderr
