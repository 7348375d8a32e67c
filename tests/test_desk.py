"""The desk: durable before told, grouped, idempotent, fail-stop, and replayed the same."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import market
import pytest

from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import machine
from allmende.core.refusals import Refused, Why
from allmende.core.units import CREDIT, SECOND, Units
from allmende.desk import Desk, Stopped
from allmende.wire import journal


def capture(id_: str, **more: object) -> c.Capture:
    units = Units(200, 0, 60)
    return c.Capture(at=market.START, hold=id_, estimate=units, reported=units, **more)  # type: ignore[arg-type]


def on_disk(folder: Path) -> list[e.Any]:
    frames = SqliteJournal(folder / "journal.sqlite", readonly=True).frames()
    chained = journal.follow(frames, 1, journal.GENESIS)
    return [event for frame in chained for event in journal.events(frame.body)]


def test_what_is_answered_is_on_disk(tmp_path: Path) -> None:
    async def scenario() -> None:
        desk = await market.open_desk(tmp_path)
        for number in range(5):
            await desk.submit(market.reserve(f"r{number}"))
            told = await desk.submit(capture(f"r{number}"))
            assert on_disk(tmp_path)[-1] == told[-1]
        assert desk.committed == desk.number == len(on_disk(tmp_path))
        machine.check(desk.state)

    asyncio.run(scenario())


def test_what_waits_is_committed_together(tmp_path: Path) -> None:
    async def scenario() -> tuple[int, list[object]]:
        desk = await market.open_desk(tmp_path)
        before = len(list(SqliteJournal(tmp_path / "journal.sqlite").frames()))
        asked = (desk.submit(market.reserve(f"r{n}")) for n in range(50))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        after = len(list(SqliteJournal(tmp_path / "journal.sqlite").frames()))
        assert len(desk.state.holds) == 16, "0.005 credits pay for 16 holds of 0.0003036"
        return after - before, list(answers)

    frames, answers = asyncio.run(scenario())
    assert frames <= 2
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert [no.why for no in refused] == [Why.BUDGET_SPENT] * 34


def test_a_restart_replays_to_the_same_state(tmp_path: Path) -> None:
    async def first() -> str:
        desk = await market.open_desk(tmp_path, snapshot_events=7)
        for number in range(20):
            await desk.submit(market.reserve(f"r{number}"))
            await desk.submit(capture(f"r{number}", pending=number % 2 == 0))
        digest = machine.digest(desk.state)
        assert SqliteJournal(tmp_path / "journal.sqlite").latest_snapshot() is not None
        return digest

    async def again() -> tuple[str, str]:
        desk = Desk(SqliteJournal(tmp_path / "journal.sqlite"), market.Signer(), market.HandClock())
        desk.load()
        return machine.digest(desk.state), machine.digest(machine.replay(on_disk(tmp_path)))

    live = asyncio.run(first())
    assert asyncio.run(again()) == (live, live)


def test_a_cancelled_caller_takes_nobody_along(tmp_path: Path) -> None:
    async def scenario() -> None:
        desk = await market.open_desk(tmp_path)
        calls = [asyncio.create_task(desk.submit(market.reserve(f"r{n}"))) for n in range(3)]
        await asyncio.sleep(0)
        calls[1].cancel()
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(done[1], asyncio.CancelledError)
        assert not any(isinstance(answer, BaseException) for answer in (done[0], done[2]))
        assert set(desk.state.holds) == {"r0", "r1", "r2"}, "what was decided has happened"

    asyncio.run(scenario())


def test_a_repeated_command_acts_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        desk = await market.open_desk(tmp_path)
        deposit = c.Deposit(at=1, member="uni", amount=CREDIT, reference="wire 2", idem="d")
        once = await desk.submit(deposit)
        assert await desk.submit(deposit) == once
        assert desk.state.balances["credit"]["uni"] == 11 * CREDIT
        other = c.Deposit(at=1, member="uni", amount=2 * CREDIT, reference="wire 3", idem="d")
        with pytest.raises(Refused) as no:
            await desk.submit(other)
        assert no.value.why is Why.REPLAYED
        await desk.submit(market.reserve("r", idem="chat 1", contents="c"))
        with pytest.raises(Refused) as no:
            await desk.submit(market.reserve("r again", idem="chat 1", contents="c"))
        assert (no.value.why, no.value.facts["receipt"]) == (Why.ALREADY_SERVED, "r")

    asyncio.run(scenario())


class FullDisk(SqliteJournal):
    """A real journal on a database that may not grow."""

    def fill(self) -> None:
        pages = self._db.execute("PRAGMA page_count").fetchone()[0]
        self._db.execute(f"PRAGMA max_page_count = {pages}")


async def until_stopped(desk: Desk) -> int:
    """Reserve and void until a commit fails; the number of the last event that was told."""
    told = desk.committed
    try:
        for number in range(1_000):
            await desk.submit(market.reserve(f"r{number}", output_bound=1))
            told = desk.committed
            await desk.submit(c.Void(at=market.START, hold=f"r{number}", cause="test"))
            told = desk.committed
    except Stopped:
        return told
    raise AssertionError("the disk never filled")


def test_a_failed_commit_stops_the_desk_for_good(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    async def scenario() -> int:
        disk = FullDisk(tmp_path / "journal.sqlite")
        desk = Desk(disk, market.Signer(), market.HandClock(), on_failure=failures.append)
        await desk.start()
        for command in market.setup():
            await desk.submit(command)
        disk.fill()
        told = await until_stopped(desk)
        with pytest.raises(Stopped):
            await desk.submit(c.Tick(at=market.START + SECOND))
        assert desk.number > desk.committed
        return told

    told = asyncio.run(scenario())
    assert [type(failure) for failure in failures] == [sqlite3.OperationalError]
    assert len(on_disk(tmp_path)) == told


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    async def scenario() -> None:
        await (await market.open_desk(tmp_path)).close()

    asyncio.run(scenario())
    db = sqlite3.connect(tmp_path / "journal.sqlite")
    body = db.execute("SELECT body FROM frames WHERE instr(body, ?)", (b"wire 1",)).fetchone()[0]
    db.execute(
        "UPDATE frames SET body = ? WHERE body = ?", (body.replace(b"wire 1", b"wire 9"), body)
    )
    db.commit()
    with pytest.raises(journal.Broken, match="changed"):
        on_disk(tmp_path)
