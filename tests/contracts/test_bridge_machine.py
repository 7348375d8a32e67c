"""The bridge under any order of calls: minted never exceeds locked, and nothing is lost.

Validators are honest, and sign as often as anybody asks; whoever carries their words drops,
repeats and changes them. A model of a few lines says of each call whether it must be accepted.
Every run ends with everything that was on its way paid or returned.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import boa
from bridge_rig import PER_DAY, PER_TRANSFER, TERMS, Crossing, shown
from fuzzed import attempt
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from vault_rig import Person

from allmende.wire.bridging import Transfer

PEOPLE = tuple(Person(name) for name in ("anna", "ben", "mallory"))
WHO = st.sampled_from(PEOPLE)
WAY = st.booleans()
"""True is from home to away."""
AMOUNT = st.one_of(st.integers(1, PER_TRANSFER), st.sampled_from((1, PER_TRANSFER, 101)))
WAIT = st.one_of(st.integers(0, 20_000), st.just(TERMS["validity"] + 1))
START = 400
SPAN, SPANS, DAY = 14_400, 7, 86_400


class Flying(NamedTuple):
    """What left and was neither paid nor returned. `way` as above."""

    way: bool
    transfer: Transfer


@cache
def crossing() -> Crossing:
    made = Crossing()
    for person in PEOPLE:
        made.give(person, START)
    return made


class Bridging(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.bridge = crossing()
        self.anchor = boa.env.anchor()
        self.anchor.__enter__()
        self.sides = {True: self.bridge.home, False: self.bridge.away}
        self.purse = {(way, who.name): START * way for way in (True, False) for who in PEOPLE}
        self.locked = self.minted = 0
        self.flying: list[Flying] = []
        self.done: list[Flying] = []
        self.returned: list[Flying] = []
        self.moved: dict[tuple[bool, bool], list[tuple[int, int]]] = {}
        self.paused = {True: 0, False: 0}
        self.pausable = {True: 0, False: 0}

    # The model --------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        return int(boa.env.evm.patch.timestamp)

    def fits(self, side: bool, inwards: bool, amount: int) -> bool:
        past = self.moved.get((side, inwards), [])
        recent = sum(a for at, a in past if at // SPAN > self.now // SPAN - SPANS)
        return recent + amount <= PER_DAY

    def count(self, side: bool, inwards: bool, amount: int) -> None:
        self.moved.setdefault((side, inwards), []).append((self.now, amount))

    def open(self, side: bool) -> bool:
        return self.now >= self.paused[side]

    def hold(self, side: bool, more: int) -> None:
        """What is locked at home, or minted away."""
        self.locked += more * side
        self.minted += more * (not side)

    # What people do ---------------------------------------------------------------------------

    @rule(way=WAY, who=WHO, to=WHO, amount=AMOUNT)
    def depart(self, way: bool, who: Person, to: Person, amount: int) -> None:
        side = self.sides[way]
        may = self.open(way) and amount <= PER_TRANSFER and self.fits(way, False, amount)
        may = may and amount <= self.purse[way, who.name]
        assert attempt(side.depart, to.address, amount, sender=who.address) == may
        if may:
            nonce, deadline = side.departure_count(), self.now + TERMS["validity"]
            transfer = Transfer(nonce, who.bytes, to.bytes, amount, deadline)
            self.flying.append(Flying(way, transfer))
            self.purse[way, who.name] -= amount
            self.hold(way, amount if way else -amount)
            self.count(way, False, amount)

    @precondition(lambda self: self.flying or self.done)
    @rule(pick=st.integers(0, 9), by=WHO, count=st.sampled_from((0, 1, 2, 2, 2, 2, 3)))
    def arrive(self, pick: int, by: Person, count: int) -> None:
        """Of those on their way or, as a repetition, of those that are done."""
        chosen = [*self.flying, *self.done[-2:]]
        one = chosen[pick % len(chosen)]
        target, amount = not one.way, one.transfer.amount
        may = one in self.flying and self.now <= one.transfer.deadline and count >= 2
        may = may and self.open(target) and self.fits(target, True, amount)
        signed = self.sign(self.bridge.arrival(self.sides[one.way], one.transfer), count)
        call = (self.sides[target].arrive, shown(one.transfer), signed)
        assert attempt(*call, sender=by.address) == may
        if may:
            self.hold(target, -amount if target else amount)
            self.paid(one, target, one.transfer.to)

    @precondition(lambda self: self.flying or self.returned)
    @rule(pick=st.integers(0, 9), by=WHO, count=st.sampled_from((1, 2, 2, 3)))
    def come_back(self, pick: int, by: Person, count: int) -> None:
        """Honest validators sign it only of what expired and was not paid, or once more."""
        chosen = [*self.flying, *self.returned[-1:]]
        one = chosen[pick % len(chosen)]
        amount = one.transfer.amount
        void = self.now > one.transfer.deadline
        may = void and count >= 2 and self.open(one.way) and self.fits(one.way, True, amount)
        may = may and one in self.flying
        digest = self.bridge.refund(self.sides[one.way], one.transfer)
        signed = self.sign(digest, count) if void else []
        call = (self.sides[one.way].refund, shown(one.transfer), signed)
        assert attempt(*call, sender=by.address) == may
        if may:
            self.hold(one.way, -amount if one.way else amount)
            self.paid(one, one.way, one.transfer.sender)
            self.returned.append(one)

    def paid(self, one: Flying, side: bool, to: bytes) -> None:
        name = next(person.name for person in PEOPLE if person.bytes == to)
        self.purse[side, name] += one.transfer.amount
        self.count(side, True, one.transfer.amount)
        self.flying.remove(one)
        self.done.append(one)

    def sign(self, digest: bytes, count: int) -> list[bytes]:
        return self.bridge.validators.sign(digest, count)

    @rule(side=WAY)
    def pause(self, side: bool) -> None:
        may = self.now >= self.pausable[side]
        guardian = self.bridge.guardian.address
        assert attempt(self.sides[side].pause, sender=guardian) == may
        if may:
            self.paused[side] = self.now + TERMS["pause_max"]
            self.pausable[side] = self.paused[side] + TERMS["pause_gap"]

    @rule(seconds=WAIT)
    def wait(self, seconds: int) -> None:
        self.bridge.later(seconds)

    # What anybody tries -----------------------------------------------------------------------

    @precondition(lambda self: self.flying or self.done)
    @rule(pick=st.integers(0, 9), thief=WHO, more=st.integers(1, 50), data=st.data())
    def try_anything(self, pick: int, thief: Person, more: int, data: Any) -> None:
        """None of it is accepted, whoever asks."""
        chosen = [*self.flying, *self.done[-2:]]
        one = chosen[pick % len(chosen)]
        source, target = self.sides[one.way], self.sides[not one.way]
        real = self.sign(self.bridge.arrival(source, one.transfer), 2)
        richer = one.transfer._replace(amount=one.transfer.amount + more)
        mine = one.transfer._replace(to=thief.bytes, nonce=one.transfer.nonce + more)
        own = [thief.sign(self.bridge.arrival(source, mine))]
        calls = (
            (target.arrive, shown(richer), real),
            (target.arrive, shown(mine), real),
            (target.arrive, shown(mine), own),
            (target.arrive, shown(one.transfer), [real[0], real[0]]),
            (target.arrive, shown(one.transfer), real[::-1]),
            (source.arrive, shown(one.transfer), real),
            (source.refund, shown(one.transfer), real),
            (source.propose, self.bridge.validators.rules(per_day=10**9)),
            (source.change, self.bridge.validators.rules(per_day=10**9)),
            (source.link, 1, thief.address),
            (source.pause,),
            (self.bridge.credit.mint, thief.address, more),
        )
        method, *args = data.draw(st.sampled_from(calls))
        assert not attempt(method, *args, sender=thief.address)

    # What always holds ------------------------------------------------------------------------

    @invariant()
    def minted_never_exceeds_locked(self) -> None:
        if not hasattr(self, "bridge"):
            return
        locked, minted = self.bridge.state()
        assert (locked, minted) == (self.locked, self.minted)
        assert locked == minted + sum(one.transfer.amount for one in self.flying)
        assert self.bridge.token.balanceOf(self.bridge.home.address) == locked
        assert self.bridge.credit.totalSupply() == minted

    def teardown(self) -> None:
        if not hasattr(self, "bridge"):
            return
        try:
            self.everything_ends()
        finally:
            self.anchor.__exit__(None, None, None)

    def everything_ends(self) -> None:
        """A day after another, what is left comes back; and no day was over its limit."""
        self.bridge.later(TERMS["validity"] + TERMS["pause_max"] + 1)
        while self.flying:
            self.bridge.later(2 * DAY)
            for _ in range(2):
                if self.flying:
                    self.come_back(0, PEOPLE[0], 2)
        self.minted_never_exceeds_locked()
        assert self.locked == self.minted
        for who in PEOPLE:
            both = (self.purse[True, who.name], self.purse[False, who.name])
            assert self.bridge.balances(who) == both
        for past in self.moved.values():
            for start, _ in past:
                assert sum(a for at, a in past if start <= at < start + DAY) <= PER_DAY


TestBridging = Bridging.TestCase
TestBridging.settings = settings(
    max_examples=settings.default.max_examples // 6,
    stateful_step_count=25,
    # a step takes tens of milliseconds: to shrink a failure takes longer than to read it
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
