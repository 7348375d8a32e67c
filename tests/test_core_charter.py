"""A market with a charter: its rules change by numbered decisions, and by nothing else."""

from __future__ import annotations

import pytest

from allmende.core import charter_commands as h
from allmende.core import charter_events as f
from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import ledger, machine
from allmende.core.charter import Charter, Decision
from allmende.core.nouns import SYSTEM
from allmende.core.refusals import Why
from allmende.core.units import CREDIT, DAY, SECOND, Units
from allmende.lab.world import START, World, secret

ADDRESS = "0x" + "a1" * 20


def chartered() -> World:
    world = World()
    world.do(h.GiveCharter(assembly=ADDRESS, chain_id=1337, by=secret("root")))
    return world


def decided(number: int, kind: str, name: str, value: int, effective: int = 0) -> h.Enact:
    return h.Enact(decision=Decision(number, kind, name, value, effective, number), by=SYSTEM)


def test_a_charter_is_given_once_and_by_an_operator():
    world = World()
    give = h.GiveCharter(assembly=ADDRESS, chain_id=1337, by=secret("dean"))
    assert world.refuse(give).why is Why.NOT_ALLOWED
    for wrong in (
        h.GiveCharter(assembly="0x12", chain_id=1, by=secret("root")),
        h.GiveCharter(assembly=ADDRESS, chain_id=0, by=secret("root")),
    ):
        assert world.refuse(wrong).why is Why.BAD_VALUE
    world = chartered()
    assert world.state.charter == Charter(ADDRESS, 1337)
    again = h.GiveCharter(assembly="0x" + "b2" * 20, chain_id=1, by=secret("root"))
    assert world.refuse(again).why is Why.EXISTS


def test_with_a_charter_no_key_sets_a_rule_and_the_refusal_says_how_to_propose():
    world = chartered()
    refused = world.refuse(c.SetParameter(name="levy_ppm", value=5, by=secret("root")))
    assert refused.why is Why.NOT_ALLOWED
    assert "allmende govern propose levy_ppm 5" in refused.detail
    assert world.state.parameters["levy_ppm"] == 10_000


def test_only_the_house_tells_what_was_decided_and_only_under_a_charter():
    told = decided(1, "parameter", "levy_ppm", 5)
    assert World().refuse(told).why is Why.NOT_FOUND
    by_key = h.Enact(decision=told.decision, by=secret("root"))
    assert chartered().refuse(by_key).why is Why.NOT_ALLOWED


def test_decisions_are_taken_in_order_and_once():
    world = chartered()
    assert "Decision 1" in world.refuse(decided(2, "parameter", "levy_ppm", 5)).detail
    world.do(decided(1, "parameter", "levy_ppm", 5))
    assert world.refuse(decided(1, "parameter", "levy_ppm", 6)).why is Why.EXISTS
    world.do(decided(2, "parameter", "levy_ppm", 6))
    assert (world.state.enacted, world.state.parameters["levy_ppm"]) == (2, 6)


def test_a_decision_for_later_waits_for_its_time():
    world = chartered()
    later = START + 100 * SECOND
    events = world.do(decided(1, "parameter", "operator_fee_ppm", 40_000, later))
    assert [type(event) for event in events] == [f.Enacted, e.ParameterScheduled]
    assert world.state.parameters["operator_fee_ppm"] == 50_000
    world.do(c.Tick(at=later))
    assert world.state.parameters["operator_fee_ppm"] == 40_000


@pytest.mark.parametrize(
    ("kind", "name", "value", "says"),
    [
        ("parameter", "operator_fee_ppm", 200_001, "operator_fee_ppm is 0 to 200000 ppm."),
        ("parameter", "no_such_rule", 1, "Parameters are"),
        ("grant", "nobody", 1, "No member 'nobody'."),
        ("grant", "uni", 10**30, "The commons have"),
        ("grant", "uni", 0, "more than nothing"),
    ],
)
def test_what_cannot_be_carried_out_is_noted_and_the_numbering_goes_on(kind, name, value, says):
    world = chartered()
    before = dict(world.state.parameters)
    (event,) = world.do(decided(1, kind, name, value))
    assert says in event.undone
    assert not event.postings
    assert (world.state.enacted, world.state.parameters) == (1, before)
    world.do(decided(2, "parameter", "levy_ppm", 7))
    assert world.state.parameters["levy_ppm"] == 7


def test_a_grant_is_paid_out_of_the_commons_and_never_below_zero():
    world = chartered()
    world.reserve("r", key="ada")
    world.capture("r", Units(input=100, output=100))
    there = ledger.available(world.state, ledger.COMMONS, "credit")
    had = ledger.balance(world.state, "uni", "credit")
    assert 0 < there < CREDIT
    assert world.do(decided(1, "grant", "uni", there + 1))[0].undone
    world.do(decided(2, "grant", "uni", there))
    assert ledger.balance(world.state, ledger.COMMONS, "credit") == 0
    assert ledger.balance(world.state, "uni", "credit") == had + there
    assert world.do(decided(3, "grant", "uni", 1))[0].undone
    machine.check(world.state)


def test_a_rule_for_the_far_future_is_none():
    world = chartered()
    (event,) = world.do(decided(1, "parameter", "levy_ppm", 5, START + 4_000 * DAY))
    assert "ten years" in event.undone
    assert world.state.scheduled == []


def test_a_decision_of_another_kind_is_none_for_a_market():
    assert chartered().refuse(decided(1, "text", "x", 0)).why is Why.BAD_VALUE
