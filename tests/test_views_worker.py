"""The follower as a process: killed, orphaned, nudged, given another journal; and rebuilds."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from test_views_fold import dump, folded
from views_history import Market, frames, write

from allmende.adapters.views import Follower, SqliteViews
from allmende.adapters.views_schema import connect
from allmende.adapters.views_worker import rebuild
from allmende.core import events as e

SOON_S = 30.0
WORKER = (sys.executable, "-m", "allmende.adapters.views_worker")


@pytest.fixture(scope="module")
def events() -> list[e.Event]:
    return Market(5).run(1_500).events


def journal(path: Path, events: list[e.Event]) -> Path:
    write(path, frames(events)).close()
    return path


Body = Callable[[Follower, SqliteViews], Awaitable[None]]


def run_with(path: Path, group: int, body: Body) -> None:
    """A follower of `path`/j and its views, in an event loop, stopped at the end."""

    async def run() -> None:
        follower = Follower(path / "j", path / "v", group)
        views = SqliteViews(path / "v", follower.nudge)
        await follower.start()
        try:
            await body(follower, views)
        finally:
            await follower.stop()
            await views.close()

    asyncio.run(run())


async def number(views: SqliteViews) -> int:
    return int((await views.rows("progress"))[0]["number"])


def test_killed_in_mid_fold_it_loses_and_repeats_nothing(
    events: list[e.Event], tmp_path: Path
) -> None:
    journal(tmp_path / "j", events)
    places = []

    async def body(follower: Follower, views: SqliteViews) -> None:
        for step in (1, 300, 600):
            assert await views.caught_up(step, SOON_S)
            assert follower.pid is not None
            os.kill(follower.pid, signal.SIGKILL)
            places.append(await number(views))
        assert await views.caught_up(len(events), SOON_S)

    run_with(tmp_path, 1, body)
    assert places[0] < len(events)
    assert dump(tmp_path / "v") == dump(folded(tmp_path, events))


def test_it_follows_a_growing_journal(events: list[e.Event], tmp_path: Path) -> None:
    found = list(frames(events))
    source = write(tmp_path / "j", iter(found[:10]))

    async def body(follower: Follower, views: SqliteViews) -> None:
        assert await views.caught_up(found[9].last, SOON_S)
        for frame in found[10:20]:
            source.append(frame)
            assert await views.caught_up(frame.last, SOON_S)
        assert not await views.caught_up(frame.last + 1, 0.01)

    with closing(source):
        run_with(tmp_path, 100, body)


def test_it_ends_when_its_parent_is_gone(events: list[e.Event], tmp_path: Path) -> None:
    journal(tmp_path / "j", events)
    command = (*WORKER, str(tmp_path / "j"), str(tmp_path / "v"), "100")
    with subprocess.Popen(command, stdin=subprocess.PIPE) as worker:
        assert worker.stdin is not None
        worker.stdin.close()
        assert worker.wait(SOON_S) == 0


def test_tables_of_another_journal_are_made_anew(events: list[e.Event], tmp_path: Path) -> None:
    journal(tmp_path / "j", events)
    folded(tmp_path, Market(6).run(50).events, seed=6).rename(tmp_path / "v")
    run_with(tmp_path, 100, _caught_up_with(len(events)))
    assert dump(tmp_path / "v") == dump(folded(tmp_path, events))


def test_a_rebuild_tells_how_far_it_is(events: list[e.Event], tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    source = journal(tmp_path / "j", events)
    rebuild(source, tmp_path / "v", lambda number, last: heard.append((number, last)))
    assert heard[-1] == (len(events), len(events))
    assert dump(tmp_path / "v") == dump(folded(tmp_path, events))


def _caught_up_with(last: int) -> Body:
    async def body(follower: Follower, views: SqliteViews) -> None:
        assert await views.caught_up(last, SOON_S)

    return body


def test_a_rebuild_beside_a_follower_gives_the_same(events: list[e.Event], tmp_path: Path) -> None:
    journal(tmp_path / "j", events)

    async def body(follower: Follower, views: SqliteViews) -> None:
        assert await views.caught_up(100, SOON_S)
        await asyncio.to_thread(rebuild, tmp_path / "j", tmp_path / "v", lambda number, last: None)
        assert await views.caught_up(len(events), SOON_S)

    run_with(tmp_path, 3, body)
    assert dump(tmp_path / "v") == dump(folded(tmp_path, events))


def test_tables_of_another_version_are_made_anew(events: list[e.Event], tmp_path: Path) -> None:
    path = folded(tmp_path, events)
    with closing(connect(path)) as db:
        db.execute("PRAGMA user_version = 0")
        db.execute("CREATE TABLE old (x)")
    with closing(connect(path)) as db:
        assert db.execute("SELECT number FROM fold").fetchone() == (0,)
        assert not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'old'").fetchone()
