"""Budgets: periods by the standard calendar, and no child past any ancestor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from allmende.core import budgets
from allmende.core import commands as c
from allmende.core.refusals import Refused, Why
from allmende.core.units import CREDIT, DAY, SECOND, Units
from allmende.lab import model
from allmende.lab.world import START, World, ask

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
instants = st.integers(0, 253_402_300_799 * SECOND - 366 * DAY)
HOLD = 1_000 * 100_000 + 256 * 400_000
"""What one usual request holds at the cheap offer."""


def instant(*day: int) -> int:
    return (datetime(*day, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


def world_with(limit: int, period: str = "total") -> World:
    world = World()
    world.do(c.AddBudget(id="b", name="B", owner="uni", period=period, limit=limit))
    world.do(c.AddBudget(id="leaf", name="Leaf", parent="b"))
    key = world.state.keys[world.state.key_hashes["lab"]]
    world.do(c.RevokeKey(id="lab"))
    world.do(c.IssueKey(key=type(key)("lab", key.hash, "physics", "spend", budget="leaf")))
    return world


@given(instants, st.sampled_from(["month", "term"]))
def test_a_period_ends_where_the_calendar_says(at, kind):
    end = budgets.period_end(kind, at)
    assert at < end
    assert model.period(kind, at) == model.period(kind, end - 1)
    assert model.period(kind, at) != model.period(kind, end)


def test_terms_start_in_april_and_october():
    assert budgets.period_end("term", instant(2026, 3, 31)) == instant(2026, 4, 1)
    assert budgets.period_end("term", instant(2026, 4, 1)) == instant(2026, 10, 1)
    assert budgets.period_end("term", instant(2026, 12, 31)) == instant(2027, 4, 1)
    assert budgets.period_end("month", instant(2028, 2, 29)) == instant(2028, 3, 1)
    assert budgets.period_end("total", START) == budgets.FOREVER


def test_the_worked_number_of_the_module():
    world = world_with(100 * CREDIT, "term")
    node = world.state.budgets["b"]
    node.spent, node.held, node.until = 60 * CREDIT, 30 * CREDIT, budgets.FOREVER
    with pytest.raises(Refused) as refused:
        budgets.require_room(world.state, "leaf", 11 * CREDIT, START)
    assert refused.value.why is Why.BUDGET_SPENT
    assert refused.value.facts["missing"] == CREDIT
    assert refused.value.facts["budget"] == "b"


def test_a_leaf_without_limit_is_bound_by_its_ancestor():
    world = world_with(2 * HOLD)
    world.reserve("r1")
    world.reserve("r2")
    refused = world.refuse(ask("r3"))
    assert (refused.why, refused.facts["missing"]) == (Why.BUDGET_SPENT, HOLD)
    world.do(c.Void(hold="r1", cause="test"))
    world.reserve("r4")


def test_what_was_spent_leaves_room_for_the_rest_only():
    world = world_with(2 * HOLD)
    world.reserve("r1")
    world.capture("r1", Units(input=10, output=10))
    world.reserve("r2")
    assert world.refuse(ask("r3")).facts["missing"] == 5_000_000


def test_a_new_month_gives_new_room_but_open_holds_go_on_counting():
    world = world_with(2 * HOLD, "month")
    world.reserve("r1")
    world.capture("r1", Units(input=1_000, output=256))
    world.now = instant(2026, 10, 31) + DAY - SECOND
    world.reserve("r2")
    assert world.refuse(ask("r3")).why is Why.BUDGET_SPENT
    world.now += SECOND
    world.reserve("r4")
    assert world.refuse(ask("r5")).facts["missing"] == HOLD
    model.agree(world.state, world.events)


def test_a_refund_for_last_month_makes_no_room_this_month():
    world = world_with(3 * HOLD, "month")
    world.reserve("old")
    world.capture("old", Units(input=1_000, output=256), pending=True)
    world.now = instant(2026, 11, 1)
    world.reserve("new")
    world.capture("new", Units(input=1_000, output=256))
    world.do(c.Recount(counts=(("old", Units(input=1_000, output=1)),)))
    assert world.state.budgets["b"].spent == HOLD
    model.agree(world.state, world.events)


def test_a_clock_that_runs_back_over_a_month_gives_no_room():
    world = world_with(HOLD, "month")
    world.now = instant(2026, 11, 1)
    world.reserve("r1")
    world.capture("r1", Units(input=1_000, output=256))
    world.now -= SECOND
    assert world.refuse(ask("r2")).why is Why.BUDGET_SPENT


def test_a_limit_set_lower_stops_new_holds_and_spares_open_ones():
    world = world_with(2 * HOLD)
    world.reserve("r1")
    world.do(c.SetBudget(id="b", limit=0))
    assert world.refuse(ask("r2")).why is Why.BUDGET_SPENT
    world.capture("r1", Units(input=1_000, output=256))
    assert world.state.budgets["b"].spent == HOLD
    world.do(c.SetBudget(id="b", limit=None))
    world.reserve("r3")


def test_137_of_1000_requests_fit_and_not_one_more():
    """The core's side of `make overshoot`: each hold is its price."""
    world = world_with(137 * HOLD)
    wide = structs.replace(world.state.offers["cheap"], capacity=1_000)
    world.do(c.PostOffer(offer=wide))
    ends = [world.attempt(ask(f"r{number}")) for number in range(1_000)]
    whys = [end.why for end in ends if isinstance(end, Refused)]
    served = 1_000 - len(whys)
    assert (served, whys) == (137, [Why.BUDGET_SPENT] * 863)
    for number in range(served):
        world.capture(f"r{number}", Units(input=1_000, output=256))
    leaf, top = world.state.budgets["leaf"], world.state.budgets["b"]
    assert leaf.spent == top.spent == top.limit == 137 * HOLD
    assert not world.state.holds
    assert leaf.held == top.held == 0


def test_a_tree_has_an_end():
    world = World()
    parent = "uni"
    for depth in range(budgets.DEPTH_MAX - 1):
        world.do(c.AddBudget(id=f"d{depth}", name="", parent=parent))
        parent = f"d{depth}"
    assert world.refuse(c.AddBudget(id="deep", name="", parent=parent)).why is Why.BAD_VALUE
