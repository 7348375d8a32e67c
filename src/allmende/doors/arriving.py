"""Arriving: a member's tree from another market, taken in as a whole or not at all.

Rule: an operator takes it in. Every command is tried on a copy of the state first, and all of
them are one frame of the journal; the same tree again changes nothing and says so.
Invariant: no money comes with it, and nothing in a file reaches a member that was here before.
Worked number: a tree of 31 members, 40 budgets and 90 keys is some 200 commands and one frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from allmende.core.identity import allow_operator
from allmende.core.refusals import Refused, Why
from allmende.core.units import credits
from allmende.desk import Desk
from allmende.doors.account import bounded_body, reply, viewer_of
from allmende.doors.counter import Counter
from allmende.doors.sight import Viewer
from allmende.wire import planting
from allmende.wire.planting import Origin, Plan, Stamp
from allmende.wire.tree import Bring, Tree, digest

BODY_MAX = 33_554_432
SECRETS_MAX = 10_000


class Import(Struct, frozen=True, forbid_unknown_fields=True):
    """What is sent: a tree as it stands in an export, and where it is from.

    `secrets` are providers' keys by the offers' ids in the tree; `assets` are what budgets and
    offers are in, there -> here; `bring` is what the export says that its members have there, told
    back as what is still to come.
    """

    tree: Tree
    market: str
    public_key: str
    events: int
    prefix: str = ""
    secrets: dict[str, str] = {}
    assets: dict[str, str] = {}
    bring: tuple[Bring, ...] = ()


class Arriving:
    """One per market."""

    def __init__(self, desk: Desk, counter: Counter) -> None:
        self._desk = desk
        self._counter = counter

    def routes(self) -> list[Route]:
        return [Route("/api/import_member", self.api, methods=["POST"])]

    async def api(self, request: Request) -> Response:
        viewer = viewer_of(self._counter, request)
        allow_operator(self._desk.state, viewer.key.hash, self._counter.now())
        body = await bounded_body(request, BODY_MAX)
        try:
            told = msgspec.json.decode(body, type=Import)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(Why.BAD_REQUEST, f"This is no member's export: {error}.") from None
        return reply(await self.take(told, viewer))

    async def take(self, told: Import, viewer: Viewer) -> dict[str, Any]:
        """What came and what is still to come. Refused; then nothing came."""
        before = self._desk.state.trees.get(digest(told.tree))
        if before is not None:
            return _said(told, before, (), again=True)
        for offer in planting.posted(told.tree, told.secrets):
            await self._admit(offer.id, offer.url, offer.allow_private, viewer)
        made = self._plan(told, viewer)
        await self._require_all(made)
        return _said(told, self._desk.state.trees[digest(told.tree)], made.left, again=False)

    async def _admit(self, id_: str, url: str, private: bool, viewer: Viewer) -> None:
        try:
            await self._counter.admit(url, private, viewer)
        except Refused as refused:
            raise _none(f"offer {id_!r}", refused) from None

    def _plan(self, told: Import, viewer: Viewer) -> Plan:
        if len(told.secrets) > SECRETS_MAX or told.secrets.keys() - set(told.tree.sealed):
            wanted = ", ".join(told.tree.sealed) or "none"
            raise Refused(Why.BAD_VALUE, f"Offers whose provider's key is wanted: {wanted}.")
        sealed = {id_: self._counter.sealed(secret) for id_, secret in told.secrets.items()}
        origin = Origin(told.market, told.public_key, told.events)
        assets = tuple(told.assets.items())
        stamp = Stamp(viewer.key.hash, self._counter.now(), told.prefix, assets)
        return planting.plan(self._desk.state, told.tree, origin, stamp, sealed)

    async def _require_all(self, made: Plan) -> None:
        try:
            await self._desk.submit_all([command for _, command in made.steps])
        except Refused as refused:
            raise _none(made.steps[refused.facts.pop("command", 0)][0], refused) from None


def _none(what: str, refused: Refused) -> Refused:
    says = f"Nothing is imported, because of {what}. {refused.detail}"
    return Refused(refused.why, says, **refused.facts)


def _said(told: Import, tops: Sequence[str], left: Sequence[str], *, again: bool) -> dict[str, Any]:
    tree = told.tree
    parts = ("members", "budgets", "keys", "titles", "offers", "evidence")
    return {
        "members": list(tops),
        "again": again,
        "came": {} if again else {part: len(getattr(tree, part)) for part in parts},
        "left": list(left),
        "bring": [_brought(one, told.prefix) for one in told.bring],
    }


def _brought(one: Bring, prefix: str) -> dict[str, str]:
    """What is still to come: by a deposit or a transfer between markets, never by an import."""
    money = one.kind in ("credit", "own")
    amount = credits(one.amount) if money else str(one.amount)
    unit = "credits" if money else "grains"
    told = {"account": prefix + one.account, "asset": one.asset, "kind": one.kind}
    return {**told, "amount": amount, "unit": unit}
