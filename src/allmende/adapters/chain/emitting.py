"""Emitting: with which epochs, pool and audit window a market's emission begins.

Rule: epochs and pool are those of the rule's file in the package; the window is the row's time of
audit, a second where nobody waits.
Invariant: an emission that was put up on a row of terms is found again by its rule's file.
Worked number: on Ethereum's terms an epoch is a week, and its list can be voided for another one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from allmende.adapters.chain.terms import Norm
from allmende.adapters.reward_rules import ACT, LAB, packaged, terms
from allmende.wire.rewards import rule_of

QUICK = ("fast", "demo")
"""Terms on which an epoch is three seconds, and the window one."""


def emission_values(norm: Norm, share: str) -> tuple[Any, ...]:
    """What contracts/Emission.vy's constructor takes."""
    on = datetime.now(UTC).date()
    quick = norm.name in QUICK
    length, first, pool, halving = terms(rule_of(packaged(LAB if quick else ACT, on)))
    return share, length, first, 1 if quick else norm.bond.audit, pool, halving
