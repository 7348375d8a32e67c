"""The assembly: who proposes what, who votes in which chamber, what passes, when it is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boa
import pytest
from assembly_rig import (
    ABSTAIN,
    DELAY,
    DEPOSIT,
    MISSION,
    MONEY,
    NO,
    NOTHING,
    ORDINARY,
    VOTING,
    WINDOW,
    YES,
    Town,
    call,
    member,
)
from eth_hash.auto import keccak
from msgspec import structs
from vault_rig import Person, deploy, refused

from allmende.core.parameters import PARAMETERS, outside
from allmende.core.tally import MEMBERS, STAKE

ANNA, BEN, CARL, DORA, WHALE = (Person(n) for n in ("anna", "ben", "carl", "dora", "the whale"))
PEOPLE = (ANNA, BEN, CARL, DORA, WHALE)


@pytest.fixture(scope="module")
def built() -> Iterator[Town]:
    """Anna has 30, Ben 10, the whale 60; Anna, Ben, Carl and Dora are members."""
    with boa.env.anchor():
        town = Town()
        for person, shares in ((ANNA, 30), (BEN, 10), (WHALE, 60), (CARL, 0), (DORA, 0)):
            town.staked(person, shares)
        for person in (ANNA, BEN, CARL, DORA):
            town.enrol(person.name, person)
        yield town


@pytest.fixture
def town(built: Town) -> Iterator[Town]:
    with boa.env.anchor():
        yield built
        built.sums((*PEOPLE, Person("somebody")))


# Proposing --------------------------------------------------------------------------------


def test_out_of_bounds_is_refused_in_the_desks_own_words(town: Town) -> None:
    for name, rule in PARAMETERS.items():
        assert town.assembly.rules(name)[2:] == (rule.least, rule.most)
        with refused(outside(name, rule.most + 1)):
            town.propose(ANNA, name, rule.most + 1)
    with refused(outside("hold_seconds", 9)):
        town.propose(ANNA, "hold_seconds", 9)
    with refused("assembly: no such parameter"):
        town.propose(ANNA, "no_such_rule", 1)


def test_proposing_takes_stake_or_a_credential_and_a_deposit(town: Town) -> None:
    poor = town.staked(Person("somebody"), 4)
    with refused("assembly: too little stake to propose"):
        town.propose(poor)
    number = town.propose(CARL)  # a member without any
    assert town.credit.balanceOf(CARL.address) == 100 - DEPOSIT
    with refused("assembly: nothing"):
        town.assembly.propose_calls(NOTHING, "", sender=ANNA.address)
    with refused("assembly: nothing"):
        town.assembly.propose_grant("ada", 0, "", sender=ANNA.address)
    with refused("assembly: no contract"):
        town.assembly.propose_calls([(ANNA.address, b"")], "", sender=ANNA.address)
    with refused("assembly: too far ahead"):
        far = town.now + 3_651 * 86_400
        town.assembly.propose_parameter("levy_ppm", 5, far, "", sender=ANNA.address)
    with refused("assembly: no such class"):
        town.assembly.propose_text(3, "words", sender=ANNA.address)
    with refused("erc20: insufficient allowance"):
        town.credit.approve(town.assembly.address, 0, sender=ANNA.address)
        town.propose(ANNA)
    assert town.assembly.proposal_count() == number == 1


def test_a_deposit_returns_if_somebody_came_and_goes_to_the_commons_if_nobody_did(
    town: Town,
) -> None:
    ignored, noticed, taken_back = town.propose(ANNA), town.propose(BEN), town.propose(CARL)
    town.vote(noticed, (WHALE, NO))
    with refused("assembly: only its proposer"):
        town.assembly.cancel(taken_back, sender=ANNA.address)
    town.assembly.cancel(taken_back, sender=CARL.address)
    with refused("assembly: still open"):
        town.assembly.settle_deposit(noticed)
    town.assembly.settle_deposit(taken_back)
    town.later(VOTING)
    for number in (ignored, noticed):
        town.assembly.settle_deposit(number)
        with refused("assembly: nothing"):
            town.assembly.settle_deposit(number)
    had = [town.credit.balanceOf(p.address) for p in (ANNA, BEN, CARL, town.commons)]
    assert had == [100 - DEPOSIT, 100, 100, DEPOSIT]
    assert town.credit.balanceOf(town.assembly.address) == 0


# Voting -----------------------------------------------------------------------------------


def test_late_duplicate_and_malformed_votes_are_refused(town: Town) -> None:
    number = town.propose(ANNA)
    town.vote(number, (ANNA, YES))
    for choice in (YES, NO):
        with refused("assembly: voted already"):
            town.assembly.vote(number, choice, sender=ANNA.address)
    with refused("assembly: no such choice"):
        town.assembly.vote(number, 3, sender=BEN.address)
    with refused("assembly: no such proposal"):
        town.assembly.vote(number + 1, YES, sender=BEN.address)
    with refused("assembly: no vote here"):  # a member without stake, stake decides
        town.assembly.vote(number, YES, sender=CARL.address)
    town.later(VOTING - 1)
    town.vote(number, (BEN, NO))
    town.later(1)
    with refused("assembly: voting is over"):
        town.assembly.vote(number, YES, sender=WHALE.address)
    assert town.count(number, STAKE) == (40, 30, 10)


def test_what_was_cancelled_takes_no_vote(town: Town) -> None:
    number = town.propose(ANNA)
    town.assembly.cancel(number, sender=ANNA.address)
    with refused("assembly: voting is over"):
        town.assembly.vote(number, YES, sender=BEN.address)
    town.later(VOTING)
    with refused("assembly: did not pass"):
        town.assembly.queue(number)
    assert town.status(number) == "cancelled"


def test_a_vote_locks_the_stake_to_the_proposals_end(town: Town) -> None:
    number = town.propose(ANNA)
    town.vote(number, (ANNA, YES))
    eta = town.proposal(number)["eta"]
    assert town.stake.locked_until(ANNA.address) == eta
    town.later(eta - town.now - 1)
    with refused("stake: locked by a vote"):
        town.stake.unbond(1, sender=ANNA.address)
    town.later(1)
    town.stake.unbond(1, sender=ANNA.address)


def test_stake_alone_decides_what_is_ordinary(town: Town) -> None:
    number = town.propose(ANNA)
    town.vote(number, (ANNA, YES), (BEN, NO))
    assert town.status(number) == "open"
    town.later(VOTING)
    assert town.status(number) == "passed"
    town.assembly.queue(number)
    with refused("assembly: not yet"):
        town.assembly.execute(number, NOTHING)
    town.later(DELAY)
    town.assembly.execute(number, NOTHING)
    assert town.status(number) == "executed"
    with refused("assembly: not queued, or expired"):
        town.assembly.execute(number, NOTHING)
    with refused("assembly: did not pass"):
        town.assembly.queue(number)


@pytest.mark.parametrize(
    ("votes", "passes"),
    [
        ([(BEN, YES)], False),  # 10 of 100 staked, 20 must come
        ([(BEN, YES), (ANNA, ABSTAIN)], True),
        ([(ANNA, YES), (ANNA, YES)][:1], True),
        ([(ANNA, NO), (BEN, YES)], False),
        ([(ANNA, ABSTAIN)], False),
        ([], False),
    ],
)
def test_quorum_and_threshold_by_stake(
    town: Town, votes: list[tuple[Person, int]], passes: bool
) -> None:
    number = town.propose(ANNA)
    town.vote(number, *votes)
    town.later(VOTING)
    assert town.status(number) == ("passed" if passes else "defeated")


def test_money_needs_both_chambers(town: Town) -> None:
    name = "operator_fee_ppm"
    for votes, passes in (
        ([(WHALE, YES)], False),  # no head came
        ([(WHALE, YES), (CARL, YES), (DORA, YES)], True),
        ([(WHALE, YES), (CARL, NO), (DORA, NO)], False),
        ([(CARL, YES), (DORA, YES)], False),  # no stake came
    ):
        with boa.env.anchor():
            number = town.propose(ANNA, name, 40_000)
            assert town.proposal(number)["rank"] == MONEY
            town.vote(number, *votes)
            town.later(VOTING)
            assert town.status(number) == ("passed" if passes else "defeated"), votes


def test_grants_are_money_and_texts_bind_nobody(town: Town) -> None:
    town.assembly.propose_grant("ada", 5 * 10**12, "for data", sender=ANNA.address)
    assert town.proposal(1)["rank"] == MONEY
    town.assembly.propose_text(ORDINARY, "we like bread", sender=ANNA.address)
    town.vote(2, (WHALE, YES))
    town.pass_(2)
    assert town.assembly.decision_count() == 0


def test_decisions_are_numbered_in_the_order_of_their_execution(town: Town) -> None:
    later = town.now + 10**6
    town.assembly.propose_parameter("hold_seconds", 60, later, "", sender=ANNA.address)
    second = town.propose(ANNA, "hold_seconds", 90)
    for number in (1, second):
        town.vote(number, (WHALE, YES))
    town.pass_(second)
    decided = [log for log in town.assembly.get_logs() if type(log).__name__ == "Decided"]
    town.assembly.queue(1)
    town.assembly.execute(1, NOTHING)
    decided += [log for log in town.assembly.get_logs() if type(log).__name__ == "Decided"]
    told = [(d.number, d.proposal, d.name, d.value, d.effective) for d in decided]
    assert told == [
        (1, second, b"hold_seconds", 90, decided[0].effective),
        (2, 1, b"hold_seconds", 60, later),
    ]
    assert decided[0].effective <= town.now


# Members ----------------------------------------------------------------------------------


def test_a_member_changes_wallets_and_counts_once(town: Town) -> None:
    number = town.propose(ANNA, "operator_fee_ppm", 40_000)
    town.vote(number, (CARL, YES))
    other = Person("carl's new phone")
    town.enrol("carl", other, expiry=town.now + 10**6 + 1)
    for wallet, why in ((CARL, "no vote here"), (other, "voted already")):
        with refused(f"assembly: {why}"):
            town.assembly.vote(number, YES, sender=wallet.address)
    assert town.count(number, MEMBERS) == (1, 1, 0)
    assert town.assembly.member_count() == 4


def test_a_credential_that_was_replaced_struck_or_has_expired_gives_no_vote(town: Town) -> None:
    until = town.now + 10**6
    old = town.credential("carl", CARL, until)
    new = Person("carl's new phone")
    town.enrol("carl", new, expiry=until + 1)
    with refused("assembly: credential replaced"):
        town.assembly.enrol(member("carl"), until, old, sender=CARL.address)
    again = town.credential("carl", new, until + 1)
    with refused("access_control"):
        town.assembly.strike(member("carl"), sender=ANNA.address)
    town.assembly.strike(member("carl"), sender=town.registrar.address)
    with refused("assembly: credential replaced"):
        town.assembly.enrol(member("carl"), until + 1, again, sender=new.address)
    with refused("assembly: no member"):
        town.assembly.strike(member("carl"), sender=town.registrar.address)
    assert town.assembly.member_count() == 3
    town.later(10**6 + 10)
    number = town.propose(WHALE, "operator_fee_ppm", 40_000)
    with refused("assembly: no vote here"):
        town.assembly.vote(number, YES, sender=DORA.address)
    town.assembly.strike(member("dora"), sender=ANNA.address)  # anybody, once it has expired
    with refused("assembly: credential expired"):
        town.enrol("dora", DORA, expiry=town.now)


def test_a_wallet_is_one_members(town: Town) -> None:
    with refused("assembly: wallet of another member"):
        town.enrol("erna", CARL)
    with refused("assembly: no member"):
        town.assembly.enrol(bytes(32), town.now + 9, bytes(65), sender=WHALE.address)


# The mission, and what only a decision changes --------------------------------------------


def test_the_mission_takes_both_chambers_two_thirds_and_its_delay(town: Town) -> None:
    text = keccak(b"another mission")
    calls = [call(town.assembly, "set_mission", text)]
    with refused("assembly: only by a decision"):
        town.assembly.set_mission(text, sender=ANNA.address)
    number = town.propose_calls(ANNA, *calls)
    assert town.proposal(number)["rank"] == MISSION
    town.vote(number, (WHALE, YES), (ANNA, NO), (CARL, YES), (DORA, YES), (BEN, YES))
    town.later(VOTING)
    assert town.status(number) == "passed"  # 70 of 100 staked, 3 of 4 heads
    town.assembly.queue(number)
    town.later(DELAY)
    with refused("assembly: not yet"):
        town.assembly.execute(number, calls)
    town.later(town.proposal(number)["eta"] - town.now)
    with refused("assembly: other calls"):
        town.assembly.execute(number, [call(town.assembly, "set_mission", bytes(32))])
    with refused("assembly: other calls"):
        town.assembly.execute(number, NOTHING)
    town.assembly.execute(number, calls)
    assert town.assembly.mission() == text


def carried(town: Town, *calls: tuple[str, bytes]) -> int:
    """Calls that everybody wants."""
    number = town.propose_calls(ANNA, *calls)
    town.vote(number, *((person, YES) for person in (WHALE, ANNA, BEN, CARL, DORA)))
    town.queue(number)
    town.later(town.proposal(number)["eta"] - town.now)
    return number


def test_the_missions_terms_never_get_softer_than_they_must_be(town: Town) -> None:
    mission = town.classes["mission"]
    for change, why in (
        ({"delay": mission.delay - 1}, "the mission takes longer"),
        ({"chambers": STAKE}, "the mission needs more"),
        ({"threshold_ppm": 600_000}, "the mission needs more"),
        ({"members_least": 0}, "the mission needs more"),
        ({"chambers": 0}, "no such chamber"),
        ({"member_quorum_ppm": 1_000_001}, "no such quorum"),
        ({"threshold_ppm": 1_000_000}, "no such threshold"),
        ({"voting": 0}, "no time"),
        ({"delay": 366 * 86_400}, "too long"),
    ):
        with boa.env.anchor():
            soft = structs.astuple(structs.replace(mission, **change))
            calls = [call(town.assembly, "set_class", MISSION, soft)]
            number = carried(town, *calls)
            with refused(f"assembly: {why}"):
                town.assembly.execute(number, calls)
            assert town.status(number) == "queued"  # and nothing has happened


def test_decisions_change_classes_rules_and_what_calls_are_of(town: Town) -> None:
    longer = structs.astuple(structs.replace(town.classes["ordinary"], voting=77))
    share = town.share.address
    selector = town.share.grantRole.prepare_calldata(bytes(32), ANNA.address)[:4]
    calls = [
        call(town.assembly, "set_class", ORDINARY, longer),
        call(town.assembly, "set_rule", ("new_rule", "s", ORDINARY, 1, 5)),
        call(town.assembly, "set_call_class", share, selector, MONEY),
    ]
    before = town.propose(ANNA)
    number = carried(town, *calls)
    town.assembly.execute(number, calls)
    assert town.assembly.classes(ORDINARY)[7] == 77
    assert town.proposal(before)["ends"] - town.proposal(before)["opened"] == VOTING
    assert town.proposal(town.propose(ANNA, "new_rule", 5))["rank"] == ORDINARY
    grant = call(town.share, "grantRole", bytes(32), ANNA.address)
    assert town.proposal(town.propose_calls(ANNA, grant))["rank"] == MONEY
    both = town.propose_calls(ANNA, grant, call(town.share, "approve", ANNA.address, 1))
    assert town.proposal(both)["rank"] == MISSION  # the hardest of them


def test_what_calls_to_the_assembly_and_the_stake_are_of_cannot_be_lowered(town: Town) -> None:
    for contract in (town.assembly, town.stake):
        with boa.env.anchor():
            calls = [call(town.assembly, "set_call_class", contract.address, b"\1\2\3\4", 0)]
            number = carried(town, *calls)
            with refused("assembly: of the mission"):
                town.assembly.execute(number, calls)


def test_after_the_hand_over_only_the_assembly_grants_roles(town: Town) -> None:
    for contract in (town.stake, town.assembly):
        with refused("access_control"):
            contract.grantRole(keccak(b"LOCKER"), ANNA.address, sender=town.admin.address)
    calls = [call(town.assembly, "grantRole", keccak(b"REGISTRAR"), BEN.address)]
    number = carried(town, *calls)
    town.assembly.execute(number, calls)
    assert town.assembly.hasRole(keccak(b"REGISTRAR"), BEN.address)


# Reverting calls --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def target(built: Town) -> object:
    sources = Path(__file__).parent / "tokens"
    addresses = (built.share.address, built.stake.address, built.assembly.address)
    return deploy("Borrower", *addresses, sources=sources)


def test_a_call_that_reverts_undoes_all_and_leaves_it_queued_until_it_expires(
    town: Town, target: object
) -> None:
    calls = [
        call(town.assembly, "set_mission", bytes(32)),
        call(target, "revert_now"),  # type: ignore[arg-type]
    ]
    number = carried(town, *calls)
    mission = town.assembly.mission()
    for _ in range(2):
        with refused("borrower: no"):
            town.assembly.execute(number, calls)
        assert (town.status(number), town.assembly.mission()) == ("queued", mission)
    town.later(WINDOW)
    assert town.status(number) == "expired"
    with refused("assembly: not queued, or expired"):
        town.assembly.execute(number, calls)
    town.assembly.settle_deposit(number)
    assert town.credit.balanceOf(ANNA.address) == 100


def test_what_passed_and_nobody_queued_expires(town: Town) -> None:
    number = town.propose(ANNA)
    town.vote(number, (WHALE, YES))
    town.later(VOTING + DELAY + WINDOW - 1)
    assert town.status(number) == "passed"
    town.later(1)
    assert town.status(number) == "expired"
    with refused("assembly: did not pass"):
        town.assembly.queue(number)


# Square roots -----------------------------------------------------------------------------


def test_with_square_roots_many_small_outweigh_one_large() -> None:
    with boa.env.anchor():
        from assembly_rig import CLASSES

        roots = structs.replace(CLASSES["ordinary"], quadratic=True)
        town = Town({"ordinary": roots})
        for person, shares in ((WHALE, 100), (ANNA, 36), (BEN, 25), (CARL, 49)):
            town.staked(person, shares)
        for person in (WHALE, ANNA, BEN):
            town.enrol(person.name, person)
        number = town.propose(ANNA)
        town.vote(number, (WHALE, NO), (ANNA, YES), (BEN, YES))
        with refused("assembly: no vote here"):  # without a credential
            town.assembly.vote(number, YES, sender=CARL.address)
        assert town.count(number, STAKE) == (161, 11, 10)
        town.enrol("anna", CARL, expiry=town.now + 10**7)
        with refused("assembly: voted already"):  # her second wallet, other shares
            town.assembly.vote(number, YES, sender=CARL.address)
        town.later(VOTING)
        assert town.status(number) == "passed"
