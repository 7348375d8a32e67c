"""Tally: what a vote comes to, in plain integers, as Assembly.vy counts it.

Rule: a class says which chambers decide; each of them needs its quorum, and of yes and no more
than the threshold must be yes. Abstentions count for the quorum only.
Invariant: the same ballots give the same outcome here and in the contract, to the unit.
Worked number: of 100 staked 30 vote yes and 10 no; with a quorum of 20 % and a threshold of
one half, 40 >= 20 came and 30 of 40 > 20 of 40 agree: passed.

Whoever recounts needs this module, core/staking and the chain, see docs/assembly.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec import Struct

from allmende.core.units import PPM

STAKE, MEMBERS = 1, 2
"""Chambers, as bits."""
NO, YES, ABSTAIN = 0, 1, 2
CHOICES = {NO: "no", YES: "yes", ABSTAIN: "abstain"}
STATUSES = ("open", "queued", "executed", "cancelled", "passed", "defeated", "expired")
"""As the contract numbers them. The first four are what it keeps, the others follow."""


class Terms(Struct, frozen=True):
    """What a class asks for: the contract's own struct, in its order. Seconds, base units."""

    chambers: int
    quadratic: bool
    stake_quorum_ppm: int
    stake_least: int
    member_quorum_ppm: int
    members_least: int
    threshold_ppm: int
    voting: int
    delay: int
    window: int


class Electorate(Struct, frozen=True):
    """Who could have voted, when it was proposed: base units staked, and heads."""

    staked: int
    members: int


class Ballot(Struct, frozen=True):
    """One vote as it was cast. `member` is "" for whoever votes by stake only."""

    wallet: str
    member: str
    choice: int
    stake: int


class Count(Struct):
    """Of one chamber: who came (base units or heads), and what they weigh."""

    turnout: int = 0
    yes: int = 0
    no: int = 0

    def add(self, choice: int, turnout: int, weight: int) -> None:
        self.turnout += turnout
        self.yes += weight if choice == YES else 0
        self.no += weight if choice == NO else 0


class Poll:
    """One proposal's votes. `cast` says in which chambers a ballot counts: each once."""

    def __init__(self, terms: Terms, electorate: Electorate) -> None:
        self.terms = terms
        self.electorate = electorate
        self.counts = {STAKE: Count(), MEMBERS: Count()}
        self._voted: set[tuple[int, str]] = set()

    def cast(self, ballot: Ballot) -> int:
        """The chambers in which it counts, as bits; 0 if it is no vote, or cast already."""
        terms, counted = self.terms, 0
        assert ballot.choice in CHOICES, f"no such choice: {ballot.choice}"
        if terms.chambers & MEMBERS and ballot.member and self._once(MEMBERS, ballot.member):
            self.counts[MEMBERS].add(ballot.choice, 1, 1)
            counted |= MEMBERS
        may = terms.chambers & STAKE and (ballot.member or not terms.quadratic)
        if may and ballot.stake > 0 and self._first_by_stake(ballot):
            weight = math.isqrt(ballot.stake) if terms.quadratic else ballot.stake
            self.counts[STAKE].add(ballot.choice, ballot.stake, weight)
            counted |= STAKE
        return counted

    def reached(self, chamber: int) -> bool:
        """Whether enough voted, in a chamber that has a say."""
        terms, turnout = self.terms, self.counts[chamber].turnout
        if not terms.chambers & chamber or not turnout:
            return False
        if chamber == STAKE:
            quorum = terms.stake_quorum_ppm * self.electorate.staked
            return turnout * PPM >= quorum and turnout >= terms.stake_least
        quorum = terms.member_quorum_ppm * self.electorate.members
        return turnout * PPM >= quorum and turnout >= terms.members_least

    def agrees(self, chamber: int) -> bool:
        """Whether a chamber says yes; one that has no say does."""
        if not self.terms.chambers & chamber:
            return True
        found = self.counts[chamber]
        enough = found.yes * PPM > self.terms.threshold_ppm * (found.yes + found.no)
        return enough and self.reached(chamber)

    @property
    def passed(self) -> bool:
        return self.agrees(STAKE) and self.agrees(MEMBERS)

    def _first_by_stake(self, ballot: Ballot) -> bool:
        """Square roots are by member: then neither the wallet nor the member votes again."""
        first = self._once(STAKE, ballot.wallet)
        return first and (not self.terms.quadratic or self._once(STAKE, ballot.member))

    def _once(self, chamber: int, who: str) -> bool:
        first = (chamber, who) not in self._voted
        self._voted.add((chamber, who))
        return first


def outcome(terms: Terms, electorate: Electorate, ballots: Iterable[Ballot]) -> Poll:
    """All of them counted, in their order."""
    poll = Poll(terms, electorate)
    for ballot in ballots:
        poll.cast(ballot)
    return poll


def status(poll: Poll, kept: str, opened: int, now: int) -> str:
    """One of STATUSES at second `now`; `kept` is what was done with it, "open" if nothing."""
    terms = poll.terms
    ends = opened + terms.voting
    if kept in ("executed", "cancelled") or now < ends:
        return kept
    if not poll.passed:
        return "defeated"
    if now >= ends + terms.delay + terms.window:
        return "expired"
    return "queued" if kept == "queued" else "passed"
