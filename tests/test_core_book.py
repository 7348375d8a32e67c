"""Book: the cheapest offer that meets every condition, and a refusal that says which failed."""

from __future__ import annotations

import pytest
from msgspec import structs

from allmende.core import commands as c
from allmende.core.nouns import Policy
from allmende.core.refusals import Why
from allmende.core.units import SECOND, Tariff, Units
from allmende.lab.world import OFFERS, World, ask

CHEAP, CLEAN = OFFERS[:2]


def chosen(policy: Policy) -> str:
    return World().reserve("r", policy=policy).offer.id


def failed(policy: Policy) -> dict[str, int]:
    refused = World().refuse(ask("r", policy=policy))
    assert refused.why is Why.NO_OFFER
    return refused.facts["conditions"]


def test_the_worked_number_of_the_module():
    world = World()
    for offer, rate in ((CHEAP, 150_000), (CLEAN, 100_000)):
        terms = structs.replace(offer, tariff=Tariff(input=rate, output=0))
        world.do(c.PostOffer(offer=terms))
    assert world.reserve("r1").offer.id == "clean"
    policy = Policy(not_zones=("SWE",))
    assert world.reserve("r2", policy=policy).offer.id == "cheap"
    world.do(c.WithdrawOffer(id="cheap"))
    assert world.refuse(ask("r3", policy=policy)).facts["conditions"] == {"zone": 1}


@pytest.mark.parametrize(
    ("policy", "offer"),
    [
        (Policy(), "cheap"),
        (Policy(sort="carbon"), "clean"),
        (Policy(order=("clean",)), "clean"),
        (Policy(order=("nordic", "rhine")), "clean"),
        (Policy(order=("nobody",)), "cheap"),
        (Policy(zones=("SWE", "FRA")), "clean"),
        (Policy(not_zones=("DEU",)), "clean"),
        (Policy(control=("USA",)), "clean"),
        (Policy(control=("Big Inc",)), "clean"),
        (Policy(control=("DEU",)), "cheap"),
        (Policy(not_control=("DEU",)), "clean"),
        (Policy(providers=("nordic",)), "clean"),
        (Policy(max_rate=400_000), "cheap"),
        (Policy(max_ug=2), "clean"),
    ],
)
def test_policies_choose(policy: Policy, offer: str):
    assert chosen(policy) == offer


@pytest.mark.parametrize(
    ("policy", "conditions"),
    [
        (Policy(max_rate=399_999), {"max_rate": 2}),
        (Policy(max_cost=202_399_999), {"max_cost": 2}),
        (Policy(zones=("FRA",)), {"zone": 2}),
        (Policy(zones=("DEU",), not_control=("DEU",)), {"zone": 1, "control": 1}),
        (Policy(control=("USA",), max_cost=1), {"max_cost": 2}),
        (Policy(providers=("nobody",)), {"provider": 2}),
        (Policy(max_ug=0), {"max_grams": 2}),
    ],
)
def test_a_refusal_says_which_condition_failed_for_how_many(policy: Policy, conditions: dict):
    assert failed(policy) == conditions


def test_the_highest_cost_allowed_is_allowed():
    assert chosen(Policy(max_cost=202_400_000)) == "cheap"


def test_bounds_are_cut_to_what_the_offer_can_use():
    world = World()
    hold = world.reserve("r", input_bound=10**12, output_bound=0, choices=3)
    assert hold.bound == Units(input=8_192, output=3 * 1_024)
    done = world.do(ask("r2", output_bound=10**12))
    assert done[0].output_limit == 1_024


def test_a_cached_price_above_the_input_price_is_held_for():
    world = World()
    odd = structs.replace(CHEAP, tariff=Tariff(input=1, cached=10, output=0))
    world.do(c.PostOffer(offer=odd))
    assert world.reserve("r").amount == 10_000
    assert world.capture("r", Units(cached=1_000)).price == 10_000


def test_images_hold_the_whole_context_since_bytes_do_not_bound_them():
    world = World()
    assert world.reserve("r1", images=2).bound == Units(input=8_192, output=256)
    seeing = structs.replace(CHEAP, tariff=structs.replace(CHEAP.tariff, image=7))
    world.do(c.PostOffer(offer=seeing))
    assert world.reserve("r2", images=2).bound == Units(input=8_192, output=256, image=2)


def test_a_model_without_a_price_for_what_is_asked_is_refused():
    world = World()
    world.do(c.PostOffer(offer=structs.replace(CHEAP, id="half", model="half",
                                               tariff=Tariff(input=1))))  # fmt: skip
    assert world.refuse(ask("r", model="half")).why is Why.UNPRICED
    assert world.refuse(ask("r", model="unheard-of")).why is Why.UNKNOWN_MODEL


def test_free_on_purpose_is_free():
    world = World()
    assert world.reserve("r", model="gift").amount == 0
    assert world.capture("r", Units(input=10, output=10)).price == 0


def test_embeddings_are_held_by_their_own_meter():
    world = World()
    hold = world.reserve("r", model="vectors", endpoint="embeddings", input_bound=500)
    assert (hold.bound, hold.amount) == (Units(embedding=500), 5_000_000)
    refused = world.refuse(ask("r2", model="vectors"))
    assert refused.facts["conditions"] == {"endpoint": 1}


def test_capacity_fills_the_cheapest_first_then_says_when_to_come_again():
    world = World()
    taken = [world.reserve(f"r{n}").offer.id for n in range(16)]
    assert taken == ["cheap"] * 8 + ["clean"] * 8
    refused = world.refuse(ask("r16"))
    assert (refused.why, refused.facts["retry_after_us"]) == (Why.CAPACITY, SECOND)


def test_an_offer_that_keeps_failing_leaves_the_book_for_longer_each_time():
    world = World()
    for number, down_s in enumerate((0, 0, 1, 2, 4)):
        world.reserve(f"r{number}", policy=Policy(providers=("rhine",)))
        world.do(c.Void(hold=f"r{number}", cause="died", fault=True))
        trading = world.state.trading["cheap"]
        assert trading.down_until == (world.now + down_s * SECOND if down_s else 0)
        assert world.reserve(f"next{number}").offer.id == ("clean" if down_s else "cheap")
        world.do(c.Void(hold=f"next{number}", cause="client"))
        world.now += down_s * SECOND
    world.reserve("good")
    world.capture("good", Units(output=1))
    assert world.state.trading["cheap"].faults == 0


def test_what_just_failed_is_not_asked_again():
    refused = World().refuse(ask("r", exclude=("cheap", "clean")))
    assert (refused.why, refused.facts["conditions"]) == (Why.NO_OFFER, {"failed just now": 2})


def test_a_key_cap_counts_every_meter():
    world = World()
    seeing = structs.replace(CHEAP, tariff=structs.replace(CHEAP.tariff, image=10**15))
    world.do(c.PostOffer(offer=seeing))
    assert world.reserve("r", policy=Policy(max_rate=10**9)).offer.id == "clean"
