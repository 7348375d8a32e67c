"""Stake and Assembly under long random runs, beside core/staking and core/tally.

A run is a list of calls by anybody; contract and model accept the same ones. After each run the
stakes are the same, every count is the same, every outcome is the same, and the invariants hold:
votes never exceed the locked stake, heads never exceed the members, rewards never what was funded.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import boa
from assembly_rig import DELAY, NOTHING, STATUS, UNBONDING, VOTING, WINDOW, Town, member
from fuzzed import attempt
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from vault_rig import Person

from allmende.core.staking import Stakes
from allmende.core.tally import MEMBERS, STAKE, Ballot, Electorate, Poll, Terms, status

PEOPLE = tuple(Person(name) for name in ("anna", "ben", "carl", "mallory"))
HEADS = ("m0", "m1", "m2")
WHO = st.integers(0, len(PEOPLE) - 1)
AMOUNT = st.sampled_from((0, 1, 2, 7, 30, 30, 100, 101))
NUMBER = st.integers(1, 4)
SHARES, NAMES = 150, ("hold_seconds", "operator_fee_ppm", "levy_ppm")
RUNS = settings(max_examples=max(6, settings.default.max_examples // 10))
WAITS = st.sampled_from((1, UNBONDING, VOTING // 2, VOTING, DELAY, WINDOW))
CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("stake"), WHO, AMOUNT),
        st.tuples(st.just("stake"), WHO, st.just(30)),
        st.tuples(st.just("delegate"), WHO, WHO),
        st.tuples(st.just("recall"), WHO),
        st.tuples(st.just("unbond"), WHO, AMOUNT),
        st.tuples(st.just("withdraw"), WHO),
        st.tuples(st.just("fund"), WHO, AMOUNT),
        st.tuples(st.just("claim"), WHO),
        st.tuples(st.just("enrol"), WHO, st.sampled_from(HEADS), st.integers(0, 3)),
        st.tuples(st.just("strike"), WHO, st.sampled_from(HEADS)),
        st.tuples(st.just("propose"), WHO, st.sampled_from(NAMES)),
        st.tuples(st.just("vote"), WHO, NUMBER, st.sampled_from((0, 1, 1, 1, 2, 3))),
        st.tuples(st.just("vote"), WHO, st.just(1), st.just(1)),
        st.tuples(st.just("cancel"), WHO, NUMBER),
        st.tuples(st.just("queue"), WHO, NUMBER),
        st.tuples(st.just("execute"), WHO, NUMBER),
        st.tuples(st.just("wait"), WAITS),
    ),
    min_size=15,
    max_size=60,
)
BEGIN = (
    *(("stake", who, amount) for who, amount in ((0, 30), (1, 50), (3, 100))),
    *(("enrol", who, HEADS[who], 0) for who in range(3)),
    ("propose", 0, "operator_fee_ppm"),
)


@cache
def town(quadratic: bool) -> Town:
    from assembly_rig import CLASSES

    made = {n: structs.replace(its, quadratic=quadratic) for n, its in CLASSES.items()}
    built = Town(made)
    for person in PEOPLE:
        built.give(person, SHARES, 10_000)
    return built


class Model:
    """The rule, slowly: the state that the contracts should have."""

    def __init__(self, built: Town) -> None:
        self.town = built
        self.start = built.now
        self.stakes = Stakes(UNBONDING)
        self.polls: list[tuple[Poll, int, str]] = []  # poll, opened, proposer
        self.kept: list[str] = []
        self.roll: dict[str, tuple[str, int]] = {}
        self.ever: dict[str, int] = {}
        self.funded = 0

    @property
    def now(self) -> int:
        return self.town.now

    def head(self, wallet: str) -> str:
        found = (m for m, (w, until) in self.roll.items() if w == wallet and self.now < until)
        return next(found, "")

    def status(self, number: int) -> str:
        poll, opened, _ = self.polls[number - 1]
        return status(poll, self.kept[number - 1], opened, self.now)

    # Each answers whether the contract accepts it ------------------------------------------

    def stake(self, who: str, amount: int) -> bool:
        return amount <= self.town.share.balanceOf(who) and self.stakes.stake(who, amount)

    def delegate(self, who: str, to: int) -> bool:
        return self.stakes.delegate(who, PEOPLE[to].address, self.now)

    def recall(self, who: str) -> bool:
        return self.stakes.recall(who, self.now)

    def unbond(self, who: str, amount: int) -> bool:
        return self.stakes.unbond(who, amount, self.now)

    def withdraw(self, who: str) -> bool:
        return self.stakes.withdraw(who, self.now) > 0

    def fund(self, who: str, amount: int) -> bool:
        return 0 < amount <= self.town.credit.balanceOf(who)

    def claim(self, who: str) -> bool:
        return True

    def enrol(self, who: str, head: str, more: int) -> bool:
        until = self.until(more)
        later = until > self.ever.get(head, 0)
        other = next((m for m, (wallet, _) in self.roll.items() if wallet == who), head)
        if not later or other != head or self.now >= until:
            return False
        self.roll[head], self.ever[head] = (who, until), until
        return True

    def until(self, more: int) -> int:
        return self.start + (10**5 if more < 2 else VOTING) + more

    def strike(self, who: str, head: str) -> bool:
        registrar = self.town.registrar.address
        if head not in self.roll or (self.now < self.roll[head][1] and who != registrar):
            return False
        del self.roll[head]
        return True

    def propose(self, who: str, name: str) -> bool:
        votes = self.stakes.votes.get(who, 0)
        if not (votes >= 5 or self.head(who)) or self.town.credit.balanceOf(who) < 10:
            return False
        rank = ("ordinary", "money", "mission")[NAMES.index(name)]
        electorate = Electorate(self.stakes.staked, len(self.roll))
        self.polls.append((Poll(self.town.classes[rank], electorate), self.now, who))
        self.kept.append("open")
        return True

    def vote(self, who: str, number: int, choice: int) -> bool:
        if not self.takes_votes(number) or choice > 2:
            return False
        poll, opened, _ = self.polls[number - 1]
        votes = self.stakes.votes.get(who, 0)
        counted = poll.cast(Ballot(who, self.head(who), choice, votes))
        if counted & STAKE:
            self.stakes.lock(who, opened + poll.terms.voting + poll.terms.delay)
        return counted != 0

    def takes_votes(self, number: int) -> bool:
        if number > len(self.polls) or self.kept[number - 1] != "open":
            return False
        poll, opened, _ = self.polls[number - 1]
        return self.now < opened + poll.terms.voting

    def cancel(self, who: str, number: int) -> bool:
        if not self.takes_votes(number) or self.polls[number - 1][2] != who:
            return False
        self.kept[number - 1] = "cancelled"
        return True

    def queue(self, _: str, number: int) -> bool:
        if number > len(self.polls) or self.status(number) != "passed":
            return False
        self.kept[number - 1] = "queued"
        return True

    def execute(self, _: str, number: int) -> bool:
        if number > len(self.polls) or self.status(number) != "queued":
            return False
        poll, opened, _proposer = self.polls[number - 1]
        if self.now < opened + poll.terms.voting + poll.terms.delay:
            return False
        self.kept[number - 1] = "executed"
        return True


VALUES = {"hold_seconds": 60, "operator_fee_ppm": 40_000, "levy_ppm": 5}


def on_the_chain(built: Town, model: Model, what: str, who: Person, rest: list[Any]) -> bool:
    stake, assembly, by = built.stake, built.assembly, who.address
    if what in ("stake", "unbond", "fund", "recall", "withdraw", "claim"):
        return attempt(getattr(stake, what), *rest, sender=by)
    if what == "delegate":
        return attempt(stake.delegate, PEOPLE[rest[0]].address, sender=by)
    if what == "enrol":
        until = model.until(rest[1])
        signature = built.credential(rest[0], who, until)
        return attempt(assembly.enrol, member(rest[0]), until, signature, sender=by)
    if what == "strike":
        return attempt(assembly.strike, member(rest[0]), sender=by)
    if what == "propose":
        return attempt(assembly.propose_parameter, rest[0], VALUES[rest[0]], 0, "", sender=by)
    more = (NOTHING,) if what == "execute" else ()
    return attempt(getattr(assembly, what), *rest, *more, sender=by)


def the_same(built: Town, model: Model) -> None:
    stake, stakes = built.stake, model.stakes
    for person in PEOPLE:
        who = person.address
        amount, voter, wakes, leaving, leaves = stake.positions(who)
        its = stakes._of(who)
        voter = "" if int(voter, 16) == 0 else voter
        assert (amount, voter, wakes, leaving, leaves) == tuple(structs.astuple(its))
        assert stake.votes(who) == stakes.votes.get(who, 0)
        assert stake.locked_until(who) == stakes.locked_until.get(who, 0)
    assert (stake.staked(), stake.asleep()) == (stakes.staked, stakes.asleep)
    assert built.assembly.member_count() == len(model.roll)
    executed = 0
    for number, (poll, _, _) in enumerate(model.polls, 1):
        for chamber in (STAKE, MEMBERS):
            assert built.count(number, chamber) == structs.astuple(poll.counts[chamber])
        assert STATUS[built.assembly.status(number)] == model.status(number)
        executed += model.kept[number - 1] == "executed"
    assert built.assembly.decision_count() == executed


def nothing_from_nothing(built: Town, model: Model) -> None:
    """The issue's invariants."""
    built.sums(PEOPLE)
    stake, owed = built.stake, sum(built.stake.earned(p.address) for p in PEOPLE)
    assert stake.paid() + owed <= stake.funded()
    for number, (poll, opened, _) in enumerate(model.polls, 1):
        if model.now < opened + poll.terms.voting + poll.terms.delay:
            assert built.count(number, STAKE)[0] <= stake.staked()
        assert built.count(number, MEMBERS)[0] <= len(HEADS)


def run(built: Town, calls: list[tuple[Any, ...]]) -> None:
    with boa.env.anchor():
        model = Model(built)
        for what, *rest in (*BEGIN, *calls):
            if what == "wait":
                built.later(rest[0])
                continue
            who, values = PEOPLE[rest[0]], rest[1:]
            if what == "strike" and rest[0] == 0:
                who = built.registrar
            before = getattr(model, what)(who.address, *values)
            assert on_the_chain(built, model, what, who, values) == before, (what, rest)
        the_same(built, model)
        nothing_from_nothing(built, model)


@given(CALLS)
@RUNS
def test_stake_and_assembly_are_the_tally(calls: list[tuple[Any, ...]]) -> None:
    run(town(False), calls)


@given(CALLS)
@RUNS
def test_with_square_roots_too(calls: list[tuple[Any, ...]]) -> None:
    run(town(True), calls)


def test_the_models_words_are_the_contracts() -> None:
    terms = town(False).assembly.classes(2)
    assert Terms(*terms) == town(False).classes["mission"]
