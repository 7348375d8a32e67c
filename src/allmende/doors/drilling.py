"""Drilling: whom the gateway turned away because of a drill, and what the API tells of drills.

Rule: refusals are counted in memory and told to the desk in sums, once a second, so that nobody
can fill a journal with requests that are refused.
Invariant: a sum is told once; what was counted for a drill that has ended is dropped, so a figure
is never too high.
Worked number: 500 refusals in a second are one event of 500.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from allmende.core.drill_commands import NoteDrill
from allmende.core.refusals import Refused
from allmende.core.state import State
from allmende.desk import Desk
from allmende.doors.plain import iso
from allmende.ports import Clock, Views

Row = dict[str, Any]


class TurnedAway:
    """One per gateway."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock
        self._counted: Counter[str] = Counter()

    def count(self, refused: Refused) -> None:
        """Note a refusal, if a drill is among its reasons."""
        self._counted.update(refused.facts.get("drills", ()))

    def tell(self) -> None:
        """Have the desk write what was counted since it was last told."""
        counted, self._counted = self._counted, Counter()
        for id_, refused in counted.items():
            if id_ in self._desk.state.drills:
                self._desk.post(NoteDrill(at=self._clock.now(), id=id_, refused=refused))


def running(state: State) -> list[Row]:
    """Drills that are running now, as anybody may see them."""
    return [
        {**msgspec.to_builtins(drill), "since": iso(drill.since), "until": iso(drill.until)}
        for drill in state.drills.values()
    ]


async def past(views: Views, *, before: int | None = None, limit: int = 50) -> list[Row]:
    """All drills, the newest first, with what became of requests meanwhile.

    `switched_s` is from the cut to the first answer from elsewhere, None if none was asked.
    """
    page = {"limit": max(1, min(limit, 500)), **({} if before is None else {"before": before})}
    return [_told(row) for row in await views.rows("drills", **page)]


def _told(row: Row) -> Row:
    first = row.pop("first_elsewhere")
    return {
        **row,
        "at": iso(row["at"]),
        "until": iso(row["until"]),
        "ended": iso(row["ended"]) if row["ended"] else None,
        "switched_s": None if first is None else (first - int(row["at"])) / 1_000_000,
    }
