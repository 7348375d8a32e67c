"""Denials: whom the gateway let in and whom it refused, and why, since this process started.

Rule: refusals are no facts and in no journal, so they are counted in memory, and every figure says
since when. Counted are members and codes, nothing of what was asked. What a carbon cap refused is
counted by budget too: what the request would have held at worst, where an offer would have done;
where the only ones that would state no energy, its request alone.
Invariant: counting refuses nothing and changes no decision, and takes one entry a member and code
at most; a restart begins at nothing.
Worked number: three refusals of 0.02 credits each under one cap read 3 requests, 0.06 credits; of
10 requests of one member they are 3 of 10 denied.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from msgspec import Struct, field

from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import Instant
from allmende.measure.access import Asked

LET_IN = ""
"""In the place of a code."""
NO_DENIAL = frozenset(
    why.code
    for why in (
        *(Why.BAD_REQUEST, Why.BAD_VALUE, Why.TOO_LARGE, Why.REPLAYED, Why.ALREADY_SERVED),
        *(Why.TIMEOUT, Why.UPSTREAM_FAILED, Why.CLOSING),
    )
)
"""The request's own form, or a failure: counted, and no decision about who may."""


class Loss(Struct):
    """Of one budget's cap: requests, of them those with no energy stated; pico-credits by asset."""

    requests: int = 0
    unknown: int = 0
    worth: Counter[str] = field(default_factory=Counter)


class Denials:
    """One per process. `by_member` is of (member, code); the member of an unknown key is ""."""

    def __init__(self, since: Instant) -> None:
        self.since = since
        self.by_member: Counter[tuple[str, str]] = Counter()
        self.by_budget: dict[str, Loss] = {}

    def let_in(self, member: str) -> None:
        self.by_member[member, LET_IN] += 1

    def count(self, refused: Refused, member: str = "") -> None:
        """Note a refusal; if a cap is its reason, under its budget too."""
        self.by_member[member, refused.why.code] += 1
        if refused.why is not Why.CARBON_CAP:
            return
        loss = self.by_budget.setdefault(refused.facts["budget"], Loss())
        loss.requests += 1
        if "lost" in refused.facts:
            loss.worth[refused.facts["asset"]] += refused.facts["lost"]
        else:
            loss.unknown += 1

    def asked(self, group: Callable[[str], str]) -> dict[str, Asked]:
        """Group -> how often its members asked and were denied; unknown keys are in none."""
        asked: Counter[str] = Counter()
        denied: Counter[str] = Counter()
        for (member, code), count in self.by_member.items():
            if member and code not in NO_DENIAL:
                asked[group(member)] += count
                denied[group(member)] += count if code else 0
        return {name: Asked(asked[name], denied[name]) for name in sorted(asked)}

    def codes(self) -> Counter[str]:
        """Code -> refusals."""
        found: Counter[str] = Counter()
        for (_, code), count in self.by_member.items():
            if code:
                found[code] += count
        return found


def kind(state: State) -> Callable[[str], str]:
    """A member's kind, as a group."""
    return lambda id_: state.members[id_].kind if id_ in state.members else "unknown"


def home(state: State) -> Callable[[str], str]:
    """The organisation at the top of a member's tree, as a group; its own id at the top."""

    def top(id_: str) -> str:
        while id_ in state.members and state.members[id_].home:
            id_ = state.members[id_].home
        return id_

    return top
