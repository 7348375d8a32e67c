"""Verify: the charge follows our own count, and both counts stay on the receipt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.core import commands as c
from allmende.core import ledger
from allmende.core.refusals import Why
from allmende.core.units import Units
from allmende.core.verify import verdict_on
from allmende.lab.world import World

numbers = st.integers(-(10**6), 10**6)
usages = st.builds(Units, numbers, numbers, numbers)


def counted(world: World, units: Units | None, id_: str = "r"):
    (final,) = world.do(c.Recount(counts=((id_, units),)))
    return final


def pending(reported: Units | None, **asked) -> World:
    world = World()
    world.reserve("r", **asked)
    world.capture("r", Units(input=10, output=6), reported=reported, pending=True)
    return world


def test_the_worked_number_of_the_module():
    world = pending(Units(input=10, output=6), output_bound=6, choices=3)
    before = world.balance("uni")
    final = counted(world, Units(input=10, output=18))
    assert (final.receipt.verdict, final.receipt.units.output) == ("disagrees", 18)
    assert final.receipt.reported == Units(input=10, output=6)
    assert final.receipt.counted == Units(input=10, output=18)
    assert before - world.balance("uni") == 12 * 400_000
    assert final.cause == "recounted"


def test_a_count_that_agrees_moves_no_money():
    world = pending(Units(input=10, output=6))
    final = counted(world, Units(input=10, output=6))
    assert (final.postings, final.receipt.verdict) == ((), "agrees")
    assert final.receipt.basis == "counted"


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (Units(input=9, output=18), None, "unreported"),
        (Units(input=9, output=18), Units(input=9, output=20), "agrees"),
        (Units(input=9, output=18), Units(input=9, output=21), "disagrees"),
        (Units(input=9, output=18), Units(input=10, output=18), "disagrees"),
        (Units(input=9), Units(input=4, cached=5), "agrees"),
        (Units(output=1_000), Units(output=1_050), "agrees"),
        (Units(output=1_000), Units(output=949), "disagrees"),
        (Units(embedding=5), Units(embedding=6), "disagrees"),
    ],
)
def test_prompts_agree_exactly_and_completions_in_a_band(ours, theirs, verdict):
    assert verdict_on(ours, theirs, 50_000) == verdict


@given(usages, usages)
def test_a_recount_never_charges_beyond_the_hold(reported, ours):
    world = pending(reported)
    hold = world.state.provisional["r"].hold.amount
    final = counted(world, ours)
    assert 0 <= final.receipt.price <= hold
    assert sum(payment.amount for payment in final.receipt.waterfall) == final.receipt.price
    assert not world.state.held["credit"]


def test_the_provider_says_what_was_cached_and_our_count_how_much_there_was():
    world = pending(Units(input=4, cached=6))
    final = counted(world, Units(input=8))
    assert final.receipt.units == Units(input=2, cached=6)


def test_until_it_is_final_nobody_spends_what_may_have_to_go_back():
    world = pending(Units(input=10, output=200))
    earned = world.balance("rhine")
    assert earned > 0
    assert ledger.available(world.state, "rhine", "credit") == 0
    take = c.Transfer(source="rhine", target="nordic", asset="credit", amount=earned)
    assert world.refuse(take).why is Why.NO_CREDIT
    counted(world, Units(input=10, output=1))
    final = world.balance("rhine")
    assert 0 < final < earned
    assert ledger.available(world.state, "rhine", "credit") == final


def test_a_correction_follows_the_rules_of_its_receipt_not_later_ones():
    world = pending(Units(input=100, output=100))
    world.do(c.SetParameter(name="operator_fee_ppm", value=200_000))
    before = world.balance("house")
    assert counted(world, Units(input=100, output=100)).postings == ()
    assert world.balance("house") == before


def test_a_recount_that_never_comes_leaves_what_was_reported():
    world = pending(Units(input=10, output=6))
    assert not world.wait(59)
    (final,) = world.wait(1)
    assert (final.receipt.verdict, final.receipt.basis) == ("unchecked", "reported")
    assert (final.cause, final.postings) == ("not recounted", ())
    assert not world.do(c.Recount(counts=(("r", Units(output=1)),))), "too late"


def test_a_restart_makes_final_what_was_to_be_recounted():
    world = pending(None)
    (final,) = world.do(c.Restart())
    assert final.receipt.verdict == "unreported"
    assert not world.state.provisional


def test_we_may_say_that_we_could_not_count():
    assert counted(pending(Units(output=1)), None).receipt.verdict == "unchecked"


def test_a_recount_of_many_takes_each_once_and_ignores_the_unknown():
    world = pending(Units(output=1))
    counts = (("nobody", Units()), ("r", Units(output=1)), ("r", Units(output=2)))
    (final,) = world.do(c.Recount(counts=counts))
    assert final.receipt.units == Units(output=2)
