"""Beside: the small model that runs on the market's own machine, for chat and embeddings.

Rule: it is a provider like any other: reached over HTTP, with a key, at a price.
Invariant: its key is new at every start, and its processes end with the market.
Worked number: two processes of one 93 MB file take some 450 MB and are ready in a second.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from pathlib import Path
from typing import NamedTuple

from msgspec import structs

from allmende.adapters.energy import metered_rate
from allmende.adapters.local_model import LocalModel, packaged_gguf
from allmende.core.units import EnergyRate

CONTEXT = 2_048
"""Tokens of context per slot."""
WATTS, INPUT_PER_S, OUTPUT_PER_S = (15.0, 65.0), 450.0, 169.0
"""What a desktop's processor takes, and the rates measured for this model on two cores."""


class Running(NamedTuple):
    """A model that answers: under which name, where, and with which key."""

    name: str
    url: str
    secret: str
    vocabulary: str
    context: int = CONTEXT


class Beside:
    """Starts and stops the processes. Raises LocalModelFailed where nothing is installed."""

    def __init__(self) -> None:
        self.weights: Path = packaged_gguf()
        self._models: list[LocalModel] = []

    async def digest(self) -> str:
        """SHA-256 of the weights, in hex."""
        return await asyncio.to_thread(
            lambda: hashlib.sha256(self.weights.read_bytes()).hexdigest()
        )

    async def start(self, name: str, *, embedding: bool) -> Running:
        """Returns when the model answers. Raises LocalModelFailed."""
        secret = secrets.token_urlsafe(24)
        model = LocalModel(
            self.weights, embedding=embedding, alias=name, secret=secret, context=CONTEXT
        )
        self._models.append(model)
        await model.start()
        return Running(name, model.url, secret, f"gguf:{self.weights}")

    async def stop(self) -> None:
        await asyncio.gather(*(model.stop() for model in self._models))


def cpu_rate(country: str) -> EnergyRate:
    """What a token takes on a machine like this, named as the assumption that it is."""
    rate = metered_rate(WATTS, INPUT_PER_S, OUTPUT_PER_S, country)
    said = f"assumed: {WATTS[0]:.0f} to {WATTS[1]:.0f} W at {OUTPUT_PER_S:.0f} tokens/s"
    return structs.replace(rate, method=said)
