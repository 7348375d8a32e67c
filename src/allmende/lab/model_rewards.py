"""Model of the rewards: what core.rewards does, slow and obvious, to be held against it.

Rule: the worth of a point is searched among all it can be, as fractions: the highest at which the
owners' rewards, each cut at the cap, fit the pool, and no more than pool / full_points.
Invariant: it agrees with core.rewards to the base unit.
Worked number: of points 60, 30 and 10 in a pool of 1_000 under a cap of 400, the levels at which
somebody is cut are 400/60, 400/30 and 400/10; 20 is the highest that fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from allmende.core.rewards import Rule
from allmende.core.units import PPM


def shared(
    rule: Rule, pool: int, worked: Mapping[str, int], owners: Mapping[str, str]
) -> dict[str, int]:
    """Payee -> base units."""
    cap = pool * rule.owner_cap_ppm // PPM
    together: dict[str, int] = {}
    for payee, points in worked.items():
        together[owners[payee]] = together.get(owners[payee], 0) + points
    worth = min(Fraction(pool, rule.full_points), _level(pool, cap, list(together.values())))
    found = {}
    for payee, points in worked.items():
        all_its = together[owners[payee]]
        amount = int(min(Fraction(cap), all_its * worth)) * points // all_its
        if amount:
            found[payee] = amount
    return found


def _level(pool: int, cap: int, owned: list[int]) -> Fraction:
    """Between two levels at which somebody is cut, the sum grows by the points of the others."""
    cuts = sorted({Fraction(cap, points) for points in owned})
    for low, high in zip([Fraction(0), *cuts], cuts, strict=False):
        at_high = sum(min(Fraction(cap), points * high) for points in owned)
        if at_high > pool:
            free = sum(points for points in owned if points * high <= cap)
            cut = sum(1 for points in owned if points * high > cap)
            assert points_fit(low, pool, cap, owned)
            return Fraction(pool - cut * cap, free)
    return Fraction(pool)  # everybody is cut, or nobody is there


def points_fit(level: Fraction, pool: int, cap: int, owned: list[int]) -> bool:
    return sum(min(Fraction(cap), points * level) for points in owned) <= pool
