"""Federation, comparing: statements that came from anywhere, and what is done about them.

Rule: a statement is taken in if its market is one of our peers, or ourselves, and signed it; links
that are missing are asked of the market itself, then of who told us. A split view that is proved
suspends the peer with the proof's hash, whoever brought it.
Invariant: at most one proof of a market is kept, and one is enough.
Worked number: a lie that B and C were told apart is proved in the first round in which one of
them asks the other.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable

from allmende.core import borders
from allmende.core.abroad import Peer, Peering
from allmende.core.abroad_commands import SuspendPeer
from allmende.core.refusals import Refused, Why
from allmende.desk import Desk
from allmende.doors.federation_calls import Calls, PeerFailed
from allmende.doors.federation_own import OwnHeads
from allmende.doors.federation_witness import Witness
from allmende.federation import Memory
from allmende.ports import Clock
from allmende.wire import heads
from allmende.wire.gossip import LINKS_MAX, Step, Wanted
from allmende.wire.heads import NoProof, Split, Statement

OPEN_MAX = 1_000
"""Statements of a market that wait for its links; what comes beyond is not kept."""
STRANGER = "?"
"""Who told, where it was nobody that we know."""
STEPS = 50
"""Answers with links that are asked for in one round: 100_000 frames."""

log = logging.getLogger(__name__)


class Compare:
    """One per market."""

    def __init__(
        self, desk: Desk, clock: Clock, own: OwnHeads, memory: Memory, calls: Calls
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._own = own
        self._memory = memory
        self._calls = calls
        self.witness = Witness(memory)

    def known(self, market: str) -> bool:
        """Whether we look at this market's heads at all."""
        return market == self._own.key or self._peering(market) is not None

    def _peering(self, market: str) -> Peering | None:
        found = (p for p in self._desk.state.peers.values() if p.peer.public_key == market)
        return next(found, None)

    async def hear(self, said: Iterable[Statement], source: str) -> None:
        """Take statements in, and act on what they prove."""
        now = self._clock.now()
        for one in said:
            if len(self._memory.open(one.public_key)) >= OPEN_MAX:
                continue  # it shows no links for those that it signed
            if self.known(one.public_key) and heads.genuine(one):
                told = "" if self._is(source, one.public_key) else source
                await self._found(self.witness.hear(one, told, now))
        await self.settle_own()

    def _is(self, source: str, market: str) -> bool:
        found = self._desk.state.peers.get(source)
        return found is not None and found.peer.public_key == market

    async def settle_own(self) -> None:
        """Our own chain grew: look at what others say that we signed."""
        if self._memory.open(self._own.key):
            self._own.newest()  # what the other one is held against
            await self._found(self.witness.settle(self._own.key))

    async def prove(self, split: Split) -> str:
        """A proof from anybody: its hash. Refused(BAD_VALUE, NOT_FOUND)."""
        try:
            heads.verdict(split)
        except NoProof as no:
            raise Refused(Why.BAD_VALUE, str(no)) from None
        if not self.known(split.one.public_key):
            raise Refused(Why.NOT_FOUND, "That market is no peer of this one.")
        return await self._keep(split)

    async def _found(self, split: Split | None) -> None:
        if split is not None:
            await self._keep(split)

    async def _keep(self, split: Split) -> str:
        market = split.one.public_key
        for digest, before, _ in self._memory.proofs():
            if before.one.public_key == market:
                await self._suspend(market, digest)
                return digest
        digest = hashlib.sha256(heads.encode(split)).hexdigest()
        self._memory.prove(digest, split, self._clock.now())
        log.warning("%s Proof %s.", heads.verdict(split), digest)
        await self._suspend(market, digest)
        return digest

    async def _suspend(self, market: str, digest: str) -> None:
        found = self._peering(market)
        if found is not None and not found.proof and not found.removed:
            command = SuspendPeer(at=self._clock.now(), id=found.peer.id, proof=digest)
            await self._desk.submit(command)

    # --- links that are missing ----------------------------------------------------------

    async def catch_up(self, found: Peering) -> None:
        """Ask for links until every head that we heard of a peer is on its chain, as far as
        anybody shows them. Raises PeerFailed only if nobody answered at all."""
        market, failed = found.peer.public_key, None
        for source in self._sources(found):
            try:
                await self._from(source, market)
            except PeerFailed as failure:
                failed = failure
            if found.proof or not self._memory.open(market):
                return
        if failed is not None:
            raise failed

    def _sources(self, found: Peering) -> list[Peer]:
        """The market itself, then whoever told us of it."""
        peers = self._desk.state.peers
        heard = self._memory.newest(found.peer.public_key)
        told = [peers[one.source] for one in heard if one.source in peers]
        return [found.peer, *(p.peer for p in told if not p.removed and p is not found)]

    async def _from(self, source: Peer, market: str) -> None:
        for _ in range(STEPS):
            wanted = self._wanted(market)
            if wanted is None:
                return
            step = await self._calls.links(source, wanted)
            if step.stretch is None or not await self._take(source, wanted, step):
                return

    def _wanted(self, market: str) -> Wanted | None:
        open_ = [said.frames for said in self._memory.open(market)]
        begin, end = self._memory.begin(market), self._memory.end(market)
        if not open_ or begin is None or end is None:
            return None
        if max(open_) > end.frames:
            return Wanted(market, end.frames, max(open_))
        if min(open_) < begin.frames:
            return Wanted(market, min(open_), begin.frames, back=True)
        return None

    async def _take(self, source: Peer, wanted: Wanted, step: Step) -> bool:
        """Whether it led anywhere."""
        said, stretch = step.statement, step.stretch
        assert stretch is not None, "the caller looked"
        before = self._memory.begin(wanted.market), self._memory.end(wanted.market)
        try:
            if wanted.back:
                await self._found(self.witness.learn_back(wanted.market, stretch))
            elif said is not None and said.public_key == wanted.market and heads.genuine(said):
                await self.hear([said], source.id)
                await self._found(self.witness.learn(said, stretch))
        except ValueError as error:
            raise PeerFailed("garbled", str(error)) from None
        return before != (self._memory.begin(wanted.market), self._memory.end(wanted.market))

    def require_sure(self, found: Peering) -> None:
        """Refuse while something that was said of a peer is not shown to be its history."""
        borders.require_good(found)
        market = found.peer.public_key
        if self.witness.sure(market):
            return
        open_ = self._memory.open(market)
        told = {heard.source or found.peer.id for heard in self._memory.newest(market)}
        raise Refused(
            Why.HALTED,
            f"A head of {open_[-1].frames if open_ else 0} frames, told by {', '.join(told)}, is "
            f"not shown yet to be of one history with the others of {found.peer.name}.",
        )

    def links(self, wanted: Wanted) -> Step:
        """What we can show of a market's chain."""
        first, last = wanted.after, wanted.upto
        if wanted.back:
            first = max(first, last - LINKS_MAX)
            return Step(stretch=self._memory.stretch(wanted.market, first, last))
        last = min(last, first + LINKS_MAX)
        if wanted.market == self._own.key:
            said = self._own.statement(last)
        else:
            said = self._memory.anchor(wanted.market, first + 1, most=last)
        if said is None:
            return Step()
        return Step(said, self._memory.stretch(wanted.market, first, said.frames))
