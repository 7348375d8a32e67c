"""Climate: energy, grams and litres of what was used, by whom and where; caps, and what they cost.

Rule: ranges of final receipts, each with method and boundary; tokens of which no offer states the
energy are in no bar, and bounded beside. Caps are shown to whoever sees their budgets.
Invariant: a bar and its file say the same; what rests on too few receipts is in neither.
Worked number: 24 answers of 60 tokens at 0.1 to 0.3 mJ each are 0.1 to 0.4 J, and so drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from allmende.core.units import credits
from allmende.doors import lookups
from allmende.doors.account import viewer_of
from allmende.doors.counter import Counter
from allmende.doors.denials import Denials
from allmende.doors.observatory.control import Lookup
from allmende.doors.observatory.frame import Asked, Found, Row, Sources, Table
from allmende.doors.observatory.value import REST
from allmende.doors.plain import iso
from allmende.doors.sight import Viewer
from allmende.measure import climate
from allmende.measure.cells import Cell, publish
from allmende.measure.climate import Used
from allmende.measure.dated import Rules

BY = ("provider", "model", "country")
HARDWARE, PUBLISHED = "world/inference-hardware", "world/inference-published"
CHARTS = ("energy", "carbon", "water", "sci")


class ClimatePage:
    """The section."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def gather(self, asked: Asked) -> Found:
        by = asked.choice("by", (*BY, "account") if asked.operates else BY, BY[0])
        every = climate.used(await self._sources.history.total(by, **asked.window.bounds()))
        whole = _sum(every)
        k = 0 if asked.operates else self._sources.min_cell
        parts = hushed(every, k)
        hard = climate.hardware(_assumed(self._sources.rules, HARDWARE))
        window = f"{asked.window.since or '…'} – {asked.window.last}"
        shown = {name: _told(used, hard) for name, used in parts.items()}
        caps = capped(self._sources, asked.seen.viewer)
        shows = {
            "by": by,
            "bys": (*BY, "account") if asked.operates else BY,
            "receipts": whole.receipts,
            "enough": whole.receipts >= k,
            "told": climate.figures("market", window, whole, hard, None),
            "charts": {name: _rows(shown, name) for name in CHARTS},
            "published": list(_assumed(self._sources.rules, PUBLISHED).values()),
            "caps": caps["budgets"],
            "since": caps["since"],
        }
        return Found(shows, {"used": Table([{by: name, **row} for name, row in shown.items()])})


def _assumed(rules: Sequence[Rules], name: str) -> Mapping[str, Any]:
    """The newest of these assumptions, for a window of any day: they are no law, and what is known
    of servers now is the best that is known of those before."""
    return max((one for one in rules if one.act == name), key=lambda one: one.date).values


class Carbon:
    """The same as JSON, for whoever has a key: caps, what was caused under them, what they cost."""

    def __init__(self, sources: Sources, counter: Counter) -> None:
        self._sources = sources
        self._counter = counter
        self.lookups: dict[str, Lookup] = {
            "/api/carbon": (self.carbon, "Carbon caps: caused, held, room, refused since start."),
        }

    async def carbon(self, request: Request) -> Response:
        told = capped(self._sources, viewer_of(self._counter, request))
        return Response(msgspec.json.encode(told), media_type="application/json")


def capped(sources: Sources, viewer: Viewer | None) -> dict[str, Any]:
    """Budgets with a cap as far as the viewer sees them, with what their caps refused."""
    losses = sources.denials or Denials(0)
    tree = lookups.tree(sources.desk.state, viewer, sources.clock.now()) if viewer else []
    rows = []
    for row in tree:
        loss = losses.by_budget.get(row["id"])
        if row["carbon"]["cap_ug"] is None and loss is None:
            continue
        rows.append(
            {
                **{name: row[name] for name in ("id", "name", "period", "until")},
                **row["carbon"],
                "refused": loss.requests if loss else 0,
                "refused_unknown": loss.unknown if loss else 0,
                "refused_worth": {a: credits(n) for a, n in loss.worth.items()} if loss else {},
            }
        )
    return {"since": iso(losses.since) if losses.since else None, "budgets": rows}


def hushed(every: Mapping[str, Used], k: int) -> dict[str, Used]:
    """Parts that each rest on k receipts, the largest first, and one of all others together."""
    cells = {name: Cell(used.receipts, int(used.joules[1] * 1e6)) for name, used in every.items()}
    published = publish(cells, k, apart=True)
    found = {name: every[name] for name in published.shown}
    if published.rest is not None and not published.withheld:
        found[REST] = _sum({name: every[name] for name in every if name not in found})
    return found


def _sum(every: Mapping[str, Used]) -> Used:
    total = Used()
    for used in every.values():
        total = climate.add(total, used)
    return total


def _told(used: Used, hard: climate.Hardware) -> dict[str, Any]:
    """One row of the file; ranges in joules, grams, litres, and grams per 1,000 output tokens."""
    tokens = used.stated_output / climate.PER
    made = climate.embodied_g(hard)
    sci = [g / tokens + m for g, m in zip(used.grams, made, strict=True)] if tokens > 0 else None
    row: Row = {
        "receipts": used.receipts,
        "tokens_in": used.prompt,
        "tokens_out": used.output,
        "tokens_unstated": used.unstated,
        "energy_j_low": used.joules[0],
        "energy_j_high": used.joules[1],
        "carbon_g_low": used.grams[0],
        "carbon_g_high": used.grams[1],
        "water_site_l_low": used.site_l[0],
        "water_site_l_high": used.site_l[1],
        "water_grid_l_low": used.grid_l[0],
        "water_grid_l_high": used.grid_l[1],
        "energy_without_water_j": used.dry_j,
        "sci_g_low": sci[0] if sci and used.joules[1] else None,
        "sci_g_high": sci[1] if sci and used.joules[1] else None,
    }
    return dict(row)


def _rows(shown: Mapping[str, Mapping[str, Any]], chart: str) -> list[tuple[str, float, float]]:
    """(name, low, high) of one chart; what is unknown is not drawn as nothing."""
    ends = {
        "energy": ("energy_j_low", "energy_j_high"),
        "carbon": ("carbon_g_low", "carbon_g_high"),
        "sci": ("sci_g_low", "sci_g_high"),
    }
    found = []
    for name, row in shown.items():
        if chart == "water":
            low, high = (
                row[f"water_site_l_{end}"] + row[f"water_grid_l_{end}"] for end in ("low", "high")
            )
        else:
            low, high = (row[column] for column in ends[chart])
        if high:
            found.append((name, low, high))
    return found
