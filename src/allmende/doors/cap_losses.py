"""Cap losses: what carbon caps refused since this process started, by budget.

Rule: refusals are no facts and in no journal, so they are counted in memory, and every figure says
since when. What a refused request would have held at worst is counted where an offer would have
done; where the only ones that would state no energy, its request alone is.
Invariant: counting refuses nothing and changes no decision; a restart begins at nothing.
Worked number: three refusals of 0.02 credits each under one cap read 3 requests, 0.06 credits.
"""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, field

from allmende.core.refusals import Refused, Why
from allmende.core.units import Instant


class Loss(Struct):
    """Of one budget's cap: requests, of them those with no energy stated; pico-credits by asset."""

    requests: int = 0
    unknown: int = 0
    worth: Counter[str] = field(default_factory=Counter)


class CapLosses:
    """One per process."""

    def __init__(self, since: Instant) -> None:
        self.since = since
        self.by_budget: dict[str, Loss] = {}

    def count(self, refused: Refused) -> None:
        """Note a refusal, if a cap is its reason."""
        if refused.why is not Why.CARBON_CAP:
            return
        loss = self.by_budget.setdefault(refused.facts["budget"], Loss())
        loss.requests += 1
        if "lost" in refused.facts:
            loss.worth[refused.facts["asset"]] += refused.facts["lost"]
        else:
            loss.unknown += 1
