"""Titles door: who owns which title, on the chain too, and for how much it can be had.

Rule: what is shown of the chain is what the follower saw at the last final block; whoever buys
looks again himself, and names the most that he pays.
Invariant: nothing is decided here; a market without such contracts shows titles alone.
Worked number: an ask of 2_500_000_000_000 base units of a pay unit with 12 decimals reads 2.5.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from allmende.core.units import credits
from allmende.custody import NOBODY
from allmende.desk import Desk
from allmende.doors import lookups, sight
from allmende.doors.account import reply
from allmende.doors.gather import Seen
from allmende.doors.pages import Page
from allmende.doors.plain import iso
from allmende.doors.settler_tree import Scale
from allmende.doors.sight import Viewer
from allmende.doors.title_follow import CONTRACT, TitleFollow
from allmende.institutions import Institutions

Row = dict[str, Any]


class TitlesDoor:
    """One per market with a chain. `stand` when the members' contracts do."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._follow: TitleFollow | None = None
        self._record: Institutions | None = None
        self._scale = Scale(1)

    def stand(self, follow: TitleFollow, record: Institutions, decimals: int) -> None:
        """`decimals` are the pay unit's."""
        self._follow, self._record, self._scale = follow, record, Scale(10**decimals)

    def routes(self) -> list[Route]:
        return [Route("/api/titles/chain", self.api)]

    def pages(self) -> dict[str, Page]:
        return {"titles": Page("/titles", self.page, open=True)}

    async def api(self, _: Request) -> Response:
        """Public: the contracts, and each title with what is known of its token there."""
        return reply({"contracts": self._contracts(), "titles": self._rows()})

    async def page(self, seen: Seen) -> Row:
        state, viewer = self._desk.state, seen.viewer
        return {
            "contracts": self._contracts(),
            "titles": self._rows(),
            "mintable": [
                title.id
                for title in state.titles.values()
                if title.id not in state.tokens and _manages(self._desk, viewer, title.owner)
            ],
        }

    def _contracts(self) -> Row | None:
        record = self._record
        if record is None or self._follow is None:
            return None
        return {
            "chain_id": record.chain_id,
            "titles": record.contracts[CONTRACT],
            "credit": record.credit,
            "block": max(0, self._follow.block),
        }

    def _rows(self) -> list[Row]:
        state = self._desk.state
        return [{**row, "chain": self._chain(row["id"])} for row in lookups.titles(state)]

    def _chain(self, id_: str) -> Row | None:
        """None while there is nothing to tell of a title's token."""
        token, follow = self._desk.state.tokens.get(id_), self._follow
        if follow is None or (token is None and id_ not in follow.refused):
            return None
        held = follow.held.get(id_)
        asked = held is not None and held.price > 0
        return {
            "number": str(follow.number(id_)),
            "minted": token is not None and token.minted,
            "asked": None if token is None else iso(token.asked),
            "refused": follow.refused.get(id_, ""),
            "trouble": follow.wrong.get(id_, ""),
            "price": credits(self._scale.pico_up(held.price)) if held and asked else None,
            "buyer": held.buyer if held and asked and held.buyer != NOBODY else None,
        }


def _manages(desk: Desk, viewer: Viewer | None, owner: str) -> bool:
    return viewer is not None and viewer.manages and sight.member(desk.state, viewer, owner)
