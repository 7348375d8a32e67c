"""Drill commands: what can be asked of a market that drills.

Rule: who asks names the offers; which of them a country or a cable stands for is worked out
outside, where the registry is.
Invariant: a drill is asked for in seconds, so that asking twice is asking for the same.
Worked number: StartDrill(offers=("a", "b"), seconds=30) takes two offers off the book for
30 seconds.
"""

from __future__ import annotations

from allmende.core.commands import Command


class StartDrill(Command, frozen=True):
    """Take `offers` off the book for `seconds`; requests under way end on their terms."""

    id: str
    offers: tuple[str, ...]
    seconds: int
    label: str = ""


class EndDrill(Command, frozen=True):
    """Let its offers in again, before its time is over."""

    id: str


class NoteDrill(Command, frozen=True):
    """The gateway refused `refused` more requests because of it. Refusals are no facts of their
    own, so they are told in sums, by the house alone."""

    id: str
    refused: int
