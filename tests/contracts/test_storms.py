"""Storms: very many calls by anybody, in any order, and what must hold looked at again and again.

The machines beside these hold every answer against a model; a storm has none, so it is five
times as fast, and says only what no order of calls may ever break: votes never exceed the locked
stake, supply equals the sum of balances, rewards never exceed an epoch's pool, minted never
exceeds locked. `make storms` makes a million calls.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from functools import cache
from typing import Any

import boa
import pytest
from assembly_rig import DELAY, NOTHING, UNBONDING, VOTING, WINDOW, Town, member
from bridge_rig import TERMS, Crossing, shown
from emission_rig import ANNA, AUDITOR, BEN, LENGTH, MALLORY, PUBLISHER, RULE, List, Mine
from emission_rig import WINDOW as AUDIT
from fuzzed import attempt
from vault_rig import Person

from allmende.core.tally import MEMBERS, STAKE
from allmende.wire import bridging as b

CALLS = 400_000 if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else 600
LIFE = 1_500
"""Calls from one beginning; then everything is as it was before."""
LOOK = 100
SEED = int(os.environ.get("SEED", "1"))
PEOPLE = tuple(Person(name) for name in ("anna", "ben", "carl", "mallory"))
HEADS = ("m0", "m1", "m2")


class Storm:
    """What may be called, and what must hold."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.ground()

    def ground(self) -> None:
        """What every life begins with is put up before the first one."""
        raise NotImplementedError

    def begin(self) -> None:
        """A new life, from the same beginning."""
        raise NotImplementedError

    def acts(self) -> list[Callable[[], object]]:
        raise NotImplementedError

    def holds(self) -> None:
        raise NotImplementedError


def blow(storm: Storm, calls: int) -> None:
    """So many calls, in lives of their own. AssertionError says what did not hold."""
    for _ in range(0, calls, LIFE):
        with boa.env.anchor():
            storm.begin()
            acts = storm.acts()
            for number in range(min(LIFE, calls)):
                storm.chance.choice(acts)()
                if number % LOOK == 0:
                    storm.holds()
            storm.holds()


# Stake and votes ---------------------------------------------------------------------------


@cache
def town() -> Town:
    built = Town()
    for person in PEOPLE:
        built.give(person, 150, 10_000)
    return built


class Votes(Storm):
    def ground(self) -> None:
        self.town = town()
        self.stake, self.assembly = self.town.stake, self.town.assembly

    def begin(self) -> None:
        self.count = 0
        self.until = self.town.now + 10**8
        for who, head in zip(PEOPLE, HEADS, strict=False):
            self.by(self.stake.stake, 50, who=who)
            self.enrol(head, who)

    def by(self, method: Any, *args: Any, who: Person | None = None) -> bool:
        return attempt(method, *args, sender=(who or self.who()).address)

    def who(self) -> Person:
        return self.chance.choice(PEOPLE)

    def number(self) -> int:
        """Mostly one of the newest proposals."""
        return max(1, self.count - self.chance.randrange(4))

    def amount(self) -> int:
        return self.chance.choice((0, 1, 7, 30, 100, 151))

    def enrol(self, head: str, who: Person) -> None:
        self.until += self.chance.randrange(2)
        signature = self.town.credential(head, who, self.until)
        self.by(self.assembly.enrol, member(head), self.until, signature, who=who)

    def propose(self) -> None:
        name, setting = self.chance.choice(
            (("hold_seconds", 60), ("operator_fee_ppm", 40_000), ("levy_ppm", 5), ("none", 1))
        )
        self.count += self.by(self.assembly.propose_parameter, name, setting, 0, "why not")

    def vote(self) -> None:
        self.by(self.assembly.vote, self.number(), self.chance.randrange(4))

    def wait(self) -> None:
        self.town.later(self.chance.choice((1, UNBONDING, VOTING // 2, VOTING, DELAY, WINDOW)))

    def acts(self) -> list[Callable[[], object]]:
        stake, its, roll = self.stake, self.assembly, self.chance
        return [
            *[self.vote] * 4,
            self.propose,
            self.wait,
            lambda: self.by(stake.stake, self.amount()),
            lambda: self.by(stake.unbond, self.amount()),
            lambda: self.by(stake.withdraw),
            lambda: self.by(stake.delegate, self.who().address),
            lambda: self.by(stake.recall),
            lambda: self.by(stake.fund, self.amount()),
            lambda: self.by(stake.claim),
            lambda: self.by(stake.lock, self.who().address, self.town.now + 99),
            lambda: self.by(self.town.share.transfer, self.who().address, self.amount()),
            lambda: self.by(its.cancel, self.number()),
            lambda: self.by(its.queue, self.number()),
            lambda: self.by(its.execute, self.number(), NOTHING),
            lambda: self.by(its.settle_deposit, self.number()),
            lambda: self.by(its.strike, member(roll.choice(HEADS))),
            lambda: self.enrol(roll.choice(HEADS), self.who()),
        ]

    def holds(self) -> None:
        self.town.sums(PEOPLE)
        share, staked = self.town.share, self.stake.staked()
        holders = [*(one.address for one in PEOPLE), self.stake.address]
        assert share.totalSupply() == sum(map(share.balanceOf, holders))
        assert self.assembly.proposal_count() == self.count
        for number in range(max(1, self.count - 3), self.count + 1):
            proposal = self.town.proposal(number)
            turnout, yes, no = self.assembly.counts(number, STAKE)
            assert yes + no <= turnout
            assert self.town.now >= proposal["eta"] or turnout <= staked
            assert self.assembly.counts(number, MEMBERS)[0] <= len(HEADS)


# Rewards -----------------------------------------------------------------------------------


@cache
def mine() -> Mine:
    return Mine()


class Rewards(Storm):
    def ground(self) -> None:
        self.mine = mine()

    def begin(self) -> None:
        self.lists: list[tuple[int, List]] = []
        self.mine.end(1)

    def epoch(self) -> int:
        return max(0, boa.env.evm.patch.timestamp // LENGTH - self.chance.randrange(4))

    def publish(self) -> None:
        epoch, emission = self.epoch(), self.mine.emission
        amounts = {who: self.chance.randrange(1, 500) for who in (ANNA, BEN)}
        made = List(amounts)
        by = self.chance.choice((PUBLISHER, PUBLISHER, PUBLISHER, MALLORY))
        total = made.total - self.chance.choice((0, 0, 0, 1, -1))
        if attempt(emission.publish, epoch, made.root, total, RULE, sender=by.address):
            self.lists.append((epoch, made))

    def claim(self) -> None:
        if not self.lists:
            return
        epoch, made = self.chance.choice(self.lists[-4:])
        place, account, amount, proof = made.line(self.chance.choice((ANNA, BEN)))
        amount += self.chance.choice((0, 0, 0, 1))
        epoch += self.chance.choice((0, 0, 0, 0, 1))
        line = (epoch, place, account, amount, proof)
        attempt(self.mine.emission.claim, *line, sender=MALLORY.address)

    def void(self) -> None:
        by = self.chance.choice((AUDITOR, MALLORY))
        attempt(self.mine.emission.void, self.epoch(), "", sender=by.address)

    def mint(self) -> None:
        by = self.chance.choice((MALLORY, PUBLISHER))
        attempt(self.mine.share.mint, MALLORY.address, 1, sender=by.address)

    def wait(self) -> None:
        self.mine.later(self.chance.choice((1, AUDIT - 1, AUDIT, LENGTH)))

    def acts(self) -> list[Callable[[], object]]:
        return [*[self.claim] * 5, *[self.publish] * 2, self.void, self.mint, *[self.wait] * 2]

    def holds(self) -> None:
        emission, share = self.mine.emission, self.mine.share
        for epoch in {epoch for epoch, _ in self.lists[-6:]}:
            _, total, _, _, claimed = emission.epochs(epoch)
            assert claimed <= total <= emission.pool_of(epoch)
        held = sum(share.balanceOf(one.address) for one in (ANNA, BEN, MALLORY, PUBLISHER))
        assert emission.minted() == share.totalSupply() == held


# The bridge --------------------------------------------------------------------------------


@cache
def crossing() -> Crossing:
    made = Crossing()
    for person in PEOPLE:
        made.give(person, 1_000)
    return made


class Bridged(Storm):
    def ground(self) -> None:
        self.there = crossing()
        self.sides = (self.there.home, self.there.away)

    def begin(self) -> None:
        self.left: list[tuple[Any, b.Transfer]] = []

    def depart(self) -> None:
        side, who = self.chance.choice(self.sides), self.chance.choice(PEOPLE)
        amount = self.chance.choice((0, 1, 40, 100, 101))
        deadline = boa.env.evm.patch.timestamp + TERMS["validity"]
        if attempt(side.depart, who.address, amount, sender=who.address):
            nonce = int(side.departure_count())
            self.left.append((side, b.Transfer(nonce, who.bytes, who.bytes, amount, deadline)))

    def signed(self, digest: bytes) -> list[bytes]:
        """By enough of them, or by too few, or by one twice."""
        good = self.there.validators.sign(digest)
        return self.chance.choice((good, good, good, good[:1], [good[0], good[0]]))

    def one(self) -> tuple[Any, b.Transfer] | None:
        return self.chance.choice(self.left[-8:]) if self.left else None

    def arrive(self) -> None:
        """Validators sign whatever left; the contract sees to it that it is paid once."""
        if found := self.one():
            side, transfer = found
            more = self.chance.choice((0, 0, 0, 1))
            said = shown(transfer._replace(amount=transfer.amount + more))
            signatures = self.signed(self.there.arrival(side, transfer))
            attempt(self.there.other(side).arrive, said, signatures, sender=PEOPLE[3].address)

    def refund(self) -> None:
        """They sign a return only when it can no longer be paid there, and was not."""
        if found := self.one():
            side, transfer = found
            late = boa.env.evm.patch.timestamp > transfer.deadline
            if late and not self.there.other(side).arrived(transfer.nonce):
                signatures = self.signed(self.there.refund(side, transfer))
                attempt(side.refund, shown(transfer), signatures, sender=PEOPLE[3].address)

    def pause(self) -> None:
        side = self.chance.choice(self.sides)
        by = self.chance.choice((self.there.guardian, PEOPLE[3], PEOPLE[3]))
        attempt(side.pause, sender=by.address)

    def mint(self) -> None:
        attempt(self.there.credit.mint, PEOPLE[3].address, 1, sender=PEOPLE[3].address)

    def wait(self) -> None:
        self.there.later(self.chance.choice((1, 3_600, 14_400, 86_400, TERMS["validity"] + 1)))

    def acts(self) -> list[Callable[[], object]]:
        moving = [*[self.depart] * 4, *[self.arrive] * 5, *[self.refund] * 2]
        return [*moving, self.pause, self.mint, self.wait]

    def holds(self) -> None:
        locked, minted = self.there.state()
        assert minted <= locked
        assert self.there.credit.totalSupply() == minted
        assert self.there.token.balanceOf(self.there.home.address) == locked


@pytest.mark.parametrize("storm", [Votes, Rewards, Bridged], ids=lambda kind: kind.__name__)
def test_whatever_is_called_in_whatever_order_it_holds(storm: type[Storm]) -> None:
    blow(storm(random.Random(SEED)), CALLS)
