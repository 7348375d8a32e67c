"""Demand facts: what each provider sold of a model, day by day, out of the read models.

Rule: a day counts for a provider if it sold something of the model for a price; what was free
has no price to substitute by.
Invariant: tokens and pico-credits of all days are those of the final receipts that were counted.
Worked number: 2,000 tokens for 300,000,000 pico-credits on a day are 0.15 credits a million.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from allmende.adapters.views_file import moment
from allmende.core.units import Amount

_SOLD = (
    "SELECT provider, day, input + cached + output + embedding, price FROM usage"
    " WHERE model = ? AND asset = ?"
)


class Day(NamedTuple):
    """One provider's tokens and pico-credits of one day."""

    tokens: int
    price: Amount


Days: TypeAlias = Mapping[str, Mapping[str, Day]]
"""provider -> day (2026-11-21) -> what it sold"""


def models(views: Path) -> list[str]:
    """What was sold, by name. Raises NoViews."""
    with moment(views) as db:
        return [name for (name,) in db.execute("SELECT DISTINCT model FROM usage ORDER BY model")]


def daily(views: Path, model: str, asset: str) -> Days:
    """Raises NoViews."""
    found: dict[str, dict[str, Day]] = {}
    with moment(views) as db:
        for provider, day, tokens, price in db.execute(_SOLD, (model, asset)):
            had = found.setdefault(provider, {}).get(day, Day(0, 0))
            found[provider][day] = Day(had.tokens + int(tokens), had.price + int(price))
    priced = {
        provider: {day: one for day, one in sorted(days.items()) if one.tokens and one.price}
        for provider, days in sorted(found.items())
    }
    return {provider: days for provider, days in priced.items() if days}
