"""Main's local models: what is installed beside the market becomes offers in it.

Rule: they get ready in the background; a market without them is a market.
Invariant: their processes end with the market, and a new start posts new offers.
Worked number: one file of weights is two offers, one for chat and one for embeddings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from allmende.adapters.beside import Beside, cpu_rate
from allmende.adapters.local_model import LocalModelFailed
from allmende.core.units import Zone
from allmende.desk import Desk
from allmende.doors import founding
from allmende.ports import Clock


class LocalModels:
    """`await serve(...)` once, then `close`. `seal` is for the keys of the models."""

    def __init__(self, desk: Desk, clock: Clock, zone: Zone, seal: Callable[[str], str]) -> None:
        self._desk = desk
        self._clock = clock
        self._zone = zone
        self._seal = seal
        self._beside: Beside | None = None

    async def serve(self, ready: Callable[[str], None]) -> None:
        """Start what is installed; `ready` hears "" or why there is nothing."""
        try:
            beside = self._beside = Beside()
            await founding.register_local(self._desk, self._clock, await beside.digest())
            await asyncio.gather(
                self._offer(beside, founding.CHAT_MODEL, embedding=False),
                self._offer(beside, founding.EMBED_MODEL, embedding=True),
            )
            ready("")
        except LocalModelFailed as failed:
            ready(str(failed))

    async def _offer(self, beside: Beside, name: str, *, embedding: bool) -> None:
        model = await beside.start(name, embedding=embedding)
        local = founding.LocalOffer(
            name, model.url, self._seal(model.secret), model.vocabulary, model.context, embedding
        )
        rate = cpu_rate(self._zone.country)
        await founding.post_local(self._desk, self._clock, local, self._zone, rate)

    async def close(self) -> None:
        if self._beside is not None:
            await self._beside.stop()
