"""Alert: one thing that a person should look at, in a sentence, with the events it rests on.

Rule: an alert never acts. It becomes a case, and a person decides the case.
Invariant: the same tape gives the same alerts with the same ids, so that a case is not
opened twice.
Worked number: 6 trades between two accounts of one owner where 0.9 would meet by chance is
P(X >= 6 | 0.9) = 0.0003: strange enough to ask.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from math import exp

from msgspec import Struct

from allmende.core.contracts import LOT

EVIDENCE_MAX = 200
"""Events named on one alert: the first ones, which a person reads first."""


class Alert(Struct, frozen=True):
    """`accounts` it is about, most involved first; `score` grows with how strange it is."""

    kind: str
    instrument: str
    accounts: tuple[str, ...]
    score: float
    explanation: str
    evidence: tuple[int, ...]

    @property
    def id(self) -> str:
        """The same for the same kind, place, accounts and first event."""
        parts = (self.kind, self.instrument, *sorted(self.accounts), str(self.evidence[0]))
        return f"{self.kind}-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:10]}"


def evidence(numbers: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(set(numbers) - {0})[:EVIDENCE_MAX])


def poisson_tail(count: int, mean: float) -> float:
    """P(X >= count) where `mean` are expected by chance."""
    term = below = exp(-mean)
    for k in range(1, count):
        term *= mean / k
        below += term
    return 1.0 if count <= 0 else max(0.0, 1.0 - below)


def binomial_tail(count: int, of: int, chance: float = 0.5) -> float:
    """P(X >= count) where each `of` so many happens by `chance`."""
    term, total = (1 - chance) ** of, 0.0
    for k in range(of + 1):
        total += term if k >= count else 0.0
        term *= (of - k) / (k + 1) * chance / (1 - chance)
    return total


def lots(grains: int) -> str:
    """Grains as people read them."""
    return f"{grains / LOT:,.2f} lots"


def listed(names: Iterable[str]) -> str:
    """a, b and c."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
