"""Race: the race monitor as a page, from what was imported.

Rule: panels are made once for each import, in every language, in a process of their own, and
kept; nothing of this market is in them, so everybody sees all of it.
Invariant: page and files show the same rows; without an import the page says how to make one.
Worked number: a thousand readers after one import cost one drawing.
"""

from __future__ import annotations

import asyncio

from allmende.doors import words
from allmende.doors.observatory.frame import Asked, Found, Sources, Table
from allmende.measure.race import Given, Missing, Panel, Tongue, monitor

Panels = dict[str, list[Panel | Missing]]
"""By language."""


class Race:
    """The section."""

    def __init__(self, sources: Sources) -> None:
        self._given = sources.public.race
        self._aside = sources.aside
        self._lock = asyncio.Lock()
        self._of: Given | None = None
        self._made: Panels = {}

    async def gather(self, asked: Asked) -> Found:
        """Panels of a language are `race[language]`; tables are the English ones."""
        async with self._lock:
            given = await asyncio.to_thread(self._given)
            if isinstance(given, str):
                return Found({"race": {}, "unread": given}, {})
            if self._of is not given:
                self._made = await asyncio.to_thread(self._aside, _every, given)
                self._of = given
            made = self._made
        panels = [one for one in made[words.DEFAULT] if isinstance(one, Panel)]
        return Found({"race": made, "unread": ""}, {one.key: Table(one.table) for one in panels})


def _every(given: Given) -> Panels:
    return {
        language: monitor(given, Tongue(known, language))
        for language, known in words.load().items()
    }
