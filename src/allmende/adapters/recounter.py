"""Recounter: our own counts, made in another process so that no request waits for them.

Rule: one worker process, spoken to over pipes; it alone loads vocabularies, each when it
is first asked for. A vocabulary is named "gguf:<path>", "o200k_base" or "cl100k_base".
Invariant: every job gets an answer. What cannot be counted, a worker that dies and one
that takes longer than `timeout_s` are all None; the next jobs find a new worker.
Worked number: counting a chat of 1 kB and its answer takes the worker some 0.5 ms; the
gateway's process spends what writing and reading two short messages costs.

The worker gets nothing but the jobs: prompts and answers live in its memory while they
are counted, and nowhere else.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path

import msgspec

from allmende.adapters import recount_worker
from allmende.core.units import Units
from allmende.ports import Job

Counts = list[tuple[str, Units | None]]
_LOG = logging.getLogger(__name__)
_OPENAI = ("o200k_base", "cl100k_base")


def known(vocabulary: str) -> bool:
    """Whether a vocabulary of this name can be asked for (a file is not opened for it)."""
    if vocabulary.startswith("gguf:"):
        return Path(vocabulary.removeprefix("gguf:")).is_file()
    return vocabulary in _OPENAI


class ProcessRecounter:
    """The Recounter port over one worker process. Use it from one event loop."""

    def __init__(self, timeout_s: float = 60.0) -> None:
        self._timeout_s = timeout_s
        self._known: set[str] = set()
        self._turn = asyncio.Lock()
        self._worker: Process | None = None

    def knows(self, vocabulary: str) -> bool:
        if vocabulary not in self._known:  # asked per request; the disk is asked once
            if not known(vocabulary):
                return False
            self._known.add(vocabulary)
        return True

    async def count(self, jobs: Sequence[Job]) -> Counts:
        """(receipt, units or None) for each job, in order. Batches are counted in turn."""
        if not jobs:
            return []
        async with self._turn:
            try:
                return await asyncio.wait_for(self._exchange(jobs), self._timeout_s)
            except (OSError, EOFError, TimeoutError, msgspec.DecodeError) as error:
                _LOG.warning(
                    "the recount worker failed (%s); it is restarted", type(error).__name__
                )
                await self._stop()
                return [(job.receipt, None) for job in jobs]
            except asyncio.CancelledError:  # its answer would be read as the next batch's
                await asyncio.shield(self._stop())
                raise

    async def close(self) -> None:
        async with self._turn:
            await self._stop()

    async def _exchange(self, jobs: Sequence[Job]) -> Counts:
        worker = self._worker or await self._start()
        assert worker.stdin is not None and worker.stdout is not None
        body = msgspec.msgpack.encode(jobs)
        worker.stdin.write(len(body).to_bytes(8, "big") + body)
        await worker.stdin.drain()
        size = int.from_bytes(await worker.stdout.readexactly(8), "big")
        counts = msgspec.msgpack.decode(await worker.stdout.readexactly(size), type=Counts)
        assert len(counts) == len(jobs)
        return counts

    async def _start(self) -> Process:
        self._worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", recount_worker.__name__), stdin=PIPE, stdout=PIPE
        )
        return self._worker

    async def _stop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is None:
            return
        if worker.returncode is None:
            worker.kill()
        if worker.stdin is not None:
            worker.stdin.close()
        await worker.communicate()  # reads what is left, and takes the exit code


class InlineRecounter:
    """The same port without a process, for tests and the lab: counts where it is called."""

    def __init__(self) -> None:
        self._shelf = recount_worker.Shelf()

    def knows(self, vocabulary: str) -> bool:
        return known(vocabulary)

    async def count(self, jobs: Sequence[Job]) -> Counts:
        return [(job.receipt, self._shelf.count(job)) for job in jobs]

    async def close(self) -> None:
        self._shelf = recount_worker.Shelf()
