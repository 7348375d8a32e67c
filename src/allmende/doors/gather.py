"""Gather: what each page shows, for whoever looks at it.

Rule: one function per page; a visitor gets what is public and empty lists for the rest.
Invariant: nothing is decided or changed here, and nobody sees more than `sight` grants.
Worked number: the first page asks the tables three questions, whatever the market's age.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from allmende.core import units
from allmende.core.nouns import ENDPOINTS
from allmende.core.refusals import Refused, Why
from allmende.core.units import EnergyRate, Units
from allmende.desk import Desk
from allmende.doors import contract, lookups, market_rows
from allmende.doors.history import History, measured
from allmende.doors.plain import iso, outward
from allmende.doors.sight import Viewer
from allmende.ports import Clock

LATEST = 6
PAGE = 40
PICTURED = 1_000
"""Tokens whose energy an offer shows."""


class Seen(Struct, frozen=True):
    """Who looks, and what the address says. Visitors have no viewer."""

    viewer: Viewer | None
    query: dict[str, str]
    path: dict[str, str]

    @property
    def somebody(self) -> Viewer:
        assert self.viewer is not None, "this page needs a key"
        return self.viewer


class Gather:
    """One per market."""

    def __init__(self, desk: Desk, clock: Clock, history: History) -> None:
        self._desk = desk
        self._clock = clock
        self._history = history

    async def home(self, seen: Seen) -> dict[str, Any]:
        await self._history.fresh()
        found = {
            "offers": self._offers(seen.viewer),
            "so_far": _so_far((await self._history.totals(None))["provider"]),
            "balances": [],
            "budgets": [],
            "receipts": [],
            "rights": [],
            "instruments": len(self._desk.state.listings),
        }
        if seen.viewer is not None:
            state, viewer = self._desk.state, seen.viewer
            found |= {
                "balances": lookups.balances_of(state, viewer.key.member),
                "budgets": lookups.tree(state, viewer, self._clock.now()),
                "receipts": await self._history.receipts(viewer, limit=LATEST),
                "rights": self._rights(viewer),
            }
        return found

    def _rights(self, viewer: Viewer) -> list[dict[str, Any]]:
        """What the viewer's own member bought ahead and may still use."""
        state = self._desk.state
        return [
            {**row, "of": contract.what(state, state.listings[row["instrument"]].instrument)}
            for row in market_rows.own_rights(state, viewer, self._clock.now())
            if row["account"] == viewer.key.member
        ]

    async def offers(self, seen: Seen) -> dict[str, Any]:
        state = self._desk.state
        return {
            "offers": self._offers(seen.viewer),
            "titles": lookups.titles(state),
            "assets": list(state.assets),
            "endpoints": ENDPOINTS,
            "members": self._members(seen),
        }

    def _offers(self, viewer: Viewer | None) -> list[dict[str, Any]]:
        """Offers by model and price, with what a thousand output tokens take in energy."""
        rows = lookups.offers(self._desk.state, viewer, self._clock.now())
        for row in rows:
            rate = msgspec.convert(row["energy"], EnergyRate)
            used = Units(output=PICTURED) if rate.output_nj[1] else Units(input=PICTURED)
            used = Units(embedding=PICTURED) if "embedding" in row["tariff"] else used
            row["pictured"] = units.energy(rate, used)
        return sorted(rows, key=lambda row: (row["model"], row["id"]))

    def _members(self, seen: Seen) -> list[dict[str, Any]]:
        return lookups.members(self._desk.state, seen.viewer) if seen.viewer else []

    async def members(self, seen: Seen) -> dict[str, Any]:
        return {
            "members": self._members(seen),
            "balances": lookups.balances(self._desk.state, seen.somebody),
            "assets": list(self._desk.state.assets),
        }

    async def budgets(self, seen: Seen) -> dict[str, Any]:
        return {
            "budgets": lookups.tree(self._desk.state, seen.somebody, self._clock.now()),
            "members": self._members(seen),
            "assets": list(self._desk.state.assets),
        }

    async def keys(self, seen: Seen) -> dict[str, Any]:
        return {
            "keys": lookups.keys(self._desk.state, seen.somebody),
            "members": self._members(seen),
            "budgets": lookups.tree(self._desk.state, seen.somebody, self._clock.now()),
            "models": sorted(self._desk.state.models),
        }

    async def receipts(self, seen: Seen) -> dict[str, Any]:
        await self._history.fresh()
        before = seen.query.get("before", "")
        if before and not (before.isdecimal() and len(before) < 19):
            raise Refused(Why.BAD_VALUE, "before is a whole number.")
        filters = {name: seen.query.get(name, "") for name in ("budget", "model", "provider")}
        rows = await self._history.receipts(
            seen.somebody, before=int(before) if before else None, limit=PAGE, **filters
        )
        more = rows[-1]["number"] if len(rows) == PAGE else None
        return {"receipts": rows, "more": more, "filters": filters}

    async def receipt(self, seen: Seen) -> dict[str, Any]:
        row, found = await self._history.receipt(seen.somebody, seen.path["id"])
        plain = msgspec.to_builtins(found)
        closed = row["final"] and await self._history.batches(before=row["batch"] + 1, limit=1)
        return {
            "receipt": found,
            "row": row,
            "waterfall": [
                {"role": line.role, "account": line.account, "amount": units.credits(line.amount)}
                for line in found.waterfall
            ],
            "price": units.credits(found.price),
            "lots": measured(await self._history.lots([found.right]), found.right, found.grains),
            "tariff": outward(plain["tariff"], "tariff"),
            "at": iso(found.at),
            "batch": closed[0] if closed and closed[0]["number"] == row["batch"] else None,
        }

    async def verify(self, seen: Seen) -> dict[str, Any]:
        await self._history.fresh()
        totals = await self._history.totals(None)
        found: dict[str, Any] = {"by_provider": totals["provider"], "by_model": totals["model"]}
        found["disagreeing"] = []
        if seen.viewer is not None:
            found["disagreeing"] = await self._history.receipts(
                seen.viewer, limit=PAGE, verdict="disagrees"
            )
        return found

    async def settle(self, seen: Seen) -> dict[str, Any]:
        await self._history.fresh()
        found = lookups.open_batch(self._desk.state)
        sizes = await self._history.lots(line["asset"] for line in found["net"])
        for line in found["net"]:
            line["amount"] = measured(sizes, line["asset"], line["amount"])
        return {
            "open": found,
            "batches": await self._history.batches(limit=PAGE),
            "parameters": self._desk.state.parameters,
        }


def _so_far(totals: list[dict[str, Any]]) -> dict[str, Any]:
    """What the market has delivered: answers, tokens of all kinds, microjoules."""
    counts = ("input", "cached", "output", "embedding")
    return {
        "receipts": sum(row["receipts"] for row in totals),
        "tokens": sum(row[meter] for row in totals for meter in counts),
        "uj": (sum(row["uj_low"] for row in totals), sum(row["uj_high"] for row in totals)),
    }
