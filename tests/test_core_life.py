"""Life: Hypothesis drives whole markets; after every step machine, model and journal agree.

Rule: any command at any time; what is refused must change nothing.
Invariant: check() holds, a naive model agrees, JSON loses nothing, replay gives the digest.
"""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import machine
from allmende.core.govern import PARAMETERS
from allmende.core.nouns import Key, Policy
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import DAY, SECOND, Tariff, Units
from allmende.lab import model, model_carbon
from allmende.lab.cappers import RATES
from allmende.lab.world import OFFERS, World, ask, secret

ENCODE = msgspec.json.Encoder().encode
DECODE = msgspec.json.Decoder(e.Any).decode

tokens = st.one_of(st.integers(-5, 3_000), st.sampled_from([0, 1, 10**6, 10**12]))
units = st.builds(Units, tokens, st.just(0) | tokens, tokens)
money = st.integers(0, 10**15)
rates = st.one_of(st.none(), st.integers(0, 10**9))
picks = st.integers(0, 10**6)
steps = st.sampled_from([0, 0, 1, 30, 61, 901, 3_600, 86_401, 3_000_000, 18_000_000])
"""Seconds: to the ends of holds, recounts, batches, windows, a month, a term."""
policies = st.sampled_from(
    [Policy(), Policy(sort="carbon"), Policy(order=("nordic",)), Policy(not_zones=("DEU",)),
     Policy(max_rate=500_000), Policy(max_cost=10**8), Policy(control=("USA",)), Policy(max_ug=2)]
)  # fmt: skip
seeded = st.sampled_from(["dean", "ada", "lab", "coop"])
key_names = st.sampled_from(["dean", "ada", "lab", "coop", "slow", "made-0", "made-1", "made-2"])
budget_names = st.sampled_from(["uni", "physics", "ada", "coop", "made-0", "made-1"])
members = st.sampled_from(["uni", "physics", "ada", "coop", "rhine", "nordic", "author", "nobody"])


class Life(RuleBasedStateMachine):
    """Commands at random. `self.told` is what each idempotency key was answered."""

    @initialize(mode=st.sampled_from(["closed_loop", "limited_network", "lab"]))
    def found(self, mode: str) -> None:
        self.world = World(mode)
        self.made = 0
        self.repeatable: list[tuple[c.Command, list[e.Event]]] = []
        self.read = 0

    def try_(self, command: c.Command, *, idem: bool = False) -> list[e.Event]:
        """Do it, or be refused and see that nothing changed. [] if refused."""
        if idem:
            self.made += 1
            command = structs.replace(command, idem=f"idem-{self.made}")
        done = self.world.attempt(command)
        if isinstance(done, Refused):
            assert 400 <= done.why.status < 600
            assert done.facts.get("missing", 1) > 0
            return []
        if idem and done:
            self.repeatable.append((command, list(done)))
        return list(done)

    def name(self, kind: str) -> str:
        self.made += 1
        return f"{kind}-{self.made}"

    def pick(self, of: dict[str, Any], number: int) -> str:
        """One of what is open, most of the time."""
        names = [*sorted(of), "nothing"]
        return names[number % len(names)]

    # Requests -------------------------------------------------------------------------

    @rule(
        key=key_names, into=tokens, out=tokens, choices=st.integers(0, 4), policy=policies,
        model=st.sampled_from(["small", "gift", "vectors"]), idem=st.booleans(),
    )  # fmt: skip
    def reserve(self, key, into, out, choices, policy, model, idem) -> None:
        endpoint = "embeddings" if model == "vectors" else "chat/completions"
        command = ask(self.name("r"), key, input_bound=into, output_bound=out, choices=choices,
                      policy=policy, model=model, endpoint=endpoint)  # fmt: skip
        self.reserved(self.try_(command, idem=idem))

    @rule(key=seeded, out=st.integers(1, 600), choices=st.integers(1, 3), idem=st.booleans())
    def reserve_as_usual(self, key, out, choices, idem) -> None:
        command = ask(self.name("r"), key, output_bound=out, choices=choices)
        self.reserved(self.try_(command, idem=idem))

    @rule(key=seeded, number=st.integers(1, 4), usage=units, pending=st.booleans(),
          counted=st.one_of(st.none(), st.none(), units), days=st.integers(0, 40))  # fmt: skip
    def sell(self, key, number, usage, pending, counted, days) -> None:
        """A few requests from beginning to end."""
        ids = [self.name("r") for _ in range(number)]
        for id_ in ids:
            self.reserved(self.try_(ask(id_, key)))
            self.try_(c.Capture(hold=id_, estimate=usage, reported=usage, pending=pending))
        if counted:
            self.world.now += days * DAY
            self.try_(c.Recount(counts=tuple((id_, counted) for id_ in ids)))

    def reserved(self, done: list[e.Event]) -> None:
        for event in done:
            self.affordable(event)

    def affordable(self, event: e.Reserved) -> None:
        """A hold was only made if nothing above it is past its limit, limits as they are now."""
        budget = event.budget
        while budget:
            node = self.world.state.budgets[budget]
            spent = model.budget_spent(self.world.events, budget, self.world.now)
            assert node.limit is None or spent + node.held <= node.limit
            caused = model_carbon.audit(map(ENCODE, self.world.events)).all_at(budget)
            assert node.cap_ug is None or caused <= node.cap_ug
            budget = node.parent

    @rule(number=picks, units=units)
    def checkpoint(self, number, units) -> None:
        self.try_(c.Checkpoint(hold=self.pick(self.world.state.holds, number), units=units))

    @rule(number=picks, estimate=units, reported=st.one_of(st.none(), units),
          pending=st.booleans(), idem=st.booleans())  # fmt: skip
    def capture(self, number, estimate, reported, pending, idem) -> None:
        hold = self.pick(self.world.state.holds, number)
        command = c.Capture(hold=hold, estimate=estimate, reported=reported, pending=pending)
        self.try_(command, idem=idem)

    @rule(number=picks, fault=st.booleans())
    def void(self, number, fault) -> None:
        self.try_(c.Void(hold=self.pick(self.world.state.holds, number), cause="x", fault=fault))

    @rule(number=picks, counted=st.one_of(st.none(), units))
    def recount(self, number, counted) -> None:
        id_ = self.pick(self.world.state.provisional, number)
        self.try_(c.Recount(counts=((id_, counted), ("stranger", counted))))

    # Time -----------------------------------------------------------------------------

    @rule(seconds=steps)
    def wait(self, seconds) -> None:
        self.world.wait(seconds)
        assert all(hold.deadline > self.world.now for hold in self.world.state.holds.values())
        assert all(r.deadline > self.world.now for r in self.world.state.provisional.values())

    @rule(days=st.integers(0, 40))
    def let_time_pass_unnoticed(self, days) -> None:
        self.world.now += days * DAY

    @rule()
    def restart(self) -> None:
        self.try_(c.Restart())
        assert not self.world.state.holds
        assert not self.world.state.provisional

    # Money and rules ------------------------------------------------------------------

    @rule()
    def close_batch(self) -> None:
        self.try_(c.CloseBatch())
        assert self.world.state.batch.receipts == 0

    @rule(member=members, amount=money, idem=st.booleans())
    def deposit(self, member, amount, idem) -> None:
        self.try_(c.Deposit(member=member, amount=amount, reference=self.name("ref")), idem=idem)

    @rule(source=members, receiver=members, amount=st.one_of(st.none(), money), idem=st.booleans())
    def transfer(self, source, receiver, amount, idem) -> None:
        """`amount` None: all there is."""
        amount = self.world.balance(source) if amount is None else amount
        command = c.Transfer(source=source, target=receiver, asset="credit", amount=amount)
        self.try_(command, idem=idem)

    @rule(
        name=st.sampled_from(sorted(PARAMETERS)), part=st.integers(-1, 11), days=st.integers(0, 9)
    )
    def parameter(self, name, part, days) -> None:
        rule_ = PARAMETERS[name]
        value = rule_.least + (rule_.most - rule_.least) * part // 10
        self.try_(c.SetParameter(name=name, value=value, effective=self.world.now + days * DAY))

    @rule(parent=budget_names, number=st.integers(0, 1), limit=st.one_of(st.none(), money),
          period=st.sampled_from(["total", "month", "term"]))  # fmt: skip
    def add_budget(self, parent, number, limit, period) -> None:
        self.try_(
            c.AddBudget(id=f"made-{number}", name="x", parent=parent, limit=limit, period=period)
        )

    @rule(budget=budget_names, requests=st.one_of(st.none(), st.integers(-1, 3)))
    def set_budget(self, budget, requests) -> None:
        """None: no limit; else room for so many usual requests more, or fewer than there were."""
        node = self.world.state.budgets.get(budget)
        if node is None or requests is None:
            self.try_(c.SetBudget(id=budget, limit=None))
        else:
            limit = node.spent + node.held + requests * 202_400_000
            self.try_(c.SetBudget(id=budget, limit=max(0, limit)))

    @rule(budget=budget_names, room=st.one_of(st.none(), st.integers(-3, 30)))
    def set_carbon_cap(self, budget, room) -> None:
        """None: no cap; else room for so many micrograms more; a usual request may cause 3."""
        node = self.world.state.budgets.get(budget)
        there = node.ug_spent + node.ug_held if node else 0
        cap = None if room is None else max(0, there + room)
        self.try_(c.SetCarbonCap(id=budget, cap_ug=cap))

    # Keys and offers ------------------------------------------------------------------

    @rule(
        number=st.integers(0, 2), budget=budget_names, rate=rates, lasts=st.integers(-1, 10**7),
        per_minute=st.sampled_from([None, 1, 3]), models=st.sampled_from([(), ("gift",)]),
    )  # fmt: skip
    def issue_key(self, number, budget, rate, lasts, per_minute, models) -> None:
        name = f"made-{number}"
        key = Key(name, secret(name), "ada", "spend", budget, models, rate,
                  self.world.now + lasts * SECOND, per_minute)  # fmt: skip
        self.try_(c.IssueKey(key=key))

    @rule(name=st.sampled_from(["slow", "made-0", "made-1", "made-2"]))
    def revoke_key(self, name) -> None:
        self.try_(c.RevokeKey(id=name))
        assert self.world.refuse(ask("no", name)).why in (Why.UNKNOWN_KEY, Why.EXISTS)

    @rule(number=st.integers(0, 3), into=rates, cached=rates, out=rates, capacity=st.integers(0, 3),
          context=st.integers(1, 10**6))  # fmt: skip
    def post_offer(self, number, into, cached, out, capacity, context) -> None:
        tariff = Tariff(into, cached, out, OFFERS[number].tariff.embedding)
        offer = structs.replace(OFFERS[number], tariff=tariff, capacity=capacity, context=context)
        self.try_(c.PostOffer(offer=offer))

    @rule(number=st.integers(0, 3), rate=st.sampled_from(RATES))
    def restate_energy(self, number, rate) -> None:
        self.try_(c.PostOffer(offer=structs.replace(OFFERS[number], energy=rate)))

    @rule()
    def post_all_offers_again(self) -> None:
        for offer in OFFERS:
            assert self.try_(c.PostOffer(offer=offer))

    @rule(number=st.integers(0, 3), back=st.booleans())
    def withdraw_offer(self, number, back) -> None:
        self.try_(c.WithdrawOffer(id=OFFERS[number].id))
        if back:
            self.try_(c.PostOffer(offer=OFFERS[number]))

    # Repeats --------------------------------------------------------------------------

    @precondition(lambda self: self.repeatable)
    @rule(number=picks)
    def repeat(self, number) -> None:
        """Within its window: the same answer, or ALREADY_SERVED, and nothing happens."""
        command, done = self.repeatable[number % len(self.repeatable)]
        known = self.world.state.served.get(done[0].idem)
        if known is None or known.events != (done[0],):
            return
        before = machine.digest(self.world.state)
        again = self.world.attempt(command)
        if isinstance(command, c.Reserve):
            assert isinstance(again, Refused)
            assert again.why is Why.ALREADY_SERVED
            assert again.facts["receipt"] == done[0].hold
        else:
            assert list(again) == done
        assert machine.digest(self.world.state) == before

    # What must be true after every step -----------------------------------------------

    @invariant()
    def agrees(self) -> None:
        """`World.do` has checked the machine's own invariants and the sum of the postings."""
        model.agree(self.world.state, self.world.events)

    @invariant()
    def nothing_is_lost_in_json(self) -> None:
        for event in self.world.events[self.read :]:
            assert DECODE(ENCODE(event)) == event
        self.read = len(self.world.events)
        state = msgspec.json.decode(ENCODE(self.world.state), type=State)
        assert state == self.world.state

    @invariant()
    def money_is_where_it_was_put(self) -> None:
        """Supply is what was deposited, and no payer ever paid more than was held."""
        put = sum(x.amount for x in self.world.events if isinstance(x, e.Deposited))
        assert self.world.balance("issuer/credit") == -put

    def teardown(self) -> None:
        if hasattr(self, "world"):
            replayed = machine.replay(self.world.events)
            assert machine.digest(replayed) == machine.digest(self.world.state)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=3 * settings.default.max_examples, stateful_step_count=40)
