"""History: receipts, batches and totals, read from the read models for one viewer.

Rule: what happened comes from the tables that follow the journal, never from the state;
a question asked after a command waits until the tables contain it.
Invariant: amounts leave as decimal text of credits; a viewer gets exactly the receipts
that `sight` grants.
Worked number: a receipt row of price "66000000" reads price "0.000066".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from allmende.core.actors import Registry
from allmende.core.nouns import Receipt
from allmende.core.refusals import Refused, Why
from allmende.core.units import METERS, credits
from allmende.desk import Desk
from allmende.doors import drilling, juries, levy, sight
from allmende.doors.lookups import market
from allmende.doors.lots import text
from allmende.doors.plain import iso
from allmende.doors.proofs import Prover
from allmende.doors.sight import Viewer
from allmende.ports import Journal, Views
from allmende.wire import journal
from allmende.wire import receipt as proof

Row = dict[str, Any]
PUBLIC_DIMENSIONS = ("provider", "country", "title", "model")
DIMENSIONS = ("account", *PUBLIC_DIMENSIONS)
PAGE_MAX = 500
EXPORT_FRAMES = 64
"""Frames read at a time for an export."""


class History:
    """One per market. `archive` is the journal, opened for reading only."""

    def __init__(self, desk: Desk, views: Views, archive: Journal) -> None:
        self._desk = desk
        self._views = views
        self._archive = archive
        self._reading = asyncio.Lock()
        self.chained: Callable[[bytes], proof.Chained | None] = nowhere
        """Where a chain has the receipt with this leaf hash, if there is one."""

    async def fresh(self) -> None:
        """Wait until the tables contain what is durable now (two seconds at most)."""
        await self._views.caught_up(self._desk.committed)

    async def receipts(
        self, viewer: Viewer, *, before: int | None = None, limit: int = 50, **filters: str
    ) -> list[Row]:
        """Newest first, before row number `before`. Filters: budget, provider, model, ..."""
        told = {name: value for name, value in filters.items() if value}
        query = {**told, **self._granted(viewer), "limit": max(1, min(limit, PAGE_MAX))}
        if before is not None:
            query["before"] = before
        return await self._tidied(await self._views.rows("receipts", **query))

    async def feed(self, viewer: Viewer, after: int, limit: int = 50) -> list[Row]:
        """What changed after event `after`, oldest change first."""
        granted = self._granted(viewer)
        own = granted.pop("key", None)
        if own is not None:
            granted["budgets"] = [viewer.key.budget]
        rows = await self._views.rows("feed", after=after, limit=limit, **granted)
        return await self._tidied([row for row in rows if own in (None, row["key"])])

    async def _tidied(self, rows: Sequence[Row]) -> list[Row]:
        sizes = await self.lots(row["right"] for row in rows)
        return [tidy(row, sizes) for row in rows]

    async def lots(self, ids: Iterable[str]) -> dict[str, int]:
        """Grains in a lot of those of these that are instruments, also of settled ones."""
        known, listings = set(ids) - {""} - set(self._desk.state.assets), self._desk.state.listings
        found = {id_: listings[id_].instrument.lot for id_ in known if id_ in listings}
        for id_ in known - set(found):
            rows: list[Row] = await self._views.rows("instruments", id=id_)
            found |= {row["id"]: row["terms"]["lot"] for row in rows}
        return found

    async def registry(self) -> tuple[Registry, Row | None]:
        """The registry of actors, and its version with digest and source; None if none came."""
        rows = {table: await self._views.rows(table) for table in Registry.__struct_fields__}
        versions: list[Row] = await self._views.rows("registries")
        newest = versions[0] if versions else None
        if newest is not None:
            known = ("version", "sha256", "source", "importer")
            newest = {**{n: newest[n] for n in known}, "at": iso(newest["at"])}
        return msgspec.convert(rows, Registry), newest

    async def last_change(self) -> int:
        """Number of the last event in the tables."""
        rows = await self._views.rows("progress")
        return int(rows[0]["number"]) if rows else 0  # type: ignore[call-overload]

    def _granted(self, viewer: Viewer) -> dict[str, Any]:
        """The arguments that confine a query to what the viewer may see."""
        if viewer.operates:
            return {}
        if not viewer.manages:
            return {"key": viewer.key.id}
        tree = list(sight.members(self._desk.state, viewer))
        return {"accounts": tree, "providers": tree}

    async def receipt(self, viewer: Viewer, id_: str) -> tuple[Row, Receipt]:
        """A receipt as it stands: its row, and itself. Refused(NOT_FOUND) if not yours."""
        await self.fresh()
        rows = await self._views.rows("receipt", id=id_)
        row: Row = dict(rows[0]) if rows else {}
        state = self._desk.state
        seen = rows and (
            sight.receipt(state, viewer, row["account"], row["key"])
            or sight.receipt(state, viewer, row["provider"], "")
        )
        if not seen:
            raise Refused(Why.NOT_FOUND, f"No receipt {id_!r} that this key may read.")
        return row, msgspec.json.decode(row["body"], type=Receipt)

    async def receipt_file(self, viewer: Viewer, id_: str) -> bytes:
        """The signed file that proves a receipt to anybody. Refused(NOT_FOUND)."""
        row, found = await self.receipt(viewer, id_)
        return proof.indented(await self.prover().line(row, found))

    def prover(self) -> Prover:
        """Of this moment, for one receipt or many."""
        key = market(self._desk.state).public_key
        return Prover(self._views, self._frame, self.chained, key)

    async def _frame(self, first: int) -> journal.Frame:
        """The frame that begins with event `first`, read off the event loop."""
        async with self._reading:
            return await asyncio.to_thread(lambda: next(iter(self._archive.frames(first - 1))))

    async def batches(self, *, before: int | None = None, limit: int = 50) -> list[Row]:
        """Closed batches, newest first."""
        query: dict[str, Any] = {"limit": max(1, min(limit, PAGE_MAX))}
        if before is not None:
            query["before"] = before
        rows: list[Row] = await self._views.rows("batches", **query)
        sizes = await self.lots(line["asset"] for row in rows for line in row["net"])
        return [
            {
                **{name: row[name] for name in ("number", "receipts", "root", "receipts_root")},
                "at": iso(row["at"]),
                "net": [
                    {**line, "amount": measured(sizes, line["asset"], int(line["amount"]))}
                    for line in row["net"]
                ],
            }
            for row in rows
        ]

    async def drills(self, *, before: int | None = None, limit: int = 50) -> list[Row]:
        """Drills, newest first; see doors.drilling."""
        return await drilling.past(self._views, before=before, limit=limit)

    async def juries(self, *, known: bool, before: int | None = None, limit: int = 50) -> list[Row]:
        """Juries, newest first; see doors.juries."""
        return await juries.juries(self._views, known=known, before=before, limit=limit)

    async def levy(self) -> Row:
        """What the commons took and paid; see doors.levy."""
        return await levy.levy(self._views, self._desk.state)

    async def totals(self, viewer: Viewer | None) -> dict[str, list[Row]]:
        """Totals by dimension. Everybody sees the market's; members' are as visible as they."""
        found = {name: await self.total(name) for name in PUBLIC_DIMENSIONS}
        return {**await self.own_totals(viewer), **found}

    async def own_totals(self, viewer: Viewer | None, **bounds: str) -> dict[str, list[Row]]:
        """Totals by member, as far as they may be seen; nothing for visitors."""
        if viewer is None:
            return {}
        return {"account": await self.total("account", **self._granted(viewer), **bounds)}

    async def total(self, dimension: str, **narrow: Any) -> list[Row]:
        """The market's by one dimension, or within grants and days (`since`, `until`)."""
        rows: list[Row] = await self._views.rows("totals", dimension=dimension, **narrow)
        return [{**row, "price": credits(int(row["price"]))} for row in rows]

    async def export(self, after: int = 0) -> list[bytes]:
        """Events after `after` as JSON lines, some frames at a time; empty at the end."""
        async with self._reading:
            return await asyncio.to_thread(lambda: list(_lines(self._archive, after)))


def nowhere(leaf: bytes) -> None:
    """For a market without a chain."""


def _lines(archive: Journal, after: int) -> Iterator[bytes]:
    for count, frame in enumerate(archive.frames(after)):
        if count == EXPORT_FRAMES:
            return
        yield from frame.body.splitlines(keepends=True)[max(0, after + 1 - frame.first) :]


def measured(sizes: Mapping[str, int], asset: str, amount: int) -> str:
    """Credit as credits, rights as lots of their size."""
    return text(amount, sizes[asset]) if asset in sizes else credits(amount)


def tidy(row: Row, sizes: Mapping[str, int]) -> Row:
    """A receipt's row as a person or a program outside reads it. `lots` of a `right` paid."""
    right = row["right"]
    return {
        "number": row["number"],
        "changed": row["changed"],
        **{name: row[name] for name in _SAME},
        "at": iso(row["at"]),
        "zone": {"country": row["country"], "operator": row["operator"]},
        "units": {meter: row[meter] for meter in METERS if row[meter]},
        "price": credits(int(row["price"])),
        "energy": {"uj": [row["uj_low"], row["uj_high"]], "ug": [row["ug_low"], row["ug_high"]]},
        "final": bool(row["final"]),
        "right": right,
        "lots": measured(sizes, right, int(row["grains"])) if right else "0",
        "waterfall": [
            {**line, "amount": credits(int(line["amount"]))} for line in row["waterfall"]
        ],
    }


_SAME = (
    *("id", "account", "budget", "key", "provider", "offer", "title", "model", "endpoint"),
    *("asset", "basis", "verdict", "outcome", "cause", "batch"),
)
