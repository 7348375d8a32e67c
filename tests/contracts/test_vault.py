"""The vault as its members use it: deposits, batches, withdrawals, challenges, the end."""

from __future__ import annotations

from collections.abc import Iterator

import boa
import pytest
from vault_rig import CREDIT, Market, Person, refused

ANNA, BEN, HOST = Person("anna"), Person("ben"), Person("host")


@pytest.fixture
def market() -> Iterator[Market]:
    with boa.env.anchor():
        yield Market().open()


def test_ten_credits_go_in_are_spent_and_come_out(market: Market) -> None:
    market.deposit(ANNA, 10 * CREDIT)
    market.vault.cut(sender=market.operator.address)
    market.spend(ANNA, HOST, 3 * CREDIT)
    market.submit()
    market.finalise()
    assert market.vault.has_leaf(*market.final.show(ANNA))
    id_ = market.vault.ask(*market.final.show(HOST), 3 * CREDIT, sender=HOST.address)
    market.settle()
    market.later(market.terms["delay"])
    market.vault.pay(id_)
    assert market.token.balanceOf(HOST.address) == 3 * CREDIT
    assert market.vault.backed() == 7 * CREDIT
    market.close()
    market.vault.exit(*market.final.show(ANNA), sender=ANNA.address)
    assert market.token.balanceOf(ANNA.address) == 7 * CREDIT
    assert market.vault.backed() == 0


def test_a_challenge_is_answered_and_costs_its_stake(market: Market) -> None:
    market.deposit(ANNA, 10 * CREDIT)
    market.vault.cut(sender=market.operator.address)
    market.spend(ANNA, HOST, 3 * CREDIT)
    market.submit()
    id_ = market.challenge(ANNA, by=BEN)
    market.answer(id_, ANNA)
    market.finalise()
    assert market.token.balanceOf(BEN.address) == 0
    assert market.vault.owed(market.operator.address) == market.terms["stake"]


def test_an_unanswered_challenge_voids_the_batch_and_the_bond_pays(market: Market) -> None:
    market.deposit(ANNA, 10 * CREDIT)
    market.vault.cut(sender=market.operator.address)
    market.submit()
    id_ = market.challenge(ANNA)
    with refused("vault: not final yet"):
        market.finalise()
    with refused("vault: not pending"):
        market.vault.void(id_ + 1)
    market.vault.void(id_)
    half = market.terms["penalty"] // 2
    assert market.vault.owed(ANNA.address) == market.terms["stake"] + half
    assert market.vault.owed(market.commons.address) == market.terms["penalty"] - half
    market.vault.collect(sender=ANNA.address)
    assert market.token.balanceOf(ANNA.address) == market.terms["stake"] + half
    assert market.vault.pending()[0] == 0
