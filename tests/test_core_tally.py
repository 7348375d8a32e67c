"""The tally and the stakes, by hand: what the contract is held against in tests/contracts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from allmende.core.staking import Stakes
from allmende.core.tally import (
    ABSTAIN,
    MEMBERS,
    NO,
    STAKE,
    YES,
    Ballot,
    Electorate,
    Poll,
    Terms,
    outcome,
    status,
)

BOTH = Terms(3, False, 200_000, 1, 100_000, 2, 500_000, 100, 50, 20)
BY_STAKE = structs.replace(BOTH, chambers=STAKE)


def poll(terms: Terms, *ballots: Ballot, staked: int = 100, members: int = 10) -> Poll:
    return outcome(terms, Electorate(staked, members), ballots)


def test_quorum_and_threshold_of_one_chamber():
    assert poll(BY_STAKE, Ballot("a", "", YES, 30), Ballot("b", "", NO, 10)).passed
    assert not poll(BY_STAKE, Ballot("a", "", YES, 19)).passed  # 20 of 100 must come
    assert poll(BY_STAKE, Ballot("a", "", YES, 11), Ballot("b", "", ABSTAIN, 9)).passed
    assert not poll(BY_STAKE, Ballot("a", "", YES, 20), Ballot("b", "", NO, 20)).passed


def test_both_chambers_must_agree():
    whale, heads = Ballot("w", "", YES, 90), [Ballot(c, c, NO, 1) for c in "abc"]
    found = poll(BOTH, whale, *heads)
    assert (found.agrees(STAKE), found.agrees(MEMBERS), found.passed) == (True, False, False)
    assert poll(BOTH, whale, *(Ballot(c, c, YES, 0) for c in "ab")).passed


def test_a_member_counts_once_whatever_wallet_it_votes_from():
    found = Poll(BOTH, Electorate(100, 10))
    assert found.cast(Ballot("w1", "anna", YES, 5)) == STAKE | MEMBERS
    assert found.cast(Ballot("w2", "anna", YES, 7)) == STAKE  # other shares, the same head
    assert found.cast(Ballot("w2", "anna", YES, 7)) == 0
    assert found.counts[MEMBERS].yes == 1


def test_square_roots_are_by_member_and_need_a_credential():
    terms = structs.replace(BY_STAKE, quadratic=True)
    found = Poll(terms, Electorate(100, 10))
    assert found.cast(Ballot("x", "", YES, 81)) == 0
    assert found.cast(Ballot("w1", "anna", YES, 81)) == STAKE
    assert found.cast(Ballot("w2", "anna", YES, 81)) == 0
    assert (found.counts[STAKE].turnout, found.counts[STAKE].yes) == (81, 9)


def test_what_a_status_follows_from():
    found = poll(BY_STAKE, Ballot("a", "", YES, 30))
    seen = [status(found, "open", 0, now) for now in (0, 99, 100, 169, 170)]
    assert seen == ["open", "open", "passed", "passed", "expired"]
    assert [status(found, "queued", 0, now) for now in (169, 170)] == ["queued", "expired"]
    assert status(poll(BY_STAKE), "open", 0, 100) == "defeated"
    assert status(poll(BY_STAKE), "cancelled", 0, 100) == "cancelled"


def test_who_left_his_stake_to_another_calls_it_back_and_it_does_not_vote_twice():
    stakes = Stakes(10)
    stakes.stake("anna", 30)
    stakes.delegate("anna", "rep", 0)
    stakes.lock("rep", 50)
    assert not stakes.delegate("anna", "anna", 49)
    assert stakes.recall("anna", 20)
    stakes.lock("rep", 500)  # he votes again, with what he has left
    assert (stakes.votes["rep"], stakes.asleep) == (0, 30)
    assert not stakes.unbond("anna", 30, 49)
    assert stakes.unbond("anna", 30, 50)
    assert (stakes.withdraw("anna", 59), stakes.withdraw("anna", 60)) == (0, 30)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.sampled_from(["", "m", "n"]),
            st.integers(0, 2),
            st.integers(0, 50),
        )
    ),
    st.booleans(),
)
def test_turnout_is_never_more_than_each_wallet_once(votes, quadratic):
    terms = structs.replace(BOTH, quadratic=quadratic)
    ballots = [Ballot(*vote) for vote in votes]
    found = outcome(terms, Electorate(200, 2), ballots)
    assert found.counts[MEMBERS].turnout <= 2
    most = {wallet: max(b.stake for b in ballots if b.wallet == wallet) for wallet, *_ in votes}
    assert found.counts[STAKE].turnout <= sum(most.values())
    assert found.counts[STAKE].yes + found.counts[STAKE].no <= found.counts[STAKE].turnout
