"""Carbon: the hard caps on what budgets may cause, and which offers still fit under them.

Rule: a request fits if its worst case fits under every cap above its budget; an offer that
states no energy fits under none. Of those that fit, the book's own order decides.
Invariant: when a hold is made, caused + held <= cap for the budget and all above it.
Worked number: a cap of 1_000_000 ug with 600_000 caused and 300_000 held has room for
100_000; offers of 250_000 and 120_000 at worst are refused with `missing_ug` = 20_000.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from allmende.core.nouns import Offer
from allmende.core.refusals import Refused, Why
from allmende.core.state import Budget, State
from allmende.core.units import Amount, Instant, Units, worst_ug

CAP = "carbon cap"
"""The word for offers that only the cap refuses."""
UNKNOWN = "carbon cap, energy unknown"
"""The word for offers that state no energy, where there is a cap."""
UNSTATED_UG = 1 << 62
"""More than any cap lets pass."""
_SPAN = {"total": "in all", "month": "a month", "term": "a term"}


class Room(NamedTuple):
    """What the tightest cap still allows, in micrograms; below zero where it was lowered."""

    node: Budget
    left: int


class Refusal(NamedTuple):
    """An offer that only the cap refuses: micrograms and pico-credits at worst."""

    offer: Offer
    bound: Units
    ug: int
    amount: Amount


def worst(offer: Offer, bound: Units) -> int:
    """Micrograms at worst. An offer that states no energy is worse than any that does.

    Nothing is made of nothing: a rate that comes to zero is none.
    """
    return worst_ug(offer.energy, bound) or UNSTATED_UG


def room(state: State, budget: str, at: Instant) -> Room | None:
    """The least room under the caps on a budget and above it; None where there is no cap."""
    found: Room | None = None
    while budget:  # not `budgets.path`, whose generator would cost every request a little
        node = state.budgets[budget]
        if node.cap_ug is not None:
            caused = node.ug_spent if at < node.until else 0
            left = node.cap_ug - caused - node.ug_held
            if found is None or left < found.left:
                found = Room(node, left)
        budget = node.parent
    return found


def word(room: Room, offer: Offer, bound: Units) -> str:
    """Why the caps refuse an offer; "" if they do not."""
    ug = worst(offer, bound)
    if ug == UNSTATED_UG:
        return UNKNOWN
    return CAP if ug > room.left else ""


def refuse(model: str, room: Room, over: Sequence[Refusal], conditions: dict[str, int]) -> Refused:
    """The no of a cap: what is missing at the cleanest offer, and what would fit there."""
    node, unit = room.node, grams
    left = max(0, room.left)
    said = (
        f"Budget {node.name!r} ({node.id}) may cause {unit(node.cap_ug or 0)} CO2e "
        f"{_SPAN[node.period]} and has {unit(left)} left."
    )
    facts = {"budget": node.id, "room_ug": left, "conditions": conditions}
    if not over:
        return Refused(
            Why.CARBON_CAP,
            f"{said} Whoever sells {model!r} and would do states no energy: no cap lets that pass.",
            **facts,
        )
    best = min(over, key=lambda found: (found.ug, found.amount, found.offer.id))
    missing = best.ug - room.left
    tokens = fitting_output(best, left)
    fits = (
        f"{tokens} output tokens at most would fit."
        if tokens
        else "Its prompt alone is too much: ask shorter, or when the period is over."
    )
    return Refused(
        Why.CARBON_CAP,
        f"{said} {unit(missing)} are missing for the {unit(best.ug)} that this request may cause "
        f"at worst at {best.offer.id!r}, the cleanest that would do. {fits}",
        **facts,
        missing_ug=missing,
        fits_output=tokens,
        lost=min(found.amount for found in over),
        asset=best.offer.asset,
    )


def fitting_output(over: Refusal, left: int) -> int:
    """The most output tokens, over all choices, with which the request would fit at an offer."""
    rate, bound = over.offer.energy, over.bound
    allowed = left * 3_600_000_000 // rate.grid_g_per_kwh[1]
    prompt = (bound.input + bound.cached + bound.embedding) * rate.input_nj[1]
    spare = allowed - prompt
    return min(bound.output, spare // rate.output_nj[1]) if spare > 0 and rate.output_nj[1] else 0


def grams(ug: int) -> str:
    """Micrograms as grams, exactly: 1_250_000 -> '1.25 g'."""
    whole, part = divmod(ug, 1_000_000)
    return f"{whole}.{part:06d}".rstrip("0").rstrip(".") + " g"
