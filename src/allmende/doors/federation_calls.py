"""Federation, calls: one market asks another, at the address that its operator entered.

Rule: an address is judged as a provider's is (adapters.guard), and again when it is called; an
answer is read no further than it may be long, and no longer than it may take.
Invariant: whatever the other side answers, here it is a value or PeerFailed.
Worked number: a peer that is away costs 10 s once, and then is asked less and less often.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from allmende.core.abroad import Peer
from allmende.ports import Call, Upstream, UpstreamFailed
from allmende.wire import gossip, heads, passage
from allmende.wire.gossip import Asked, Step, Told, Wanted
from allmende.wire.heads import Split

T = TypeVar("T")
WAIT_S = 10.0
ANSWER_MAX = 1_048_576
PROOF_MAX = 4_194_304
"""Bytes of a proof of a split view: some 30_000 links."""
FILE_MAX = 65_536
"""Bytes of a passage with its proof."""


class PeerFailed(Exception):
    """A peer did not answer as it should. `cause` is a word or a code, `detail` its own words."""

    def __init__(self, cause: str, detail: str = "") -> None:
        super().__init__(cause, detail)
        self.cause = cause
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.cause}: {self.detail}" if self.detail else self.cause


class Calls:
    """To any peer, by its record."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def heads(self, peer: Peer, asked: Asked) -> Told:
        return _value(gossip.read_told, await self._ask(peer, "heads", gossip.encode(asked)))

    async def links(self, peer: Peer, wanted: Wanted) -> Step:
        return _value(gossip.read_step, await self._ask(peer, "links", gossip.encode(wanted)))

    async def proof(self, peer: Peer, digest: str) -> Split:
        data = await self._ask(peer, f"proofs/{digest}", b"", PROOF_MAX)
        return _value(heads.read, data)

    async def deliver(self, peer: Peer, file: bytes) -> passage.File:
        return _value(passage.read, await self._ask(peer, "inbox", file, FILE_MAX))

    async def _ask(self, peer: Peer, path: str, body: bytes, most: int = ANSWER_MAX) -> bytes:
        call = Call(
            url=peer.url,
            path=f"api/federation/{path}",
            body=body,
            allow_private=peer.allow_private,
            first_byte_s=WAIT_S,
            idle_s=WAIT_S,
        )
        try:
            answer = await self._upstream.open(call)
            data = await answer.read(most)
        except UpstreamFailed as failed:
            raise PeerFailed(failed.cause, failed.detail) from None
        if answer.status != 200:
            raise _refusal(answer.status, data)
        return data


def _refusal(status: int, data: bytes) -> PeerFailed:
    try:
        told = msgspec.json.decode(data)["error"]
        return PeerFailed(str(told["code"])[:40], str(told["message"])[:300])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
        return PeerFailed(f"status {status}")


def _value(read: Callable[[bytes], T], data: bytes) -> T:
    try:
        return read(data)
    except ValueError as error:
        raise PeerFailed("garbled", str(error)[:300]) from None
