"""Governing: the pages on which a market's rules are read, tried out and decided on.

Rule: anybody reads the rules, what was proposed, the levy and the juries; whoever has a key tries
a change out on the market's own requests, and so does anybody with one that is proposed.
Invariant: these pages change nothing; what a table shows can be had as a file.
Worked number: the four pages are one tab of the life, /govern, and two files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from allmende.core.parameters import PARAMETERS
from allmende.core.refusals import Refused, Why
from allmende.doors import lookups
from allmende.doors.account import reply
from allmende.doors.browser import Doorman
from allmende.doors.gather import Seen
from allmende.doors.observatory import files
from allmende.doors.observatory.frame import Sources, Table
from allmende.doors.page import Page
from allmende.doors.plain import iso
from allmende.doors.simulating import NO_FORKS, WINDOWS, Forks, Simulating, plain, published
from allmende.doors.votes import NO_VOTES, Votes

WINDOW = "30"
"""Days, where nobody asked for others."""
DIGITS = 13
"""Of a value: the widest bounds have so many."""


class Ruling(NamedTuple):
    """What is tried out, and what is voted."""

    forks: Forks = NO_FORKS
    votes: Votes = NO_VOTES


NO_RULING = Ruling()


class Governing:
    """One per market."""

    def __init__(self, sources: Sources, doorman: Doorman, ruling: Ruling) -> None:
        self._desk = sources.desk
        self._history = sources.history
        self._doorman = doorman
        self._simulating = Simulating(ruling.forks, sources.clock)
        self._min_cell = sources.min_cell
        self.votes = ruling.votes

    def pages(self) -> dict[str, Page]:
        """Name, template and path are one."""
        return {
            "govern": Page("/govern", self.rules, open=True),
            "govern/simulation": Page("/govern/simulation", self.simulation, open=True),
            "govern/levy": Page("/govern/levy", self.levy, open=True),
            "govern/juries": Page("/govern/juries", self.juries, open=True),
        }

    def routes(self) -> list[Route]:
        return [
            Route("/api/govern/power", self.power),
            Route("/govern/data/levy.csv", self.levy_file),
            Route("/govern/data/simulation.csv", self.simulation_file),
        ]

    async def rules(self, seen: Seen) -> dict[str, Any]:
        state = self._desk.state
        proposals, ranks = self.votes.proposals(), self.votes.ranks()
        k = 0 if _operates(seen) else self._min_cell
        for row in proposals:
            row["simulated"] = row["kind"] == "parameter" and row["name"] in self._simulating.names
            row["effect"] = self._effect(row, k)
        return {
            "parameters": [
                {**row, "rank": ranks.get(row["name"], row["rank"])}
                for row in lookups.parameters(state)
            ],
            "charter": state.charter,
            "simulated": self._simulating.names,
            "proposals": proposals,
            "terms": self.votes.terms(),
            "chain_id": self.votes.chain_id,
            "power": await self.votes.power(),
            "window": None,
        }

    def _effect(self, row: dict[str, Any], k: int) -> list[dict[str, Any]] | None:
        """By role, what an open proposal would have changed; None while nobody worked it out."""
        if not row["simulated"] or row["status"] != "open":
            return None
        found = self._simulating.glance(row["name"], row["value"], WINDOW)
        if found is None or found["receipts"] < k:
            return None
        rows = published(found["effects"], k)
        return [one for one in rows if one["by"] == "role" and one["gains"]]

    # --- what a change would have changed ------------------------------------------------

    async def simulation(self, seen: Seen) -> dict[str, Any]:
        """The form, and if a rule is named, what came of it."""
        shows: dict[str, Any] = {
            "rules": [
                row
                for row in lookups.parameters(self._desk.state)
                if row["name"] in self._simulating.names
            ],
            "windows": tuple(WINDOWS),
            "asked": {"name": "", "value": "", "window": WINDOW, **seen.query},
            "found": None,
            "waits": False,
            "min_cell": 0 if _operates(seen) else self._min_cell,
        }
        if not seen.query.get("name"):
            return shows
        try:
            found = await self._asked(seen)
        except Refused as refused:
            return {**shows, "error": refused, "status": refused.why.status}
        return {**shows, "found": found, "waits": found is None}

    async def _asked(self, seen: Seen) -> dict[str, Any] | None:
        name, value, window = _change(seen.query)
        sim = self._simulating
        if seen.viewer is None and not sim.known(name, value, window):
            proposed = {(row["name"], row["value"]) for row in self.votes.proposals()}
            if (name, value) not in proposed:
                raise Refused(
                    Why.UNKNOWN_KEY,
                    "Sign in to try a change out that nobody proposed, or run it yourself: "
                    f"allmende govern simulate {name} {value}",
                )
        found = await sim.ask(name, value, window)
        if found is None:
            return None
        k = 0 if _operates(seen) else self._min_cell
        rows = published(found["effects"], k) if found["receipts"] >= k else []
        return {
            **found,
            "since": iso(found["since"]) if found["since"] else "",
            "until": iso(found["until"]),
            "rows": rows,
            "few": found["receipts"] < k,
        }

    async def simulation_file(self, request: Request) -> Response:
        seen = Seen(self._doorman.viewer(request), dict(request.query_params), {})
        found = await self._asked(seen)
        if found is None:
            raise Refused(Why.CAPACITY, "It is being worked out; ask again soon.")
        return _csv("simulation", [plain(row) for row in found["rows"]])

    async def power(self, _: Request) -> Response:
        return reply(msgspec.to_builtins(list(await self.votes.power())))

    # --- levy and juries -----------------------------------------------------------------

    async def levy(self, seen: Seen) -> dict[str, Any]:
        await self._history.fresh()
        return {"levy": await self._history.levy(), "most": PARAMETERS["levy_ppm"].most}

    async def levy_file(self, _: Request) -> Response:
        await self._history.fresh()
        found = await self._history.levy()
        return _csv("levy", found["months"])

    async def juries(self, seen: Seen) -> dict[str, Any]:
        await self._history.fresh()
        rows = await self._history.juries(known=seen.viewer is not None)
        return {"juries": rows, "open": [row["id"] for row in rows if not row["drawn_at"]]}


def _change(query: Mapping[str, str]) -> tuple[str, int, str]:
    """Rule, value and window of an address. Refused."""
    value, window = query.get("value", "").strip(), query.get("window") or WINDOW
    if not (value.isascii() and value.isdecimal() and len(value) <= DIGITS):
        raise Refused(Why.BAD_VALUE, f"value is a whole number, not {value[:40]!r}.")
    if window not in WINDOWS:
        raise Refused(Why.BAD_VALUE, f"window is one of {', '.join(WINDOWS)}.")
    return query["name"], int(value), window


def _operates(seen: Seen) -> bool:
    return seen.viewer is not None and seen.viewer.operates


def _csv(name: str, rows: list[dict[str, Any]]) -> Response:
    headers = {
        "content-disposition": f'attachment; filename="{name}.csv"',
        "cache-control": "no-store",
    }
    return Response(files.to_csv(Table(rows)), media_type=files.KINDS["csv"], headers=headers)
