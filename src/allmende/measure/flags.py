"""Flags: holders from outside a union, held against soft thresholds. Shown, never control.

Rule: a holder is from outside if its own country or that of anybody who controls it is; what
counts of a stake is the larger of votes and profit. A flag is above the threshold, not at it.
Invariant: the total is the sum over direct holders; votes nobody told of are named beside it,
never left out.
Worked number: holders from outside with 24 % and 15 %: neither flag; with 24.0001 and 15 both.

Source: SecNumCloud 3.2, 19.6 (rules/fr/secnumcloud): 24 % alone, 39 % together, from memory.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from allmende.measure.control import Control
from allmende.measure.dated import Rules


class Flags(NamedTuple):
    """`holders` from outside with their parts, the largest first; millionths."""

    rules: str
    holders: tuple[tuple[str, int], ...]
    together_ppm: int
    unrecorded_ppm: int
    alone: bool
    together: bool

    @property
    def open(self) -> bool:
        """Whether votes that nobody told of could raise a flag that is not up."""
        return self.unrecorded_ppm > 0 and not (self.alone and self.together)


def flags(control: Control, entity: str, inside: Container[str], rules: Rules) -> Flags:
    """Of one entity; `inside` are the countries of the union."""
    held = [
        (stake.holder, max(stake.votes_ppm, stake.economic_ppm))
        for stake in control.holders.get(entity, ())
        if any(country not in inside for country in control.laws(stake.holder))
    ]
    held.sort(key=lambda pair: (-pair[1], pair[0]))
    together = sum(part for _, part in held)
    return Flags(
        rules=rules.name,
        holders=tuple(held),
        together_ppm=together,
        unrecorded_ppm=control.unrecorded_ppm(entity),
        alone=any(part > rules.values["alone_ppm"] for _, part in held),
        together=together > rules.values["together_ppm"],
    )
