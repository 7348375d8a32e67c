"""Trade: offers come, change and go; open holds keep their terms."""

from __future__ import annotations

import pytest
from msgspec import structs

from allmende.core import commands as c
from allmende.core import machine, trade
from allmende.core.nouns import Policy
from allmende.core.refusals import Why
from allmende.core.units import EnergyRate, Tariff, Units, Zone
from allmende.lab.world import OFFERS, World, ask, secret

CHEAP = OFFERS[0]


def post(world: World, **changed):
    return world.do(c.PostOffer(offer=structs.replace(CHEAP, **changed)))


def test_the_worked_number_of_the_module():
    world = World()
    post(world, tariff=Tariff(input=150_000, output=0))
    for id_ in ("r1", "r2", "r3"):
        world.reserve(id_, policy=Policy(order=("cheap",)))
    post(world, tariff=Tariff(input=200_000, output=0))
    world.reserve("r4", policy=Policy(order=("cheap",)))
    prices = [world.capture(f"r{n}", Units(input=1)).price for n in (1, 2, 3, 4)]
    assert prices == [150_000, 150_000, 150_000, 200_000]


@pytest.mark.parametrize(
    "changed",
    [
        {"endpoints": ()},
        {"endpoints": ("telepathy",)},
        {"tariff": Tariff(input=-1)},
        {"tariff": Tariff(input=10**15 + 1)},
        {"capacity": 0},
        {"context": 0},
        {"max_output": 10_000_001},
        {"idle_s": 0},
        {"model": ""},
        {"zone": Zone("de")},
        {"zone": Zone("DE1")},
        {"energy": EnergyRate((2, 1))},
        {"energy": EnergyRate(output_nj=(-5, 1))},
        {"id": "no spaces"},
    ],
)
def test_terms_that_make_no_sense_are_refused(changed: dict):
    offer = structs.replace(CHEAP, **changed)
    assert World().refuse(c.PostOffer(offer=offer)).why is Why.BAD_VALUE


def test_an_offer_without_any_price_is_refused_and_one_for_nothing_is_not():
    world = World()
    none = structs.replace(CHEAP, tariff=Tariff())
    assert world.refuse(c.PostOffer(offer=none)).why is Why.UNPRICED
    assert post(world, tariff=Tariff(input=0, output=0))


def test_only_its_provider_posts_and_withdraws_an_offer():
    world = World()
    theirs = structs.replace(CHEAP, provider="nordic")
    assert world.refuse(c.PostOffer(offer=theirs)).why is Why.EXISTS
    rhine = secret("rhine")
    assert world.do(c.PostOffer(offer=CHEAP, by=rhine))
    assert world.refuse(c.WithdrawOffer(id="clean", by=rhine)).why is Why.NOT_ALLOWED
    assert world.do(c.WithdrawOffer(id="cheap", by=rhine))
    assert world.refuse(c.WithdrawOffer(id="cheap", by=rhine)).why is Why.NOT_FOUND


@pytest.mark.parametrize("unknown", ["title", "asset", "provider"])
def test_an_offer_of_what_nobody_knows_is_refused(unknown: str):
    offer = structs.replace(CHEAP, id="new", **{unknown: "nobody"})
    assert World().refuse(c.PostOffer(offer=offer)).why is Why.NOT_FOUND


def test_models_follow_the_offers():
    world = World()
    assert world.state.models["small"] == ("cheap", "clean")
    post(world, model="large")
    assert world.state.models["small"] == ("clean",)
    assert world.state.models["large"] == ("cheap",)
    world.do(c.WithdrawOffer(id="cheap"))
    assert "large" not in world.state.models
    assert world.refuse(ask("r", model="large")).why is Why.UNKNOWN_MODEL


def test_a_withdrawn_offer_finishes_its_open_holds_and_is_forgotten():
    world = World()
    world.reserve("r1")
    world.do(c.WithdrawOffer(id="cheap"))
    assert world.reserve("r2").offer.id == "clean"
    assert world.state.trading["cheap"].in_flight == 1
    assert world.capture("r1", Units(output=1)).offer == "cheap"
    assert "cheap" not in world.state.trading


def test_an_offer_that_comes_back_counts_what_is_still_in_flight():
    world = World()
    world.reserve("r1")
    world.do(c.WithdrawOffer(id="cheap"))
    post(world, capacity=1)
    assert world.reserve("r2").offer.id == "clean"
    world.do(c.Void(hold="r1", cause="test"))
    assert world.reserve("r3").offer.id == "cheap"


def test_check_sees_a_book_that_lists_what_does_not_stand():
    world = World()
    del world.state.offers["cheap"]
    with pytest.raises(AssertionError, match="stand"):
        trade.check(world.state)
    world = World()
    world.state.trading["clean"].in_flight = 1
    with pytest.raises(AssertionError, match="in flight"):
        machine.check(world.state)
