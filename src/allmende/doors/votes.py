"""Votes: what the pages are told of proposals, as a seam to whoever reads them off the chain.

Rule: amounts of stake leave as decimal text of whole shares, instants as ISO 8601.
Invariant: a market without an assembly has no proposals, no terms and no power, and says so.
Worked number: a proposal with 30 for and 10 against in the chamber of stake says yes "30", no "10".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from allmende.measure.figure import Figure

Row = dict[str, Any]


class Votes(Protocol):
    async def proposals(self) -> Sequence[Row]:
        """The newest first."""

    async def terms(self) -> Sequence[Row]:
        """By class, from ordinary to the mission."""

    async def power(self) -> Sequence[Figure]: ...


class NoVotes:
    """Of a market that an operator runs."""

    async def proposals(self) -> Sequence[Row]:
        return ()

    async def terms(self) -> Sequence[Row]:
        return ()

    async def power(self) -> Sequence[Figure]:
        return ()


NO_VOTES = NoVotes()
