"""Charter events: what can have happened to a market that its members govern.

Rule: every decision leaves one event, in order, whether it could be carried out or not; a
parameter's change is the same event as ever beside it.
Invariant: the postings of every event sum to zero for each asset.
Worked number: a grant of 5 pico posts -5 to `commons` and +5 to the member.
"""

from __future__ import annotations

from allmende.core.charter import Charter, Decision
from allmende.core.facts import Event, move
from allmende.core.nouns import Posting


class Chartered(Event, frozen=True):
    charter: Charter


class Enacted(Event, frozen=True):
    """`undone` says why it was not carried out; "" if it was. A grant pays `asset` out of
    `source`."""

    decision: Decision
    undone: str = ""
    source: str = ""
    asset: str = ""

    @property
    def postings(self) -> tuple[Posting, ...]:
        if not self.asset:
            return ()
        return move(self.source, self.decision.name, self.asset, self.decision.value)
