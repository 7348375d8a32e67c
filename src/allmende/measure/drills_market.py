"""Drills over a market: its journal and its state as demand, capacity and tags.

Rule: demand is the tokens of receipts by model and budget, per hour; capacity is requests at
once times the measured speed of one. What is not measured is assumed, and says so.
Invariant: an offer serves a budget's demand only where the market's own floors let it.
Worked number: 4 requests at once, 30_000 tokens in 600 busy seconds: 50 a second each, so
720_000 tokens an hour.

Refused requests are in no journal, so demand is what was served: at least that much is wanted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple

import msgspec
from msgspec import Struct, field

from allmende.core import events as e
from allmende.core import floors
from allmende.core.actors import Registry
from allmende.core.commands import Reserve
from allmende.core.nouns import Offer
from allmende.core.state import State
from allmende.core.units import DAY, SECOND, Instant, Units
from allmende.measure.control import Behind, Control, behind
from allmende.measure.drills import Demand, Problem, Source

HOUR = 3_600 * SECOND
MEASURED, POOLED, ASSUMED = "measured", "its model's mean", "assumed"
PER = ("peak", "mean")
Group = tuple[str, str]
"""Model and budget."""


class Speed(NamedTuple):
    """Tokens a second of one request at a time, and where that is from."""

    tokens: int
    busy_us: int
    basis: str

    @property
    def per_second(self) -> float:
        return self.tokens * SECOND / self.busy_us


class Work(Struct):
    """Requests of one offer that ended: how many, their tokens, and how long they ran."""

    requests: int = 0
    tokens: int = 0
    busy_us: int = 0


class Observed(Struct):
    """What a journal says, event by event."""

    hours: dict[int, dict[Group, int]] = field(default_factory=dict)
    """hour since 1970 -> tokens by group"""
    work: dict[int, dict[str, Work]] = field(default_factory=dict)
    """day since 1970 -> by offer"""
    registry: Registry = Registry()
    last: Instant = 0
    _begun: dict[str, Instant] = field(default_factory=dict)
    _pending: dict[str, tuple[int, Group, int]] = field(default_factory=dict)

    def see(self, event: e.Event) -> None:
        """Take in the next event."""
        self.last = max(self.last, event.at)
        if isinstance(event, e.Reserved):
            self._begun[event.hold] = event.at
        elif isinstance(event, e.Voided):
            self._begun.pop(event.hold, None)
        elif isinstance(event, e.Captured):
            self._captured(event)
        elif isinstance(event, e.Finalised):
            hour, group, before = self._pending.pop(event.receipt.id, (0, ("", ""), 0))
            self._want(hour, group, tokens(event.receipt.units) - before)
        elif isinstance(event, e.ActorsImported):
            self.registry = event.registry

    def _captured(self, event: e.Captured) -> None:
        receipt = event.receipt
        begun, used = self._begun.pop(receipt.id, None), tokens(receipt.units)
        if begun is not None:
            work = self.work.setdefault(receipt.at // DAY, {}).setdefault(receipt.offer, Work())
            work.requests += 1
            work.tokens += used
            work.busy_us += max(0, receipt.at - begun)
        hour, group = receipt.at // HOUR, (receipt.model, receipt.budget)
        self._want(hour, group, used)
        if receipt.verdict == "pending":
            self._pending[receipt.id] = hour, group, used

    def _want(self, hour: int, group: Group, more: int) -> None:
        if hour:
            wanted = self.hours.setdefault(hour, {})
            wanted[group] = wanted.get(group, 0) + more

    def demand(self, per: str, since: Instant, until: Instant) -> dict[Group, int]:
        """Tokens an hour by group: of the busiest hour, or the mean of the window, rounded up.

        The window begins at `since`, or with the first receipt if that is later.
        """
        hours = {hour: wanted for hour, wanted in self.hours.items() if hour * HOUR >= since}
        if per == "peak":
            return max(hours.values(), key=lambda wanted: sum(wanted.values()), default={})
        total: dict[Group, int] = defaultdict(int)
        for wanted in hours.values():
            for group, used in wanted.items():
                total[group] += used
        span = max(HOUR, until - max(since, min(hours, default=0) * HOUR))
        return {group: -(-used * HOUR // span) for group, used in total.items()}

    def forget(self, before: Instant) -> None:
        """Drop the days that end before; for whoever follows a market for years."""
        self.hours = {h: wanted for h, wanted in self.hours.items() if (h + 1) * HOUR > before}
        self.work = {d: offers for d, offers in self.work.items() if (d + 1) * DAY > before}

    def ended(self, since: Instant) -> dict[str, Work]:
        """By offer, of the days from `since` on."""
        total: dict[str, Work] = {}
        for day, offers in self.work.items():
            for offer, work in offers.items() if day * DAY >= since - DAY else ():
                total[offer] = _sum(total.get(offer, Work()), work)
        return total


class Terms(Struct, frozen=True):
    """How a market is made a problem of. `home` is the countries that count as sovereign."""

    per: str = "peak"
    home: frozenset[str] = frozenset()
    quality: Mapping[str, int] = {}
    """model -> points; where given, a model's demand is served by all that have as many"""
    requests_least: int = 20
    assumed_per_second: int = 30


class Picture(NamedTuple):
    """A market as a problem, in tokens an hour, and what it was made of."""

    problem: Problem
    speeds: dict[str, Speed]
    behind: dict[str, Behind]


def _sum(*works: Work) -> Work:
    return Work(*(sum(getattr(work, n) for work in works) for n in Work.__struct_fields__))


def tokens(units: Units) -> int:
    return units.input + units.cached + units.output + units.embedding


def picture(state: State, observed: Observed, since: Instant, at: Instant, terms: Terms) -> Picture:
    """Standing offers and the demand from `since` to `at`. ValueError if `terms` are none."""
    if terms.per not in PER:
        raise ValueError(f"Demand is taken per {' or '.join(PER)}, not {terms.per!r}.")
    offers = list(state.offers.values())
    plain = [msgspec.to_builtins(offer) for offer in offers]
    found = {row.offer: row for row in behind(Control(observed.registry), plain)}
    work = observed.ended(since)
    speeds = {offer.id: _speed(offer, offers, work, terms) for offer in offers}
    wanted = observed.demand(terms.per, since, at)
    problem = Problem(
        demands=tuple(_demands(state, wanted, at, terms)),
        sources=tuple(_source(offer, speeds[offer.id], found[offer.id]) for offer in offers),
        sovereign=frozenset(row.offer for row in found.values() if _sovereign(row, terms.home)),
    )
    return Picture(problem, speeds, found)


def _demands(state: State, wanted: Mapping[Group, int], at: Instant, terms: Terms) -> list[Demand]:
    """One group for each model and what its budgets' floors leave of the offers."""
    sums: dict[tuple[str, frozenset[str] | None], int] = defaultdict(int)
    for (model, budget), used in wanted.items():
        sums[model, _left(state, budget, at)] += used
    rows = sorted(sums.items(), key=lambda row: (row[0][0], sorted(row[0][1] or ())))
    seen: dict[str, int] = defaultdict(int)
    groups = []
    for (model, left), used in rows:
        name = model if left is None else f"{model} under a floor"
        seen[name] += 1
        groups.append(
            Demand(
                id=name if seen[name] == 1 else f"{name} ({seen[name]})",
                tokens=max(0, used),
                models=_substitutes(state, model, terms.quality),
                offers=left,
            )
        )
    return groups


def _left(state: State, budget: str, at: Instant) -> frozenset[str] | None:
    """The offers that the floors of a budget and all above it leave; None where it has none."""
    if budget not in state.budgets:
        return None
    ask = floors.asked(state, Reserve(id="", key="", endpoint="", model="", input_bound=0), budget)
    if not floors.demands(ask.policy):
        return None
    offers = state.offers.values()
    return frozenset(o.id for o in offers if not floors.short(state, o, ask.policy, at))


def _substitutes(state: State, model: str, quality: Mapping[str, int]) -> tuple[str, ...]:
    if model not in quality:
        return (model,)
    others = {offer.model for offer in state.offers.values()}
    return tuple(sorted({model, *(m for m in others if quality.get(m, -1) >= quality[model])}))


def _source(offer: Offer, speed: Speed, row: Behind) -> Source:
    tags = {
        "provider": (row.provider,), "parent": row.parents, "country": (row.country,),
        "control": row.control, "cable": row.cables, "chip": row.chips, "cloud": row.clouds,
        "software": row.software,
    }  # fmt: skip
    capacity = offer.capacity * speed.tokens * HOUR // speed.busy_us
    return Source(id=offer.id, model=offer.model, capacity=capacity, tags=tags)


def _sovereign(row: Behind, home: Collection[str]) -> bool:
    """Computed at home, and reached by no law but home's. What is unknown is not."""
    return row.country in home and bool(row.control) and set(row.control) <= set(home)


def _speed(offer: Offer, offers: list[Offer], work: Mapping[str, Work], terms: Terms) -> Speed:
    """The offer's own, else its model's, else the assumed one."""
    own = work.get(offer.id, Work())
    same = [work[o.id] for o in offers if o.model == offer.model and o.id in work]
    pooled = _sum(*same)
    for basis, found in ((MEASURED, own), (POOLED, pooled)):
        if found.requests >= terms.requests_least and found.busy_us and found.tokens:
            return Speed(found.tokens, found.busy_us, basis)
    return Speed(terms.assumed_per_second, SECOND, ASSUMED)
