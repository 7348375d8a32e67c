"""Leaving: what an exit drill found: whether one can leave, and how long it takes.

Rule: a drill is timed step by step, ends at the first step that fails, and its time is the sum.
Invariant: a drill that failed is told as failed, whatever its steps took.
Worked number: 0.1 s to export, 0.9 s to start, 0.1 s to import and 0.2 s to be served: 1.3 s.
"""

from __future__ import annotations

from msgspec import Struct


class Step(Struct, frozen=True):
    """`says` is what came of it, in a sentence; where it failed, why."""

    name: str
    seconds: float
    says: str
    ok: bool = True


class Exit(Struct, frozen=True):
    """`of` is market or member; `at` is ISO 8601, UTC; `receipts` were verified offline."""

    at: str
    of: str
    steps: tuple[Step, ...]
    receipts: int = 0
    left: int = 0
    """Things that were left behind, money among them."""

    @property
    def ok(self) -> bool:
        return bool(self.steps) and all(step.ok for step in self.steps)

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps)
