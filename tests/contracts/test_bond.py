"""The bond: what secures, what leaves, who is paid, and who cannot hold it up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boa
import pytest
from eth_hash.auto import keccak
from eth_utils import function_signature_to_4byte_selector as selector
from vault_rig import JUDGING, UNBONDING, Market, Person, deploy, refused

HOST, ANNA, MALLORY, JUDGE = (Person(name) for name in ("host", "anna", "mallory", "judge"))
EVIDENCE = keccak(b"what happened")


@pytest.fixture
def market() -> Iterator[Market]:
    """The host has a bond of 100."""
    with boa.env.anchor():
        market = Market()
        market.bond.grantRole(keccak(b"JUDGE"), JUDGE.address, sender=market.admin.address)
        market.bond.grantRole(keccak(b"SLASHER"), JUDGE.address, sender=market.admin.address)
        for who in (HOST, ANNA, MALLORY):
            market.give(who, 100, market.bond.address)
        market.bond.bond(HOST.address, 100, sender=HOST.address)
        yield market


def test_leaving_takes_its_time_and_pays_once(market: Market) -> None:
    bond = market.bond
    bond.leave(60, sender=HOST.address)
    assert bond.secures(HOST.address) == 40
    market.later(UNBONDING - 1)
    with refused("bond: still unbonding"):
        bond.release(sender=HOST.address)
    market.later(1)
    bond.release(sender=HOST.address)
    with refused("bond: nothing is leaving"):
        bond.release(sender=HOST.address)
    assert market.token.balanceOf(HOST.address) == 60
    assert bond.held() == 40


def test_what_is_leaving_is_still_slashed_and_never_more_than_there_is(market: Market) -> None:
    bond = market.bond
    bond.leave(100, sender=HOST.address)
    bond.slash(HOST.address, 130, ANNA.address, sender=JUDGE.address)
    assert market.token.balanceOf(ANNA.address) == 200
    assert bond.collateral(HOST.address)[0] == bond.held() == 0
    market.later(UNBONDING)
    with refused("bond: nothing is leaving"):
        bond.release(sender=HOST.address)


def test_only_a_final_dispute_or_a_vote_slashes_or_judges(market: Market) -> None:
    with refused("access_control"):
        market.bond.slash(HOST.address, 1, MALLORY.address, sender=MALLORY.address)
    id_ = 1
    market.bond.claim(HOST.address, 40, EVIDENCE, sender=MALLORY.address)
    for who in (MALLORY, HOST, market.admin):
        with refused("access_control"):
            market.bond.judge(id_, True, sender=who.address)
    assert market.bond.collateral(HOST.address)[0] == 100


def test_an_upheld_claim_pays_and_returns_the_stake(market: Market) -> None:
    market.bond.claim(HOST.address, 40, EVIDENCE, sender=ANNA.address)
    assert market.token.balanceOf(ANNA.address) == 98
    market.bond.judge(1, True, sender=JUDGE.address)
    market.bond.collect(sender=ANNA.address)
    assert market.token.balanceOf(ANNA.address) == 140
    with refused("bond: no such claim"):
        market.bond.judge(1, True, sender=JUDGE.address)
    with refused("bond: nothing owed"):
        market.bond.collect(sender=ANNA.address)


def test_a_rejected_claim_costs_its_stake(market: Market) -> None:
    market.bond.claim(HOST.address, 41, EVIDENCE, sender=ANNA.address)
    market.bond.judge(1, False, sender=JUDGE.address)
    market.bond.collect(sender=HOST.address)
    assert market.token.balanceOf(HOST.address) == 3  # a twentieth of 41, rounded up
    assert market.bond.secures(HOST.address) == 100


def test_a_claim_holds_what_it_asks_for_until_it_lapses(market: Market) -> None:
    market.bond.leave(100, sender=HOST.address)
    market.later(UNBONDING - 1)
    market.bond.claim(HOST.address, 40, EVIDENCE, sender=ANNA.address)
    market.later(1)
    market.bond.release(sender=HOST.address)
    with refused("bond: under claim"):
        market.bond.release(sender=HOST.address)
    with refused("bond: not lapsed"):
        market.bond.lapse(1)
    market.later(JUDGING)
    with refused("bond: lapsed"):
        market.bond.judge(1, True, sender=JUDGE.address)
    market.bond.lapse(1)
    market.bond.release(sender=HOST.address)
    assert market.token.balanceOf(HOST.address) == 100


def test_nobody_is_kept_in_by_one_claim_after_another(market: Market) -> None:
    market.bond.leave(100, sender=HOST.address)
    market.later(UNBONDING)
    with refused("bond: not its size"):
        market.bond.claim(HOST.address, 1, EVIDENCE, sender=MALLORY.address)
    market.bond.release(sender=HOST.address)
    assert market.token.balanceOf(HOST.address) == 100


def test_claims_beyond_the_bond_and_about_nothing_are_refused(market: Market) -> None:
    for amount in (0, 101):
        with refused("bond: not its size"):
            market.bond.claim(HOST.address, amount, EVIDENCE, sender=ANNA.address)
    market.bond.claim(HOST.address, 60, EVIDENCE, sender=ANNA.address)
    with refused("bond: not its size"):
        market.bond.claim(HOST.address, 41, EVIDENCE, sender=MALLORY.address)


def test_an_unbonding_shorter_than_audit_and_dispute_is_not_deployed() -> None:
    with boa.env.anchor():
        token = deploy("Credit", "Credit", "CRED")
        with pytest.raises(AssertionError, match="leaves before the dispute ends"):
            deploy("Bond", token.address, 10, 10, 10, 20)


@pytest.mark.parametrize("again", ["release()", "collect()", "held()"])
def test_who_is_paid_cannot_call_again_before_it_is_over(again: str) -> None:
    """The token is the one who leaves, and calls back while it is paid."""
    with boa.env.anchor():
        token = deploy("ReentrantToken", sources=Path(__file__).parent / "tokens")
        market = Market(token)
        bond = market.bond
        market.give(ANNA, 100, bond.address)
        bond.bond(token.address, 50, sender=ANNA.address)
        bond.bond(HOST.address, 50, sender=ANNA.address)
        token.act(bond.address, bond.leave.prepare_calldata(50))
        market.later(UNBONDING)
        token.arm(bond.address, selector(again))
        token.act(bond.address, selector("release()"))
        assert (token.calls(), token.successes()) == (1, 0)
        assert (token.balanceOf(token.address), bond.held()) == (50, 50)


def test_a_claim_on_the_operators_bond_keeps_no_batch_back_and_no_slash() -> None:
    """For a twentieth of it, returned when the claim lapses, nobody stops a market."""
    with boa.env.anchor():
        market = Market().open()
        bond, operator = market.bond, market.operator
        market.deposit(ANNA, 100)
        market.vault.cut(sender=operator.address)
        whole = bond.secures(operator.address)
        stake = -(-whole // 20)
        market.give(MALLORY, stake, bond.address)
        bond.claim(operator.address, whole, EVIDENCE, sender=MALLORY.address)
        assert bond.secures(operator.address) == whole
        market.submit()
        assert market.vault.pending()[0] == 1
        bond.grantRole(keccak(b"SLASHER"), JUDGE.address, sender=market.admin.address)
        bond.slash(operator.address, whole, ANNA.address, sender=JUDGE.address)
        assert (bond.secures(operator.address), market.token.balanceOf(ANNA.address)) == (0, whole)
