"""Access: what a language costs in tokens, and what is said of the race, checked.

Rule: both are the same for everybody: nothing of this market's members is in them. What the
command `allmende observatory access` says of members stays with who may see them.
Invariant: page and files show the same rows; every claim has its sources beside its verdict.
Worked number: three vocabularies and ten languages are thirty rows, English always 1.
"""

from __future__ import annotations

import asyncio

from allmende.doors.observatory.frame import Asked, Found, Sources, Table
from allmende.measure.access import Premium
from allmende.measure.claims import Checked


class AccessPage:
    """The section."""

    def __init__(self, sources: Sources) -> None:
        self._said = sources.said

    async def gather(self, asked: Asked) -> Found:
        premiums, claims = await asyncio.to_thread(self._said)
        shows = {"premiums": premiums, "claims": claims}
        return Found(shows, {"languages": _languages(premiums), "claims": _claims(claims)})


def _languages(premiums: tuple[Premium, ...]) -> Table:
    return Table(
        [
            {
                "vocabulary": one.vocabulary,
                "language": one.language,
                "tokens": one.tokens,
                "ratio": one.ratio,
                "low": one.low,
                "high": one.high,
            }
            for one in premiums
        ]
    )


def _claims(claims: tuple[Checked, ...]) -> Table:
    return Table(
        [
            {
                "id": one.card.id,
                "claim": one.card.claim.en,
                "said": one.card.said,
                "verdict": one.card.verdict,
                "low": one.card.low,
                "high": one.card.high,
                "unit": one.card.unit,
                "reasoning": one.card.reasoning.en,
                "computed": one.computed.how if one.computed else "",
            }
            for one in claims
        ]
    )
