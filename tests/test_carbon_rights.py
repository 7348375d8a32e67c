"""Rights are under carbon caps too: the issuer's own offer, whoever replaces it, and a recount."""

from __future__ import annotations

from msgspec import structs
from test_evidence_rights import sold

from allmende.core import commands as c
from allmende.core.refusals import Why
from allmende.core.units import EnergyRate, Tariff, Units, worst_ug
from allmende.lab import model
from allmende.lab.floor import Floor, changed
from allmende.lab.world import OFFERS, ask

DIRTY = EnergyRate((10**8, 2 * 10**8), (5 * 10**9, 9 * 10**9), (300, 350), "test")
CLEAN = EnergyRate((10**8, 2 * 10**8), (5 * 10**9, 9 * 10**9), (30, 35), "test")
BOUND = Units(input=1_000, output=256)
WORST, LEAST = worst_ug(DIRTY, BOUND), worst_ug(CLEAN, BOUND)


def capped(cap_ug: int) -> Floor:
    """The university holds lots of the dirty offer; the clean one could replace it."""
    floor = sold()
    tariff, zone = Tariff(input=1_000_000, output=4_000_000), changed(id="x").zone
    floor.do(c.RestateEnergy(id="cheap", energy=DIRTY))
    clean = structs.replace(OFFERS[1], zone=zone, tariff=tariff, energy=CLEAN)
    floor.do(c.PostOffer(offer=clean))
    floor.do(c.SetCarbonCap(id="uni", cap_ug=cap_ug))
    return floor


def test_a_right_pays_only_where_its_issuers_offer_fits_under_the_cap():
    floor = capped(WORST + LEAST)
    hold = floor.reserve("a", "ada")
    assert (hold.offer.id, hold.right, hold.ug) == ("cheap", "december", WORST)
    hold = floor.reserve("b", "ada")
    assert (hold.offer.id, hold.right, hold.ug) == ("clean", "", LEAST), "credit pays the cleaner"
    assert floor.refuse(ask("c", "ada")).why is Why.CARBON_CAP
    model.agree(floor.state, floor.events)


def test_nobody_failed_whose_cap_kept_him_from_the_issuers_offer():
    floor = capped(LEAST)
    before = structs.replace(floor.state.listings["december"])
    hold = floor.reserve("a", "ada")
    assert (hold.offer.id, hold.right) == ("clean", "")
    assert floor.events[-1].missed == ()
    assert floor.state.listings["december"] == before


def test_who_replaces_a_failed_issuer_fits_under_the_cap_too():
    floor = capped(LEAST)
    hold = floor.reserve("a", "ada", exclude=("cheap",))
    assert (hold.offer.id, hold.right, hold.ug) == ("clean", "december", LEAST)
    floor = capped(LEAST - 1)
    assert floor.refuse(ask("a", "ada", exclude=("cheap",))).why is Why.CARBON_CAP


def test_a_recount_of_what_a_right_paid_stays_under_the_cap():
    floor = capped(WORST)
    floor.reserve("a", "ada")
    floor.capture("a", Units(input=10, output=1), pending=True)
    assert floor.refuse(ask("b", "ada", exclude=("cheap",))).why is Why.CARBON_CAP
    floor.do(c.Recount(counts=(("a", BOUND),)))
    node = floor.state.budgets["uni"]
    assert (node.ug_spent, node.ug_held) == (WORST, 0)
    model.agree(floor.state, floor.events)
