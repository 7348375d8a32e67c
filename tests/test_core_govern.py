"""Govern: rules are numbers with bounds and dates, and never reach back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.core import commands as c
from allmende.core import govern
from allmende.core.govern import PARAMETERS
from allmende.core.issue import TITLE_PPM_MAX
from allmende.core.nouns import Share
from allmende.core.refusals import Why
from allmende.core.units import PPM, SECOND, Units
from allmende.core.waterfall import payments
from allmende.lab.world import START, World


def set_(name: str, value: int, in_s: int = 0) -> c.SetParameter:
    return c.SetParameter(name=name, value=value, effective=START + in_s * SECOND)


def test_the_worked_number_of_the_module():
    world = World()
    world.do(set_("levy_ppm", 10_000))
    world.reserve("r")
    receipt = world.capture("r", Units(input=260, output=100))
    assert receipt.price == 66_000_000
    assert {p.role: p.amount for p in receipt.waterfall}["commons"] == 660_000
    assert world.balance("commons") == 660_000


def test_at_their_most_fee_levy_and_title_leave_the_host_nothing_but_never_less():
    most = PARAMETERS["operator_fee_ppm"].most + PARAMETERS["levy_ppm"].most + TITLE_PPM_MAX
    assert most <= PPM


@given(st.integers(0, 10**20), st.lists(st.integers(0, 250_000), max_size=4))
def test_a_waterfall_sums_to_its_price(price, ppms):
    lines = payments(
        "host", tuple(Share("author", f"a{n}", ppm) for n, ppm in enumerate(ppms)), price
    )
    assert sum(line.amount for line in lines) == price
    assert lines[0].role == "host"
    assert all(line.amount > 0 for line in lines[1:])
    assert lines[0].amount >= 0


def test_the_worked_number_of_the_waterfall():
    world = World()
    shares = (Share("author", "author", 100_000), Share("operator", "house", 50_000),
              Share("commons", "commons", 10_000))  # fmt: skip
    lines = payments("host", shares, 101)
    assert [(line.role, line.amount) for line in lines] == [
        ("host", 85), ("author", 10), ("operator", 5), ("commons", 1)]  # fmt: skip
    assert world.state.parameters["operator_fee_ppm"] == 50_000


@pytest.mark.parametrize("name", PARAMETERS)
def test_bounds_hold(name: str):
    rule = PARAMETERS[name]
    assert rule.least <= rule.default <= rule.most
    world = World()
    for value in (rule.least, rule.most):
        assert world.do(set_(name, value))
    for value in (rule.least - 1, rule.most + 1):
        assert world.refuse(set_(name, value)).why is Why.BAD_VALUE


def test_an_unknown_parameter_is_refused():
    assert World().refuse(set_("luck", 1)).why is Why.NOT_FOUND


def test_a_change_takes_effect_at_its_instant_and_not_before():
    world = World()
    world.do(set_("levy_ppm", 5, in_s=10))
    world.wait(9)
    assert world.state.parameters["levy_ppm"] == 10_000
    assert [one.effective for one in world.state.scheduled] == [START + 10 * SECOND]
    world.wait(1)
    assert world.state.parameters["levy_ppm"] == 5
    assert not world.state.scheduled


def test_of_several_due_changes_the_latest_stands():
    world = World()
    for value, in_s in ((7, 30), (5, 10), (6, 20)):
        world.do(set_("levy_ppm", value, in_s))
    world.wait(25)
    assert world.state.parameters["levy_ppm"] == 6
    world.wait(5)
    assert world.state.parameters["levy_ppm"] == 7


def test_a_change_by_hand_leaves_later_ones_standing_and_overrules_what_was_due():
    world = World()
    world.do(set_("levy_ppm", 5, in_s=10))
    world.do(set_("levy_ppm", 7, in_s=30))
    world.now += 20 * SECOND
    world.do(set_("levy_ppm", 6))
    world.wait(1)
    assert world.state.parameters["levy_ppm"] == 6
    world.wait(9)
    assert world.state.parameters["levy_ppm"] == 7


def test_a_market_is_founded_once_and_takes_nothing_before():
    world = World(founded=False)
    assert world.refuse(c.CloseBatch()).why is Why.NOT_FOUND
    assert not world.do(c.Tick())
    assert not world.do(c.Restart())
    assert World().refuse(_found()).why is Why.EXISTS
    assert world.refuse(_found(mode="anarchy")).why is Why.BAD_VALUE
    assert world.refuse(_found(market="no spaces")).why is Why.BAD_VALUE
    world.do(_found())
    assert world.state.members["op"].kind == "operator"


def _found(**fields) -> c.Found:
    usual = {"market": "m", "name": "M", "mode": "lab", "operator": "op", "public_key": ""}
    return c.Found(**{**usual, **fields})


def test_idempotency_keys_are_forgotten_after_their_window():
    world = World()
    again = set_("levy_ppm", 5)
    once = c.SetParameter(name=again.name, value=5, idem="k")
    first = world.do(once)
    assert list(world.do(once)) == list(first)
    world.wait(86_400)
    assert world.state.served
    world.wait(1)
    assert not world.state.served
    assert world.do(c.SetParameter(name="levy_ppm", value=6, idem="k"))


def test_a_young_idempotency_key_outlives_an_old_one():
    world = World()
    world.do(c.SetParameter(name="levy_ppm", value=5, idem="old"))
    world.now += 86_400 * SECOND
    world.do(c.SetParameter(name="levy_ppm", value=6, idem="young"))
    world.wait(1)
    assert list(world.state.served) == ["system/young"]


def test_check_sees_a_parameter_out_of_bounds():
    world = World()
    world.state.parameters["levy_ppm"] = -1
    with pytest.raises(AssertionError, match="levy_ppm"):
        govern.check(world.state)
