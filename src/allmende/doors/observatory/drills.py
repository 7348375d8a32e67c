"""Drills: for each provider, parent, country, cable or chip vendor, what is served without it.

Rule: figured on a copy of the last events of the journal, in a thread, by the programme that
`allmende drill` uses too. It changes nothing; live drills stand beside it as they went.
Invariant: whoever is no operator sees it only if it rests on enough receipts; a market without
a solver says so and shows the live drills alone.
Worked number: of two hosts that sell one model, one with 6 of 10 tokens' room: R is 40 % without
it, a bar of 400,000 of a million.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

from allmende.core.drilling import drill_over
from allmende.core.units import DAY, Instant
from allmende.doors import drilling
from allmende.doors.observatory.frame import Asked, Found, Sources, Table
from allmende.doors.plain import iso
from allmende.measure.dated import NoRules, in_force
from allmende.measure.drills import PASS, Drill, Outcome, Problem
from allmende.measure.drills_market import Observed, Terms, picture
from allmende.measure.drills_table import one_by_one
from allmende.measure.linear import Solver, Unsolved
from allmende.wire import journal

RULES = "market/drills"
KINDS = ("provider", "parent", "country", "control", "chip", "cloud", "cable")
EVENTS = 100_000
"""Of the journal's end that are read at first; after that only what is new."""
DAYS = 30
PPM = 1_000_000
ROWS = 50


class Following:
    """What the journal's end says, taken in as it grows. Nothing of it is on the event loop."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._observed = Observed()
        self._after = -1
        self._reading = asyncio.Lock()

    async def seen(self, since: Instant, now: Instant, terms: Terms) -> tuple[Problem, int, int]:
        """The market as a problem, with how many receipts it rests on, and the first day seen.

        All of it in one turn: another reader's turn changes what is observed.
        """
        async with self._reading:
            if self._after < 0:
                self._after = max(0, self._sources.desk.committed - EVENTS)
            while lines := await self._sources.history.export(self._after):
                await asyncio.to_thread(self._take, lines)
                self._after += len(lines)
            self._observed.forget(self._sources.clock.now() - DAYS * DAY)
            self._observed.registry, _ = await self._sources.history.registry()
            observed = self._observed
            problem = picture(self._sources.desk.state, observed, since, now, terms).problem
            receipts = sum(work.requests for work in observed.ended(since).values())
            return problem, receipts, min(observed.work, default=0)

    def _take(self, lines: Sequence[bytes]) -> None:
        for event in journal.events(b"".join(lines)):
            self._observed.see(event)


class Law(NamedTuple):
    name: str
    least: Fraction
    terms: Terms


class Drills:
    """The section. `gather` is what /observe/drills shows."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._following = Following(sources)

    async def gather(self, asked: Asked) -> Found:
        now = self._sources.clock.now()
        kind = asked.choice("kind", KINDS, KINDS[0])
        law = self._law(now)
        since = now - DAYS * DAY
        state = self._sources.desk.state
        problem, receipts, first = await self._following.seen(since, now, law.terms)
        k = 0 if asked.operates else self._sources.min_cell
        outcomes, why = (await self._solved(problem, kind)) if receipts >= k else ([], "")
        live = await drilling.past(self._sources.views, limit=ROWS)
        shows = {
            "kind": kind,
            "drill_kinds": KINDS,
            "receipts": receipts,
            "enough": receipts >= k,
            "why": why,
            "rows": _rows(outcomes, law.least),
            "law": law.name,
            "least": int(law.least * PPM),
            "seen_from": iso(max(since, first * DAY))[:10],
            "running": [d.id for d in state.drills.values() if _runs(state, d.offers, now)],
            "live": live,
        }
        return Found(shows, {"cuts": Table(_rows(outcomes, law.least)), "live": Table(_live(live))})

    async def _solved(self, problem: Problem, kind: str) -> tuple[list[Outcome], str]:
        """N-1 over a kind, or one word of why there is none."""
        solver = self._sources.solver
        if solver is None:
            return [], "solver"
        if not problem.values(kind):
            return [], "unknown"
        try:
            return await asyncio.to_thread(_table, problem, solver, kind), ""
        except ValueError:
            return [], "nothing"
        except Unsolved:
            return [], "unsolved"

    def _law(self, now: Instant) -> Law:
        """What passes, by the rules of today; the formula's own where a market has none."""
        try:
            found = in_force(self._sources.rules, RULES, date.fromisoformat(iso(now)[:10]))
        except NoRules:
            return Law("", PASS, Terms())
        terms = Terms(
            requests_least=found.values["requests_least"],
            assumed_per_second=found.values["assumed_tokens_per_second"],
        )
        return Law(found.name, Fraction(str(found.values["pass_share"])), terms)


def _table(problem: Problem, solver: Solver, kind: str) -> list[Outcome]:
    return one_by_one(Drill(problem, solver), kind)


def _runs(state: Any, offers: Sequence[str], now: Instant) -> bool:
    return any(drill_over(state, offer, now) for offer in offers)


def _rows(outcomes: Sequence[Outcome], least: Fraction) -> list[dict[str, Any]]:
    """The worst first; shares in millionths, rounded down."""
    return [
        {
            "kind": next(iter(outcome.cut)),
            "value": next(iter(outcome.cut.values()))[0],
            "offers": len(outcome.lost),
            "served_ppm": outcome.served * PPM // outcome.baseline,
            "passed": int(outcome.passed(least)),
        }
        for outcome in outcomes[:ROWS]
    ]


def _live(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    same = ("id", "label", "at", "ended", "cause", "served", "finished", "refused", "switched_s")
    return [{name: row[name] for name in same} for row in rows]
