"""The emission under any order of calls, beside a model of two dictionaries.

Whoever publishes may lie in every way: over the pool, out of order, too early, a root that says
more than its total. Whatever happens, an epoch gives out no more than its list's total and its
pool, and what was minted is what was claimed.
"""

from __future__ import annotations

from functools import cache

import boa
from emission_rig import (
    ANNA,
    AUDITOR,
    BEN,
    HALVING,
    LENGTH,
    MALLORY,
    POOL,
    PUBLISHER,
    RULE,
    WINDOW,
    List,
    Mine,
)
from fuzzed import attempt
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from vault_rig import Person

WHO = st.sampled_from((ANNA, BEN, MALLORY))
PUBLISHES = st.sampled_from((*(PUBLISHER,) * 6, AUDITOR, MALLORY))
VOIDS = st.sampled_from((AUDITOR, AUDITOR, PUBLISHER, MALLORY))
EPOCH = st.one_of(st.integers(0, 2), st.integers(-1, 6))
PART = st.one_of(st.integers(0, 499), st.integers(0, 1_000))
"""Thousandths of the pool."""
RARELY = st.sampled_from((0, 0, 0, 1))


@cache
def mine() -> Mine:
    return Mine()


class Emitting(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.mine = mine()
        self.anchor = boa.env.anchor()
        self.anchor.__enter__()
        self.emission, self.first = self.mine.emission, self.mine.first
        self.lists: dict[int, tuple[List, int, int]] = {}
        """epoch -> its list, its total as published, from when it is claimed"""
        self.voided: set[int] = set()
        self.paid: dict[int, dict[Person, int]] = {}
        self.last = -1
        self.mine.end(1)

    @property
    def now(self) -> int:
        return int(boa.env.evm.patch.timestamp)

    def pool(self, epoch: int) -> int:
        return 0 if epoch < 0 else POOL // 2 ** (epoch // HALVING)

    @rule(seconds=st.sampled_from((1, WINDOW - 1, WINDOW, LENGTH, 2 * LENGTH)))
    def wait(self, seconds: int) -> None:
        self.mine.later(seconds)

    @rule(
        by=PUBLISHES,
        after=st.sampled_from((1, 1, 1, 2, 0, -1, -2)),
        who=WHO,
        one=PART,
        other=PART,
        less=RARELY,
        early=RARELY,
    )
    def publish(self, by: Person, after: int, who: Person, **how: int) -> None:
        """Mostly the next epoch, or one that was voided; sometimes one that must not be."""
        epoch = min(self.voided) if self.voided and after == 1 else self.last + after
        if not how["early"]:
            self.mine.end(epoch)
        amounts = {ANNA: how["one"] * self.pool(epoch) // 1_000}
        amounts[who] = amounts.get(who, 0) + how["other"] * self.pool(epoch) // 1_000 + 1
        list_ = List(amounts)
        total = list_.total - how["less"]
        words = (self.first + epoch, list_.root, total, RULE)
        done = attempt(self.emission.publish, *words, sender=by.address)
        assert done == (
            by is PUBLISHER
            and (epoch > self.last or epoch in self.voided)
            and 0 < total <= self.pool(epoch)
            and self.now >= (self.first + epoch + 1) * LENGTH
        )
        if done:
            self.lists[epoch] = (list_, total, self.now + WINDOW)
            self.last = max(self.last, epoch)
            self.voided.discard(epoch)

    @rule(by=VOIDS, epoch=EPOCH, newest=st.booleans())
    def void(self, by: Person, epoch: int, newest: bool) -> None:
        epoch = max(self.lists, default=epoch) if newest else epoch
        done = attempt(self.emission.void, self.first + epoch, "", sender=by.address)
        known = self.lists.get(epoch)
        assert done == (by is AUDITOR and known is not None and self.now < known[2])
        if done:
            del self.lists[epoch]
            self.voided.add(epoch)

    @rule(pick=st.integers(0, 6), who=WHO, more=RARELY, early=RARELY)
    def claim(self, pick: int, who: Person, more: int, early: int) -> None:
        """A line of a list that is there, and then the same in another epoch."""
        if epochs := sorted(self.lists):
            epoch = epochs[pick % len(epochs)]
            if not early:
                self.mine.later(max(0, self.lists[epoch][2] - self.now))
            self.claimed(epoch, epoch, who, more)
            self.claimed(epochs[0], epoch, who, 0)

    def claimed(self, epoch: int, of: int, who: Person, more: int) -> None:
        shown, known = self.lists.get(of), self.lists.get(epoch)
        if shown is None or all(line.account != who.bytes for line in shown[0].lines):
            return
        index, account, amount, proof = shown[0].line(who)
        words = (self.first + epoch, index, account, amount + more, proof)
        done = attempt(self.emission.claim, *words, sender=MALLORY.address)
        paid = self.paid.setdefault(epoch, {})
        assert done == (
            known is not None
            and shown[0].root == known[0].root
            and self.now >= known[2]
            and not more
            and who not in paid
            and sum(paid.values()) + amount <= known[1]
        )
        if done:
            paid[who] = amount

    @invariant()
    def no_epoch_gives_out_more_than_its_list_and_its_pool(self) -> None:
        if not hasattr(self, "paid"):
            return
        for epoch, paid in self.paid.items():
            given = sum(paid.values())
            assert given <= self.pool(epoch)
            assert given <= (self.lists[epoch][1] if epoch in self.lists else 0)
            assert self.emission.epochs(self.first + epoch)[4] == given

    @invariant()
    def what_was_minted_was_claimed(self) -> None:
        if hasattr(self, "paid"):
            claimed = sum(sum(paid.values()) for paid in self.paid.values())
            assert self.emission.minted() == self.mine.share.totalSupply() == claimed

    def teardown(self) -> None:
        if hasattr(self, "anchor"):
            self.anchor.__exit__(None, None, None)


TestEmission = Emitting.TestCase
TestEmission.settings = settings(
    max_examples=max(10, settings.default.max_examples // 6),
    stateful_step_count=30,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
