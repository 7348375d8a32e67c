"""Federation, own heads: the journal as a chain of hashes, and what we sign about it.

Rule: a statement is signed for frames that are durable and that we followed one by one; nothing
is signed while something is signed with our key beyond the end of our own chain.
Invariant: an honest market signs one history, whatever crashes: what was shown was on disk.
Worked number: a journal restored from a copy of 90 frames, where peers saw 100: nothing is signed.
"""

from __future__ import annotations

import asyncio
from itertools import islice

from msgspec import structs

from allmende.core import abroad_events as b
from allmende.desk import Desk
from allmende.federation import Heard, Known, Memory, Said
from allmende.ports import Clock, Journal, Signer
from allmende.wire import heads, journal
from allmende.wire.heads import Statement
from allmende.wire.journal import GENESIS, Frame

CHUNK = 256
"""Frames read at a time."""
CHUNKS = 8
"""Read at most for one who asks; the duty goes on."""
_TAGS = (b'{"type":"sentabroad"', b'{"type":"receivedfrom"', b'{"type":"refusedfrom"')


class OwnHeads:
    """One per market. `archive` is its journal, opened for reading, of which nobody else reads."""

    def __init__(
        self, desk: Desk, archive: Journal, memory: Memory, signer: Signer, clock: Clock
    ) -> None:
        self.key = signer.public.hex()
        self._desk = desk
        self._archive = archive
        self._memory = memory
        self._signer = signer
        self._clock = clock
        self._reading = asyncio.Lock()
        self.broken = False
        """The journal is not the one that was followed before."""

    async def follow(self, chunks: int = CHUNKS) -> bool:
        """Read on where it was left; whether all that is durable was read."""
        async with self._reading:
            for _ in range(chunks):
                end = self._end()
                if self._desk.committed <= end.number:
                    self.broken = self.broken or self._desk.committed < end.number
                    return not self.broken
                read = await asyncio.to_thread(_read, self._archive, end)
                if not read or read[0][0].prev != end.head:
                    self.broken = True
                    return False
                if not end.frames:
                    self._memory.extend(self.key, [end])
                frames = [_known(end, place, frame) for place, (frame, _) in enumerate(read, 1)]
                said = [
                    Said(kind, market, number, end.frames + place, frame.first)
                    for place, (frame, found) in enumerate(read, 1)
                    for kind, market, number in found
                ]
                self._memory.extend(self.key, frames, said)
            return self._desk.committed <= self._end().number

    def _end(self) -> Known:
        return self._memory.end(self.key) or Known(0, GENESIS)

    def vouches(self) -> bool:
        """Whether nothing is known that was signed with our key beyond our journal.

        Signed within it, and something else, is a split view that is proved: there silence would
        help only who has the key.
        """
        end = self._end().frames
        return not self.broken and all(said.frames <= end for said in self._memory.open(self.key))

    def newest(self) -> Statement | None:
        """Of the frames that were followed; None where there is none, or we do not vouch."""
        end = self._end()
        return self.statement(end.frames) if end.frames else None

    def statement(self, frames: int) -> Statement | None:
        """What we sign of so many frames: the same again if we did before."""
        known = self._memory.frame(self.key, frames)
        if known is None or not frames or not self.vouches():
            return None
        for before in self._memory.at(self.key, frames):
            if (before.head, before.number) == (known.head.hex(), known.number):
                return before
        market, at = self._desk.state.market, self._clock.now()
        assert market is not None
        head = known.head.hex()
        said = Statement(market.id, self.key, frames, known.number, head, at)
        said = structs.replace(said, signature=self._signer.sign(heads.message(said)).hex())
        self._memory.keep(Heard(said, "", at, linked=True))
        return said

    async def frame(self, first: int) -> Frame:
        """The frame that begins with event `first`."""
        async with self._reading:
            return await asyncio.to_thread(lambda: next(iter(self._archive.frames(first - 1))))


def _read(archive: Journal, end: Known) -> list[tuple[Frame, list[tuple[str, str, int]]]]:
    """The next frames, and what in them another market is to be shown."""
    return [
        (frame, _said(frame) if any(tag in frame.body for tag in _TAGS) else [])
        for frame in islice(archive.frames(end.number), CHUNK)
    ]


def _said(frame: Frame) -> list[tuple[str, str, int]]:
    found = []
    for event in journal.events(frame.body):
        if isinstance(event, b.SentAbroad):
            found.append(("passage", event.passage.target, event.passage.number))
        elif isinstance(event, b.ReceivedFrom | b.RefusedFrom):
            found.append(("answer", event.answer.target, event.answer.number))
    return found


def _known(end: Known, place: int, frame: Frame) -> Known:
    digest = journal.body_hash(frame.body)
    return Known(end.frames + place, frame.head, digest, frame.leaves, frame.last)
