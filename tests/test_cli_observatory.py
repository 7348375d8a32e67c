"""`allmende observatory merger` and `rents`: figures of what is entered, or why there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from allmende.cli import main

CLOUD = ("--share", "AWS=29", "--share", "Microsoft=20", "--share", "Google=13")


def run(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["observatory", *words])
    assert result.exit_code == code, result.output + result.stderr
    return result


def figures(*words: str) -> dict[str, dict[str, Any]]:
    said = json.loads(run(*words, "--json").output)
    return {one["key"]: one for one in said["figures"]}


def test_a_market_with_unknown_sellers_is_a_range() -> None:
    said = run("merger", *CLOUD).output
    assert "1,410 to 1,892" in said
    hhi = figures("merger", *CLOUD, "--most", "38")["hhi"]
    assert (round(hhi["low"]), round(hhi["high"])) == (1410, 1410 + 38 * 38)


def test_a_merger_is_held_against_the_rules_of_the_day() -> None:
    said = run("merger", "AWS", "Google", *CLOUD, "--at", "2026-11-20").output
    assert "adds 754 points" in said
    assert "us/merger-guidelines@2023-12-18" in said
    assert "draft" in said
    early = json.loads(
        run("merger", "AWS", "Google", *CLOUD, "--at", "2010-01-01", "--json").output
    )
    assert [one["rules"] for one in early["findings"]] == ["eu/horizontal-mergers@2004-02-05"]


def test_a_stake_in_a_rival_adds_to_the_hhi() -> None:
    words = ("merger", "--share", "Microsoft=50", "--share", "OpenAI=50")
    mhhi = figures(*words, "--stake", "OpenAI/Microsoft=27")["mhhi"]
    assert (mhhi["low"], mhhi["high"]) == pytest.approx((5675, 5675))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--share", "AWS"), "'AWS' is not NAME=NUMBER"),
        (("--share", "AWS=-1"), "'AWS=-1' is not NAME=NUMBER"),
        (("--share", "AWS=nan"), "'AWS=nan' is not NAME=NUMBER"),
        (("--share", "AWS=1", "--share", "AWS=2"), "AWS is said twice"),
        (("--share", "AWS=60", "--share", "B=60"), "add up to 120 %"),
        (("AWS", "--share", "AWS=100"), "two firms that merge, or none"),
        (("AWS", "X", "--share", "AWS=100"), "X is not among the known sellers"),
        (("--share", "AWS=50", "--most", "0"), "at most 0"),
        (("--share", "A=100", "--stake", "A/B=10"), "'B' is not among the shares"),
        (("--share", "A=60", "--share", "B=40", "--stake", "A/B=110"), "add up to 1.1"),
    ],
)
def test_what_is_entered_wrongly_is_named(words: tuple[str, ...], says: str) -> None:
    result = CliRunner().invoke(main, ["observatory", "merger", *words])
    assert result.exit_code in (1, 2)
    assert says in result.output + result.stderr


def test_rents_ask_for_what_they_need() -> None:
    few = figures("rents", "--price", "10")
    assert few["marginal_cost"]["why"] == "It needs --gpu-hour, --tokens-per-hour."
    assert "--host" in few["floor"]["why"]
    cost = ("--gpu-hour", "4", "--tokens-per-hour", "1000000")
    more = figures("rents", "--price", "10", *cost)
    assert more["marginal_cost"]["low"] == pytest.approx(4)
    assert more["lerner"]["low"] == pytest.approx(0.6)
    assert more["long_run_cost"]["why"] == "It needs --training, --lifetime-tokens."


def test_the_worked_rent_comes_out_of_the_command() -> None:
    found = figures(
        *("rents", "--price", "10", "--gpu-hour", "4", "--tokens-per-hour", "1e6"),
        *("--training", "2e6", "--lifetime-tokens", "1e12", "--quantity", "100"),
        *("--switching-cost", "1200", "--periods", "6"),
        *("--host", "a=1", "--host", "b=2", "--host", "c=3"),
    )
    assert found["long_run_cost"]["low"] == pytest.approx(6)
    assert found["long_run_cost"]["why"] == "The price is at or above cost."
    assert found["technology_rent"]["low"] == pytest.approx(400)
    assert (found["lock_in_rent"]["low"], found["lock_in_rent"]["high"]) == pytest.approx((0, 200))
    assert found["scarcity_rent"]["low"] == pytest.approx(200)
    assert (found["floor"]["low"], found["above_floor"]["low"]) == pytest.approx((2, 0.8))


def test_a_bad_number_is_refused_with_its_name() -> None:
    said = run("rents", "--price", "-1", "--gpu-hour", "1", "--tokens-per-hour", "1", code=2)
    assert "'--price': '-1' is no number" in said.stderr


def test_a_gatekeeper_by_numbers_is_yes_no_or_open() -> None:
    big = ("--turnover", "8e9", "--end-users", "45000000", "--business-users", "10000")
    assert "by the numbers? Yes." in run("gatekeeper", *big).stdout
    assert "by the numbers? No." in run("gatekeeper", "--end-users", "44999999").stdout
    said = run("gatekeeper", "--turnover", "8e9").stdout
    assert "Open." in said
    assert "not known: market_capitalisation_eur" in said
    assert "one number" in run("gatekeeper", code=2).stderr


def test_the_screen_of_dependencies_needs_all_three() -> None:
    found = json.loads(
        run("dependency", "--import", "USA=700", "--import", "DEU=300", "--json").stdout
    )
    assert found["dependent"]
    assert [one["value"] for one in found["indicators"]] == [1.0, 0.7, None]
    said = run("dependency", "--import", "USA=700", "--exports", "800").stdout
    assert "Dependent by this screen: no." in said
    assert "no country" in run("dependency", "--import", "Mars=1", code=2).stderr


def test_margins_and_shares_imply_an_elasticity() -> None:
    words = ("--share", "a=50", "--share", "b=50", "--margin", "a=25", "--margin", "b=25")
    figures = {f["key"]: f for f in json.loads(run("merger", *words, "--json").stdout)["figures"]}
    assert figures["implied_elasticity"]["low"] == 2
    assert "add up to 100" in run("merger", "--share", "a=50", "--margin", "a=25", code=1).stderr
    few = run("merger", "--share", "a=50", "--share", "b=50", "--margin", "a=25", code=1)
    assert "b has a share but no Lerner index" in few.stderr
