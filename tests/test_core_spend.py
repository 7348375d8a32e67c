"""Spend: nothing is asked before it is held; every hold ends once; no charge beyond the hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core.refusals import Why
from allmende.core.spend import BOUND_MAX
from allmende.core.units import SECOND, Units
from allmende.lab.world import DEAR, OFFERS, World, ask, secret

numbers = st.integers(-(10**9), 10**9)
usages = st.builds(Units, numbers, numbers, numbers, numbers, numbers)
HOLD = 202_400_000


def test_the_worked_number_of_the_module():
    world = World()
    world.do(c.PostOffer(offer=structs.replace(OFFERS[0], tariff=DEAR)))
    assert world.reserve("r").amount == 303_600_000
    before = world.balance("uni")
    receipt = world.capture("r", Units(input=200, output=60))
    assert receipt.price == 66_000_000
    assert world.balance("uni") == before - 66_000_000
    assert world.state.held["credit"] == {}


def test_the_answer_is_capped_where_a_provider_reports_63_tokens_for_one():
    world = World()
    world.reserve("r", output_bound=1)
    receipt = world.capture("r", Units(input=10, output=63))
    assert receipt.units == Units(input=10, output=1)
    assert receipt.reported == Units(input=10, output=63), "the lie stays on the receipt"


@given(usages, st.one_of(st.none(), usages), st.booleans())
def test_whatever_a_provider_says_the_charge_is_within_the_hold(estimate, reported, pending):
    world = World()
    world.reserve("r")
    before = world.balance("uni")
    receipt = world.capture("r", estimate, reported=reported, pending=pending)
    assert 0 <= receipt.price <= HOLD
    assert world.balance("uni") == before - receipt.price
    assert sum(payment.amount for payment in receipt.waterfall) == receipt.price


def test_missing_usage_is_not_zero_usage():
    world = World()
    world.reserve("r")
    receipt = world.capture("r", Units(input=90, output=40), reported=None)
    assert (receipt.basis, receipt.verdict) == ("estimate", "unreported")
    assert receipt.price == 90 * 100_000 + 40 * 400_000


def test_what_is_reported_goes_before_the_estimate():
    world = World()
    world.reserve("r")
    receipt = world.capture("r", Units(output=5), reported=Units(output=3))
    assert (receipt.basis, receipt.verdict, receipt.units) == (
        "reported",
        "unchecked",
        Units(output=3),
    )


def test_a_void_costs_nothing_and_frees_everything():
    world = World()
    before = world.balance("uni")
    world.reserve("r")
    world.do(c.Void(hold="r", cause="died before the first byte" * 9, fault=True))
    assert world.balance("uni") == before
    assert not world.state.holds
    assert world.state.budgets["uni"].held == world.state.budgets["uni"].spent == 0
    assert len(world.events[-1].cause) == 40


@pytest.mark.parametrize(
    "again",
    [
        c.Capture(hold="r", estimate=Units(output=1)),
        c.Void(hold="r", cause="x"),
        c.Checkpoint(hold="r", units=Units(output=1)),
    ],
)
@pytest.mark.parametrize("pending", [True, False])
def test_a_hold_ends_once(again: c.Command, pending: bool):
    world = World()
    world.reserve("r")
    world.capture("r", Units(output=1), pending=pending)
    assert world.refuse(again).why is Why.HOLD_CLOSED


def test_a_hold_without_a_checkpoint_expires_for_nothing():
    world = World()
    world.reserve("r")
    assert not world.wait(899)
    (voided,) = world.wait(1)
    assert isinstance(voided, e.Voided)
    assert voided.cause == "expired"
    assert world.refuse(c.Capture(hold="r", estimate=Units(output=1))).why is Why.HOLD_CLOSED


def test_a_checkpoint_keeps_a_long_stream_alive_and_is_charged_when_it_falls_silent():
    world = World()
    world.reserve("r")
    world.now += 800 * SECOND
    world.do(c.Checkpoint(hold="r", units=Units(input=900, output=10)))
    assert not world.wait(899)
    (captured,) = world.wait(1)
    assert captured.receipt.units == Units(input=900, output=10)
    assert (captured.receipt.basis, captured.receipt.reported) == ("checkpoint", None)


def test_after_a_crash_a_stream_is_charged_up_to_its_last_checkpoint():
    world = World()
    for id_ in ("streamed", "silent"):
        world.reserve(id_)
    world.do(c.Checkpoint(hold="streamed", units=Units(input=900, output=10)))
    world.do(c.Checkpoint(hold="streamed", units=Units(input=900, output=99_999)))
    silent, streamed = world.do(c.Restart())
    assert (silent.hold, silent.cause) == ("silent", "crash")
    assert streamed.receipt.units == Units(input=900, output=256)
    assert streamed.receipt.outcome == "crash"
    assert not world.state.holds
    assert not world.do(c.Restart()), "nothing is left to close"


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"input_bound": -1}, Why.BAD_VALUE),
        ({"output_bound": -1}, Why.BAD_VALUE),
        ({"output_bound": BOUND_MAX + 1}, Why.BAD_VALUE),
        ({"choices": 0}, Why.BAD_VALUE),
        ({"images": -1}, Why.BAD_VALUE),
        ({"endpoint": "telepathy"}, Why.NOT_FOUND),
    ],
)
def test_absurd_requests_hold_nothing(asked: dict, why: Why):
    assert World().refuse(ask("r", **asked)).why is why


def test_a_key_without_a_budget_spends_nothing():
    world = World()
    assert world.refuse(ask("r", key="root")).why is Why.NOT_ALLOWED
    assert world.refuse(ask("r", key="nobody")).why is Why.UNKNOWN_KEY


def test_the_id_of_open_business_is_taken():
    world = World()
    world.reserve("r")
    assert world.refuse(ask("r")).why is Why.EXISTS
    world.capture("r", Units(output=1), pending=True)
    assert world.refuse(ask("r")).why is Why.EXISTS


def test_an_unknown_outcome_is_refused():
    world = World()
    world.reserve("r")
    odd = c.Capture(hold="r", estimate=Units(), outcome="miracle")
    assert world.refuse(odd).why is Why.BAD_VALUE


def test_a_request_with_an_idempotency_key_is_served_once():
    world = World()
    world.reserve("r1", idem="once")
    refused = world.refuse(ask("r2", idem="once"))
    assert (refused.why, refused.facts["receipt"]) == (Why.ALREADY_SERVED, "r1")
    assert world.refuse(ask("r2", idem="once", input_bound=5)).why is Why.REPLAYED
    world.reserve("r3", key="ada", idem="once")


def test_a_request_that_was_voided_may_come_again_or_fall_back_under_its_own_key():
    world = World()
    world.reserve("r1", idem="once")
    world.do(c.Void(hold="r1", cause="died", fault=True))
    assert world.reserve("r2", idem="once", exclude=("cheap",)).offer.id == "clean"
    assert world.refuse(ask("r3", idem="once")).facts["receipt"] == "r2"


def test_the_payer_is_the_owner_of_the_budget_whoever_holds_the_key():
    world = World()
    world.reserve("r", key="ada")
    receipt = world.capture("r", Units(output=1), answer_hash="ab")
    assert (receipt.account, receipt.budget, receipt.key) == ("uni", "ada", "ada")
    assert receipt.answer_hash == "ab"
    assert secret("ada") not in repr(world.events[-1]), "not even the hash of a key is journalled"
