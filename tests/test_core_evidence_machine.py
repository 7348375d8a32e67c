"""Sovereignty under Hypothesis: any command at any time, beside an obvious model that reads all
of history for every question.

Rule: what a request gets is exactly what the model says it may get.
Invariant: no Reserved ever names an offer below the floor at that instant, and none is refused
for its floor where an offer is above it.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import evidence_commands as v
from allmende.core import floors, machine
from allmende.core.evidence import Assessment, Evidence, Pairs
from allmende.core.nouns import Offer, Policy
from allmende.core.refusals import Refused
from allmende.core.units import SECOND, Zone
from allmende.lab import model_floors
from allmende.lab.world import OFFERS, World, ask, secret

OBJECTIVES, REGIMES = ("SOV-1", "SOV-3"), ("US", "CN")
KEYS = {"ada": "ada", "lab": "physics", "coop": "coop"}
"""Key -> its budget."""
begins = st.sampled_from([-1, -1, 0, 0, 0, 1, 30])
lasts = st.sampled_from([-1, 0, 1, 2, 2, 30, 30, 101, 101])
grounds = st.one_of(st.none(), st.none(), st.integers(0, 5))
"""Which of what is on the file it rests on, if any."""
papers = st.sampled_from([f"p{number}" for number in range(6)])
subjects = st.sampled_from([("rhine", ""), ("rhine", "cheap"), ("nordic", ""), ("nordic", "clean")])


def some(names: tuple[str, ...], most: int) -> st.SearchStrategy[Pairs]:
    few = st.dictionaries(st.sampled_from(names), st.integers(0, most), max_size=2)
    return few.map(lambda found: tuple(sorted(found.items())))


wishes = st.builds(
    Policy,
    min_seal=some(OBJECTIVES, 4),
    max_exposure=some(REGIMES, 3),
    max_kill_switch=some(REGIMES, 2),
)


class Sovereignty(RuleBasedStateMachine):
    """The small market, with papers, signatures, floors and requests in any order."""

    @initialize()
    def found(self) -> None:
        self.world = World()
        self.asked: dict[str, Policy] = {}
        self.made = 0

    def do(self, command: c.Command) -> list[e.Event] | Refused:
        done = self.world.attempt(structs.replace(command, by=secret("root")))
        return done if isinstance(done, Refused) else [*done]

    @rule(
        id_=papers, objective=st.sampled_from(OBJECTIVES), level=st.integers(0, 4),
        of=subjects, issued=begins, lasts=lasts, ground=grounds,
        confirmed=st.sampled_from([True, True, True, False]),
    )  # fmt: skip
    def file(
        self, id_: str, objective: str, level: int, of: tuple[str, str], issued: int,
        lasts: int, ground: int | None, confirmed: bool,
    ) -> None:  # fmt: skip
        now, (provider, offer) = self.world.now, of
        known = ground is not None and self.world.state.evidence
        rests = (self.one(ground or 0),) if known else ()
        self.do(v.FileEvidence(evidence=Evidence(
            id_, objective, level, "claim", "auditor", now + issued * SECOND,
            now + lasts * SECOND, "0" * 64, provider, offer, rests_on=rests,
        )))  # fmt: skip
        if confirmed:
            self.do(v.ConfirmEvidence(id=id_))

    @precondition(lambda self: self.world.state.evidence)
    @rule(pick=st.integers(0, 5))
    def confirm(self, pick: int) -> None:
        self.do(v.ConfirmEvidence(id=self.one(pick)))

    @precondition(lambda self: len(self.world.state.evidence) > 2)
    @rule(pick=st.integers(0, 5))
    def withdraw(self, pick: int) -> None:
        self.do(v.WithdrawEvidence(id=self.one(pick)))

    def one(self, pick: int) -> str:
        on_file = sorted(self.world.state.evidence)
        return on_file[pick % len(on_file)]

    @rule(
        regime=st.sampled_from(REGIMES), exposure=st.integers(0, 3), kill=st.integers(0, 2),
        of=subjects, lasts=lasts,
    )  # fmt: skip
    def assess(
        self, regime: str, exposure: int, kill: int, of: tuple[str, str], lasts: int
    ) -> None:
        expires = self.world.now + lasts * SECOND
        self.do(v.Assess(assessment=Assessment(
            regime, exposure, kill, "because", "Ada", expires, *of)))  # fmt: skip

    @rule(regime=st.sampled_from(REGIMES), of=subjects)
    def unassess(self, regime: str, of: tuple[str, str]) -> None:
        self.do(v.WithdrawAssessment(regime=regime, provider=of[0], offer=of[1]))

    @rule(budget=st.sampled_from(["uni", "physics", "ada", "coop"]), wish=wishes)
    def floor(self, budget: str, wish: Policy) -> None:
        self.do(v.SetFloor(
            budget=budget, min_seal=wish.min_seal, max_exposure=wish.max_exposure,
            max_kill_switch=wish.max_kill_switch,
        ))  # fmt: skip

    @rule(
        offer=st.sampled_from(OFFERS[:2]), how=st.sampled_from(["moved", "moved", "back", "gone"])
    )
    def repost(self, offer: Offer, how: str) -> None:
        if how == "gone":
            self.do(c.WithdrawOffer(id=offer.id))
        else:
            zone = Zone("USA") if how == "moved" else offer.zone
            self.do(c.PostOffer(offer=structs.replace(offer, zone=zone)))

    @rule(seconds=st.sampled_from([1, 2, 30, 101]), tick=st.booleans())
    def wait(self, seconds: int, tick: bool) -> None:
        self.world.now += seconds * SECOND
        if tick:
            self.do(c.Tick())

    @rule(key=st.sampled_from([*KEYS]), wish=wishes)
    def ask(self, key: str, wish: Policy) -> None:
        self.made += 1
        id_ = f"r{self.made}"
        self.asked[id_] = wish
        done = self.world.attempt(ask(id_, key, policy=wish))
        past, now = self.world.events, self.world.now
        wants = model_floors.demanded(past, KEYS[key], wish)
        standing = [o for o in model_floors.offers(past).values() if o.model == "small"]
        fit = [o.id for o in standing if not model_floors.missing(past, o, wants, now)]
        if isinstance(done, Refused):
            assert not fit, f"{fit} fit, and were refused: {done}"
            return
        reserved = done[0]
        assert isinstance(reserved, e.Reserved)
        assert reserved.offer == ("cheap" if "cheap" in fit else "clean"), fit
        self.world.do(c.Void(hold=id_, cause="enough"))

    @invariant()
    def every_seal_is_what_history_says(self) -> None:
        world = getattr(self, "world", None)
        if world is None:
            return
        for offer in world.state.offers.values():
            for objective in OBJECTIVES:
                seal = floors.seal(world.state, offer, objective, world.now)
                assert seal.level == model_floors.level(world.events, offer, objective, world.now)
            for regime in REGIMES:
                reach = floors.reach(world.state, offer, regime, world.now)
                assert reach[:2] == model_floors.reach(world.events, offer, regime, world.now)

    def teardown(self) -> None:
        world = getattr(self, "world", None)
        if world is not None:
            assert model_floors.inspect(world.events, self.asked).breaches == []
            assert machine.digest(machine.replay(world.events)) == machine.digest(world.state)


TestSovereignty = Sovereignty.TestCase
TestSovereignty.settings = settings(
    max_examples=2 * settings.default.max_examples, stateful_step_count=40
)
