"""Figures: bars drawn by the server, as numbers that a template puts into an SVG.

Rule: a bar is a row of parts in thousandths of its width; colours are classes, so the
style sheet and the reader's light or dark decide.
Invariant: the parts of a whole never leave its width, and what is not nothing is seen:
at least MIN wide.
Worked number: 85, 10, 5 of 100 give (0, 850), (850, 100), (950, 50).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from allmende.core.units import Amount, pico

WIDTH = 1_000
MIN = 6
"""Thousandths: on a phone about two pixels."""
ROLES = ("host", "author", "data", "energy", "operator", "commons")
"""Roles that have a colour of their own."""


class Part(NamedTuple):
    """`kind` is a class of the style sheet; `x` and `width` are thousandths."""

    kind: str
    x: int
    width: int
    amount: str
    label: str


def parts(rows: Iterable[tuple[str, str, str]], whole: Amount | None = None) -> list[Part]:
    """(kind, label, amount in credits) side by side; of `whole`, or of their own sum."""
    known = [(kind, label, amount, pico(amount)) for kind, label, amount in rows]
    known = [row for row in known if row[3] > 0]
    total = max(whole or 0, sum(value for *_, value in known))
    found, x = [], 0
    for kind, label, amount, value in known:
        width = min(max(MIN, value * WIDTH // total), WIDTH - x)
        found.append(Part(kind, x, width, amount, label))
        x += width
    return found


def waterfall(lines: Sequence[Mapping[str, Any]]) -> list[Part]:
    """Who earned what out of one receipt."""
    return parts((_colour(line["role"]), line["account"], line["amount"]) for line in lines)


def _colour(role: str) -> str:
    return role if role in ROLES else "other"


def budget(row: Mapping[str, Any]) -> list[Part]:
    """Spent and held of a limit; nothing where there is no limit."""
    if row["limit"] is None:
        return []
    rows = (("spent", "spent", row["spent"]), ("held", "held", row["held"]))
    return parts(rows, pico(row["limit"]))


def longest(rows: Sequence[Mapping[str, Any]], field: str) -> list[tuple[Mapping[str, Any], int]]:
    """Rows with the length of their bar, the longest first; money or counts."""
    values = [pico(str(row[field])) for row in rows]
    most = max(values, default=0)
    pairs = sorted(zip(rows, values, strict=True), key=lambda pair: -pair[1])
    return [(row, max(MIN, value * WIDTH // most) if value else 0) for row, value in pairs]
