"""Ledger: money moves by balanced postings only, and nobody spends what is set aside."""

from __future__ import annotations

import pytest

from allmende.core import commands as c
from allmende.core import ledger
from allmende.core.nouns import Posting
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import CREDIT, Units
from allmende.lab.world import World, ask


def funded(amount: int) -> State:
    state = State()
    ledger.post(
        state, [Posting("issuer/credit", "credit", -amount), Posting("uni", "credit", amount)]
    )
    return state


def test_the_worked_number_of_the_module():
    state = funded(5 * CREDIT)
    ledger.set_aside(state, "uni", "credit", CREDIT)
    assert ledger.balance(state, "issuer/credit", "credit") == -5 * CREDIT
    assert ledger.balance(state, "uni", "credit") == 5 * CREDIT
    assert ledger.available(state, "uni", "credit") == 4 * CREDIT


def test_a_refusal_says_exactly_what_is_missing():
    state = funded(15 * CREDIT // 1000)
    with pytest.raises(Refused) as refused:
        ledger.require(state, "uni", "credit", 2 * CREDIT // 100)
    assert refused.value.why is Why.NO_CREDIT
    assert refused.value.facts["missing"] == 5_000_000_000
    assert "0.005 credit are missing" in refused.value.detail
    ledger.require(state, "uni", "credit", 15 * CREDIT // 1000)


def test_unknown_accounts_and_assets_hold_nothing():
    state = funded(1)
    assert ledger.balance(state, "nobody", "credit") == ledger.available(state, "uni", "gold") == 0


def test_postings_that_do_not_sum_to_zero_are_a_bug():
    with pytest.raises(AssertionError, match="sum to zero"):
        ledger.post(State(), [Posting("a", "credit", 1), Posting("b", "gold", -1)])


def test_releasing_more_than_is_set_aside_is_a_bug():
    with pytest.raises(AssertionError, match="set aside"):
        ledger.set_aside(funded(5), "uni", "credit", -1)


@pytest.mark.parametrize(
    ("account", "amount", "says"),
    [("uni", 1, "sum to zero"), ("issuer/credit", 6, "sum to zero")],
)
def test_check_sees_money_from_nowhere(account: str, amount: int, says: str):
    state = funded(5)
    state.balances["credit"][account] += amount
    with pytest.raises(AssertionError, match=says):
        ledger.check(state)


def test_a_posting_that_takes_a_member_below_zero_is_a_bug():
    with pytest.raises(AssertionError, match="uni below zero: -1"):
        ledger.post(funded(5), [Posting("uni", "credit", -6), Posting("coop", "credit", 6)])


def test_check_sees_balances_below_what_is_set_aside_and_holds_without_business():
    state = funded(5)
    ledger.set_aside(state, "uni", "credit", 6)
    with pytest.raises(AssertionError, match="uni: 5 under 6"):
        ledger.check(state)
    state = funded(5)
    ledger.set_aside(state, "uni", "credit", 2)
    with pytest.raises(AssertionError, match="holds"):
        ledger.check(state)


def test_what_is_held_cannot_be_transferred():
    world = World()
    world.reserve("r1", key="coop")
    held = world.state.holds["r1"].amount
    everything = world.balance("coop")
    refused = world.refuse(
        c.Transfer(source="coop", target="uni", asset="credit", amount=everything)
    )
    assert (refused.why, refused.facts["missing"]) == (Why.NO_CREDIT, held)
    world.do(c.Transfer(source="coop", target="uni", asset="credit", amount=everything - held))
    assert world.refuse(ask("r2", key="coop")).why is Why.NO_CREDIT


def test_what_is_held_for_a_request_cannot_be_reserved_again():
    world = World()
    world.do(
        c.Transfer(source="coop", target="uni", asset="credit", amount=50 * CREDIT - 202_400_000)
    )
    world.reserve("r1", key="coop")
    assert world.refuse(ask("r2", key="coop")).facts["missing"] == 202_400_000
    world.capture("r1", Units())
    world.reserve("r3", key="coop")
