"""Limits in the lab: ten thousand requests under faults, and a reader that does notice."""

from __future__ import annotations

import json

import pytest
from msgspec import structs

from allmende.core import commands as c
from allmende.core.units import Units
from allmende.lab import cap_cost, limits, model_carbon
from allmende.lab.world import World, ask
from allmende.wire import journal

SORTS = ("price", "carbon")


def test_no_limit_is_passed_in_ten_thousand_requests_under_faults():
    out = limits.run(1)
    assert out.asked >= limits.REQUESTS
    assert out.starts > 100, "the power went"
    assert out.under_caps > 300, "caps could have refused"
    assert out.under_floors > 100, "and so could floors"
    assert out.refused["carbon_cap"] == out.lost > 1_000, "and did"
    assert out.worth > 0


def lines(world: World) -> list[bytes]:
    return journal.frame(1, world.events, journal.GENESIS).body.splitlines()


def capped() -> World:
    world = World()
    world.do(c.SetCarbonCap(id="physics", cap_ug=3))
    world.reserve("r1")
    world.capture("r1", Units(input=1_000, output=256))
    return world


def test_the_reader_agrees_with_the_machine():
    reader = model_carbon.audit(lines(capped()))
    assert reader.caused_at("physics", reader.now) == reader.caused_at("uni", reader.now) == 3
    assert reader.let_in == 1


def tampered(found: list[bytes], kind: str, **more: int) -> list[bytes]:
    """The same lines, with fields of the one fact of a kind changed."""
    facts = [json.loads(line) for line in found]
    return [json.dumps({**f, **more} if f["type"] == kind else f).encode() for f in facts]


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        ("carboncapset", {"cap_ug": 2}, "physics has 2"),
        ("reserved", {"ug": 2}, "holds 2, not 3"),
        ("reserved", {"budget": "coop"}, ""),
    ],
)
def test_the_reader_notices_a_journal_in_which_a_cap_was_passed(kind, more, said):
    changed = tampered(lines(capped()), kind, **more)
    if not said:
        assert model_carbon.audit(changed).let_in == 0
        return
    with pytest.raises(AssertionError, match=said):
        model_carbon.audit(changed)


def test_the_reader_notices_a_receipt_that_says_less_than_it_caused():
    world = capped()
    receipt = world.events[-1].receipt
    little = structs.replace(receipt, energy=structs.replace(receipt.energy, ug=(0, 1)))
    world.events[-1] = structs.replace(world.events[-1], receipt=little)
    with pytest.raises(AssertionError, match="r1 says 1 ug"):
        model_carbon.audit(lines(world))


def test_an_offer_of_unknown_energy_under_a_cap_is_noticed():
    world = World()
    world.do(ask("r1", "coop", model="gift"))
    found = lines(world)
    found.insert(-1, b'{"type":"carboncapset","at":1,"id":"coop","cap_ug":9}')
    with pytest.raises(AssertionError, match="energy unknown under a cap"):
        model_carbon.audit(found)


def test_what_a_cap_costs_is_counted_request_by_request():
    free, *under = cap_cost.runs(400, 1, (100, 50, 10))
    assert (free.served, free.lost, free.at_cleaner) == (400, 0, 0)
    assert [out.served + out.lost for out in under] == [400] * 6
    assert all(out.caused_ug <= out.cap_ug for out in under)
    by_price, by_carbon = ([out.served for out in under if out.sort == s] for s in SORTS)
    assert by_price == sorted(by_price, reverse=True)
    assert all(clean >= cheap for cheap, clean in zip(by_price, by_carbon, strict=True))
    assert by_carbon[1] == 400 > by_price[1]
    assert under[-2].worth_lost > 0


def test_main_says_what_was_lost_and_that_nothing_was_passed():
    said: list[str] = []
    assert limits.main(3, 300, said.append) == 0
    assert "none was passed" in said[0]
    assert cap_cost.main(100, 1, said.append) == 0
    assert len(said) == 1 + 2 + 1 + 2 * len(cap_cost.SHARES)
