"""Federation, post: passages that come in, and those that go out.

Rule: a passage is handed to the desk when signature, path and head were checked, and when every
head of its market that we ever heard is one history; what the desk decides is durable before it
is answered, and the answer can be fetched again for good.
Invariant: whatever is lost or comes twice, a passage is credited once and ends once.
Worked number: killed between credit and answer, the market answers the same when asked again.
"""

from __future__ import annotations

import asyncio

from allmende.core import borders
from allmende.core.abroad import Answer, Passage, Peering
from allmende.core.abroad_commands import EndPassage, ReceiveFrom
from allmende.core.refusals import Refused, Why
from allmende.desk import Desk
from allmende.doors.federation_calls import Calls, PeerFailed
from allmende.doors.federation_compare import Compare
from allmende.doors.federation_own import OwnHeads
from allmende.federation import Memory
from allmende.ports import Clock
from allmende.wire import journal, passage
from allmende.wire.passage import File, Unproved

NUMBER_END = 2**53
ROUND_MAX = 100
"""Passages delivered to one peer in one round."""


class Post:
    """One per market."""

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        own: OwnHeads,
        memory: Memory,
        compare: Compare,
        calls: Calls,
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._own = own
        self._memory = memory
        self._compare = compare
        self._calls = calls
        self._turn: dict[str, asyncio.Lock] = {}
        """Peer -> one at a time."""

    # --- coming in -----------------------------------------------------------------------

    async def inbox(self, data: bytes) -> bytes:
        """A proved passage: the proof of our answer. Refused where there is none yet."""
        try:
            file = passage.read(data)
        except ValueError as error:
            raise Refused(Why.BAD_REQUEST, f"{error}.") from None
        said = file.said
        found = borders.by_key(self._desk.state, said.source)
        if not isinstance(said, Passage):
            raise Refused(Why.BAD_REQUEST, "An answer is given when a passage is delivered.")
        try:
            passage.check(file, found.peer.public_key)
        except Unproved as unproved:
            raise Refused(Why.BAD_SIGNATURE, f"It is not proved: {unproved}.") from None
        if said.target != self._own.key:
            raise Refused(Why.BAD_VALUE, "That was sent to another market.")
        async with self._turn.setdefault(found.peer.id, asyncio.Lock()):
            if said.number > found.answered:
                await self._shown(found, file)
                await self._desk.submit(_received(said, file, self._clock.now()))
        return await self._file("answer", said.source, said.number)

    async def _shown(self, found: Peering, file: File) -> None:
        """The head that it is proved under is of the one history that we know. Refused."""
        borders.require_good(found)
        await self._compare.hear([file.statement], found.peer.id)
        if not self._compare.witness.sure(found.peer.public_key):
            try:
                await self._compare.catch_up(found)
            except PeerFailed as failed:
                raise Refused(Why.HALTED, f"{found.peer.name} shows no links: {failed}.") from None
        self._compare.require_sure(found)

    # --- going out -----------------------------------------------------------------------

    async def deliver(self, found: Peering) -> int:
        """All that is on its way to a peer, in order: how many were answered.

        Raises PeerFailed, Refused: the rest is tried again.
        """
        prefix, done = f"{found.peer.id}/", 0
        waiting = sorted(
            (said for key, said in self._desk.state.passages.items() if key.startswith(prefix)),
            key=lambda said: said.number,
        )
        for said in waiting[:ROUND_MAX]:
            file = await self._file("passage", said.target, said.number)
            answer = await self._calls.deliver(found.peer, file)
            await self._end(found, answer)
            done += 1
        return done

    async def _end(self, found: Peering, file: File) -> None:
        said = file.said
        if not isinstance(said, Answer):
            raise PeerFailed("garbled", "no answer")
        try:
            passage.check(file, found.peer.public_key)
        except Unproved as unproved:
            raise PeerFailed("unproved", str(unproved)) from None
        await self._shown(found, file)
        await self._desk.submit(_ended(said, file, self._clock.now()))

    async def _file(self, kind: str, market: str, number: int) -> bytes:
        """The proof of what we said. Refused where it is not said, or may not be signed."""
        await self._own.follow()
        found = self._memory.said(kind, market, number) if 0 < number < NUMBER_END else None
        if found is None:
            raise Refused(Why.NOT_FOUND, f"No {kind} {number} is in the journal as yet.")
        frame = await self._own.frame(found.first)
        statement = self._own.statement(found.frames)
        if statement is None:
            raise Refused(Why.HALTED, "Heads were signed with our key that our journal lacks.")
        for event in journal.events(frame.body):
            said = getattr(event, kind, None)
            if (
                isinstance(said, Passage | Answer)
                and said.target == market
                and said.number == number
            ):
                return passage.encode(passage.prove(said, frame, statement))
        raise Refused(Why.NOT_FOUND, f"No {kind} {number} is in the journal as yet.")

    async def outgoing(self, peer: str, number: int) -> bytes:
        """What proves to anybody that we sent it. Refused(NOT_FOUND)."""
        key = borders.find(self._desk.state, peer).peer.public_key
        return await self._file("passage", key, number)


def _received(said: Passage, file: File, at: int) -> ReceiveFrom:
    head = file.statement
    return ReceiveFrom(at=at, passage=said, frames=head.frames, head=head.head)


def _ended(said: Answer, file: File, at: int) -> EndPassage:
    return EndPassage(at=at, answer=said, frames=file.statement.frames, head=file.statement.head)
