"""Gather for the exchange: what its pages show, for whoever looks at them.

Rule: what stands now comes from the state, what happened from the read models; what an order
would do is said before it is given.
Invariant: nothing is decided or changed here; books and tapes are shown without names.
Worked number: an instrument's page asks four questions of the tables, its list two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from typing import Any

import msgspec

from allmende.core import ledger, orders
from allmende.core.contracts import SIDES, Instrument
from allmende.core.refusals import Refused, Why
from allmende.core.state import Listing, State
from allmende.core.units import Amount, credits
from allmende.desk import Desk
from allmende.doors import charts, contract, lots, market_rows, sight
from allmende.doors.estimate import estimate
from allmende.doors.gather import Seen
from allmende.doors.gather_orders import may, members
from allmende.doors.plain import iso
from allmende.doors.sight import Viewer
from allmende.ports import Clock, Views

LEVELS = 8
TRADES = 12
OWN = 12
PAST = 20

Row = dict[str, Any]


class GatherMarket:
    """One per market."""

    def __init__(self, desk: Desk, clock: Clock, views: Views) -> None:
        self._desk = desk
        self._clock = clock
        self._views = views

    # --- the list ------------------------------------------------------------------------

    async def market(self, seen: Seen) -> Row:
        state, viewer = self._desk.state, seen.viewer
        await self._fresh()
        past = await self._views.rows("instruments", live=0, limit=PAST)
        issuers = await self._views.rows("issuers")
        live = sorted(
            state.listings.values(), key=lambda one: (one.instrument.end, one.instrument.id)
        )
        return {
            "instruments": [self._short(one) for one in live],
            "past": [self._past(row) for row in past],
            "issuers": [_issuer(state, row) for row in issuers],
            **self._own(viewer, ""),
            "offers": [
                (offer.id, f"{offer.model} ({offer.id}, {offer.provider})")
                for offer in state.offers.values()
                if viewer and viewer.manages and sight.member(state, viewer, offer.provider)
            ],
        }

    def _short(self, listing: Listing) -> Row:
        """An instrument in a list: what it is good for, and about what a lot costs now."""
        one = listing.instrument
        account = self._desk.state.market.operator if self._desk.state.market else ""
        found = estimate(self._desk.state, listing, "buy", one.lot, account, self._clock.now())
        return {
            **contract.what(self._desk.state, one),
            "ask": lots.per_lot(price, one.lot)
            if (price := orders.best_price(listing, "sell"))
            else None,
            "about": found["money"] if found["whole"] else None,
            "last": lots.per_lot(listing.last, one.lot) if listing.last else None,
            "call_until": iso(listing.call_until) if listing.call_until else None,
        }

    def _past(self, row: Row) -> Row:
        one = msgspec.convert(row["terms"], Instrument)
        return {
            **contract.what(self._desk.state, one),
            "settled": iso(row["settled"]),
            "figure": lots.per_lot(int(row["figure"]), one.lot),
            "last": lots.per_lot(int(row["last"]), one.lot) if row["last"] else None,
            "issued": lots.text(int(row["issued"]), one.lot),
            "delivered": lots.text(int(row["delivered"]), one.lot),
            "defaulted": len(row["defaulted"]),
        }

    # --- one instrument ------------------------------------------------------------------

    async def instrument(self, seen: Seen) -> Row:
        """An instrument that is listed, or how one ended. Refused(NO_INSTRUMENT)."""
        await self._fresh()
        id_, state = seen.path["id"], self._desk.state
        rows: list[Row] = await self._views.rows("instruments", id=id_)
        listing = state.listings.get(id_)
        if listing is None and not rows:
            raise Refused(Why.NO_INSTRUMENT, f"No instrument {id_[:70]!r}.")
        row = rows[0] if rows else None
        one = listing.instrument if listing else msgspec.convert(rows[0]["terms"], Instrument)
        return {
            "contract": contract.facts(state, listing or contract.listing_of(one)),
            "standing": market_rows.instrument(state, listing, self._clock.now())
            if listing
            else {},
            "ended": self._past(row) if row and row["settled"] is not None else None,
            "book": _book(state, listing) if listing else None,
            "prices": await self._prices(one, row),
            "tape": [
                {**market_rows.trade(trade, one.lot), "quote": trade["quote"]}
                for trade in await self._views.rows("tape", instrument=id_, limit=TRADES)
            ],
            "now": self._buying(listing, seen.viewer) if listing else None,
            **self._own(seen.viewer, id_),
            "fills": await self._fills(seen.viewer, one),
            "settlements": await self._settlements(seen.viewer, one),
            "issues": listing is not None and may(state, seen.viewer, one.issuer),
        }

    def _buying(self, listing: Listing, viewer: Viewer | None) -> Row:
        """What a lot costs whoever looks; a visitor as if it were the operator."""
        state = self._desk.state
        account = viewer.key.member if viewer else state.market.operator if state.market else ""
        found = estimate(state, listing, "buy", listing.instrument.lot, account, self._clock.now())
        return {**found, "mode": state.market.mode if state.market else ""}

    async def _prices(self, one: Instrument, row: Row | None) -> Row:
        """Candles from the listing until now, or the end, and the figures that head them."""
        now = min(self._clock.now(), one.end)
        since = row["at"] if row else now
        length = charts.seconds(since, now)
        found: list[Row] = await self._views.rows(
            "candles", instrument=one.id, seconds=length, limit=charts.SLOTS
        )
        chart = charts.chart(found, one.lot, length, now)
        return {
            "chart": chart,
            "candles": [market_rows.candle(candle, one.lot) for candle in found],
            "from": iso(found[-1]["at"]) if found else None,
            "until": iso(now),
            "seconds": length,
            "figures": _figures(found, one.lot),
        }

    async def _fills(self, viewer: Viewer | None, one: Instrument) -> list[Row]:
        if viewer is None:
            return []
        rows = await self._views.rows(
            "fills", accounts=members(self._desk.state, viewer), instrument=one.id, limit=OWN
        )
        return [market_rows.fill(row, one.lot) for row in rows]

    async def _settlements(self, viewer: Viewer | None, one: Instrument) -> list[Row]:
        if viewer is None:
            return []
        rows: list[Row] = await self._views.rows(
            "settlements", accounts=members(self._desk.state, viewer), instrument=one.id, limit=OWN
        )
        return [
            {
                **{name: row[name] for name in ("account", "kind", "asset")},
                "at": iso(row["at"]),
                "lots": lots.text(-int(row["grains"]), one.lot),
                "amount": credits(int(row["amount"])),
            }
            for row in rows
        ]

    # --- parts ---------------------------------------------------------------------------

    def _own(self, viewer: Viewer | None, instrument: str) -> Row:
        """One's rights and working orders, of all instruments or of one."""
        if viewer is None:
            return {"own_rights": [], "own_orders": [], "accounts": [], "payer": None}
        state = self._desk.state
        held = market_rows.own_rights(state, viewer, self._clock.now())
        working = market_rows.own_orders(state, viewer, instrument)
        return {
            "own_rights": [_named(state, r) for r in held if instrument in ("", r["instrument"])],
            "own_orders": [_named(state, row) for row in working],
            "accounts": members(state, viewer) if viewer.manages else [],
            "payer": _payer(state, viewer, instrument),
        }

    async def _fresh(self) -> None:
        await self._views.caught_up(self._desk.committed)


def _payer(state: State, viewer: Viewer, instrument: str) -> str | None:
    """Who else's rights pay for the viewer's requests: the owner of his budget, if he has any.

    That they pay stands on the viewer's receipts; how many there are is the owner's business.
    """
    budget = state.budgets.get(viewer.key.budget)
    if budget is None or sight.member(state, viewer, budget.owner):
        return None
    held = ledger.available(state, budget.owner, instrument)
    return budget.owner if instrument in state.listings and held > 0 else None


def _issuer(state: State, row: Row) -> Row:
    member = state.members.get(row["issuer"])
    name = member.name if member else row["issuer"]
    return {**row, "name": name, "bond": credits(int(row["bond"]))}


def _named(state: State, row: Row) -> Row:
    return {**row, "of": contract.what(state, state.listings[row["instrument"]].instrument)}


def _book(state: State, listing: Listing) -> Row:
    """The best levels of both sides, each with all that stands there."""
    return {
        side: charts.depth(
            list(islice(_levels(state, listing, side), LEVELS)), listing.instrument.lot
        )
        for side in SIDES
    }


def _levels(state: State, listing: Listing, side: str) -> Iterator[tuple[Amount, int]]:
    queue = orders.queue(state, listing, side)
    for price, working in groupby(queue, lambda one: one.order.price):
        yield price, sum(one.left for one in working)


def _figures(candles: Sequence[Row], lot: int) -> list[tuple[str, str]]:
    """What heads the prices: (name, credits per lot). Indices are further rows of these."""
    if not candles:
        return []
    volume = sum(int(row["volume"]) for row in candles)
    mean = sum(int(row["turnover"]) for row in candles) // volume
    found = {
        "last": int(candles[0]["close"]),
        "vwap": mean,
        "high": max(int(row["high"]) for row in candles),
        "low": min(int(row["low"]) for row in candles),
    }
    return [(name, lots.per_lot(price, lot)) for name, price in found.items()]
