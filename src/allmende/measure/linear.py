"""Linear: a linear programme as plain data, and the seam to whoever solves it.

Rule: the greatest sum of gains times amounts, no amount below 0, each row's sum at most its
limit. Who asks is pure; a solver is handed in.
Invariant: rows and variables keep their order, so the same programme is the same question.
Worked number: gains (1, 1), one row x + y <= 5: value 5, and the row's dual 1: one more of the
limit is worth one more.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct


class Unsolved(RuntimeError):
    """A solver could not say: not installed, no answer, no limit, or out of time."""


class Row(Struct, frozen=True):
    """`parts` are (number of a variable, what one of it takes)."""

    limit: float
    parts: tuple[tuple[int, float], ...]


class Programme(Struct, frozen=True):
    gains: tuple[float, ...]
    rows: tuple[Row, ...]


class Solution(Struct, frozen=True):
    """`duals` say of each row what one more of its limit is worth, where that is one number."""

    value: float
    amounts: tuple[float, ...]
    duals: tuple[float, ...]


Solver = Callable[[Programme], Solution]
"""Raises Unsolved."""
