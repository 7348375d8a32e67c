"""Bridge look: a bridge as pages show it, read when somebody looks and not more often.

Rule: one look is under way at a time and goes on when nobody waits for it any more: at first it
compiles what it compares, and the other chain's node may be slow.
Invariant: what was seen last stays, with its age, while a node is away; nothing here signs.
Worked number: who looks within FRESH_S of the last look sees the same, and waits PATIENCE_S at
most for a newer one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from allmende.core.units import SECOND, Instant
from allmende.ports import ChainFailed, Clock

Row: TypeAlias = dict[str, Any]
FRESH_S = 10
PATIENCE_S = 2.0


class BridgeLook:
    """`read` gives the facts, None where there is no bridge; ChainFailed, RuntimeError."""

    def __init__(self, read: Callable[[], Awaitable[Row | None]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._seen: Row | None = None
        self._at: Instant | None = None
        self._away = ""

    async def facts(self) -> Row | None:
        """None where there is no bridge, or nothing was seen of it yet and nothing went wrong."""
        now = self._clock.now()
        if self._task is None or (self._task.done() and self._stale(now)):
            self._task = asyncio.create_task(self._look())
        await asyncio.wait({self._task}, timeout=PATIENCE_S)
        if self._seen is None:
            return {"state": "away", "away": self._away} if self._away else None
        age_s = 0 if self._at is None else max(0, self._clock.now() - self._at) // SECOND
        return {"state": "seen", **self._seen, "age_s": age_s, "away": self._away}

    def close(self) -> None:
        """When nobody looks any more."""
        if self._task is not None:
            self._task.cancel()

    def _stale(self, now: Instant) -> bool:
        return self._at is None or now - self._at >= FRESH_S * SECOND

    async def _look(self) -> None:
        try:
            self._seen, self._away = await self._read(), ""
        except ChainFailed as failed:
            self._away = failed.cause
        except RuntimeError:  # its contracts do not compile here, so nothing can be compared
            self._away = "failed"
        self._at = self._clock.now()
