"""The read models have the registry of the last import, whole, and every version's digest."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import structs
from test_core_actors import SMALL, command
from test_views_fold import folded
from test_views_queries import Asker

from allmende.core.actors import Registry
from allmende.core.registry import digest
from allmende.lab.world import World


def test_the_tables_are_the_last_registry_to_the_last_sign(tmp_path: Path) -> None:
    world = World()
    world.do(command(structs.replace(SMALL, stakes=())))
    world.do(command(SMALL))
    views = Asker(folded(tmp_path, world.events, group=10))
    rows = {table: views(table) for table in ("actors", "stakes", "supplies")}
    assert digest(msgspec.convert(rows, Registry)) == digest(SMALL)
    told = [(row["version"], row["sha256"], row["stakes"]) for row in views("registries")]
    assert told[0] == (2, digest(SMALL), 2)
    assert told[1][::2] == (1, 0)
    assert [row["holder"] for row in views("stakes", entity="leaf")] == ["big"]
    assert [row["id"] for row in views("actors", jurisdiction="DEU")] == ["leaf"]
