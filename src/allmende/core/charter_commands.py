"""Charter commands: what can be asked of a market that its members govern.

Rule: a charter is the operator's last word on the rules; what was decided under it is told by
the house alone, which reads the chain at a final block.
Invariant: decisions come in the order of their numbers, each once.
Worked number: after decision 2 only decision 3 is taken.
"""

from __future__ import annotations

from allmende.core.charter import Decision
from allmende.core.commands import Command


class GiveCharter(Command, frozen=True):
    """From now on the rules change by votes of this contract, and by nothing else. For good."""

    assembly: str
    chain_id: int


class Enact(Command, frozen=True):
    """Do what was decided, or note why it cannot be done."""

    decision: Decision
