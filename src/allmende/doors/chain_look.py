"""Chain look: the vault as pages show it, read when somebody looks and not more often.

Rule: who looks within `FRESH_S` of the last look sees the same, `OWN_S` where the node is ours; one
question is under way at a time, and nobody waits longer than `PATIENCE_S` for it.
Invariant: what was seen last stays, with its time, while the node is away.
Worked number: a page that a thousand people open in a minute asks somebody's node six times.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from allmende.core.units import SECOND, Instant
from allmende.custody import Deployment, VaultSeen
from allmende.ports import ChainFailed, Clock

FRESH_S = 10
OWN_S = 1
PATIENCE_S = 3
"""A person waits so long for a page."""


class Readable(Protocol):
    """What a page needs of custody.Custody."""

    deployment: Deployment

    async def newest_block(self) -> int: ...
    async def look(self, at: int) -> VaultSeen: ...


class Look:
    """Of one deployment."""

    def __init__(self, custody: Readable, clock: Clock, fresh_s: int = FRESH_S) -> None:
        self._custody = custody
        self._clock = clock
        self._fresh_s = fresh_s
        self._turn = asyncio.Lock()
        self._tried: Instant | None = None
        self.seen: VaultSeen | None = None
        self.at: Instant = 0
        """When that was seen."""
        self.away = ""
        """The cause why the last look saw nothing; "" if it did."""

    async def fresh(self) -> None:
        """See the vault, unless that was done just now. Never fails: see `away`."""
        async with self._turn:
            now = self._clock.now()
            if self._tried is not None and now - self._tried < self._fresh_s * SECOND:
                return
            self._tried = now
            try:
                async with asyncio.timeout(PATIENCE_S):
                    self.seen = await self._custody.look(await self._custody.newest_block())
            except TimeoutError:
                self.away = "timeout"
            except ChainFailed as failed:
                self.away = failed.cause
            else:
                self.at, self.away = now, ""

    @property
    def now_s(self) -> int:
        """Second of the chain that it is now, by our clock if the node does not answer."""
        assert self.seen is not None
        return self.seen.now_s + (self._clock.now() - self.at) // SECOND
