"""Rig: a real desk on a disk that may fail, and an auditor who reads what is on the disk.

Rule: the auditor knows nothing but the bytes on the disk; it folds them event by event and
checks every invariant after each.
Invariant: whatever anybody was ever told is on the disk; after each restart the live state
is what the auditor has.
Worked number: a power cut during a group of 5 commands leaves all 5 on the disk or none.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence

import msgspec

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import machine
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.desk import Desk, Stopped
from allmende.lab import model
from allmende.lab.faults import Disk, Fuse, KnownSigner, MemoryJournal, PowerCut, VirtualClock
from allmende.lab.world import START, balanced
from allmende.wire import journal

SNAPSHOT_EVENTS = 60

_ENCODE = msgspec.json.Encoder().encode


class Auditor:
    """Folds the frames on a disk, and believes nothing."""

    def __init__(self, disk: Disk) -> None:
        self.state = State()
        self.events: list[e.Event] = []
        self.lines: set[bytes] = set()
        self._disk = disk
        self._frames = 0
        self._head = journal.GENESIS

    def read(self) -> None:
        """Check and fold what is new. Raises AssertionError, wire.journal.Broken."""
        new = self._disk.frames[self._frames :]
        for frame in journal.follow(new, len(self.events) + 1, self._head):
            if frame.leaves:
                assert self._signed(frame), "signature"
            for event in journal.events(frame.body):
                assert balanced(event), f"postings of {event}"
                machine.apply(self.state, event)
                machine.check(self.state)
                self.events.append(event)
            self.lines.update(frame.body.splitlines())
            self._head = frame.head
        self._frames += len(new)

    def _signed(self, frame: journal.Frame) -> bool:
        market = self.state.market
        public = bytes.fromhex(market.public_key) if market else b""
        return journal.genuine(public, frame.head, frame.signature)

    def replay(self) -> str:
        """The digest of a fold of the whole disk from its first byte."""
        state = State()
        for frame in journal.follow(self._disk.frames, 1, journal.GENESIS):
            machine.replay(journal.events(frame.body), state)
        return machine.digest(state)


class Rig:
    """Ask it as a desk; it may lose its power at any time, and is then `down`."""

    def __init__(self) -> None:
        self.clock = VirtualClock(START)
        self.disk = Disk()
        self.signer = KnownSigner()
        self.auditor = Auditor(self.disk)
        self.down = True
        self.refused: Counter[str] = Counter()
        self.starts = 0
        self.lost = (0, 0)
        """Requests that only a carbon cap refused, and pico-credits that they would have held."""
        self._told: list[e.Event] = []

    @property
    def state(self) -> State:
        """What the desk believes now, durable or not yet."""
        return self.desk.state

    async def start(self) -> None:
        """Start on what is on the disk; hold it against what was told and what is there."""
        self.journal = MemoryJournal(self.disk)
        self.desk = Desk(self.journal, self.signer, self.clock, snapshot_events=SNAPSHOT_EVENTS)
        await self.desk.start()
        self.down = False
        self.starts += 1
        self.audit()
        assert not self.state.holds, "a hold outlived its process"
        assert not self.state.provisional, "a provisional receipt outlived its process"

    def blow(self, fuse: Fuse) -> None:
        """The power will go at a coming append."""
        self.journal.fuse = fuse

    async def cut(self) -> None:
        """The power goes now; what was not written never will be."""
        self.journal.dead = True
        self.down = True
        with contextlib.suppress(PowerCut):
            await self.desk.close()

    async def stop(self) -> None:
        """As an operator stops a market: everything written, a snapshot kept."""
        await self.desk.close()
        self.down = True

    async def ask(self, command: c.Command) -> Sequence[e.Event] | None:
        """What it led to, durable; None if it was refused or if nobody answered any more."""
        try:
            done = await self.desk.submit(command)
        except Refused as refused:
            self.refused[refused.why.code] += 1
            if refused.why is Why.CARBON_CAP:
                self.lost = self.lost[0] + 1, self.lost[1] + refused.facts.get("lost", 0)
            return None
        except Stopped:
            self.down = True
            return None
        self._told += done
        return done

    def tell(self, command: c.Command) -> Sequence[e.Event] | None:
        """As ask, without waiting until it is durable."""
        try:
            return self.desk.post(command)
        except Refused as refused:
            self.refused[refused.why.code] += 1
        except Stopped:
            self.down = True
        return None

    def audit(self) -> None:
        """Nothing told was lost; a desk at rest has the state that is on its disk."""
        self.auditor.read()
        for event in self._told:
            assert _ENCODE(event) in self.auditor.lines, f"told, and lost: {event}"
        self._told.clear()
        if not self.down and self.desk.committed == self.desk.number:
            assert machine.digest(self.auditor.state) == machine.digest(self.state), "live state"

    async def finish(self) -> str:
        """Start once more, audit all of history: the digest that live, fold and replay share."""
        await self.cut()
        await self.start()
        await self.ask(c.CloseBatch(at=self.clock.now()))
        self.audit()
        model.agree(self.state, self.auditor.events)
        digest = machine.digest(self.state)
        assert self.auditor.replay() == digest, "replay"
        await self.stop()
        return digest
