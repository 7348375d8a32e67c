"""A data directory with a random market's journal and its read models, for outputs' tests."""

from __future__ import annotations

from contextlib import closing
from functools import cache
from pathlib import Path

from views_history import Market, frames, write

from allmende.adapters.views_schema import connect
from allmende.adapters.views_worker import rebuild
from allmende.core import events as e
from allmende.main import JOURNAL, VIEWS


@cache
def events(steps: int = 1_200, seed: int = 5) -> tuple[e.Event, ...]:
    return tuple(Market(seed).run(steps).events)


def directory(folder: Path, facts: tuple[e.Event, ...] | None = None) -> Path:
    """`folder` as a market's data directory, folded to its end."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / JOURNAL, frames(list(facts or events()))).close()
    rebuild(folder / JOURNAL, folder / VIEWS, lambda done, of: None)
    return folder


def exact(folder: Path, query: str) -> list[tuple[object, ...]]:
    """A query on the read models; `total` sums decimal text exactly."""
    with closing(connect(folder / VIEWS)) as db:
        db.create_aggregate("total_of", 1, Sum)  # type: ignore[arg-type]
        return db.execute(query).fetchall()


class Sum:
    def __init__(self) -> None:
        self.total = 0

    def step(self, value: object) -> None:
        self.total += int(str(value))

    def finalize(self) -> str:
        return str(self.total)
