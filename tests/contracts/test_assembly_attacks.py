"""Attacks on a vote. Each is tried as it would be made, and none of them pays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boa
import pytest
from assembly_rig import MISSION_DELAY, NO, NOTHING, VOTING, WINDOW, YES, Town, call, member
from eth_hash.auto import keccak
from msgspec import structs
from vault_rig import Person, deploy, refused

from allmende.core.tally import MEMBERS, STAKE

ANNA, BEN, CARL, DORA = (Person(name) for name in ("anna", "ben", "carl", "dora"))
MALLORY, FRIEND = Person("mallory"), Person("mallory's friend")
HEADS = (ANNA, BEN, CARL, DORA)
EVERYBODY = (*HEADS, MALLORY, FRIEND)


@pytest.fixture(scope="module")
def built() -> Iterator[Town]:
    """Mallory has 90 % of the shares, the others the rest; only the others are members."""
    with boa.env.anchor():
        town = Town()
        for person, shares in ((ANNA, 50), (BEN, 50), (CARL, 0), (DORA, 0)):
            town.staked(person, shares)
        for person in HEADS:
            town.enrol(person.name, person)
        town.give(MALLORY, 900)
        town.give(FRIEND, 0)
        yield town


@pytest.fixture
def town(built: Town) -> Iterator[Town]:
    with boa.env.anchor():
        yield built


@pytest.fixture(scope="module")
def borrower(built: Town) -> Any:
    addresses = (built.share.address, built.stake.address, built.assembly.address)
    made = deploy("Borrower", *addresses, sources=Path(__file__).parent / "tokens")
    built.share.approve(made.address, 10**30, sender=MALLORY.address)
    return made


def unchanged(town: Town, number: int) -> None:
    """No vote was counted, and Mallory has what she had."""
    assert town.count(number, STAKE) == (0, 0, 0)
    assert town.share.balanceOf(MALLORY.address) == 900
    assert town.stake.staked() == 100
    town.sums(EVERYBODY)


# Borrowed, moved and doubled votes --------------------------------------------------------


def test_flash_borrowed_shares_cannot_vote(town: Town, borrower: Any) -> None:
    number = town.propose(ANNA)
    with refused("stake: locked by a vote"):
        borrower.flash(MALLORY.address, 900, number, True)
    with refused("exceeds balance"):  # without leaving there is nothing to pay back with
        borrower.flash(MALLORY.address, 900, number, False)
    unchanged(town, number)


def test_flash_borrowed_shares_cannot_propose_without_staying(town: Town) -> None:
    """Even where nothing is voted, leaving takes longer than one transaction."""
    town.stake.stake(900, sender=MALLORY.address)
    town.propose(MALLORY)
    town.stake.unbond(900, sender=MALLORY.address)
    with refused("stake: still unbonding"):
        town.stake.withdraw(sender=MALLORY.address)


def test_a_stake_does_not_vote_a_second_time_under_another_name(town: Town, borrower: Any) -> None:
    number = town.propose(ANNA)
    with refused("stake: locked by a vote"):
        borrower.vote_twice(MALLORY.address, 900, number, FRIEND.address)
    unchanged(town, number)
    town.stake.stake(900, sender=MALLORY.address)
    town.stake.delegate(FRIEND.address, sender=MALLORY.address)
    town.vote(number, (FRIEND, YES))
    for act in (
        lambda: town.stake.delegate(MALLORY.address, sender=MALLORY.address),
        lambda: town.stake.unbond(1, sender=MALLORY.address),
    ):
        with refused("stake: locked by a vote"):
            act()
    town.stake.recall(sender=MALLORY.address)  # asleep, it votes for nobody
    for who in (MALLORY, FRIEND):
        with refused("assembly: no vote here"):
            town.assembly.vote(number, YES, sender=who.address)
    assert town.count(number, STAKE) == (900, 900, 0)
    town.sums(EVERYBODY)


def test_shares_that_left_vote_again_only_after_the_proposals_end(town: Town) -> None:
    """Vote, unbond, withdraw, transfer, stake elsewhere: by then the vote is over for good."""
    number = town.propose(ANNA)
    town.stake.stake(900, sender=MALLORY.address)
    town.vote(number, (MALLORY, YES))
    town.later(town.proposal(number)["eta"] - town.now)
    town.stake.unbond(900, sender=MALLORY.address)
    town.later(300)
    town.stake.withdraw(sender=MALLORY.address)
    town.share.transfer(FRIEND.address, 900, sender=MALLORY.address)
    town.stake.stake(900, sender=FRIEND.address)
    with refused("assembly: voting is over"):
        town.assembly.vote(number, YES, sender=FRIEND.address)


def test_a_lock_that_ends_does_not_free_what_votes_on_a_longer_proposal(town: Town) -> None:
    """A short ordinary proposal after a long one of the mission: the longest lock counts."""
    town.stake.stake(900, sender=MALLORY.address)
    calls = [call(town.assembly, "set_mission", bytes(32))]
    long, short = town.propose_calls(ANNA, *calls), town.propose(ANNA)
    town.vote(long, (MALLORY, YES))
    town.vote(short, (MALLORY, YES))
    town.later(town.proposal(short)["eta"] - town.now)
    with refused("stake: locked by a vote"):
        town.stake.unbond(900, sender=MALLORY.address)
    town.later(town.proposal(long)["eta"] - town.now)
    town.stake.unbond(900, sender=MALLORY.address)


def test_stake_that_is_bought_across_the_timelock_changes_nothing(town: Town) -> None:
    """Who sells his vote cannot change or undo it, nor deliver the shares behind it: they are
    locked until the decision can be executed. And what is bought meanwhile votes on nothing."""
    number = town.propose(ANNA)
    town.vote(number, (ANNA, YES), (BEN, YES))
    town.later(VOTING)
    town.stake.stake(900, sender=MALLORY.address)
    with refused("assembly: voting is over"):
        town.assembly.vote(number, NO, sender=MALLORY.address)
    with refused("stake: locked by a vote"):
        town.stake.unbond(50, sender=ANNA.address)
    with refused("assembly: voting is over"):
        town.assembly.cancel(number, sender=ANNA.address)
    town.assembly.queue(number)
    assert town.status(number) == "queued"  # nor does a larger electorate undo a quorum
    town.later(town.proposal(number)["eta"] - town.now)
    town.assembly.execute(number, NOTHING)


def test_stake_that_joins_a_voter_after_his_vote_is_not_counted(town: Town) -> None:
    number = town.propose(ANNA)
    town.vote(number, (ANNA, NO))
    town.stake.stake(900, sender=MALLORY.address)
    town.stake.delegate(ANNA.address, sender=MALLORY.address)
    with refused("assembly: voted already"):
        town.assembly.vote(number, NO, sender=ANNA.address)
    assert town.count(number, STAKE) == (50, 0, 50)


# Capture ----------------------------------------------------------------------------------


def test_ninety_percent_of_the_stake_do_not_capture_the_mission(town: Town) -> None:
    town.stake.stake(900, sender=MALLORY.address)
    root, mission = bytes(32), town.assembly.mission()
    soft = structs.astuple(structs.replace(town.classes["ordinary"], delay=MISSION_DELAY))
    attempts = (
        call(town.assembly, "set_mission", bytes(32)),
        call(town.assembly, "set_class", 2, soft),
        call(town.assembly, "set_rule", ("levy_ppm", "ppm", 0, 0, 0)),
        call(town.assembly, "grantRole", root, MALLORY.address),
        call(town.assembly, "grantRole", keccak(b"REGISTRAR"), MALLORY.address),
        call(town.stake, "grantRole", keccak(b"LOCKER"), MALLORY.address),
    )
    numbers = [town.propose_calls(MALLORY, one) for one in attempts]
    numbers.append(town.propose(MALLORY, "levy_ppm", 0))
    for number in numbers:
        assert town.proposal(number)["rank"] == 2
        town.vote(number, (MALLORY, YES), (CARL, NO), (DORA, NO))
    town.later(VOTING)
    for number in numbers:
        assert (town.count(number, STAKE)[1], town.status(number)) == (900, "defeated")
        with refused("assembly: did not pass"):
            town.assembly.queue(number)
    assert town.assembly.mission() == mission
    assert not town.assembly.hasRole(root, MALLORY.address)


def test_nor_if_the_members_stay_at_home(town: Town) -> None:
    town.stake.stake(900, sender=MALLORY.address)
    number = town.propose(MALLORY, "levy_ppm", 0)
    town.vote(number, (MALLORY, YES))
    town.later(VOTING)
    assert town.status(number) == "defeated"


def test_an_ordinary_proposal_does_not_carry_a_call_of_the_mission(town: Town) -> None:
    """A call's class follows from what it calls, and never from who proposes it."""
    town.stake.stake(900, sender=MALLORY.address)
    number = town.propose_calls(MALLORY, call(town.share, "burn", 0))
    assert town.proposal(number)["rank"] == 2
    number = town.propose(MALLORY)
    town.vote(number, (MALLORY, YES))
    town.queue(number)
    town.later(town.proposal(number)["eta"] - town.now)
    with refused("assembly: other calls"):
        town.assembly.execute(number, [call(town.assembly, "set_mission", bytes(32))])


# Credentials ------------------------------------------------------------------------------


def test_forged_expired_and_foreign_credentials_are_refused(town: Town) -> None:
    chain = boa.env.evm.chain.chain_id
    elsewhere = "0x" + "12" * 20
    for name, more in (
        ("not by a registrar", {"by": MALLORY}),
        ("not by a registrar", {"chain_id": chain + 1}),
        ("not by a registrar", {"assembly": elsewhere}),
    ):
        with refused(f"assembly: {name}"):
            town.enrol("mallory", MALLORY, **more)  # type: ignore[arg-type]
    with refused("assembly: credential expired"):
        town.enrol("mallory", MALLORY, expiry=town.now)
    until = town.now + 10**6
    stolen = town.credential("erna", FRIEND, until)
    with refused("assembly: not by a registrar"):  # it names a wallet, and that is not hers
        town.assembly.enrol(member("erna"), until, stolen, sender=MALLORY.address)
    with refused("assembly: not by a registrar"):
        town.assembly.enrol(member("mallory"), until, stolen, sender=FRIEND.address)
    with refused("assembly: not by a registrar"):
        town.assembly.enrol(member("erna"), until + 1, stolen, sender=FRIEND.address)
    high = stolen[:32] + (2**256 - 1).to_bytes(32, "big") + stolen[64:]
    with pytest.raises(boa.BoaError):
        town.assembly.enrol(member("erna"), until, high, sender=FRIEND.address)
    for junk, why in ((bytes(65), "ecdsa"), (bytes(10), "assembly: malformed")):
        with refused(why):
            town.assembly.enrol(member("erna"), until, junk, sender=FRIEND.address)
    assert town.assembly.member_count() == len(HEADS)


def test_one_credential_for_many_wallets_is_one_vote(town: Town) -> None:
    """Mallory is a member once, and hands her credential around."""
    number = town.propose(ANNA, "operator_fee_ppm", 40_000)
    for place in range(4):
        wallet = Person(f"mallory's wallet {place}")
        town.enrol("mallory", wallet, expiry=town.now + 10**6 + place)
        if not place:
            town.vote(number, (wallet, YES))
            continue
        with refused("assembly: voted already"):
            town.assembly.vote(number, YES, sender=wallet.address)
    assert (town.count(number, MEMBERS), town.assembly.member_count()) == ((1, 1, 0), 5)


# Calls that call back ---------------------------------------------------------------------


@pytest.mark.parametrize("what", ["vote", "execute", "queue", "propose_text", "settle_deposit"])
def test_what_is_called_cannot_call_back_into_the_assembly(
    town: Town, borrower: Any, what: str
) -> None:
    calls = [call(borrower, "poke"), call(borrower, "poke")]
    number, other = town.propose_calls(ANNA, *calls), town.propose(ANNA)
    for one in (number, other):
        town.vote(one, *((person, YES) for person in (ANNA, BEN, CARL, DORA) if one == number))
    values = {
        "vote": (other, YES),
        "execute": (number, calls),
        "queue": (other,),
        "propose_text": (0, "from within"),
        "settle_deposit": (number,),
    }[what]
    data = getattr(town.assembly, what).prepare_calldata(*values)
    borrower.arm(town.assembly.address, data)
    town.queue(number)
    town.later(town.proposal(number)["eta"] - town.now)
    town.assembly.execute(number, calls)
    assert (borrower.tries(), borrower.successes()) == (2, 0)
    assert (town.assembly.decision_count(), town.assembly.proposal_count()) == (0, 2)


def test_a_called_contract_does_not_become_the_assembly(town: Town, borrower: Any) -> None:
    """What only a decision changes looks at who calls, and that is the called contract."""
    calls = [call(borrower, "poke")]
    data = town.assembly.set_mission.prepare_calldata(bytes(32))
    borrower.arm(town.assembly.address, data)
    mission = town.assembly.mission()
    number = town.propose_calls(ANNA, *calls)
    town.vote(number, *((person, YES) for person in HEADS if person != CARL))
    town.queue(number)
    town.later(town.proposal(number)["eta"] - town.now)
    town.assembly.execute(number, calls)
    assert (borrower.tries(), borrower.successes(), town.assembly.mission()) == (1, 0, mission)


def test_a_delegate_who_votes_for_ever_holds_nobody_for_ever(town: Town) -> None:
    town.stake.stake(900, sender=MALLORY.address)
    town.stake.delegate(FRIEND.address, sender=MALLORY.address)
    town.vote(town.propose(ANNA), (FRIEND, YES))
    until = town.stake.locked_until(FRIEND.address)
    town.stake.recall(sender=MALLORY.address)
    town.staked(FRIEND, 1)
    while town.now < until:
        town.later(WINDOW)
        town.vote(town.propose(ANNA), (FRIEND, YES))
    town.stake.unbond(900, sender=MALLORY.address)
    assert town.stake.locked_until(FRIEND.address) > town.now
