"""Levy at the doors: what the commons took and paid, by month, for everybody.

Rule: income is the commons' line of final receipts, what went out is every movement out of the
commons' account; the balance is the state's own, and nothing else is added up to it.
Invariant: income + what is provisional - what went out = balance; `waiting` is that difference.
Worked number: 3 credits taken, one granted: balance 2, and 2 on the account.
"""

from __future__ import annotations

from typing import Any

from allmende.core.ledger import COMMONS, balance
from allmende.core.state import State
from allmende.core.units import Amount, credits
from allmende.doors.plain import iso
from allmende.ports import Views

RATE = "levy_ppm"
MOVES_MAX = 200
"""The newest are listed; all of them are counted."""
PAGE = 1_000

Row = dict[str, Any]


async def levy(views: Views, state: State) -> Row:
    """Amounts are decimal text of credits, newest month first."""
    earned = await views.rows("earnings", account=COMMONS, role="commons", by="month")
    moves = await _moves(views)
    rates = [row for row in await views.rows("parameters", name=RATE) if row["kind"] != "scheduled"]
    assets = [asset for asset in state.assets if asset in state.balances]
    months = [
        {"month": row["month"], "asset": row["asset"], "receipts": row["payments"],
         "income": credits(int(str(row["amount"])))}
        for row in earned
    ]  # fmt: skip
    return {
        "rate_ppm": state.parameters[RATE],
        "rates": [{"at": iso(int(str(row["at"]))), "ppm": row["value"]} for row in rates],
        "months": sorted(months, key=lambda row: (row["month"], row["asset"]), reverse=True),
        "spent": [_told(row) for row in moves[:MOVES_MAX] if row["source"] == COMMONS],
        "balances": [_account(state, asset, earned, moves) for asset in assets],
    }


async def _moves(views: Views) -> list[Row]:
    """All movements on the commons' account: few, as each was decided."""
    found: list[Row] = []
    while True:
        page = {"before": found[-1]["number"]} if found else {}
        rows = await views.rows("movements", account=COMMONS, limit=PAGE, **page)
        found += rows
        if len(rows) < PAGE:
            return found


def _told(row: Row) -> Row:
    same = ("kind", "target", "asset", "reference")
    told = {name: row[name] for name in same}
    return {**told, "at": iso(row["at"]), "amount": credits(int(row["amount"]))}


def _account(state: State, asset: str, earned: list[Row], moves: list[Row]) -> Row:
    income = sum(int(row["amount"]) for row in earned if row["asset"] == asset)
    spent = _sum(moves, asset, "source")
    given = _sum(moves, asset, "target")
    there = balance(state, COMMONS, asset)
    return {
        "asset": asset,
        "income": credits(income),
        "spent": credits(spent),
        "given": credits(given),
        "waiting": credits(there - income - given + spent),
        "balance": credits(there),
    }


def _sum(moves: list[Row], asset: str, side: str) -> Amount:
    return sum(int(m["amount"]) for m in moves if m["asset"] == asset and m[side] == COMMONS)
