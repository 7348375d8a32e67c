"""The exchange's life: Hypothesis gives any of its commands at any time, mixed with requests.

Rule: any command at any time; what is refused must change nothing.
Invariant: check() holds, every event balances, a naive model agrees, JSON loses nothing, and
replay gives the digest.
"""

from __future__ import annotations

import msgspec
from exchange_trading import Trading, buyers, names, picks, some, traders, waits
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule
from msgspec import structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core import machine
from allmende.core.contracts import LOT
from allmende.core.nouns import Policy
from allmende.core.state import State
from allmende.core.units import DAY, SECOND, Tariff, Units
from allmende.lab import model
from allmende.lab.floor import DECEMBER
from allmende.lab.world import OFFERS, ask

ENCODE = msgspec.json.Encoder().encode
DECODE = msgspec.json.Decoder(e.Any).decode

keys = st.sampled_from(["ada", "lab", "coop"])
tokens = st.integers(0, 1_000) | st.sampled_from([0, 10**9, -3])
usage = st.builds(Units, tokens, st.just(0) | tokens, st.integers(0, 256))
outcomes = st.sampled_from(["complete", "complete", "provider_cut", "client_left"])
ways = [(), (), ("december",), ("slow",), ("slow", "december"), ("credit",), ("index",)]
policies = st.builds(Policy, zones=st.sampled_from([(), (), ("DEU",)]), pay=st.sampled_from(ways))
numbers = {
    "call_seconds": (0, 60),
    "freeze_seconds": (0, 30),
    "breaker_ppm": (1_000, 200_000),
    "trade_fee_ppm": (0, 50_000),
    "position_ppm": (100_000, 1_000_000),
    "tier1_open_credits": (1, 15_000),
    "claim_stake_ppm": (0, 1_000_000),
    "dispute_seconds": (1, 3_600),
    "settle_seconds": (0, 300),
    "recount_seconds": (1, 3_600),
    "hold_seconds": (10, 86_400),
    "operator_fee_ppm": (0, 200_000),
}


class Exchange(Trading):
    # Spend ----------------------------------------------------------------------------

    @rule(key=keys, policy=policies, down=st.booleans(), into=st.sampled_from([1, 1_000, 9_000]))
    def reserve(self, key, policy, down, into) -> None:
        exclude = ("cheap",) if down else ()
        self.try_(ask(self.name("r"), key, policy=policy, exclude=exclude, input_bound=into))

    @rule(number=picks, units=usage, pending=st.booleans(), silent=st.booleans(),
          outcome=outcomes)  # fmt: skip
    def capture(self, number, units, pending, silent, outcome) -> None:
        hold = self.pick(self.floor.state.holds, number)
        reported = None if silent else units
        self.try_(
            c.Capture(
                hold=hold, estimate=units, reported=reported, pending=pending, outcome=outcome
            )
        )

    @rule(number=picks, units=usage)
    def checkpoint(self, number, units) -> None:
        self.try_(c.Checkpoint(hold=self.pick(self.floor.state.holds, number), units=units))

    @rule(number=picks, left=st.booleans())
    def void(self, number, left) -> None:
        cause = "client_left" if left else "died"
        hold = self.pick(self.floor.state.holds, number)
        self.try_(c.Void(hold=hold, cause=cause, fault=not left))

    @rule(key=keys, policy=policies, units=usage, pending=st.booleans(), down=st.booleans(),
          outcome=outcomes, counted=st.none() | usage)  # fmt: skip
    def serve(self, key, policy, units, pending, down, outcome, counted) -> None:
        """A request from beginning to end, by another provider where the issuer is down."""
        id_ = self.name("r")
        if self.try_(ask(id_, key, policy=policy, exclude=("cheap",) if down else ())):
            told = {"estimate": units, "reported": units}
            self.do(c.Capture(hold=id_, pending=pending, outcome=outcome, **told))
            if pending and counted is not None:
                self.do(c.Recount(counts=((id_, counted),)))

    @rule(key=keys, times=st.integers(1, 5), policy=policies)
    def fail(self, key, times, policy) -> None:
        """The provider fails several requests, one after the other."""
        for _ in range(times):
            id_ = self.name("r")
            if self.try_(ask(id_, key, policy=policy)):
                self.do(c.Void(hold=id_, cause="died", fault=True))

    @rule(number=picks, counted=st.none() | usage)
    def recount(self, number, counted) -> None:
        id_ = self.pick(self.floor.state.provisional, number)
        self.try_(c.Recount(counts=((id_, counted),)))

    @rule(account=traders, seconds=st.integers(-1, 200), name=st.sampled_from(["gpu", "december"]))
    def redeem(self, account, seconds, name) -> None:
        units = Units(second=seconds)
        self.try_(x.Redeem(id=self.name("r"), instrument=name, account=account, units=units))

    @rule(number=st.integers(0, 1), into=st.integers(0, 2 * 10**6), out=st.integers(0, 10**7),
          cached=st.none() | st.integers(0, 10**6), here=st.booleans())  # fmt: skip
    def post_offer(self, number, into, cached, out, here) -> None:
        offer = structs.replace(OFFERS[number], tariff=Tariff(into, cached, out))
        self.try_(c.PostOffer(offer=structs.replace(offer, zone=DECEMBER.zone) if here else offer))

    @rule(number=st.integers(0, 1))
    def withdraw_offer(self, number) -> None:
        self.try_(c.WithdrawOffer(id=OFFERS[number].id))

    # Settle ---------------------------------------------------------------------------

    @rule(name=names, account=traders, grains=some)
    def claim(self, name, account, grains) -> None:
        self.try_(
            x.ClaimDefault(id=self.name("c"), instrument=name, account=account, grains=grains)
        )

    @rule(name=names, account=buyers, key=keys, times=st.integers(0, 4), served=st.integers(0, 2))
    def claim_and_test(self, name, account, key, times, served) -> None:
        self.claim(name, account, LOT)
        for _ in range(served):
            id_ = self.name("r")
            if self.try_(ask(id_, key, policy=Policy(pay=(name,)))):
                self.do(c.Capture(hold=id_, estimate=Units(input=1), reported=Units(input=1)))
        self.fail(key, times, Policy(pay=(name,)))

    @rule(name=names, external=st.booleans(), judge=st.booleans())
    def plead(self, name, external, judge) -> None:
        self.try_(x.PleadForceMajeure(instrument=name, cause="flood", evidence="report 7"))
        if judge:
            self.try_(x.JudgeForceMajeure(instrument=name, external=external, unavoidable=True))

    # Time and rules -------------------------------------------------------------------

    @rule(seconds=waits)
    def wait(self, seconds) -> None:
        self.floor.wait(seconds)
        state = self.floor.state
        assert all(w.order.until > self.floor.now for w in state.orders.values())
        assert all(request.until > self.floor.now for request in state.requests.values())
        assert all(claim.due > self.floor.now for claim in state.claims.values())
        assert all(
            not v.call_until or v.call_until > self.floor.now for v in state.listings.values()
        )

    @rule(seconds=waits)
    def let_time_pass_unnoticed(self, seconds) -> None:
        self.floor.now += seconds * SECOND

    @precondition(lambda self: self.made > 12)
    @rule(seconds=st.sampled_from([20_000, 86_400]))
    def wait_long(self, seconds) -> None:
        self.wait(seconds)

    @precondition(lambda self: self.made > 24)
    @rule()
    def to_the_end(self) -> None:
        """A day and a bit: whatever can be settled, is."""
        self.floor.now += DAY
        for seconds in (0, 3_601, 90_000, 3_601):
            self.floor.wait(seconds)
        for listing in self.floor.state.listings.values():
            assert listing.instrument.end + 4 * 3_601 * SECOND > self.floor.now - DAY, "stuck"

    @rule()
    def restart(self) -> None:
        self.try_(c.Restart())

    @rule(name=st.sampled_from(sorted(numbers)), high=st.booleans())
    def parameter(self, name, high) -> None:
        self.try_(c.SetParameter(name=name, value=numbers[name][high]))

    @rule(member=traders, tier=st.integers(0, 3))
    def tier(self, member, tier) -> None:
        self.try_(x.SetTier(member=member, tier=tier))

    @rule()
    def close_batch(self) -> None:
        self.try_(c.CloseBatch())

    # What must be true after every step -----------------------------------------------

    @invariant()
    def agrees(self) -> None:
        """`Floor.do` has checked the machine's own invariants and the sum of the postings."""
        model.agree(self.floor.state, self.floor.events)

    @invariant()
    def nothing_is_lost_in_json(self) -> None:
        for event in self.floor.events[self.read :]:
            assert DECODE(ENCODE(event)) == event
        self.read = len(self.floor.events)
        assert msgspec.json.decode(ENCODE(self.floor.state), type=State) == self.floor.state

    @invariant()
    def credit_is_where_it_was_put(self) -> None:
        put = sum(v.amount for v in self.floor.events if isinstance(v, e.Deposited))
        assert self.floor.balance("issuer/credit") == -put

    def teardown(self) -> None:
        if hasattr(self, "floor"):
            replayed = machine.replay(self.floor.events)
            assert machine.digest(replayed) == machine.digest(self.floor.state)


TestExchange = Exchange.TestCase
TestExchange.settings = settings(
    max_examples=2 * settings.default.max_examples, stateful_step_count=40
)
