"""Identity: who may do what, how fast, and in which mode."""

from __future__ import annotations

import pytest

from allmende.core import commands as c
from allmende.core.identity import DEPTH_MAX, FEATURES, within
from allmende.core.nouns import Key, Member
from allmende.core.refusals import Why
from allmende.core.units import MINUTE, SECOND
from allmende.lab.world import START, World, ask, secret

ROOT, DEAN, ADA, RHINE = (secret(name) for name in ("root", "dean", "ada", "rhine"))


def add(id_: str, home: str = "", by: str = ROOT) -> c.AddMember:
    return c.AddMember(member=Member(id_, id_, "person", home=home), by=by)


def issue(by: str, **fields) -> c.IssueKey:
    usual = {"id": "new", "hash": secret("new"), "member": "ada", "role": "spend", "budget": "ada"}
    return c.IssueKey(key=Key(**{**usual, **fields}), by=by)


def test_a_manager_acts_for_its_own_tree_and_for_no_other():
    world = World()
    world.do(add("eve", home="physics", by=DEAN))
    assert world.refuse(add("mallory", home="coop", by=DEAN)).why is Why.NOT_ALLOWED
    assert world.refuse(add("top", by=DEAN)).why is Why.NOT_ALLOWED
    assert world.refuse(add("eva", home="ada", by=ADA)).why is Why.NOT_ALLOWED
    world.do(add("top"))


@pytest.mark.parametrize("digits", ["a1" * 20, "A1" * 20])
def test_ids_of_wallets_are_the_markets_own_to_give(digits: str):
    """Whoever made the member of a stranger's address first would get what is sent to it, keep
    the stranger out, and own what he pays for a call."""
    world = World()
    for command in (
        add(f"w-{digits}", home="physics", by=DEAN),
        add(f"w-{digits}"),
        add("pay-per-call", home="physics", by=DEAN),
        issue(DEAN, id=f"wallet-{digits}"),
        c.AddBudget(id=f"w-{digits}", name="mine", owner="uni", by=DEAN),
        c.AddBudget(id="pay-per-call", name="mine", owner="uni", by=DEAN),
    ):
        assert world.refuse(command).why is Why.NOT_ALLOWED
    world.do(add("w-1", home="physics", by=DEAN))
    world.do(add(f"w-{digits}", by="system"))


@pytest.mark.parametrize("by", [DEAN, ADA, RHINE])
def test_only_an_operator_deposits_sets_rules_and_closes_batches(by: str):
    world = World()
    for command in (
        c.Deposit(member="uni", amount=1, reference="x", by=by),
        c.SetParameter(name="levy_ppm", value=0, by=by),
        c.CloseBatch(by=by),
    ):
        assert world.refuse(command).why is Why.NOT_ALLOWED


def test_a_manager_issues_keys_for_its_own_tree_and_budgets_only():
    world = World()
    assert world.refuse(issue(DEAN, role="operate")).why is Why.NOT_ALLOWED
    assert world.refuse(issue(DEAN, member="coop", budget="coop")).why is Why.NOT_ALLOWED
    assert world.refuse(issue(DEAN, budget="coop")).why is Why.NOT_ALLOWED
    assert world.refuse(issue(DEAN, budget="")).why is Why.BAD_VALUE
    world.do(issue(DEAN))


@pytest.mark.parametrize(
    "fields",
    [
        {"hash": "short"},
        {"role": "king"},
        {"per_minute": 0},
        {"per_minute": 6_000_001},
        {"id": "with space"},
        {"id": "x" * 65},
        {"id": ""},
    ],
)
def test_a_key_that_makes_no_sense_is_refused(fields: dict):
    assert World().refuse(issue(ROOT, **fields)).why is Why.BAD_VALUE


def test_ids_and_secrets_are_taken_once():
    world = World()
    world.do(issue(ROOT))
    assert world.refuse(issue(ROOT, hash=secret("other"))).why is Why.EXISTS
    assert world.refuse(issue(ROOT, id="other")).why is Why.EXISTS
    for taken in ("uni", "commons", "issuer", "system"):
        assert world.refuse(add(taken)).why is Why.EXISTS


def test_a_revoked_key_is_gone_at_once_and_its_hold_lives_on():
    world = World()
    world.reserve("r1", key="ada")
    world.do(c.RevokeKey(id="ada", by=DEAN))
    assert world.refuse(ask("r2", key="ada")).why is Why.UNKNOWN_KEY
    assert world.refuse(c.RevokeKey(id="ada", by=DEAN)).why is Why.NOT_FOUND
    assert world.do(c.Void(hold="r1", cause="test"))


def test_a_key_is_good_until_the_instant_it_expires():
    world = World()
    world.do(issue(ROOT, expires=START + SECOND))
    world.reserve("r1", key="new", at=START + SECOND - 1)
    assert world.refuse(ask("r2", key="new", at=START + SECOND)).why is Why.UNKNOWN_KEY


def test_a_key_is_valid_for_its_models_and_prices_only():
    world = World()
    world.do(issue(ROOT, models=("gift",), max_rate=399_999))
    assert world.refuse(ask("r1", key="new")).why is Why.MODEL_NOT_IN_KEY
    world.reserve("r2", key="new", model="gift")
    world.do(issue(ROOT, id="poor", hash=secret("poor"), max_rate=399_999))
    refused = world.refuse(ask("r3", key="poor"))
    assert refused.facts["conditions"] == {"max price of the key": 2}


def test_the_worked_number_of_the_module():
    world = World()
    for number in range(60):
        world.reserve(f"r{number}", key="slow")
        world.do(c.Void(hold=f"r{number}", cause="test"))
    refused = world.refuse(ask("r60", key="slow"))
    assert (refused.why, refused.facts["retry_after_us"]) == (Why.RATE, SECOND)
    world.now += SECOND
    world.reserve("r60", key="slow")
    assert world.refuse(ask("r61", key="slow")).why is Why.RATE


@pytest.mark.parametrize("per_minute", [1, 7, 59, 61])
def test_a_minutes_burst_is_taken_and_no_more(per_minute: int):
    world = World()
    world.do(issue(ROOT, per_minute=per_minute))
    for number in range(per_minute):
        world.reserve(f"r{number}", key="new")
        world.do(c.Void(hold=f"r{number}", cause="test"))
    assert world.refuse(ask("late", key="new")).why is Why.RATE


def test_a_fall_back_to_the_next_offer_is_not_another_arrival_that_may_be_refused():
    world = World()
    world.state.arrivals["slow"] = START + 2 * MINUTE
    assert world.refuse(ask("r1", key="slow")).why is Why.RATE
    assert world.reserve("r1", key="slow", exclude=("cheap",)).offer.id == "clean"


def test_a_refused_feature_names_the_modes_that_have_it():
    move = c.Transfer(source="uni", target="coop", asset="credit", amount=1)
    within = c.Transfer(source="uni", target="ada", asset="credit", amount=1)
    refused = World("closed_loop").refuse(move)
    assert refused.why is Why.MODE_FORBIDS
    assert "limited_network, open, lab" in refused.detail
    for mode in FEATURES:
        assert World(mode).do(within)
    assert World("open").do(move)


def test_a_member_whose_home_is_nobody_is_refused():
    assert World().refuse(add("x", home="nobody")).why is Why.NOT_FOUND
    odd = c.AddMember(member=Member("x", "x", "king"))
    assert World().refuse(odd).why is Why.BAD_VALUE


def test_a_home_too_far_down_for_its_managers_is_refused():
    world = World()
    home = "uni"
    for depth in range(DEPTH_MAX - 1):
        world.do(add(f"m{depth}", home=home, by=DEAN))
        home = f"m{depth}"
    assert within(world.state, home, "uni")
    assert world.refuse(add("deep", home=home)).why is Why.BAD_VALUE
