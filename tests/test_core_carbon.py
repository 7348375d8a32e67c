"""Carbon caps: held at worst, charged as it came, and never passed."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import structs

from allmende.core import budgets, carbon, machine
from allmende.core import commands as c
from allmende.core import events as e
from allmende.core.book import FAULTS_MAX
from allmende.core.drill_commands import StartDrill
from allmende.core.nouns import Policy, Receipt
from allmende.core.refusals import Refused, Why
from allmende.core.settle import canonical
from allmende.core.units import CREDIT, DAY, SECOND, EnergyRate, Units, energy, worst_ug
from allmende.lab import model
from allmende.lab.world import LOW, OFFERS, START, TOP, World, ask, secret

BOUND = Units(input=1_000, output=256)
DIRTY = -(-(1_000 * 2_000 + 256 * 90_000) * 350 // 3_600_000_000)
CLEAN = -(-(1_000 * 3_000 + 256 * 95_000) * 45 // 3_600_000_000)
"""Micrograms at worst of one usual request: at the cheap offer and at the clean one."""
BIG = EnergyRate((10**8, 2 * 10**8), (5 * 10**9, 9 * 10**9), (300, 350), "test")
SMALL = EnergyRate((2 * 10**8, 3 * 10**8), (6 * 10**9, 95 * 10**8), (30, 45), "test")


def world_with(cap_ug: int | None, budget: str = "physics") -> World:
    """The small market; its two offers of `small` take a hundred thousand times the energy."""
    world = World()
    for offer, rate in zip(OFFERS[:2], (BIG, SMALL), strict=True):
        world.do(c.PostOffer(offer=structs.replace(offer, energy=rate)))
    world.do(c.SetCarbonCap(id=budget, cap_ug=cap_ug))
    return world


WORST_BIG = worst_ug(BIG, BOUND)
WORST_SMALL = worst_ug(SMALL, BOUND)


def test_what_is_held_is_the_high_end_of_the_estimate_at_the_bound():
    for rate, by_hand in ((TOP, DIRTY), (LOW, CLEAN)):
        assert worst_ug(rate, BOUND) == by_hand == energy(rate, BOUND).ug[1]
    assert worst_ug(EnergyRate(), BOUND) == 0


def test_a_hold_keeps_its_worst_case_in_the_whole_tree_and_a_capture_only_what_came():
    world = world_with(10 * WORST_BIG)
    hold = world.reserve("r1")
    tree = [world.state.budgets[id_] for id_ in ("physics", "uni")]
    assert [node.ug_held for node in tree] == [WORST_BIG] * 2 == [hold.ug] * 2
    receipt = world.capture("r1", Units(input=100, output=10))
    assert [(node.ug_held, node.ug_spent) for node in tree] == [(0, receipt.energy.ug[1])] * 2
    world.reserve("r2")
    world.do(c.Void(hold="r2", cause="test"))
    assert [(node.ug_held, node.ug_spent) for node in tree] == [(0, receipt.energy.ug[1])] * 2
    model.agree(world.state, world.events)


def test_a_recount_corrects_what_was_caused_within_what_is_still_held():
    world = world_with(10 * WORST_BIG)
    node = world.state.budgets["physics"]
    world.reserve("r1")
    world.capture("r1", Units(input=100, output=10), pending=True)
    assert node.ug_spent + node.ug_held == WORST_BIG
    world.do(c.Recount(counts=(("r1", BOUND),)))
    assert (node.ug_spent, node.ug_held) == (WORST_BIG, 0)


def test_under_a_cap_the_cleaner_offer_is_taken_where_the_cheaper_no_longer_fits():
    world = world_with(WORST_BIG + WORST_SMALL)
    assert world.reserve("r1").offer.id == "cheap"
    assert world.reserve("r2").offer.id == "clean"
    node = world.state.budgets["physics"]
    assert node.ug_held == node.cap_ug
    assert world.refuse(ask("r3")).why is Why.CARBON_CAP


def test_the_refusal_says_what_is_missing_and_what_would_fit():
    world = world_with(WORST_SMALL - 1_000)
    refused = world.refuse(ask("r1"))
    assert refused.why is Why.CARBON_CAP
    assert (refused.facts["missing_ug"], refused.facts["budget"]) == (1_000, "physics")
    assert refused.facts["conditions"] == {carbon.CAP: 2}
    assert refused.facts["lost"] == 1_000 * 100_000 + 256 * 400_000
    fits = refused.facts["fits_output"]
    assert f"{fits} output tokens at most would fit" in str(refused)
    assert "0.001 g are missing" in str(refused)
    assert world.refuse(ask("r1", output_bound=fits + 1)).facts["fits_output"] == fits
    assert world.reserve("r1", output_bound=fits).offer.id == "clean"


def test_a_prompt_that_is_too_much_alone_is_told_so():
    world = world_with(5)
    refused = world.refuse(ask("r1"))
    assert refused.facts["fits_output"] == 0
    assert "prompt alone is too much" in str(refused)


def test_an_offer_that_states_no_energy_fits_under_no_cap():
    world = world_with(10**18)
    refused = world.refuse(ask("r1", model="gift", output_bound=1))
    assert refused.why is Why.CARBON_CAP
    assert refused.facts["conditions"] == {carbon.UNKNOWN: 1}
    assert "lost" not in refused.facts
    assert world.reserve("r2", "coop", model="gift", output_bound=1).ug == 0
    nothing = structs.replace(OFFERS[3], energy=EnergyRate(method="said to be none"))
    world.do(c.PostOffer(offer=nothing))
    assert world.refuse(ask("r3", model="gift", output_bound=1)).why is Why.CARBON_CAP


def test_a_caller_who_asks_for_less_carbon_still_gets_his_own_word():
    world = world_with(10 * WORST_BIG)
    refused = world.refuse(ask("r1", policy=Policy(max_ug=1)))
    assert (refused.why, refused.facts["conditions"]) == (Why.NO_OFFER, {"max_grams": 2})


def test_a_busy_offer_that_would_fit_is_worth_another_try():
    world = world_with(WORST_SMALL + 10)
    full = structs.replace(OFFERS[1], energy=SMALL, capacity=1)
    world.do(c.PostOffer(offer=full))
    world.reserve("coop", "coop", policy=Policy(order=("clean",)))
    refused = world.refuse(ask("r1"))
    assert (refused.why, refused.facts["conditions"]) == (
        Why.CAPACITY,
        {carbon.CAP: 1, "busy": 1},
    )


def test_an_offer_that_would_fit_and_is_down_is_no_matter_of_the_cap():
    world = world_with(WORST_SMALL + 10)
    for number in range(FAULTS_MAX):
        world.reserve(f"r{number}", policy=Policy(providers=("nordic",)))
        world.do(c.Void(hold=f"r{number}", cause="died", fault=True))
    refused = world.refuse(ask("more"))
    assert (refused.why, refused.facts["conditions"]) == (
        Why.NO_OFFER,
        {carbon.CAP: 1, "down": 1},
    )


def drilled(cap_ug: int, *offers: str) -> World:
    world = world_with(cap_ug)
    world.do(c.SetParameter(name="drills_allowed", value=1))
    world.do(StartDrill(id="d", offers=offers, seconds=30))
    return world


def test_an_offer_that_would_fit_and_is_drilled_is_the_drills_matter():
    refused = drilled(WORST_SMALL + 10, "clean").refuse(ask("r"))
    assert (refused.why, refused.facts["conditions"]) == (
        Why.NO_OFFER,
        {carbon.CAP: 1, "drill": 1},
    )
    assert (refused.facts["drills"], refused.facts["retry_after_us"]) == (["d"], 30 * SECOND)


def test_a_cap_that_refuses_a_drilled_offer_too_is_named_and_the_drill_is_not():
    refused = drilled(WORST_SMALL - 1, "clean").refuse(ask("r"))
    assert (refused.why, refused.facts["conditions"]) == (Why.CARBON_CAP, {carbon.CAP: 2})
    assert refused.facts["missing_ug"] == 1
    assert "drills" not in refused.facts


def test_a_cap_above_binds_whoever_is_below_it():
    world = world_with(WORST_SMALL, "uni")
    world.reserve("r1", "ada")
    assert world.refuse(ask("r2", "lab")).facts["budget"] == "uni"
    world.reserve("r3", "coop")


def test_of_two_caps_the_one_with_less_room_binds_whichever_is_above():
    for above, below, binding in ((1, 2, "uni"), (2, 1, "physics")):
        world = world_with(below * WORST_BIG)
        world.do(c.SetCarbonCap(id="uni", cap_ug=above * WORST_BIG))
        world.reserve("r1")
        assert world.refuse(ask("r2")).facts["budget"] == binding


def test_a_cap_below_what_was_caused_refuses_everything_until_the_period_ends():
    world = world_with(None)
    world.reserve("open")
    world.reserve("r1")
    world.capture("r1", BOUND)
    world.do(c.SetCarbonCap(id="physics", cap_ug=1))
    refused = world.refuse(ask("r2"))
    over = 2 * WORST_BIG - 1
    assert (refused.facts["room_ug"], refused.facts["missing_ug"]) == (0, over + WORST_SMALL)
    world.do(c.SetCarbonCap(id="physics", cap_ug=1 + refused.facts["missing_ug"]))
    world.reserve("just so")
    world.do(c.Void(hold="just so", cause="test"))
    world.do(c.SetCarbonCap(id="physics", cap_ug=1))
    world.capture("open", BOUND)
    world.now += 31 * DAY
    assert world.refuse(ask("r3")).why is Why.CARBON_CAP
    world.do(c.SetCarbonCap(id="physics", cap_ug=WORST_BIG))
    assert world.reserve("r4").offer.id == "cheap"
    world.do(c.SetCarbonCap(id="physics", cap_ug=None))
    world.reserve("r5")
    model.agree(world.state, world.events)


def test_a_cap_that_comes_late_knows_what_the_period_has_caused():
    world = world_with(None)
    world.reserve("r1")
    world.capture("r1", BOUND)
    world.reserve("r2")
    world.do(c.SetCarbonCap(id="physics", cap_ug=2 * WORST_BIG + WORST_SMALL))
    assert world.reserve("r3").offer.id == "clean"
    assert world.refuse(ask("r4")).facts["room_ug"] == 0


def test_a_new_period_has_new_room_but_open_holds_go_on_counting():
    world = world_with(2 * WORST_BIG)
    world.reserve("r1")
    world.capture("r1", BOUND)
    world.now = START + 31 * DAY - SECOND
    world.reserve("r2")
    world.now += SECOND
    world.reserve("r3")
    assert world.refuse(ask("r4")).why is Why.CARBON_CAP
    node = world.state.budgets["physics"]
    assert (node.period, node.ug_spent, node.ug_held) == ("month", 0, 2 * WORST_BIG)
    budgets.check(world.state)
    model.agree(world.state, world.events)


def test_whoever_manages_a_budget_caps_it_and_nobody_else():
    world = world_with(None)
    for by in ("dean", "root"):
        world.do(c.SetCarbonCap(id="physics", cap_ug=5, by=secret(by)))
    for by in ("ada", "rhine", "coop"):
        asked = c.SetCarbonCap(id="physics", cap_ug=5, by=secret(by))
        assert world.refuse(asked).why is Why.NOT_ALLOWED
    assert world.refuse(c.SetCarbonCap(id="physics", cap_ug=-1)).why is Why.BAD_VALUE
    assert world.refuse(c.SetCarbonCap(id="physics", cap_ug=10**18 + 1)).why is Why.BAD_VALUE
    assert world.refuse(c.SetCarbonCap(id="none", cap_ug=1)).why is Why.NOT_FOUND


def test_the_worked_number_of_the_module():
    world = world_with(1_000_000)
    node = world.state.budgets["physics"]
    node.ug_spent, node.ug_held, node.until = 600_000, 300_000, budgets.FOREVER
    found = carbon.room(world.state, "physics", START)
    assert found is not None
    assert found.left == 100_000
    offer = world.state.offers["cheap"]
    over = [carbon.Refusal(offer, BOUND, ug, CREDIT) for ug in (250_000, 120_000)]
    assert carbon.refuse("small", found, over, {}).facts["missing_ug"] == 20_000


def test_a_broken_cap_is_noticed():
    world = world_with(WORST_BIG)
    world.reserve("r1")
    world.state.budgets["physics"].cap_ug = WORST_BIG - 1
    world.state.budgets["physics"].ug_base = 0
    with pytest.raises(AssertionError, match="carbon cap of physics"):
        machine.check(world.state)


def test_137_of_1000_requests_fit_under_a_cap_and_not_one_more():
    world = world_with(137 * WORST_SMALL)
    for offer, rate in ((OFFERS[0], EnergyRate()), (OFFERS[1], SMALL)):
        world.do(c.PostOffer(offer=structs.replace(offer, energy=rate, capacity=1_000)))
    ends = [world.attempt(ask(f"r{number}")) for number in range(300)]
    whys = [end.why for end in ends if isinstance(end, Refused)]
    assert whys == [Why.CARBON_CAP] * 163
    for number in range(137):
        world.capture(f"r{number}", BOUND)
    node = world.state.budgets["physics"]
    assert (node.ug_spent, node.ug_held) == (137 * WORST_SMALL, 0)
    assert sum(isinstance(event, e.Captured) for event in world.events) == 137


def test_a_receipt_of_before_water_reads_back_to_the_same_bytes():
    """A receipt that states none is written as it always was, so its leaf is the same."""
    world = world_with(None)
    world.reserve("r1")
    receipt = world.capture("r1", BOUND)
    old = canonical(receipt)
    assert b'"water"' not in old
    assert canonical(msgspec.json.decode(old, type=Receipt)) == old
    wet = structs.replace(BIG, site_ml_per_kwh=(75, 1_652), grid_ml_per_kwh=(1_947, 1_947))
    world.do(c.PostOffer(offer=structs.replace(OFFERS[0], energy=wet)))
    world.reserve("r2")
    receipt = world.capture("r2", BOUND)
    assert receipt.water is not None
    new = canonical(receipt)
    assert new.endswith(b'"water":{"site_ul":[29,1150],"grid_ul":[747,1355]}}'), new[-80:]
    assert canonical(msgspec.json.decode(new, type=Receipt)) == new
    again = structs.replace(receipt, water=None)
    assert canonical(msgspec.json.decode(canonical(again), type=Receipt)) == canonical(again)


def test_an_offer_that_is_down_stays_down_while_its_meter_restates_its_energy():
    world = world_with(None)
    for number in range(FAULTS_MAX):
        world.reserve(f"r{number}")
        world.do(c.Void(hold=f"r{number}", cause="died", fault=True))
    down = structs.replace(world.state.trading["cheap"])
    assert down.down_until > world.now
    world.do(c.RestateEnergy(id="cheap", energy=SMALL, by=secret("rhine")))
    assert world.state.trading["cheap"] == down
    assert world.reserve("next").offer.id == "clean"
    world.do(c.PostOffer(offer=world.state.offers["cheap"]))
    assert world.reserve("again").offer.id == "cheap"


def test_energy_is_restated_by_whoever_provides_and_all_else_stays():
    world = world_with(None)
    sealed = structs.replace(world.state.offers["cheap"], sealed_secret="sealed")
    world.do(c.PostOffer(offer=sealed))
    hold = world.reserve("r1")
    new = structs.replace(BIG, method="metered-nvml")
    world.do(c.RestateEnergy(id="cheap", energy=new, by=secret("rhine")))
    assert world.state.offers["cheap"] == structs.replace(sealed, energy=new)
    assert world.state.holds["r1"].offer.energy == hold.offer.energy == BIG
    for by in ("ada", "dean", "coop"):
        asked = c.RestateEnergy(id="cheap", energy=new, by=secret(by))
        assert world.refuse(asked).why is Why.NOT_ALLOWED
    assert world.refuse(c.RestateEnergy(id="none", energy=new)).why is Why.NOT_FOUND
    wrong = structs.replace(new, site_ml_per_kwh=(2, 1))
    assert world.refuse(c.RestateEnergy(id="cheap", energy=wrong)).why is Why.BAD_VALUE
