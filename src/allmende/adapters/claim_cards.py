"""Claim cards: the register of checked claims, as package data.

Rule: a card that is not in order is refused by its id, and with it the whole register.
Invariant: ids are unique; every card has a source, and says in both languages what and why.
Worked number: eleven cards: one supported, seven loose, three wrong.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

import msgspec

from allmende.measure.claims import Card


@cache
def cards() -> tuple[Card, ...]:
    """Raises ValueError."""
    file = files("allmende.adapters").joinpath("data", "claims.toml")
    return read(file.read_text(encoding="utf-8"))


def read(text: str) -> tuple[Card, ...]:
    """Raises ValueError with the id of what is not in order."""
    found: dict[str, Card] = {}
    for raw in tomllib.loads(text)["claim"]:
        try:
            card = msgspec.convert(raw, Card)
        except msgspec.ValidationError as error:
            raise ValueError(f"claim {raw.get('id', '?')}: {error}") from None
        if card.id in found or not card.sources:
            raise ValueError(f"claim {card.id}: it is there twice, or has no source")
        found[card.id] = card
    return tuple(found.values())
