"""Race: all panels of the race monitor, in the order in which they are read.

Rule: what can be made of what is given is made; what cannot says which file it needs.
Invariant: every plan comes out once, as a panel or as missing.
Worked number: with all seven kinds of data there are sixteen panels and nothing missing.
"""

from __future__ import annotations

from collections.abc import Callable

from allmende.measure import race_chips, race_clusters, race_models, race_money
from allmende.measure.race_panels import Given, Missing, Panel, Plan, Tongue, panel

__all__ = ["PLANS", "Given", "Missing", "Panel", "Tongue", "monitor"]

PLANS: tuple[Plan, ...] = (
    *race_clusters.PLANS,
    *race_chips.PLANS,
    *race_models.PLANS,
    *race_money.PLANS,
)


def monitor(
    given: Given, tongue: Tongue, step: Callable[[str], None] = lambda key: None
) -> list[Panel | Missing]:
    """`step` hears the key of each plan before it is made."""
    found = []
    for plan in PLANS:
        step(plan.key)
        found.append(panel(plan, given, tongue))
    return found
