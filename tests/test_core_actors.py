"""The registry of actors: every fault is named by row and field, and nothing is half imported."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import machine
from allmende.core.actors import Actor, Registry, Stake, Supply
from allmende.core.refusals import Refused
from allmende.core.registry import Known, digest, lei_sound, percent, wrong
from allmende.lab.world import World, secret

TODAY = "2026-11-20"
DATED: Any = {"source": "made up", "date": "2026-01-01"}
BIG = Actor("big", "Big Inc", "USA", ("cloud",), **DATED)
LEAF = Actor("leaf", "Leaf GmbH", "DEU", ("host",), accounts=("rhine",), **DATED)
MINE = Actor("mine", "Mine SE", "FRA", **DATED)
SMALL = Registry(
    (BIG, LEAF, MINE),
    (Stake("big", "leaf", 490_000, 600_000, **DATED), Stake("leaf", "mine", 510_000, **DATED)),
    (Supply("actor", "leaf", "network", "AEC-1", **DATED),
     Supply("provider", "rhine", "chip", "big", "updates", **DATED)),
)  # fmt: skip


def changed(table: str, row: int, **fields: Any) -> Registry:
    rows = list(getattr(SMALL, table))
    rows[row] = structs.replace(rows[row], **fields)
    return structs.replace(SMALL, **{table: tuple(rows)})


def faults(registry: Registry) -> list[tuple[str, int, str]]:
    return [fault[:3] for fault in wrong(registry, Known(TODAY, {"rhine"}, {"cheap"}))]


def test_a_registry_in_order_has_no_faults() -> None:
    assert faults(SMALL) == []


@pytest.mark.parametrize(
    ("table", "row", "field", "value"),
    [
        ("actors", 0, "jurisdiction", "GER"),
        ("actors", 0, "jurisdiction", ""),
        ("actors", 1, "id", "big"),
        ("actors", 0, "id", "a b"),
        ("actors", 0, "name", ""),
        ("actors", 0, "name", "=1+1"),
        ("actors", 0, "name", "x" * 301),
        ("actors", 0, "name", "a\nb"),
        ("actors", 0, "roles", ("cloud", "cloud")),
        ("actors", 0, "roles", ("bank",)),
        ("actors", 0, "form", "tribe"),
        ("actors", 0, "lei", "5493001KJTIIGC8Y1R13"),
        ("actors", 0, "accounts", ("nobody",)),
        ("actors", 2, "accounts", ("rhine",)),
        ("actors", 0, "website", "javascript:alert(1)"),
        ("actors", 0, "source", ""),
        ("actors", 0, "grade", "sure"),
        ("actors", 0, "date", ""),
        ("actors", 0, "date", "20.11.2026"),
        ("actors", 0, "date", "20260101"),
        ("actors", 0, "date", "2026-02-30"),
        ("actors", 0, "date", "2026-11-21"),
        ("actors", 0, "date", "1926-11-20"),
        ("stakes", 0, "holder", "nobody"),
        ("stakes", 1, "entity", "leaf"),
        ("stakes", 0, "votes_ppm", -1),
        ("stakes", 0, "votes_ppm", 1_000_001),
        ("stakes", 0, "economic_ppm", 1_000_001),
        ("supplies", 0, "scope", "planet"),
        ("supplies", 1, "subject", "nobody"),
        ("supplies", 0, "layer", "magic"),
        ("supplies", 1, "supplier", "nobody"),
        ("supplies", 1, "supplier", "customer"),
        ("supplies", 0, "access", "all"),
        ("supplies", 0, "supplier", ""),
    ],
)
def test_each_fault_is_named(table: str, row: int, field: str, value: Any) -> None:
    assert (table, row, field) in faults(changed(table, row, **{field: value}))


def test_rows_that_contradict_each_other_are_named() -> None:
    more = Stake("mine", "leaf", 510_001, 400_001, **DATED)
    both = structs.replace(SMALL, stakes=(*SMALL.stakes[:1], more))
    assert faults(both) == [("stakes", 1, "votes_ppm"), ("stakes", 1, "economic_ppm")]
    twice = structs.replace(SMALL, stakes=(*SMALL.stakes, SMALL.stakes[1]))
    assert ("stakes", 2, "holder") in faults(twice)
    pact = [Stake(h, "leaf", contract=True, **DATED) for h in ("big", "mine")]
    assert faults(structs.replace(SMALL, stakes=tuple(pact))) == [("stakes", 1, "contract")]
    again = structs.replace(SMALL, supplies=(*SMALL.supplies, SMALL.supplies[0]))
    assert faults(again) == [("supplies", 2, "supplier")]
    lei = "529900T8BM49AURSDO55"
    same = structs.replace(SMALL, actors=(structs.replace(BIG, lei=lei),
                                          structs.replace(LEAF, lei=lei), MINE))  # fmt: skip
    assert faults(same) == [("actors", 1, "lei")]
    assert faults(changed("actors", 1, form="person")) == [("stakes", 0, "entity")]
    assert faults(Registry()) == [("actors", 0, "")]


def test_cross_holdings_are_lawful_and_a_cycle_of_majorities_is_named() -> None:
    back = Stake("mine", "big", 250_000, **DATED)
    assert faults(structs.replace(SMALL, stakes=(*SMALL.stakes, back))) == []
    ring = (Stake("big", "leaf", 600_000, **DATED), Stake("leaf", "mine", 600_000, **DATED),
            Stake("mine", "big", 500_001, **DATED))  # fmt: skip
    (fault,) = wrong(structs.replace(SMALL, stakes=ring), Known(TODAY))
    assert (fault.table, fault.row, fault.field) == ("stakes", 2, "votes_ppm")
    assert "big of leaf; leaf of mine; mine of big" in fault.says


def test_a_company_that_holds_itself_through_its_daughters_is_a_cycle() -> None:
    orphan = (Stake("big", "leaf", 600_000, **DATED), Stake("big", "mine", 600_000, **DATED),
              Stake("leaf", "big", 300_000, **DATED),
              Stake("mine", "big", 300_000, **DATED))  # fmt: skip
    (fault,) = wrong(structs.replace(SMALL, stakes=orphan), Known(TODAY))
    assert "leaf, mine of big" in fault.says


def test_too_many_rows_are_refused_before_they_are_read() -> None:
    many = structs.replace(SMALL, actors=(BIG,) * 2_001)
    assert [fault.says for fault in wrong(many, Known(TODAY))] == [
        "2001 rows; a registry has 2000 at most"
    ]


def test_chains_that_would_take_long_to_look_through_are_refused() -> None:
    actors = tuple(structs.replace(BIG, id=f"a{n}") for n in range(600))
    stakes = tuple(Stake(f"a{n}", f"a{n + 1}", 600_000, **DATED) for n in range(599))
    (fault,) = wrong(Registry(actors, stakes), Known(TODAY))
    assert "more than 100000 pairs" in fault.says
    assert wrong(Registry(actors, stakes[:400]), Known(TODAY)) == []


def test_lei_and_percent_are_exact() -> None:
    assert lei_sound("529900T8BM49AURSDO55")
    assert not lei_sound("529900T8BM49AURSDO56")
    assert not lei_sound("529900t8bm49aursdo55")
    assert [percent(p) for p in (0, 1, 490_000, 333_333, 1_010_000)] == [
        *("0 %", "0.0001 %", "49 %", "33.3333 %", "101 %")
    ]


def command(registry: Registry, **more: Any) -> c.ImportActors:
    return c.ImportActors(registry=registry, source="actors.csv", **more)


def test_an_import_is_one_fact_and_the_state_keeps_its_digest_alone() -> None:
    world = World()
    (event,) = world.do(command(SMALL))
    assert isinstance(event, e.ActorsImported)
    assert (event.version, event.sha256, event.importer) == (1, digest(SMALL), "system")
    assert (world.state.registry_version, world.state.registry_sha256) == (1, digest(SMALL))
    assert world.do(command(Registry(SMALL.actors[::-1], SMALL.stakes, SMALL.supplies))) == []
    (event,) = world.do(command(structs.replace(SMALL, stakes=())))
    assert isinstance(event, e.ActorsImported)
    assert event.version == 2
    assert machine.digest(machine.replay(world.events)) == machine.digest(world.state)


def test_one_bad_row_imports_nothing_and_only_operators_import() -> None:
    world = World()
    before = machine.digest(world.state)
    with pytest.raises(Refused, match=r"Nothing was imported\. actors row 1: jurisdiction: 'GER'"):
        world.do(command(changed("actors", 0, jurisdiction="GER")))
    with pytest.raises(Refused, match="operator"):
        world.do(command(SMALL, by=secret("lab")))
    with pytest.raises(Refused, match="where it is from"):
        world.do(c.ImportActors(registry=SMALL, source=""))
    assert machine.digest(world.state) == before
