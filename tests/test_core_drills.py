"""Drills in the core: who may, over what, until when, and what a caller hears meanwhile."""

from __future__ import annotations

import msgspec
import pytest
from holders import rule as rule_
from holders import sold
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import structs

from allmende.core import commands as c
from allmende.core import drill_commands as dc
from allmende.core import drill_events as de
from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core import machine
from allmende.core.contracts import LOT
from allmende.core.nouns import Policy
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import DAY, SECOND, Units
from allmende.lab import model
from allmende.lab.floor import Floor
from allmende.lab.world import START, World, ask, secret


def allowing(**more: int) -> World:
    world = World(**more)
    world.do(c.SetParameter(name="drills_allowed", value=1))
    return world


def start(*offers: str, id_: str = "d", seconds: int = 30, **more: object) -> dc.StartDrill:
    fields = {"label": "country=DEU", **more}
    return dc.StartDrill(id=id_, offers=offers, seconds=seconds, **fields)


def test_a_market_allows_no_drill_until_its_rule_does():
    world = World()
    refused = world.refuse(start("cheap"))
    assert refused.why is Why.NOT_ALLOWED
    assert "drills_allowed" in refused.detail


@pytest.mark.parametrize("by", ["dean", "ada", "rhine"])
def test_only_an_operator_drills_and_ends_a_drill(by: str):
    world = allowing()
    assert world.refuse(start("cheap", by=secret(by))).why is Why.NOT_ALLOWED
    world.do(start("cheap", by=secret("root")))
    assert world.refuse(dc.EndDrill(id="d", by=secret(by))).why is Why.NOT_ALLOWED
    assert world.do(dc.EndDrill(id="d", by=secret("root")))


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (start(), Why.BAD_VALUE),
        (start("cheap", "cheap"), Why.BAD_VALUE),
        (start("cheap", seconds=0), Why.BAD_VALUE),
        (start("cheap", seconds=601), Why.BAD_VALUE),
        (start("cheap", label="two\nlines"), Why.BAD_VALUE),
        (start("cheap", label="x" * 201), Why.BAD_VALUE),
        (start("cheap", id_="no id"), Why.BAD_VALUE),
        (start("nobody's"), Why.NOT_FOUND),
        (dc.EndDrill(id="d"), Why.NOT_FOUND),
        (dc.NoteDrill(id="d", refused=1), Why.NOT_FOUND),
    ],
)
def test_what_is_wrong_with_a_drill_is_refused(command: c.Command, why: Why):
    assert allowing().refuse(command).why is why


def test_an_unknown_offer_is_told_which_there_are():
    assert "clean" in allowing().refuse(start("nobody's")).detail


def test_two_drills_are_never_over_one_offer():
    world = allowing()
    world.do(start("cheap", "gift"))
    assert world.refuse(start("clean", "gift", id_="e")).why is Why.HALTED
    assert world.refuse(start("clean")).why is Why.EXISTS
    world.do(start("clean", id_="e"))
    world.wait(30)
    assert not world.state.drills
    world.do(start("clean", "gift"))


def test_requests_go_to_the_next_best_offer_and_come_back():
    world = allowing()
    assert world.reserve("before").offer.id == "cheap"
    world.do(start("cheap"))
    assert world.reserve("during").offer.id == "clean"
    world.wait(30)
    assert world.reserve("after").offer.id == "cheap"
    model.agree(world.state, world.events)


def test_a_drill_is_over_at_its_time_though_no_tick_came():
    world = allowing()
    world.do(start("cheap"))
    world.now += 30 * SECOND - 1
    assert world.reserve("during").offer.id == "clean"
    world.now += 1
    assert world.reserve("after").offer.id == "cheap"
    assert "d" in world.state.drills


def test_where_nothing_is_left_the_refusal_names_the_drill_and_its_end():
    world = allowing()
    world.do(start("cheap", "clean"))
    world.now += 18 * SECOND - 1
    refused = world.refuse(ask("r"))
    assert refused.why is Why.NO_OFFER
    assert "refused 2 by drill" in refused.detail
    assert "d (country=DEU); it ends within 13 s" in refused.detail
    assert refused.facts["conditions"] == {"drill": 2}
    assert refused.facts["drills"] == ["d"]
    assert refused.facts["retry_after_us"] == 12 * SECOND + 1


def test_a_drill_over_what_the_caller_refuses_anyway_is_not_blamed():
    world = allowing()
    world.do(start("cheap"))
    policy = Policy(providers=("nobody",))
    refused = world.refuse(ask("r", policy=policy))
    assert refused.facts["conditions"] == {"provider": 2}
    assert not refused.facts.keys() & {"drills", "retry_after_us"}
    assert "drill" not in refused.detail


def test_a_busy_offer_beside_a_drilled_one_may_be_asked_again_at_once():
    world = allowing()
    world.do(start("cheap"))
    for number in range(8):
        world.reserve(f"r{number}")
    refused = world.refuse(ask("more"))
    assert refused.why is Why.CAPACITY
    assert refused.facts["conditions"] == {"busy": 1, "drill": 1}
    assert refused.facts["retry_after_us"] == SECOND


def test_a_policy_that_names_the_drilled_provider_gets_nothing_else():
    world = allowing()
    world.do(start("cheap"))
    refused = world.refuse(ask("r", policy=Policy(providers=("rhine",))))
    assert refused.facts["conditions"] == {"drill": 1, "provider": 1}


def test_a_request_under_way_ends_on_its_terms():
    world = allowing()
    world.reserve("r")
    world.do(start("cheap"))
    receipt = world.capture("r", Units(input=9, output=9))
    assert (receipt.offer, receipt.verdict) == ("cheap", "unchecked")
    assert world.state.trading["cheap"].faults == 0


def test_a_drilled_offer_may_be_withdrawn_and_posted_again_and_stays_out():
    world = allowing()
    offer = world.state.offers["cheap"]
    world.do(start("cheap"))
    world.do(c.WithdrawOffer(id="cheap"))
    world.do(c.PostOffer(offer=offer))
    assert world.reserve("r").offer.id == "clean"


def test_a_drill_survives_a_restart_and_its_journal():
    world = allowing()
    world.do(start("cheap"))
    world.do(c.Restart())
    state = msgspec.json.decode(msgspec.json.encode(world.state), type=State)
    assert state.drills == world.state.drills
    replayed = machine.replay(world.events)
    assert machine.digest(replayed) == machine.digest(world.state)
    assert [r.offer for r in machine.decide(replayed, ask("r", at=world.now))] == ["clean"]


def test_a_repeated_start_acts_once():
    world = allowing()
    command = start("cheap", idem="k")
    first = world.do(command)
    world.now += SECOND
    assert list(world.do(structs.replace(command, at=world.now))) == list(first)
    assert world.refuse(structs.replace(command, seconds=31)).why is Why.REPLAYED


def test_the_gateway_alone_notes_whom_a_drill_turned_away():
    world = allowing()
    world.do(start("cheap"))
    assert world.refuse(dc.NoteDrill(id="d", refused=1, by=secret("root"))).why is Why.NOT_ALLOWED
    assert world.refuse(dc.NoteDrill(id="d", refused=0)).why is Why.BAD_VALUE
    assert world.do(dc.NoteDrill(id="d", refused=3))


# Rights -------------------------------------------------------------------------------


def test_an_offer_that_owes_rights_is_not_drilled_within_their_window():
    world = sold()
    world.do(c.SetParameter(name="drills_allowed", value=1))
    instrument = next(iter(world.state.listings.values())).instrument
    refused = world.refuse(start(instrument.offer, seconds=600))
    assert refused.why is Why.OWED
    assert instrument.id in refused.detail
    world.now = instrument.end
    assert world.do(start(instrument.offer))


def test_no_rights_are_issued_on_an_offer_while_it_is_drilled():
    floor = Floor()
    rule_(floor, "drills_allowed", 1)
    floor.do(start("cheap"))
    refused = floor.refuse(x.MintLots(instrument="december", grains=LOT))
    assert refused.why is Why.HALTED
    floor.wait(30)
    assert floor.mint(1)


def test_a_window_that_begins_as_the_drill_ends_is_not_touched_by_it():
    world = sold(start=START + 60 * SECOND, end=START + DAY)
    world.do(c.SetParameter(name="drills_allowed", value=1))
    assert world.refuse(start("cheap", seconds=61)).why is Why.OWED
    assert world.do(start("cheap", seconds=60))
    assert world.mint(1), "issued meanwhile, delivered afterwards"


class Drilling(RuleBasedStateMachine):
    """Requests, drills and time in any order."""

    @initialize()
    def found(self) -> None:
        self.world = allowing()
        self.number = 0
        self.spans: dict[str, list[tuple[int, int]]] = {}
        """offer -> from when to when drills were over it"""

    @rule(seconds=st.integers(1, 60), offers=st.sets(st.sampled_from(("cheap", "clean", "gift"))))
    def drill(self, seconds: int, offers: set[str]) -> None:
        self.number += 1
        done = self.world.attempt(start(*sorted(offers), id_=f"d{self.number}", seconds=seconds))
        if not isinstance(done, Refused):
            for id_ in offers:
                end = self.world.now + seconds * SECOND
                self.spans.setdefault(id_, []).append((self.world.now, end))

    @rule()
    def end(self) -> None:
        drill = next(iter(self.world.state.drills.values()), None)
        if drill is not None:
            self.world.do(dc.EndDrill(id=drill.id))
            for id_ in drill.offers:
                spans = self.spans[id_]
                at = spans.index((drill.since, drill.until))
                spans[at] = (drill.since, min(drill.until, self.world.now))

    @rule(microseconds=st.integers(0, 40 * SECOND), tick=st.booleans())
    def pass_time(self, microseconds: int, tick: bool) -> None:
        self.world.now += microseconds
        if tick:
            self.world.do(c.Tick())

    @rule()
    def restart(self) -> None:
        self.world.do(c.Restart())

    @rule(name=st.sampled_from(("small", "gift")))
    def request(self, name: str) -> None:
        self.number += 1
        now, id_ = self.world.now, f"r{self.number}"
        done = self.world.attempt(ask(id_, model=name))
        out = [o for o, spans in self.spans.items() if any(a <= now < b for a, b in spans)]
        if isinstance(done, Refused):
            selling = {"small": {"cheap", "clean"}, "gift": {"gift"}}[name]
            assert selling & set(out), f"refused without a drill: {done}"
        else:
            assert isinstance(done[0], e.Reserved)
            assert done[0].offer not in out, "a drilled offer got a request"
            self.world.capture(id_, Units(input=1, output=1))

    @invariant()
    def agrees(self) -> None:
        model.agree(self.world.state, self.world.events)


TestDrilling = Drilling.TestCase
TestDrilling.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_the_model_notices_a_request_that_a_drill_forbids():
    world = allowing()
    world.do(start("cheap"))
    hold = world.reserve("r")
    wrong = structs.replace(world.events[-1], offer="cheap")
    assert hold.offer.id == "clean"
    with pytest.raises(AssertionError, match="drill"):
        model.agree(world.state, [*world.events[:-1], wrong])


def test_the_events_of_a_drill_name_all_that_replaying_it_takes():
    world = allowing()
    (event,) = world.do(start("cheap", "gift"))
    assert isinstance(event, de.DrillStarted)
    assert event.drill.until == START + 30 * SECOND
    assert event.drill.offers == ("cheap", "gift")
