"""Snapshots: read again by the code that wrote them, passed over by any other."""

from __future__ import annotations

import asyncio
from pathlib import Path

import market
import msgspec

from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.core import machine
from allmende.desk import Desk
from allmende.lab.floor import Floor
from allmende.wire.snapshot import pack, unpack


def test_what_is_unpacked_has_the_digest_of_what_was_packed():
    floor = Floor()
    floor.mint(4)
    floor.place("rhine", "sell", 10_100, 2)
    again = unpack(pack(floor.state))
    assert again is not None
    assert machine.digest(again) == machine.digest(floor.state)


def test_a_state_of_another_shape_is_not_read():
    floor = Floor()
    version, _, body = pack(floor.state).partition(b"\n")
    assert unpack(b"0" * len(version) + b"\n" + body) is None
    assert unpack(msgspec.json.encode(floor.state)) is None, "as yesterday's code wrote them"


def test_a_start_folds_the_whole_journal_where_a_snapshot_is_of_another_version(tmp_path: Path):
    async def grown() -> str:
        desk = await market.open_desk(tmp_path)
        await desk.submit(market.reserve("r"))
        await desk.close()
        return machine.digest(desk.state)

    digest = asyncio.run(grown())
    journal = SqliteJournal(tmp_path / "journal.sqlite")
    found = journal.latest_snapshot()
    assert found is not None
    journal.snapshot(found[0], found[1], b"other\n{}")
    desk = Desk(journal, market.Signer(), market.HandClock())
    desk.load()
    assert machine.digest(desk.state) == digest
    journal.close()
