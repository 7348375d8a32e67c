"""Parameters: the rules of a market as numbers, each with its bounds and its class.

Rule: a class says who decides: `ordinary` by stake, `money` and `mission` by stake and by
members, see docs/assembly.md; the bounds hold whoever decides.
Invariant: fee, levy and a title's own shares never exceed a price, at any bounds.
Worked number: operator_fee_ppm is 0 to 200_000 ppm, so 200_001 is refused, vote or not.
"""

from __future__ import annotations

from typing import NamedTuple

RANKS = ("ordinary", "money", "mission")
"""Classes in the order in which the Assembly has them; the last one is hardest to change."""


class Parameter(NamedTuple):
    """A rule of the market: its value at founding, its bounds, unit and meaning."""

    default: int
    least: int
    most: int
    unit: str
    meaning: str
    rank: str = "ordinary"
    """One of RANKS."""


PARAMETERS = {
    "operator_fee_ppm": Parameter(
        50_000, 0, 200_000, "ppm", "of each price to the operator", "money"
    ),
    "levy_ppm": Parameter(10_000, 0, 100_000, "ppm", "of each price to the commons", "mission"),
    "hold_seconds": Parameter(900, 10, 86_400, "s", "after which a silent hold ends"),
    "recount_seconds": Parameter(60, 1, 3_600, "s", "within which a recount must come"),
    "completion_band_ppm": Parameter(
        50_000, 0, 500_000, "ppm", "by which completion counts may differ"
    ),
    "batch_receipts_max": Parameter(10_000, 1, 10_000_000, "receipts", "that close a batch"),
    "batch_seconds": Parameter(3_600, 1, 604_800, "s", "after which a batch closes"),
    "trade_fee_ppm": Parameter(1_000, 0, 50_000, "ppm", "of each trade from its taker", "money"),
    "call_seconds": Parameter(60, 0, 86_400, "s", "of an opening, closing or breaker's call"),
    "freeze_seconds": Parameter(5, 0, 3_600, "s", "before a call's end without cancelling"),
    "breaker_ppm": Parameter(200_000, 1_000, 10_000_000, "ppm", "from the reference halts trade"),
    "position_ppm": Parameter(1_000_000, 1, 1_000_000, "ppm", "of an instrument for one owner"),
    "tier0_open_credits": Parameter(150, 0, 10**12, "credits", "in open buy orders, tier 0"),
    "tier1_open_credits": Parameter(15_000, 0, 10**12, "credits", "in open buy orders, tier 1"),
    "tier2_open_credits": Parameter(10**9, 0, 10**12, "credits", "in open buy orders, tier 2"),
    "wrap_tier": Parameter(0, 0, 2, "tier", "from which members take rights into wallets"),
    "claim_stake_ppm": Parameter(10_000, 0, 1_000_000, "ppm", "of a claim's worth at stake"),
    "dispute_seconds": Parameter(3_600, 1, 2_592_000, "s", "in which a claim is put to the test"),
    "settle_seconds": Parameter(300, 0, 604_800, "s", "from a window's end to its settlement"),
    "notice_seconds": Parameter(3_600, 1, 604_800, "s", "within which force majeure is pleaded"),
    "drills_allowed": Parameter(0, 0, 1, "", "or not: 1 lets operators drill offers off the book"),
    "drill_seconds": Parameter(600, 1, 3_600, "s", "that a drill takes at most"),
    "idem_seconds": Parameter(86_400, 3_600, 604_800, "s", "for which a command may be repeated"),
}


def outside(name: str, value: int) -> str:
    """Why a value cannot be, as the Assembly says it too; "" if it can."""
    rule = PARAMETERS[name]
    inside = rule.least <= value <= rule.most
    return "" if inside else f"{name} is {rule.least} to {rule.most} {rule.unit}."
