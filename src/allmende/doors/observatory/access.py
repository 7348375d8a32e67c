"""Access: who is let in and who is refused, what a language costs, and claims, checked.

Rule: refusals are counted in this process alone, by group; what others than operators see rests
on enough requests, and organisations are for operators. Languages and claims are the same for
everybody: nothing of this market's members is in them.
Invariant: page and files show the same rows; every claim has its sources beside its verdict.
Worked number: three vocabularies and ten languages are thirty rows, English always 1; 60 of 100
of one group and 45 of 100 of another let in are a ratio of 0.75, an alarm below 0.8.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from allmende.doors import denials
from allmende.doors.account import viewer_of
from allmende.doors.counter import Counter
from allmende.doors.denials import Denials
from allmende.doors.observatory.control import Lookup
from allmende.doors.observatory.frame import Asked, Found, Row, Sources, Table
from allmende.doors.observatory.value import REST
from allmende.doors.plain import iso
from allmende.measure import access
from allmende.measure.access import Premium
from allmende.measure.cells import Cell, publish
from allmende.measure.claims import Checked
from allmende.measure.dated import NoRules, in_force
from allmende.measure.figure import About, Figure
from allmende.measure.leaving import Exit
from allmende.measure.said import Said

FOUR_FIFTHS = "us/selection-procedures"
ALARM = 0.8
"""Where a market has no rule file; the rule's own number."""


class AccessPage:
    """The section."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def gather(self, asked: Asked) -> Found:
        premiums, claims = await asyncio.to_thread(self._sources.public.said)
        denied = told(self._sources, asked.operates)
        left = await asyncio.to_thread(self._sources.public.left)
        shows = {"premiums": premiums, "claims": claims, "denied": denied, "left": left}
        rows: list[Row] = [*denied["kinds"], *denied["homes"], *denied["codes"]]
        tables = {"languages": _languages(premiums), "claims": _claims(claims)}
        return Found(shows, {**tables, "denials": Table(rows), "exit": _exit(left)})


class Denied:
    """The same of refusals as JSON, for whoever has a key."""

    def __init__(self, sources: Sources, counter: Counter) -> None:
        self._sources = sources
        self._counter = counter
        self.lookups: dict[str, Lookup] = {
            "/api/denials": (self.denials, "Let in and refused since start, by group and code."),
        }

    async def denials(self, request: Request) -> Response:
        found = told(self._sources, viewer_of(self._counter, request).operates)
        return Response(msgspec.json.encode(found), media_type="application/json")


def told(sources: Sources, operates: bool) -> dict[str, Any]:
    """Since when; asked and denied by kind and, for operators, by organisation; by code; and the
    ratio of kinds that may be shown."""
    counted = sources.denials or Denials(0)
    state = sources.desk.state
    k = 0 if operates else sources.min_cell
    kinds = _groups("kind", counted.asked(denials.kind(state)), k)
    homes = _groups("organisation", counted.asked(denials.home(state)), k) if operates else []
    since = iso(counted.since) if counted.since else None
    return {
        "since": since,
        "ratio": _ratio(sources, kinds, since),
        "kinds": kinds,
        "homes": homes,
        "codes": _codes(counted, k),
    }


def _groups(of: str, found: Mapping[str, access.Asked], k: int) -> list[dict[str, Any]]:
    """Groups that each asked k times, and one of all others together."""
    cells = {name: Cell(one.asked, one.denied) for name, one in found.items()}
    published = publish(cells, k, apart=True)
    shown = dict(published.shown)
    if published.rest is not None and not published.withheld:
        shown[REST] = published.rest
    return [
        {"by": of, "group": name, "asked": cell.receipts, "denied": cell.amount}
        for name, cell in shown.items()
    ]


def _codes(counted: Denials, k: int) -> list[dict[str, Any]]:
    cells = {code: Cell(count, count) for code, count in counted.codes().items()}
    published = publish(cells, k, apart=True)
    shown = dict(published.shown)
    if published.rest is not None and not published.withheld:
        shown[REST] = published.rest
    return [
        {"by": "code", "group": code, "asked": None, "denied": cell.amount}
        for code, cell in shown.items()
    ]


def _ratio(sources: Sources, kinds: list[dict[str, Any]], since: str | None) -> Figure:
    day = date.fromisoformat(iso(sources.clock.now())[:10])
    try:
        limit = in_force(sources.rules, FOUR_FIFTHS, day).values["ratio_below"]
    except NoRules:
        limit = ALARM
    about = About(
        of="market", window=f"{(since or '…')[:10]} –", denominator=Said("asked"), grade="estimate"
    )
    groups = {
        row["group"]: access.Asked(row["asked"], row["denied"])
        for row in kinds
        if row["group"] != REST
    }
    return access.denial_figures(about, groups, limit)


def _languages(premiums: tuple[Premium, ...]) -> Table:
    return Table(
        [
            {
                "vocabulary": one.vocabulary,
                "language": one.language,
                "tokens": one.tokens,
                "ratio": one.ratio,
                "low": one.low,
                "high": one.high,
            }
            for one in premiums
        ]
    )


def _exit(left: Exit | None) -> Table:
    """The steps of the last drill; none before the first."""
    if left is None:
        return Table([])
    whole: dict[str, str | int | float | None] = {
        "at": left.at,
        "of": left.of,
        "receipts": left.receipts,
        "left": left.left,
    }
    return Table(
        [{**whole, "step": s.name, "seconds": s.seconds, "ok": int(s.ok)} for s in left.steps]
    )


def _claims(claims: tuple[Checked, ...]) -> Table:
    return Table(
        [
            {
                "id": one.card.id,
                "claim": one.card.claim.en,
                "said": one.card.said,
                "verdict": one.card.verdict,
                "low": one.card.low,
                "high": one.card.high,
                "unit": one.card.unit,
                "reasoning": one.card.reasoning.en,
                "computed": one.computed.how if one.computed else "",
            }
            for one in claims
        ]
    )
