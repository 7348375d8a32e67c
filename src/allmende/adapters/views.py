"""Views: ports.Views on a SQLite file, and the process that keeps it up to date.

Rule: whoever asks is answered by a thread with a connection that cannot write; the fold is
the follower's, another process. Nothing of either runs on the event loop.
Invariant: the file may be deleted while nothing runs; the next start folds it again.
Worked number: a page of 50 receipts out of a million is one statement of about a millisecond.
"""

from __future__ import annotations

import asyncio
import csv
import io
import logging
import sqlite3
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import msgspec

from allmende.adapters.views_queries import Asked, ask
from allmende.adapters.views_schema import connect, connect_reader
from allmende.adapters.views_worker import EVENTS, STEADY

THREADS = 2
POLL_S = 0.01
RESTART_S = 0.3
_LOG = logging.getLogger(__name__)


class SqliteViews:
    """Answers named queries. `nudge` asks the follower, if there is one, to look at once."""

    def __init__(self, path: Path, nudge: Callable[[], None] = lambda: None) -> None:
        """Opens or makes the tables. sqlite3.OperationalError if the file cannot be opened."""
        connect(path).close()
        self._path = path
        self._nudge = nudge
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="views")
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()

    async def rows(self, name: str, /, **arguments: object) -> list[dict[str, Any]]:
        """Rows of a named query. Raises Refused: no such query, or not its arguments."""
        asked = ask(name, arguments)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._answer, asked)

    async def caught_up(self, number: int, timeout_s: float = 2.0) -> bool:
        """Wait until the tables contain event `number`; False if they still do not."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            if (await self.rows("progress"))[0]["number"] >= number:
                return True
            if loop.time() >= deadline:
                return False
            self._nudge()
            await asyncio.sleep(POLL_S)

    async def close(self) -> None:
        self._threads.shutdown()
        with suppress(Empty):
            while True:
                self._idle.get_nowait().close()

    def _answer(self, asked: Asked) -> list[dict[str, Any]]:
        try:
            db = self._idle.get_nowait()
        except Empty:
            db = connect_reader(self._path)
        try:
            (text,) = db.execute(asked.sql, asked.values).fetchone()
        finally:
            self._idle.put(db)
        return [asked.tidy(row) for row in msgspec.json.decode(text)]


class Follower:
    """The folding process: started, started again when it dies, stopped by closing its input."""

    def __init__(
        self, journal: Path, views: Path, events_max: int = EVENTS, *, steady: bool = False
    ) -> None:
        """`events_max` is about how many events it folds in one transaction; `steady` has it fold
        also when every core is taken, else it waits for idle time."""
        self._command = (
            *(sys.executable, "-m", "allmende.adapters.views_worker"),
            *(str(journal), str(views), str(events_max), *([STEADY] if steady else [])),
        )
        self._process: Process | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Returns when the process runs; the journal must exist."""
        await self._spawn()
        self._watching = asyncio.create_task(self._watch())

    def nudge(self) -> None:
        """Have it look at the journal now. A nudge that still waits is enough."""
        pipe = self._process.stdin if self._process else None
        if pipe and not pipe.is_closing() and not pipe.transport.get_write_buffer_size():
            pipe.write(b"\n")

    async def stop(self) -> None:
        """Close its input and wait until it has ended. Safe to call twice."""
        if self._watching is None:
            return
        self._watching.cancel()
        with suppress(asyncio.CancelledError):
            await self._watching
        self._watching = None
        process = self._process
        assert process is not None and process.stdin is not None
        process.stdin.close()
        await process.wait()

    async def _spawn(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=PIPE, stdout=DEVNULL
        )

    async def _watch(self) -> None:
        while True:
            assert self._process is not None
            code = await self._process.wait()
            _LOG.warning("the follower of the read models ended with %s; starting another", code)
            await asyncio.sleep(RESTART_S)
            await self._spawn()


def to_csv(rows: Iterable[Mapping[str, object]]) -> str:
    """Rows as CSV with a head, for invoices. A text that a spreadsheet would run is quoted."""
    table = [dict(row) for row in rows]
    out = io.StringIO()
    writer = csv.writer(out)
    if table:
        writer.writerow(table[0])
        writer.writerows([_inert(value) for value in row.values()] for row in table)
    return out.getvalue()


def _inert(value: object) -> object:
    """'=SUM(A1)' would be a formula in a member's name; with an apostrophe it is a text."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value
