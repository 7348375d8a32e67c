"""Jury commands: what can be asked of a market that draws lots.

Rule: a jury is called first, which fixes its list, and drawn by a second command with the seed.
Invariant: whoever draws says nothing but the seed.
Worked number: CallJury(size=12, source="block 4711") and later DrawJury(seed=its hash).
"""

from __future__ import annotations

from allmende.core.commands import Command
from allmende.core.sortition import Pool


class CallJury(Command, frozen=True):
    """Fix and publish the list; the market numbers its juries. `by_kind` draws persons and
    organisations in proportion; `strata` names another stratum for each member, such as its
    region, and then only those members stand in the list."""

    size: int
    source: str
    by_kind: bool = False
    strata: Pool = ()


class DrawJury(Command, frozen=True):
    """`seed` is hex, as its source published it."""

    id: str
    seed: str
