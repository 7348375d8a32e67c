"""Rights obey the same floors: the issuer's own offer, and whoever replaces it."""

from __future__ import annotations

from msgspec import structs
from test_core_evidence import ROOT, file

from allmende.core import commands as c
from allmende.core import evidence_commands as v
from allmende.core.nouns import Policy
from allmende.core.refusals import Why
from allmende.core.units import Tariff
from allmende.lab.floor import Floor, changed
from allmende.lab.world import OFFERS, ask

WISH = Policy(min_seal=(("SOV-3", 2),))


def sold() -> Floor:
    """Lots of `cheap` minted by rhine and bought by the university."""
    floor = Floor()
    floor.mint(4)
    floor.place("rhine", "sell", 10_000, 4)
    floor.place("uni", "buy", 10_000, 4)
    return floor


def test_a_right_pays_only_where_its_issuers_offer_reaches_the_floor():
    floor = sold()
    assert floor.reserve("a", "ada").right == "december"
    file(floor, "n", offer="clean")
    hold = floor.reserve("b", "ada", policy=WISH)
    assert (hold.offer.id, hold.right) == ("clean", ""), "credit pays whoever reaches it"
    file(floor, "r", offer="cheap")
    hold = floor.reserve("c", "ada", policy=WISH)
    assert (hold.offer.id, hold.right) == ("cheap", "december")


def test_a_budgets_floor_holds_for_rights_that_pay_for_it():
    floor = sold()
    floor.do(v.SetFloor(budget="uni", max_exposure=(("US", 1),), by=ROOT))
    refused = floor.refuse(ask("a", "ada"))
    assert refused.why is Why.NO_OFFER
    assert refused.facts["conditions"] == {"exposure": 2}
    assert set(refused.facts["cures"]) == {"cheap", "clean"}


def test_who_replaces_a_failed_issuer_reaches_the_floor_too():
    floor = sold()
    tariff, zone = Tariff(input=1_000_000, output=4_000_000), changed(id="x").zone
    floor.do(c.PostOffer(offer=structs.replace(OFFERS[1], zone=zone, tariff=tariff)))
    file(floor, "r", offer="cheap")
    failed = {"policy": WISH, "exclude": ("cheap",)}
    assert floor.refuse(ask("a", "ada", **failed)).why is Why.NO_OFFER
    file(floor, "n", offer="clean")
    hold = floor.reserve("a", "ada", **failed)
    assert (hold.offer.id, hold.right) == ("clean", "december")
