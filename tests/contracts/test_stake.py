"""The stake: what votes, what stays while its vote is counted, what leaves, what it earns."""

from __future__ import annotations

from collections.abc import Iterator

import boa
import pytest
from assembly_rig import UNBONDING, Town
from eth_hash.auto import keccak
from vault_rig import Person, deploy, refused

ANNA, BEN, REP, LOCKER = (Person(name) for name in ("anna", "ben", "the rep", "the locker"))
PEOPLE = (ANNA, BEN, REP)


@pytest.fixture(scope="module")
def built() -> Iterator[Town]:
    with boa.env.anchor():
        town = Town()
        # in place of the Assembly: one whose votes we choose
        town.stake.grantRole(keccak(b"LOCKER"), LOCKER.address, sender=town.assembly.address)
        for person in PEOPLE:
            town.give(person, 100)
        yield town


@pytest.fixture
def town(built: Town) -> Iterator[Town]:
    with boa.env.anchor():
        yield built
        built.sums(PEOPLE)


def lock(town: Town, voter: Person, seconds: int) -> None:
    town.stake.lock(voter.address, town.now + seconds, sender=LOCKER.address)


def test_who_stakes_votes_himself_until_he_lets_another(town: Town) -> None:
    stake = town.stake
    stake.stake(30, sender=ANNA.address)
    assert (stake.votes(ANNA.address), stake.staked()) == (30, 30)
    stake.delegate(REP.address, sender=ANNA.address)
    stake.stake(5, sender=ANNA.address)
    assert (stake.votes(ANNA.address), stake.votes(REP.address)) == (0, 35)
    stake.delegate(BEN.address, sender=REP.address)  # not passed on
    assert stake.votes(REP.address) == 35
    with refused("stake: nobody"):
        stake.delegate("0x" + "00" * 20, sender=ANNA.address)
    with refused("stake: nothing"):
        stake.stake(0, sender=ANNA.address)


def test_nothing_moves_that_a_locked_voter_votes_with(town: Town) -> None:
    stake = town.stake
    stake.stake(30, sender=ANNA.address)
    stake.delegate(REP.address, sender=ANNA.address)
    lock(town, REP, 100)
    for act in (
        lambda: stake.unbond(1, sender=ANNA.address),
        lambda: stake.delegate(ANNA.address, sender=ANNA.address),
    ):
        with refused("stake: locked by a vote"):
            act()
    stake.stake(1, sender=ANNA.address)  # joins, and waits with the rest
    town.later(100)
    stake.unbond(31, sender=ANNA.address)


def test_a_recall_ends_with_the_lock_of_that_moment(town: Town) -> None:
    stake = town.stake
    stake.stake(30, sender=ANNA.address)
    with refused("stake: not with another"):
        stake.recall(sender=ANNA.address)
    stake.delegate(REP.address, sender=ANNA.address)
    lock(town, REP, 100)
    stake.recall(sender=ANNA.address)
    lock(town, REP, 10_000)  # he goes on voting, without her
    assert (stake.votes(REP.address), stake.asleep()) == (0, 30)
    stake.stake(5, sender=ANNA.address)
    assert stake.asleep() == 35
    town.later(99)
    for act in (stake.unbond, lambda _, sender: stake.delegate(ANNA.address, sender=sender)):
        with refused("stake: locked by a vote"):
            act(1, sender=ANNA.address)
    town.later(1)
    stake.delegate(ANNA.address, sender=ANNA.address)
    assert (stake.votes(ANNA.address), stake.asleep()) == (35, 0)


def test_unbonding_takes_its_time_and_starts_afresh_with_more(town: Town) -> None:
    stake = town.stake
    stake.stake(30, sender=ANNA.address)
    with refused("stake: more than is staked"):
        stake.unbond(31, sender=ANNA.address)
    stake.unbond(10, sender=ANNA.address)
    town.later(UNBONDING - 1)
    with refused("stake: still unbonding"):
        stake.withdraw(sender=ANNA.address)
    stake.unbond(5, sender=ANNA.address)
    town.later(UNBONDING)
    stake.withdraw(sender=ANNA.address)
    assert town.share.balanceOf(ANNA.address) == 85
    with refused("stake: nothing is leaving"):
        stake.withdraw(sender=ANNA.address)


def test_only_a_locker_locks_and_never_for_longer_than_it_may(town: Town) -> None:
    stake = town.stake
    with refused("access_control"):
        stake.lock(BEN.address, town.now + 1, sender=ANNA.address)
    with refused("stake: locks too long"):
        stake.lock(BEN.address, town.now + stake.LOCK_MAX() + 1, sender=LOCKER.address)
    lock(town, BEN, 100)
    until = stake.locked_until(BEN.address)
    lock(town, BEN, 50)
    assert stake.locked_until(BEN.address) == until


def test_what_is_funded_flows_to_who_is_there_in_proportion(town: Town) -> None:
    stake = town.stake
    stake.stake(30, sender=ANNA.address)
    stake.stake(10, sender=BEN.address)
    stake.fund(80, sender=REP.address)
    town.later(UNBONDING // 2)
    assert (stake.earned(ANNA.address), stake.earned(BEN.address)) == (30, 10)
    stake.unbond(30, sender=ANNA.address)
    town.later(UNBONDING)
    assert stake.earned(BEN.address) == 50
    for person, had in ((ANNA, 130), (BEN, 150)):
        stake.claim(sender=person.address)
        stake.claim(sender=person.address)
        assert town.credit.balanceOf(person.address) == had
    assert (stake.paid(), stake.funded()) == (80, 80)


def test_while_nobody_stakes_nothing_flows_and_nothing_is_lost(town: Town) -> None:
    stake = town.stake
    stake.fund(80, sender=REP.address)
    town.later(10 * UNBONDING)
    stake.stake(10, sender=BEN.address)
    assert stake.earned(BEN.address) == 0
    town.later(UNBONDING)
    assert stake.earned(BEN.address) == 80


def test_dust_does_not_hold_up_what_flows(town: Town) -> None:
    stake = town.stake
    town.credit.mint(REP.address, 10**12, sender=town.admin.address)
    stake.stake(10, sender=BEN.address)
    stake.fund(10**12, sender=REP.address)
    for _ in range(3):
        town.later(UNBONDING // 10)
        stake.fund(1, sender=ANNA.address)
    town.later(UNBONDING * 7 // 10 + 1)
    assert stake.earned(BEN.address) >= 10**12


def test_one_base_unit_staked_early_breaks_no_later_reward(town: Town) -> None:
    """The sum per share is enormous then; only its growth is ever multiplied."""
    stake, many = town.stake, 10**29
    town.share.mint(BEN.address, many, sender=town.admin.address)
    town.credit.mint(REP.address, 2 * many, sender=town.admin.address)
    stake.stake(1, sender=ANNA.address)
    stake.fund(many, sender=REP.address)
    town.later(UNBONDING)
    stake.stake(many, sender=BEN.address)
    stake.fund(many, sender=REP.address)
    town.later(UNBONDING)
    assert many - 2 <= stake.earned(BEN.address) <= many
    stake.unbond(many, sender=BEN.address)
    assert stake.earned(ANNA.address) >= many


def test_a_share_that_calls_back_finds_the_door_closed() -> None:
    from pathlib import Path

    with boa.env.anchor():
        token = deploy("ReentrantToken", sources=Path(__file__).parent / "tokens")
        stake = deploy("Stake", token.address, token.address, UNBONDING)
        token.mint(ANNA.address, 100)
        token.approve(stake.address, 100, sender=ANNA.address)
        stake.stake(50, sender=ANNA.address)
        token.mint(token.address, 50)
        token.act(token.address, token.approve.prepare_calldata(stake.address, 50))
        token.arm(stake.address, stake.unbond.prepare_calldata(50))
        token.act(stake.address, stake.stake.prepare_calldata(50))
        assert (token.calls(), token.successes()) == (1, 0)
        token.act(stake.address, stake.unbond.prepare_calldata(50))
        boa.env.time_travel(seconds=UNBONDING)
        token.arm(stake.address, stake.withdraw.prepare_calldata())
        token.act(stake.address, stake.withdraw.prepare_calldata())
        assert (token.calls(), token.successes(), stake.held()) == (2, 0, 50)


@pytest.mark.parametrize("unbonding", [0, 401 * 86_400])
def test_an_unbonding_that_is_none_or_an_eternity_is_not_deployed(unbonding: int) -> None:
    with boa.env.anchor():
        token = deploy("Credit", "Credit", "CRED").address
        with pytest.raises(AssertionError, match="no such unbonding"):
            deploy("Stake", token, token, unbonding)
