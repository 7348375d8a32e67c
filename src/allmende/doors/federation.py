"""Federation door: what other markets, members and anybody ask below /api/federation.

Rule: heads, links and proofs are public, and hold nothing but hashes, numbers and signatures; the
inbox takes what proves itself; what a member sent is shown to whoever may see it.
Invariant: no body is read beyond its bound, and whatever comes in is checked before it is kept.
Worked number: `GET /api/federation/heads` is our own head and the last ones of each peer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from allmende.core import borders
from allmende.core.refusals import Refused, Why
from allmende.desk import Desk
from allmende.doors import abroad, sight
from allmende.doors.account import bounded_body, number, reply, viewer_of
from allmende.doors.counter import Counter
from allmende.doors.federation_calls import FILE_MAX, PROOF_MAX
from allmende.doors.federation_compare import STRANGER, Compare
from allmende.doors.federation_own import OwnHeads
from allmende.doors.federation_post import Post
from allmende.doors.federation_round import Round
from allmende.doors.gather import Seen
from allmende.doors.lookups import market, whole
from allmende.doors.pages import Page
from allmende.doors.plain import iso
from allmende.doors.sight import Viewer
from allmende.federation import Memory
from allmende.wire import gossip, heads

T = TypeVar("T")
ASKED_MAX = 262_144
JSON = "application/json"


class FederationDoor:
    """One per market."""

    def __init__(
        self,
        desk: Desk,
        counter: Counter,
        own: OwnHeads,
        memory: Memory,
        compare: Compare,
        post: Post,
        rounds: Round,
    ) -> None:
        self._desk = desk
        self._counter = counter
        self._own = own
        self._memory = memory
        self._compare = compare
        self._post = post
        self._round = rounds

    def routes(self) -> list[Route]:
        at, both = "/api/federation", ["GET", "POST"]
        return [
            Route(at, self.told),
            Route(f"{at}/heads", self.heads, methods=both),
            Route(f"{at}/links", self.links, methods=both),
            Route(f"{at}/inbox", self.inbox, methods=["POST"]),
            Route(f"{at}/look", self.look, methods=["POST"]),
            Route(f"{at}/proofs", self.prove, methods=["POST"]),
            Route(f"{at}/proofs/{{digest}}", self.proof, methods=both),
            Route(f"{at}/passages/{{peer}}/{{number:int}}", self.passage),
        ]

    def pages(self) -> dict[str, Page]:
        return {"federation": Page("/federation", self.page, open=True)}

    # --- between markets -----------------------------------------------------------------

    async def heads(self, request: Request) -> Response:
        """Ours and those that we saw; who asks may tell his."""
        asked = _read(gossip.read_asked, await bounded_body(request, ASKED_MAX))
        await self._own.follow()
        await self._compare.settle_own()
        await self._compare.hear(asked.heads, STRANGER)
        own = self._own.newest()
        others = tuple(said for said in self._round.gossip() if said.public_key != self._own.key)
        told = gossip.Told(own, others, self._round.proofs(), self._takes())
        return Response(gossip.encode(told), media_type=JSON)

    def _takes(self) -> tuple[str, ...]:
        return tuple(
            found.peer.public_key
            for found in self._desk.state.peers.values()
            if not (found.removed or found.suspended or found.proof)
        )

    async def links(self, request: Request) -> Response:
        if request.method == "GET":
            wanted = gossip.Wanted(
                request.query_params.get("market", self._own.key),
                number(request, "after") or 0,
                number(request, "upto") or 0,
            )
        else:
            wanted = _read(gossip.read_wanted, await bounded_body(request, ASKED_MAX))
        if wanted.market == self._own.key:
            await self._own.follow()
        return Response(gossip.encode(self._compare.links(wanted)), media_type=JSON)

    async def inbox(self, request: Request) -> Response:
        data = await self._post.inbox(await bounded_body(request, FILE_MAX))
        return Response(data, media_type=JSON)

    async def prove(self, request: Request) -> Response:
        """A proof of a split view, from anybody."""
        split = _read(heads.read, await bounded_body(request, PROOF_MAX))
        return reply({"proof": await self._compare.prove(split)})

    async def proof(self, request: Request) -> Response:
        found = self._memory.proof(request.path_params["digest"])
        if found is None:
            raise Refused(Why.NOT_FOUND, "No such proof is kept here.")
        return Response(heads.encode(found), media_type=JSON)

    # --- for people ----------------------------------------------------------------------

    async def passage(self, request: Request) -> Response:
        """What proves to anybody that it was sent, until it is answered."""
        viewer = viewer_of(self._counter, request)
        peer, count = request.path_params["peer"], request.path_params["number"]
        said = self._desk.state.passages.get(f"{peer}/{count}")
        seen = viewer.operates or (
            said is not None
            and viewer.manages
            and sight.member(self._desk.state, viewer, said.sender)
        )
        if not seen:
            raise Refused(Why.NOT_FOUND, "No such passage that this key may read.")
        return Response(await self._post.outgoing(peer, count), media_type=JSON)

    async def look(self, request: Request) -> Response:
        """A round with all peers, for operators who do not want to wait."""
        viewer = viewer_of(self._counter, request)
        sight.require_operator(viewer)
        await self._round.look()
        return reply(await self.facts(viewer))

    async def told(self, request: Request) -> Response:
        viewer = None
        if "authorization" in request.headers:
            viewer = viewer_of(self._counter, request)
        return reply(await self.facts(viewer))

    async def page(self, seen: Seen) -> abroad.Row:
        state, viewer = self._desk.state, seen.viewer
        members = list(sight.members(state, viewer)) if viewer and viewer.manages else []
        sendable = [*state.listings, *state.foreign]
        own = [a.id for a in state.assets.values() if a.issuer == market(state).operator]
        return {
            "federation": await self.facts(viewer),
            "senders": members,
            "sendable": [*own, *sendable],
        }

    async def facts(self, viewer: Viewer | None) -> abroad.Row:
        """Everything about peers that this viewer may know."""
        await self._own.follow()
        await self._compare.settle_own()
        state, own = self._desk.state, self._own.newest()
        peers = [found for found in state.peers.values() if not found.removed]
        return {
            "market": whole(state),
            "head": None if own is None else {"frames": own.frames, "number": own.number},
            "vouches": self._own.vouches(),
            "peers": [self._peer(found.peer.id, viewer) for found in peers],
            "passages": abroad.passages(state, viewer),
            "rights": abroad.rights(state, viewer) if viewer else [],
            "proofs": [
                {"digest": digest, "says": heads.verdict(split), "at": iso(at)}
                for digest, split, at in self._memory.proofs()
            ],
        }

    def _peer(self, id_: str, viewer: Viewer | None) -> abroad.Row:
        found = borders.find(self._desk.state, id_)
        key, contact = found.peer.public_key, self._round.contact(id_)
        end, open_ = self._memory.end(key), self._memory.open(key)
        row = {
            **abroad.peer(self._desk.state, found),
            "head": None if end is None else end.frames,
            "open": len(open_),
            "agrees": end is not None and not open_ and not found.proof,
            "witnesses": [
                {
                    "who": heard.source or id_,
                    "frames": heard.statement.frames,
                    "number": heard.statement.number,
                    "at": iso(heard.at),
                    "linked": heard.linked,
                }
                for heard in self._memory.newest(key)
                if heard.source != STRANGER or not heard.linked
            ],
            "seen": iso(contact.at) if contact.at else None,
            "wrong": "",
        }
        if viewer is not None and viewer.operates:
            row |= {"url": found.peer.url, "wrong": contact.wrong}
        return row


def _read(read: Callable[[bytes], T], data: bytes) -> T:
    try:
        return read(data)
    except ValueError as error:
        raise Refused(Why.BAD_REQUEST, f"{error}.") from None
