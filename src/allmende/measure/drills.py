"""Drills: how much of demand is still served when part of the offers is gone.

Rule: the most that can be served is a linear programme: no offer gives more than its capacity,
no demand takes more than it wants, and only where model, quality, zone, control and SEAL allow it.
R is what is served after a cut over what was served before it.
Invariant: amounts are whole tokens, and every answer of a solver is checked: it keeps each limit,
and no unit more could be served, whichever way it went round. Else it is an error.
Worked number: demand 10 and 6 of two models; offers of 10 (both models) and 4 (the second):
14 of 16 are served before, 4 once the first is cut: R = 4/14 = 0.286.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

from msgspec import Struct

from allmende.measure.linear import Programme, Row, Solver, Unsolved

KINDS = (
    *("provider", "parent", "country", "control"),
    *("cable", "chip", "cloud", "software", "offer"),
)
"""What can be cut. `country` is where it is computed, `control` every country whose law reaches
the provider or whoever controls it."""
ALTERNATIVES = frozenset({"cable"})
"""Kinds of which an offer needs one: it is cut when all that it lists are. Of the others it needs
each."""
PASS = Fraction(95, 100)

Cut = Mapping[str, Collection[str]]
"""kind -> the values that are gone"""


class Demand(Struct, frozen=True):
    """`tokens` wanted in the window by one group, and what serves it; empty demands nothing.

    `models` any of these, `quality` and `seal` at least; it is computed in `zones`; all whose law
    reaches the offer are in `control`, and none in `not_control`; `offers` are those that meet
    what else is demanded, None for all.
    """

    id: str
    tokens: int
    models: tuple[str, ...] = ()
    quality: int = 0
    seal: int = 0
    zones: tuple[str, ...] = ()
    not_zones: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    not_control: tuple[str, ...] = ()
    offers: frozenset[str] | None = None


class Source(Struct, frozen=True):
    """An offer: `capacity` tokens in the window, and its tags by kind."""

    id: str
    model: str
    capacity: int
    tags: Mapping[str, tuple[str, ...]]
    quality: int = 0
    seal: int = 0

    def tag(self, kind: str) -> tuple[str, ...]:
        return (self.id,) if kind == "offer" else self.tags.get(kind, ())


class Problem(Struct, frozen=True):
    """`sovereign` are the offers of which one more unit is asked for what it is worth."""

    demands: tuple[Demand, ...]
    sources: tuple[Source, ...]
    sovereign: frozenset[str] = frozenset()

    def values(self, kind: str) -> list[str]:
        """All values that a kind has here."""
        return sorted({value for source in self.sources for value in source.tag(kind)})


class Flow(NamedTuple):
    """An optimum: tokens from a source to a demand, by their numbers."""

    served: int
    amounts: dict[tuple[int, int], int]
    unserved: tuple[int, ...]


class Pivot(NamedTuple):
    """Who could not be lost as well: `tokens` more would go unserved."""

    kind: str
    value: str
    tokens: int


class Outcome(NamedTuple):
    """What a cut leads to. `share` is R; the split of `unserved` by group is one optimum's.

    `shadow` is tokens more that are served for one more of each remaining offer's capacity,
    `sovereign` for one more of a new offer that may serve whatever some sovereign offer may
    that remains; None where none does. Exact: the right derivative, where the programme's dual
    is a range.
    """

    cut: dict[str, tuple[str, ...]]
    lost: tuple[str, ...]
    baseline: int
    served: int
    share: Fraction
    unserved: dict[str, int]
    shadow: dict[str, int]
    sovereign: int | None

    @property
    def name(self) -> str:
        return " ".join(f"{kind}={','.join(values)}" for kind, values in self.cut.items())

    def passed(self, least: Fraction = PASS) -> bool:
        return self.share >= least


def may(demand: Demand, source: Source) -> bool:
    """Whether a source may serve a demand. What is not known of a source meets no demand."""
    country, control = set(source.tag("country")), set(source.tag("control"))
    return (
        (not demand.models or source.model in demand.models)
        and (demand.offers is None or source.id in demand.offers)
        and source.quality >= demand.quality
        and source.seal >= demand.seal
        and (not demand.zones or bool(country & set(demand.zones)))
        and not country & set(demand.not_zones)
        and (not demand.control or (bool(control) and control <= set(demand.control)))
        and (not demand.not_control or (bool(control) and not control & set(demand.not_control)))
    )


def lost(problem: Problem, cut: Cut) -> frozenset[str]:
    """The offers that a cut takes. ValueError names the kinds, or the values that there are."""
    gone: set[str] = set()
    for kind, values in cut.items():
        if kind not in KINDS:
            raise ValueError(f"{kind!r} cannot be cut; kinds are {', '.join(KINDS)}.")
        known = problem.values(kind)
        for value in values:
            if value not in known:
                there = ", ".join(known) or "nothing (no offer says)"
                raise ValueError(f"No offer has {kind}={value}; there is {there}.")
        needs = all if kind in ALTERNATIVES else any
        gone |= {
            source.id
            for source in problem.sources
            if source.tag(kind) and needs(value in values for value in source.tag(kind))
        }
    return frozenset(gone)


class Drill:
    """One problem with its solver; cuts that take the same offers are solved once."""

    def __init__(self, problem: Problem, solver: Solver) -> None:
        """ValueError if an amount is negative, an id comes twice, or nothing is served."""
        _require_sound(problem)
        self.problem = problem
        self._solver = solver
        self._flows: dict[frozenset[str], Flow] = {}
        self._may = [[may(d, s) for s in problem.sources] for d in problem.demands]
        self.baseline = self.flow(frozenset()).served
        if not self.baseline:
            raise ValueError("Nothing is served before any cut: no demand, or no offer for it.")

    def flow(self, gone: frozenset[str]) -> Flow:
        """The most that is served without these offers. Raises Unsolved."""
        if gone not in self._flows:
            self._flows[gone] = self._solve(gone)
        return self._flows[gone]

    def cut(self, cut: Cut) -> Outcome:
        """What a cut leads to. Raises ValueError for unknown values, Unsolved."""
        problem = self.problem
        gone = lost(problem, cut)
        flow = self.flow(gone)
        groups = zip(problem.demands, flow.unserved, strict=True)
        shadow = {
            source.id: int(self._reaches(flow, [k]))
            for k, source in enumerate(problem.sources)
            if source.id not in gone
        }
        sovereign = [shadow[id_] for id_ in sorted(problem.sovereign) if id_ in shadow]
        return Outcome(
            cut={kind: tuple(sorted(values)) for kind, values in cut.items()},
            lost=tuple(sorted(gone)),
            baseline=self.baseline,
            served=flow.served,
            share=Fraction(flow.served, self.baseline),
            unserved={demand.id: tokens for demand, tokens in groups if tokens},
            shadow=shadow,
            sovereign=max(sovereign, default=None),
        )

    def pivots(self, cut: Cut, kinds: tuple[str, ...] = ("parent", "offer")) -> list[Pivot]:
        """Of what remains after a cut, what could not be lost as well; the worst first."""
        gone = lost(self.problem, cut)
        flow = self.flow(gone)
        busy = {self.problem.sources[k].id for _, k in flow.amounts}
        found = []
        for kind in kinds:
            for value in self.problem.values(kind):
                more = lost(self.problem, {kind: (value,)})
                if more & busy:  # what serves nothing is no loss
                    tokens = flow.served - self.flow(gone | more).served
                    found.append(Pivot(kind, value, tokens))
        return sorted((p for p in found if p.tokens), key=lambda p: (-p.tokens, p.kind, p.value))

    # The programme ------------------------------------------------------------------------

    def _pairs(self, gone: frozenset[str]) -> Iterator[tuple[int, int]]:
        """(demand, source) where something may flow."""
        for u, demand in enumerate(self.problem.demands):
            for k, source in enumerate(self.problem.sources):
                if demand.tokens and source.capacity and source.id not in gone and self._may[u][k]:
                    yield u, k

    def _solve(self, gone: frozenset[str]) -> Flow:
        pairs = list(self._pairs(gone))
        amounts: dict[tuple[int, int], int] = {}
        if pairs:
            solved = self._solver(_programme(self.problem, pairs))
            amounts = {
                pair: whole
                for pair, amount in zip(pairs, solved.amounts, strict=True)
                if (whole := round(amount))
            }
        wanted = [demand.tokens for demand in self.problem.demands]
        spare = [source.capacity for source in self.problem.sources]
        for (u, k), amount in amounts.items():
            wanted[u] -= amount
            spare[k] -= amount
        flow = Flow(sum(amounts.values()), amounts, tuple(wanted))
        open_ = {k for _, k in pairs if spare[k] > 0}
        if min((*amounts.values(), *wanted, *spare), default=0) < 0:
            raise Unsolved("The solver's answer breaks a limit.")
        if self._reaches(flow, open_):
            raise Unsolved("The solver's answer is not the most that can be served.")
        return flow

    def _reaches(self, flow: Flow, sources: Collection[int]) -> bool:
        """Whether one more unit of any of these sources would serve one more, if need be by
        taking over what others serve, so that those are free for somebody else."""
        seen, waiting = set(sources), list(sources)
        for k in waiting:
            for u, allowed in enumerate(row[k] for row in self._may):
                if not allowed:
                    continue
                if flow.unserved[u]:
                    return True
                others = {j for v, j in flow.amounts if v == u} - seen
                seen |= others
                waiting += sorted(others)
        return False


def _programme(problem: Problem, pairs: list[tuple[int, int]]) -> Programme:
    by_source: dict[int, list[tuple[int, float]]] = {}
    by_demand: dict[int, list[tuple[int, float]]] = {}
    for number, (u, k) in enumerate(pairs):
        by_demand.setdefault(u, []).append((number, 1.0))
        by_source.setdefault(k, []).append((number, 1.0))
    rows = [Row(problem.sources[k].capacity, tuple(p)) for k, p in sorted(by_source.items())]
    rows += [Row(problem.demands[u].tokens, tuple(p)) for u, p in sorted(by_demand.items())]
    return Programme((1.0,) * len(pairs), tuple(rows))


def _require_sound(problem: Problem) -> None:
    for what, rows in (("demand", problem.demands), ("offer", problem.sources)):
        ids = [row.id for row in rows]
        for id_ in ids:
            if ids.count(id_) > 1:
                raise ValueError(f"Two of {what} {id_!r}.")
    for demand in problem.demands:
        if demand.tokens < 0:
            raise ValueError(f"Demand {demand.id!r} wants {demand.tokens} tokens.")
    for source in problem.sources:
        if source.capacity < 0:
            raise ValueError(f"Offer {source.id!r} has a capacity of {source.capacity} tokens.")
