"""Recounts: answers that wait for our own count, off the request's path.

Rule: whatever waits is counted in one call and recorded by one command; what finds no
room is recorded at once as not counted, so no receipt stays provisional for our sake.
Invariant: prompts and answers wait here in memory only, at most `jobs_max` of them and
`bytes_max` bytes; every job added ends in exactly one count, or in None.
Worked number: at 5_000 answers a second and 10 ms a call, 50 jobs share each command.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TypeAlias

from allmende.core.commands import Recount
from allmende.core.units import Units
from allmende.desk import Desk, Stopped
from allmende.ports import Clock, Job, Recounter

GROUP_MAX = 64
"""Jobs a command: applying it holds up everybody else for about a millisecond."""

Counts: TypeAlias = list[tuple[str, Units | None]]

log = logging.getLogger(__name__)


class Recounts:
    """One per gateway. Without a recounter it knows nothing, and no receipt is pending."""

    def __init__(
        self,
        desk: Desk,
        recounter: Recounter | None,
        clock: Clock,
        *,
        jobs_max: int = 1_024,
        bytes_max: int = 64 * 1024 * 1024,
    ) -> None:
        self._desk = desk
        self._recounter = recounter
        self._clock = clock
        self._jobs_max = jobs_max
        self._bytes_max = bytes_max
        self._waiting: deque[Job] = deque()
        self._bytes = 0
        self._worker: asyncio.Task[None] | None = None

    def knows(self, vocabulary: str) -> bool:
        """Whether an answer of this vocabulary will be counted (unless there is no room)."""
        recounter = self._recounter
        return bool(vocabulary) and recounter is not None and recounter.knows(vocabulary)

    def add(self, job: Job) -> None:
        """Queue a job for a receipt that is pending, or give it up at once."""
        size = _size(job)
        if len(self._waiting) >= self._jobs_max or self._bytes + size > self._bytes_max:
            self._record([(job.receipt, None)])
            return
        self._waiting.append(job)
        self._bytes += size
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())

    async def close(self, within_s: float = 5.0) -> None:
        """Count what waits, for so long; give up the rest."""
        if self._worker is not None:
            _, unfinished = await asyncio.wait([self._worker], timeout=within_s)
            for worker in unfinished:
                worker.cancel()
                await asyncio.wait([worker])
        self._record([(job.receipt, None) for job in self._waiting])
        self._waiting.clear()

    async def _work(self) -> None:
        try:
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(GROUP_MAX, len(self._waiting)))]
                counts: Counts = [(job.receipt, None) for job in group]
                try:
                    counts = await self._count(group)
                finally:
                    self._bytes -= sum(_size(job) for job in group)
                    self._record(counts)
        finally:
            self._worker = None

    async def _count(self, group: list[Job]) -> Counts:
        """A count or None for every job, whatever the recounter does."""
        assert self._recounter is not None
        try:
            found = dict(await self._recounter.count(group))
        except Exception:
            log.exception("recounting %d answers failed", len(group))
            found = {}
        return [(job.receipt, found.get(job.receipt)) for job in group]

    def _record(self, counts: Counts) -> None:
        if not counts:
            return
        try:
            self._desk.post(Recount(at=self._clock.now(), counts=tuple(counts)))
        except Stopped:
            # The next start closes provisional receipts as not recounted (Restart).
            log.warning("the desk stopped before %d recounts", len(counts))


def _size(job: Job) -> int:
    return len(job.request) + len(job.response)
