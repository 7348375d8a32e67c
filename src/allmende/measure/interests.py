"""Interests: who has what of each seller, through all that lies between.

Rule: what an entity holds belongs to its own holders by their shares, and to itself for what
nobody is recorded to hold of it. Profit follows profit; the say follows votes, but a seller that
is controlled is its ultimate parent's whole say.
Invariant: each seller's owners sum to one, cross-holdings in circles included.
Worked number: A has 49 % of the profit of B and 27 % of its votes, and nobody controls B: the
owners of B are A and B (all others) with 0.49 and 0.51 of the profit, 0.27 and 0.73 of the say.

Sources: O'Brien and Salop 2000 (MHHI), reference economics.md 2.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from allmende.core.units import PPM
from allmende.measure.control import Control

ROUNDS, LEFT = 10_000, 1e-12


class Weights(NamedTuple):
    """As `concentration.mhhi` takes them: seller -> owner -> share of the say, of the profit."""

    control: dict[str, dict[str, float]]
    financial: dict[str, dict[str, float]]


def weights(control: Control, sellers: Iterable[str]) -> Weights:
    """Of these actors. One that the registry does not know owns itself."""
    found = Weights({}, {})
    for seller in sellers:
        found.financial[seller] = owners(control, seller, "economic_ppm")
        top = control.ultimate(seller) if seller in control.actors else seller
        found.control[seller] = owners(control, top, "votes_ppm")
    return found


def owners(control: Control, entity: str, field: str) -> dict[str, float]:
    """Who has how much of `entity`, all the way up: owner -> share; "others" of X are X itself.

    A circle of cross-holdings passes ever less on, since nobody's holders have more than all;
    what a circle without any outside holder keeps going round stays where it began.
    """
    found: dict[str, float] = {}
    moving = {entity: 1.0}
    for _ in range(ROUNDS):
        onward: dict[str, float] = {}
        for holder, share in moving.items():
            kept = 1.0
            for stake in control.holders.get(holder, ()):
                part = getattr(stake, field) / PPM
                kept -= part
                if part:
                    onward[stake.holder] = onward.get(stake.holder, 0.0) + share * part
            if kept > LEFT:
                found[holder] = found.get(holder, 0.0) + share * kept
        moving = onward
        if sum(moving.values()) < LEFT:
            break
    else:
        found[entity] = found.get(entity, 0.0) + sum(moving.values())
    return found
