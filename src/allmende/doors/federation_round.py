"""Federation, round: what a market does again and again about its peers.

Rule: follow the own journal, ask each peer for heads and tell it ours, fetch the links and proofs
that are missing, and deliver what is on its way. A peer that fails is asked less often; what was
sent just now is delivered at once.
Invariant: one peer's failure is that peer's; a round changes nothing that a second one would
not change alike.
Worked number: every 10 s, and a peer that is away after 20, 40 … and at most 300 s.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from msgspec import Struct

from allmende.core import events as e
from allmende.core.abroad import Peering
from allmende.core.abroad_commands import HearPeer
from allmende.core.abroad_events import PeerAdded, SentAbroad
from allmende.core.refusals import Refused
from allmende.core.units import SECOND, Instant
from allmende.desk import Desk
from allmende.doors.federation_calls import Calls, PeerFailed
from allmende.doors.federation_compare import Compare
from allmende.doors.federation_own import OwnHeads
from allmende.doors.federation_post import Post
from allmende.federation import Memory
from allmende.ports import Clock
from allmende.wire.gossip import HEADS_MAX, PROOFS_MAX, Asked, Told
from allmende.wire.heads import Statement

WAIT_MAX_S = 300
LOOKED_MAX = 1_000

log = logging.getLogger(__name__)


class Contact(Struct):
    """How it went with a peer: when it answered last, what was wrong, when it is asked next."""

    at: Instant = 0
    wrong: str = ""
    failures: int = 0
    due: Instant = 0


class Round:
    """One per market."""

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        own: OwnHeads,
        memory: Memory,
        compare: Compare,
        post: Post,
        calls: Calls,
        every_s: int,
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._own = own
        self._memory = memory
        self._compare = compare
        self._post = post
        self._calls = calls
        self._every_s = every_s
        self._looked: set[str] = set()
        """Proofs that prove nothing to us."""
        self._wake = asyncio.Event()
        self._stepping = asyncio.Lock()
        self.contacts: dict[str, Contact] = {}
        desk.watch(self._heard)

    def _heard(self, _: int, events: Sequence[e.Event]) -> None:
        """What was sent, or a peer that was added, does not wait for the next round."""
        for event in events:
            if isinstance(event, SentAbroad):
                self.contact(event.peer).due = 0
                self._wake.set()
            elif isinstance(event, PeerAdded):
                self.contact(event.peer.id).due = 0
                self._wake.set()

    def contact(self, peer: str) -> Contact:
        return self.contacts.setdefault(peer, Contact())

    async def wait(self) -> None:
        """Until the next round."""
        try:
            async with asyncio.timeout(self._every_s):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def step(self) -> None:
        """One round with every peer whose turn it is."""
        async with self._stepping:
            peers = [p for p in self._desk.state.peers.values() if not p.removed and not p.proof]
            if not peers:
                return
            await self._own.follow()
            await self._compare.settle_own()
            self._memory.thin(self._own.key)
            now = self._clock.now()
            due = [found for found in peers if self.contact(found.peer.id).due <= now]
            await asyncio.gather(*(self._with(found) for found in due))

    async def look(self) -> None:
        """A round with everybody, now."""
        for contact in self.contacts.values():
            contact.due = 0
        await self.step()

    async def _with(self, found: Peering) -> None:
        contact = self.contact(found.peer.id)
        contact.due = self._clock.now() + self._every_s * SECOND // 2
        try:
            await self._once(found)
        except PeerFailed as failed:
            self._failed(found, contact, str(failed))
        except Refused as refused:
            self._failed(found, contact, str(refused))
        else:
            contact.at, contact.wrong, contact.failures = self._clock.now(), "", 0

    def _failed(self, found: Peering, contact: Contact, wrong: str) -> None:
        if contact.wrong != wrong:
            log.warning("Peer %s: %s", found.peer.id, wrong)
        contact.wrong, contact.failures = wrong, contact.failures + 1
        wait = min(self._every_s * 2 ** min(contact.failures, 10), WAIT_MAX_S)
        contact.due = self._clock.now() + wait * SECOND

    async def _once(self, found: Peering) -> None:
        peer = found.peer
        told = await self._calls.heads(peer, Asked(self.gossip()))
        await self._compare.hear([told.head] if told.head else [], peer.id)
        await self._compare.hear(told.heads, peer.id)
        await self._proofs(found, told)
        await self._accepts(found, told)
        await self._compare.catch_up(found)
        await self._others(found)
        self._memory.thin(peer.public_key)
        self._memory.prune(peer.public_key)
        if not found.suspended:
            await self._post.deliver(found)

    async def _others(self, found: Peering) -> None:
        """What was told of other peers may need their links."""
        for other in list(self._desk.state.peers.values()):
            waits = other is not found and not other.removed and not other.proof
            if waits and self._memory.open(other.peer.public_key):
                try:
                    await self._compare.catch_up(other)
                except PeerFailed as failed:  # its own round tells that; this one goes on
                    log.debug("Peer %s: %s", other.peer.id, failed)

    def gossip(self) -> tuple[Statement, ...]:
        """The last statements that we have of each market, ours first."""
        own = self._own.newest()
        heads = [own] if own else []
        for found in self._desk.state.peers.values():
            market = found.peer.public_key
            told = [*self._memory.open(market)[:4]]
            told += [heard.statement for heard in self._memory.newest(market)[:4]]
            heads += [said for said in told if said not in heads]
        return tuple(heads[:HEADS_MAX])

    def proofs(self) -> tuple[str, ...]:
        return tuple(digest for digest, _, _ in self._memory.proofs()[:PROOFS_MAX])

    async def _proofs(self, found: Peering, told: Told) -> None:
        """Fetch proofs that we do not have, and check them ourselves."""
        for digest in told.proofs:
            if digest in self._looked or self._memory.proof(digest) is not None:
                continue
            if len(self._looked) >= LOOKED_MAX:
                self._looked.clear()
            self._looked.add(digest)
            split = await self._calls.proof(found.peer, digest)
            try:
                await self._compare.prove(split)
            except Refused as refused:
                log.info("Peer %s shows a proof of nothing: %s", found.peer.id, refused)

    async def _accepts(self, found: Peering, told: Told) -> None:
        accepts = self._own.key in told.takes
        if accepts != found.accepts:
            command = HearPeer(at=self._clock.now(), id=found.peer.id, accepts=accepts)
            await self._desk.submit(command)
