"""Allocators: no capacity idle, no money lost, and nobody gains by a lie where none may."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from allmende.cli import main
from allmende.lab.recorded_day import NoTrace, asks, made_up, read
from allmende.measure.allocate import RULES, Ask, Grant, Use, Waiting, allot, run

TRACE = Path(__file__).parent.parent.parent / "shared/data/azure_llm_2023_conv.csv"
NAMES = ("a", "b", "c", "d")
wants = st.builds(
    Ask,
    id=st.integers(0, 10**6),
    who=st.sampled_from(NAMES),
    at=st.floats(0, 50, allow_nan=False),
    units=st.integers(1, 20),
    value=st.integers(0, 30),
    public=st.booleans(),
)
queues = st.lists(wants, max_size=25, unique_by=lambda ask: ask.id)
rules = st.sampled_from(tuple(RULES))


def one_window(asked: list[Ask], capacity: int, rule: str) -> tuple[list[Grant], Use]:
    use = Use(dict.fromkeys(NAMES, 1.0))
    return allot([Waiting(ask, ask.units) for ask in asked], capacity, rule, use), use


def units_of(grants: list[Grant]) -> dict[int, int]:
    return {grant.ask.id: grant.units for grant in grants}


def test_the_worked_number_of_the_module():
    asked = [Ask(1, "a", 0, 8, 5), Ask(2, "b", 1, 6, 9), Ask(3, "c", 2, 4, 7)]
    assert units_of(one_window(asked, 10, "first_come")[0]) == {1: 8, 2: 2}
    grants, _ = one_window(asked, 10, "auction")
    assert units_of(grants) == {2: 6, 3: 4}
    assert [grant.paid for grant in grants] == [30, 20]


@given(queues, st.integers(0, 80), rules)
def test_no_rule_leaves_capacity_idle_or_hands_out_more(asked: list[Ask], cap: int, rule: str):
    grants, use = one_window(asked, cap, rule)
    assert sum(grant.units for grant in grants) == min(cap, sum(ask.units for ask in asked))
    assert sum(use.had.values()) == sum(grant.units for grant in grants)
    assert all(0 < grant.units <= grant.ask.units for grant in grants)


@given(queues, st.integers(1, 80))
def test_the_auction_pays_nobody_and_costs_nobody_more_than_his_value(asked: list[Ask], cap: int):
    grants, _ = one_window(asked, cap, "auction")
    prices = {grant.paid // grant.units for grant in grants}
    assert len(prices) <= 1
    assert all(0 <= grant.paid <= grant.ask.value * grant.units for grant in grants)
    served = units_of(grants)
    losers = [ask.value for ask in asked if served.get(ask.id, 0) < ask.units]
    assert prices <= {max(losers, default=0)}
    assert all(grant.ask.value >= max(losers, default=0) for grant in grants)


@given(queues, st.integers(1, 40), st.integers(1, 30), st.sampled_from((5.0, 20.0, 1e9)), rules)
def test_a_day_balances_and_nobody_outwaits_his_patience(
    asked: list[Ask], cap: int, window: int, patience: float, rule: str
):
    shares = dict.fromkeys(NAMES, 1.0)
    out = run(asked, rule, cap, window=window, patience=patience, shares=shares)
    assert out.revenue == sum(out.paid.values()) >= 0
    assert out.revenue <= out.value
    assert all(out.got.get(who, 0) <= out.asked[who] for who in out.asked)
    assert len(out.waits) + out.left == len(asked)
    assert all(0 < wait <= patience + window for wait in out.waits)
    if patience == 1e9:
        assert out.got == out.asked


# Lies ---------------------------------------------------------------------------------

values = st.lists(st.integers(0, 20), min_size=1, max_size=8)


def gain(told: list[int], true: int, who: int, capacity: int) -> int:
    """What bidder `who`, who wants one unit worth `true`, makes of these reports."""
    asked = [Ask(n, str(n), n, 1, value) for n, value in enumerate(told)]
    use = Use({ask.who: 1.0 for ask in asked})
    grants = allot([Waiting(ask, 1) for ask in asked], capacity, "auction", use)
    return sum(true - grant.paid for grant in grants if grant.ask.id == who)


@given(values, st.integers(1, 8), st.data())
def test_with_unit_demand_no_bidder_gains_by_misreporting(
    true: list[int], capacity: int, data: st.DataObject
):
    who = data.draw(st.integers(0, len(true) - 1))
    lie = data.draw(st.integers(0, 25))
    told = [*true[:who], lie, *true[who + 1 :]]
    assert gain(told, true[who], who, capacity) <= gain(true, true[who], who, capacity)


def test_with_several_units_asking_for_fewer_can_pay():
    """The known flaw, stated: demand reduction lowers the price of what is left."""

    def surplus(units: int) -> int:
        asked = [Ask(1, "a", 0, units, 10), Ask(2, "b", 1, 1, 8)]
        grants, _ = one_window(asked, 2, "auction")
        return sum(10 * grant.units - grant.paid for grant in grants if grant.ask.who == "a")

    assert surplus(2) == 4
    assert surplus(1) == 10


@given(
    st.lists(st.sampled_from(NAMES), max_size=20),
    st.integers(1, 10),
    st.integers(1, 10),
)
def test_under_fair_share_asking_for_more_than_one_needs_brings_nothing(
    others: list[str], padding: int, capacity: int
):
    """Units that a does not need come after those it does, and never before another's turn."""
    true = [Ask(n, who, n, 1, 1) for n, who in enumerate(others)]
    lies = [Ask(1000 + n, "a", 1000 + n, 1, 1) for n in range(padding)]

    def useful(asked: list[Ask]) -> int:
        grants, _ = one_window(asked, capacity, "fair_share")
        return sum(grant.units for grant in grants if grant.ask.who == "a" and grant.ask.id < 1000)

    assert useful(true + lies) == useful(true)


@given(queues, st.integers(1, 60))
def test_the_common_good_is_served_before_anything_else(asked: list[Ask], capacity: int):
    grants, _ = one_window(asked, capacity, "common_good")
    got = sum(grant.units for grant in grants if grant.ask.public)
    assert got == min(capacity, sum(ask.units for ask in asked if ask.public))


def test_the_factor_is_slurms():
    use = Use({"a": 1.0, "b": 1.0, "c": 2.0}, {"a": 25, "c": 50, "b": 25})
    assert [use.factor(who) for who in ("a", "c")] == [0.5, 0.5]
    assert Use({"a": 1.0}).factor("a") == 1.0
    assert Use({"a": 1.0, "b": 1.0}, {"a": 100}).factor("a") == 0.25


# The comparison -----------------------------------------------------------------------


def test_the_comparison_runs_on_a_generated_day_and_says_so():
    said = CliRunner().invoke(main, ["allocate", "compare"])
    assert said.exit_code == 0, said.output
    assert "a generated day, no recorded one" in said.output
    assert "traces do not say" in said.output
    rows = json.loads(CliRunner().invoke(main, ["allocate", "compare", "--json"]).output)["rules"]
    by = {row["rule"]: row for row in rows}
    assert float(by["auction"]["surplus"]) > float(by["first_come"]["surplus"])
    assert float(by["common_good"]["public"][:-1]) > float(by["first_come"]["public"][:-1])
    assert [row["paid"] for row in rows if row["rule"] != "auction"] == ["0.000"] * 3


def test_a_file_that_is_no_trace_is_refused_with_its_line(tmp_path: Path):
    file = tmp_path / "x.csv"
    file.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,374,many\n")
    said = CliRunner().invoke(main, ["allocate", "compare", str(file)])
    assert said.exit_code == 1
    assert "line 2" in said.stderr
    with pytest.raises(NoTrace):
        read([])


def test_a_trace_is_read_to_the_microsecond():
    lines = [
        "TIMESTAMP,ContextTokens,GeneratedTokens",
        "2023-11-16 18:15:46.6805900,374,44",
        "2023-11-16 18:15:50.9951690,396,109",
    ]
    first, second = read(lines)
    assert first == (0.0, 550)
    assert second == (pytest.approx(4.314579), 396 + 436)
    assert asks([first, second], 3, 1) == asks([first, second], 3, 1)
    assert made_up(5) == made_up(5) != made_up(6)


@pytest.mark.skipif(not TRACE.is_file(), reason="the recorded trace is not beside this checkout")
def test_the_recorded_hour_compares():
    with TRACE.open() as file:
        requests = read(file)
    assert len(requests) == 19_366
    said = CliRunner().invoke(main, ["allocate", "compare", str(TRACE), "--json"])
    assert said.exit_code == 0, said.output
    assert [row["rule"] for row in json.loads(said.output)["rules"]] == list(RULES)
