"""Tree commands: what can be asked when members come from another market, in the imperative.

Rule: they come with the commands that make the members' tree, and all of them happen or none.
Invariant: none of them moves money.
Worked number: a budget of which 60 were spent elsewhere is CarrySpent(spent=60_000_000_000_000).
"""

from __future__ import annotations

from allmende.core.commands import Command
from allmende.core.units import Amount, Instant


class ReceiveTree(Command, frozen=True):
    """A tree of members comes from another market: which file, and as whom its tops stand here.

    The commands that make it follow, and all of them happen or none.
    """

    sha256: str
    market: str
    public_key: str
    events: int
    members: tuple[str, ...]


class CarrySpent(Command, frozen=True):
    """What was spent of a new budget elsewhere, in a period that ends at `until`."""

    id: str
    spent: Amount
    until: Instant
    ug_spent: int = 0
