"""Dated rules: a law, a weight or a threshold as it stood from a day on, with its source.

Rule: a figure never knows a law by heart. It is given a `Rules`, which says what it is, where
it can be read, from when it holds, whether it is in force at all, and how well we saw it.
Invariant: `in_force` gives the newest version that had begun and not ended on the day, or
refuses; a draft or a proposal is never taken for law, and is asked for by its status.
Worked number: of versions in force from 2004-02-05 and 2026-12-01, 2026-11-20 gives the first.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from msgspec import Struct

Status = Literal["in force", "draft", "proposal"]
Seen = Literal["seen", "memory"]
"""`seen` in a public page that is named; `memory`: check the primary text before relying on it."""
STATUSES: tuple[str, ...] = get_args(Status)
GRADES: tuple[str, ...] = get_args(Seen)


class Rules(Struct, frozen=True, kw_only=True):
    """One version of one act. `act` is its jurisdiction and name, as `eu/csf`."""

    act: str
    title: str
    source: str
    date: dt.date
    status: Status
    grade: Seen
    values: Mapping[str, Any]
    until: dt.date | None = None
    note: str = ""

    @property
    def name(self) -> str:
        """Short and exact, to stand beside a figure: `eu/csf@2025-10-20`."""
        return f"{self.act}@{self.date}"

    def begun(self, at: dt.date) -> bool:
        return self.date <= at and (self.until is None or at < self.until)


class NoRules(ValueError):
    """No version of the act has this status on this day; the sentence says which there are."""


def in_force(known: Iterable[Rules], act: str, at: dt.date, status: Status = "in force") -> Rules:
    """The newest version of `act` with `status` on the day `at`. Raises NoRules."""
    versions = [rules for rules in known if rules.act == act]
    fit = [rules for rules in versions if rules.status == status and rules.begun(at)]
    if fit:
        return max(fit, key=lambda rules: rules.date)
    there = ", ".join(f"{r.date} ({r.status})" for r in sorted(versions, key=lambda r: r.date))
    raise NoRules(
        f"No version of {act} is {status} on {at}"
        + (f"; there are: {there}." if versions else "; no rule file has that name.")
    )
