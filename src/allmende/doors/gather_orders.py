"""Gather for orders: what one would do, before it is given, and what came of it.

Rule: whoever is about to order sees what it costs at worst, whose rights they will be and
which programs can use them; whoever ordered reads the outcome, not the book.
Invariant: a page can be loaded again without ordering again: the form carries a key that
stands for one order.
Worked number: buying 1 lot offered at 3.1 shows "about 3.10, at most 3.17 with the fee".
"""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

from allmende.core import ledger, orders, rights
from allmende.core.contracts import Instrument
from allmende.core.refusals import Refused, Why
from allmende.core.state import Listing, State
from allmende.core.units import credits
from allmende.desk import Desk
from allmende.doors import contract, lots, market_rows, sight
from allmende.doors.estimate import estimate
from allmende.doors.gather import Seen
from allmende.doors.plain import iso
from allmende.doors.sight import Viewer
from allmende.ports import Clock, Views

Row = dict[str, Any]


class GatherOrders:
    """One per market."""

    def __init__(self, desk: Desk, clock: Clock, views: Views) -> None:
        self._desk = desk
        self._clock = clock
        self._views = views

    async def trade(self, seen: Seen) -> Row:
        """What an order would do now, before it is given. Refused as the order would be."""
        listing, state = self._listing(seen), self._desk.state
        one, query = listing.instrument, seen.query
        side = "sell" if query.get("side") == "sell" else "buy"
        account = query.get("account") or seen.somebody.key.member
        if not may(state, seen.somebody, account):
            raise Refused(Why.NOT_ALLOWED, f"This key does not act for {account[:70]!r}.")
        grains = _wanted(seen, one)
        payers = {node.owner for node in state.budgets.values()}
        return {
            "contract": contract.facts(state, listing),
            "plan": estimate(state, listing, side, grains, account, self._clock.now()),
            "standing": market_rows.instrument(state, listing, self._clock.now()),
            "pays": account in payers,
            "payers": sorted(p for p in payers if may(state, seen.somebody, p)),
            "issuer": account == one.issuer,
            "once": _once(seen),
            "available": credits(ledger.available(state, account, one.asset)),
        }

    async def issue(self, seen: Seen) -> Row:
        """What minting so many lots would bind. Refused(NOT_ALLOWED) but for the issuer."""
        listing, state = self._listing(seen), self._desk.state
        one = listing.instrument
        if not may(state, seen.somebody, one.issuer):
            raise Refused(Why.NOT_ALLOWED, f"Only {one.issuer} issues this.")
        grains = _wanted(seen, one)
        bond = rights.bond_for(state, one, grains)
        free = ledger.available(state, one.issuer, one.asset)
        return {
            "contract": contract.facts(state, listing),
            "lots": lots.text(grains, one.lot),
            "bond": credits(bond),
            "available": credits(free),
            "after": credits(free - bond) if bond <= free else None,
            "missing": credits(bond - free) if bond > free else None,
            "issued": lots.text(listing.issued + grains, one.lot),
            "capacity": lots.text(one.capacity, one.lot),
            "over": listing.issued + grains > one.capacity,
            "once": _once(seen),
        }

    async def order(self, seen: Seen) -> Row:
        """What came of an order. Refused(NO_ORDER) if it is not the viewer's to see."""
        await self._views.caught_up(self._desk.committed)
        whose = members(self._desk.state, seen.somebody)
        id_, state = seen.path["order"], self._desk.state
        rows: list[Row] = await self._views.rows("orders", accounts=whose, id=id_, limit=1)
        if not rows or rows[0]["instrument"] != seen.path["id"]:
            raise Refused(Why.NO_ORDER)
        row = rows[0]
        found: list[Row] = await self._views.rows("instruments", id=row["instrument"])
        one = msgspec.convert(found[0]["terms"], Instrument)
        listing = state.listings.get(one.id)
        fills: list[Row] = await self._views.rows("fills", accounts=whose, order=id_, limit=1_000)
        mine = [fill for fill in fills if (fill["order"], fill["side"]) == (id_, row["side"])]
        return {
            "contract": contract.facts(state, listing or contract.listing_of(one)),
            "standing": market_rows.instrument(state, listing, self._clock.now())
            if listing
            else {},
            "order": _order(row, one),
            "fee": credits(sum(int(fill["fee"]) for fill in mine)),
            "fills": [market_rows.fill(fill, one.lot) for fill in mine],
            "pays": any(node.owner == row["account"] for node in state.budgets.values()),
        }

    def _listing(self, seen: Seen) -> Listing:
        return orders.find_listing(self._desk.state, seen.path["id"])


def may(state: State, viewer: Viewer | None, account: str) -> bool:
    """Whether this viewer trades for an account, as the core would allow it."""
    return (
        viewer is not None
        and viewer.manages
        and account in state.members
        and sight.member(state, viewer, account)
    )


def members(state: State, viewer: Viewer) -> list[str]:
    """Accounts whose orders and rights the viewer sees."""
    return sorted(sight.members(state, viewer))


def _wanted(seen: Seen, one: Instrument) -> int:
    """Grains that the address asks for, a lot if it does not say. Refused."""
    grains = lots.quantity(seen.query.get("lots", "").replace(",", ".") or "1", one.lot)
    if grains <= 0 or grains % one.step:
        step = lots.text(one.step, one.lot)
        raise Refused(Why.OFF_TICK, f"The smallest part is {step} lots.")
    return grains


def _once(seen: Seen) -> str:
    """What stands for one order, however often its form is sent."""
    return seen.query.get("_idem") or secrets.token_hex(8)


def _order(row: Row, one: Instrument) -> Row:
    filled, cost = int(row["filled"]), int(row["cost"])
    return {
        **{name: row[name] for name in ("id", "account", "side", "cause")},
        "price": lots.per_lot(int(row["price"]), one.lot),
        "lots": lots.text(int(row["grains"]), one.lot),
        "filled": lots.text(filled, one.lot),
        "left": lots.text(int(row["left"]), one.lot),
        "money": credits(cost),
        "at": iso(row["at"]),
        "until": iso(row["until"]),
        "live": row["ended"] is None,
    }
