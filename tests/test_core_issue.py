"""Issue: credit comes from outside payments once, own assets from their issuer alone."""

from __future__ import annotations

import pytest

from allmende.core import commands as c
from allmende.core.nouns import Share, Title
from allmende.core.refusals import Why
from allmende.core.units import CREDIT
from allmende.lab.world import World, ask, secret


def deposit(amount: int = 5 * CREDIT, reference: str = "invoice-9", **more) -> c.Deposit:
    return c.Deposit(member="ada", amount=amount, reference=reference, **more)


def title(*shares: Share, **more) -> c.RegisterTitle:
    fields = {"id": "t", "owner": "author", "kind": "model", "name": "T", "waterfall": shares}
    return c.RegisterTitle(title=Title(**{**fields, **more}), by=secret("root"))


def test_the_worked_number_of_the_module():
    world = World()
    world.do(deposit())
    assert world.refuse(deposit()).why is Why.EXISTS
    assert world.balance("ada") == 5 * CREDIT
    assert world.balance("issuer/credit") == -1_055 * CREDIT


@pytest.mark.parametrize("amount", [0, -1, 10**30 + 1])
def test_amounts_that_are_none(amount: int):
    world = World()
    assert world.refuse(deposit(amount)).why is Why.BAD_VALUE
    move = c.Transfer(source="uni", target="ada", asset="credit", amount=amount)
    assert world.refuse(move).why is Why.BAD_VALUE


def test_a_deposit_names_its_payment_a_member_and_a_known_asset():
    world = World()
    assert world.refuse(deposit(reference="")).why is Why.BAD_VALUE
    assert world.refuse(deposit(reference="x" * 201)).why is Why.BAD_VALUE
    assert world.refuse(deposit(asset="gold")).why is Why.NOT_FOUND
    nobody = c.Deposit(member="nobody", amount=1, reference="r")
    assert world.refuse(nobody).why is Why.NOT_FOUND


def test_an_organisation_mints_its_own_asset_and_nobody_else_does():
    world = World("closed_loop")
    dean = secret("dean")
    world.do(c.RegisterAsset(id="hours", issuer="uni", name="GPU hours", by=dean))
    world.do(c.Mint(member="ada", asset="hours", amount=7, by=dean))
    assert world.balance("ada", "hours") == -world.balance("issuer/hours", "hours") == 7
    taken = c.RegisterAsset(id="hours", issuer="coop", name="again")
    assert world.refuse(taken).why is Why.EXISTS
    mint = c.Mint(member="ada", asset="hours", amount=7, by=secret("rhine"))
    assert world.refuse(mint).why is Why.NOT_ALLOWED
    outward = c.Mint(member="coop", asset="hours", amount=7, by=dean)
    assert world.refuse(outward).why is Why.MODE_FORBIDS
    bought = c.Deposit(member="ada", asset="hours", amount=7, reference="r")
    assert world.refuse(bought).why is Why.NOT_ALLOWED


def test_market_credit_is_never_minted():
    assert World().refuse(c.Mint(member="ada", asset="credit", amount=1)).why is Why.NOT_ALLOWED


def test_a_budget_in_its_own_asset_takes_no_offer_in_another():
    world = World()
    world.do(c.RegisterAsset(id="hours", issuer="uni", name="GPU hours"))
    world.do(c.AddBudget(id="h", name="H", owner="uni", asset="hours"))
    key = world.state.keys[secret("dean")]
    assert key.budget == "uni"
    world.do(c.RevokeKey(id="dean"))
    world.do(c.IssueKey(key=type(key)("dean", key.hash, "uni", "spend", budget="h")))
    assert world.refuse(ask("r", key="dean")).facts["conditions"] == {"asset": 2}


def test_a_budget_belongs_to_its_parents_owner_whoever_is_named():
    world = World()
    world.do(c.AddBudget(id="x", name="X", owner="coop", parent="ada", asset="gold"))
    assert (world.state.budgets["x"].owner, world.state.budgets["x"].asset) == ("uni", "credit")
    other = c.AddBudget(id="y", name="Y", owner="coop", by=secret("dean"))
    assert world.refuse(other).why is Why.NOT_ALLOWED
    for wrong in ({"period": "week"}, {"limit": -1}):
        bad = c.AddBudget(id="y", name="Y", owner="uni", **wrong)
        assert world.refuse(bad).why is Why.BAD_VALUE
    assert world.refuse(c.SetBudget(id="x", limit=-1)).why is Why.BAD_VALUE
    assert world.refuse(c.SetBudget(id="none", limit=1)).why is Why.NOT_FOUND


def test_a_title_leaves_something_for_the_host():
    world = World()
    greedy = title(Share("author", "author", 700_001))
    assert world.refuse(greedy).why is Why.BAD_VALUE
    assert world.refuse(title(Share("author", "author", -1))).why is Why.BAD_VALUE
    assert world.refuse(title(Share("author", "nobody", 1))).why is Why.NOT_FOUND
    assert world.refuse(title(kind="poem")).why is Why.BAD_VALUE
    world.do(title(Share("author", "author", 700_000)))
    assert world.refuse(title()).why is Why.EXISTS
