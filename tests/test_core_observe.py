"""Observe: every dimension adds up to the same receipts."""

from __future__ import annotations

from allmende.core import commands as c
from allmende.core.observe import DIMENSIONS, Totals, observe
from allmende.core.units import Units
from allmende.lab.world import World


def totals(world: World) -> Totals:
    found = Totals()
    for event in world.events:
        observe(found, event)
    return found


def test_the_worked_number_of_the_module():
    world = World()
    for id_ in ("r1", "r2"):
        world.reserve(id_)
        world.capture(id_, Units(input=260, output=100))
    total = totals(world).by["zone"]["DEU"]["credit"]
    assert (total.receipts, total.money) == (2, 132_000_000)
    assert (total.input, total.output) == (520, 200)


def test_a_correction_replaces_and_a_pending_receipt_waits():
    world = World()
    world.reserve("r1")
    world.capture("r1", Units(input=10, output=10), pending=True)
    assert totals(world).by["zone"] == {}
    world.do(c.Recount(counts=(("r1", Units(input=10, output=20)),)))
    assert totals(world).by["zone"]["DEU"]["credit"].money == 9_000_000


def test_every_dimension_adds_up_to_all_receipts_and_so_does_what_was_earned():
    world = World()
    for number in range(12):
        world.reserve(f"r{number}", key=("lab", "ada", "coop")[number % 3])
        world.capture(f"r{number}", Units(input=number, cached=3, output=number))
    found = totals(world)
    prices = sum(e.receipt.price for e in world.events if hasattr(e, "receipt"))
    for dimension in DIMENSIONS:
        values = found.by[dimension].values()
        assert sum(by_asset["credit"].money for by_asset in values) == prices
    earned = {
        account: sum(assets["credit"] for assets in roles.values())
        for account, roles in found.earned.items()
    }
    assert sum(earned.values()) == prices
    assert earned["author"] == world.balance("author")
    low, high = found.by["title"]["small"]["credit"].uj
    assert 0 < low < high
