"""Desk: the one writer of a market.

Rule: decide and apply in memory, commit whatever waits as one frame, only then answer.
Invariant: nobody is told of a fact that is not durable; if a commit fails, the desk stops
for good and the process must be replayed.
Worked number: at 100 requests in flight a commit of 0.2 ms takes along what came meanwhile,
some 50 events, so a request waits for two commits and a second sees 25_000 requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from threading import Thread

from msgspec import structs

from allmende.core import events as e
from allmende.core import machine
from allmende.core.commands import Command, Restart
from allmende.core.refusals import Refused
from allmende.core.state import State
from allmende.ports import Clock, Journal, Signer
from allmende.wire.journal import GENESIS, Frame, events, follow, frame, signed
from allmende.wire.snapshot import pack, unpack

SNAPSHOT_EVENTS = 100_000
"""A start replays at most this many events beyond a snapshot: about two seconds."""
PASSES = 2
"""Turns of the event loop between the first event of a group and its commit: who is about to
ask anyway comes along, so 16 in flight share 250 microseconds. One in flight waits for 10."""


class Stopped(Exception):
    """The desk takes nothing more: it was closed, or a commit failed."""


class Desk:
    """Submit commands, read `state`. One per market, in one event loop."""

    def __init__(
        self,
        journal: Journal,
        signer: Signer,
        clock: Clock,
        *,
        on_failure: Callable[[BaseException], None] | None = None,
        snapshot_events: int = SNAPSHOT_EVENTS,
    ) -> None:
        """`on_failure` is called once when a commit fails; the process should then end."""
        self.state = State()
        self.number = 0
        """Number of the last event applied."""
        self.head = GENESIS
        self.committed = 0
        """Number of the last event that is durable."""
        self._journal = journal
        self._signer = signer
        self._clock = clock
        self._on_failure = on_failure
        self._snapshot_events = snapshot_events
        self._snapshot_at = 0
        self._writer = _Writer()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._group: list[e.Event] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._committing: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._watchers: list[Callable[[int, Sequence[e.Event]], None]] = []

    def watch(self, hear: Callable[[int, Sequence[e.Event]], None]) -> None:
        """Call `hear` with each group that became durable, and the number of its last event.

        It comes from the event loop, before whoever waited for the group goes on.
        """
        self._watchers.append(hear)

    async def start(self) -> None:
        """Fold the journal and close what a dead process left open. Raises wire.journal.Broken."""
        self.load()
        await self.submit(Restart(at=self._clock.now()))

    def load(self) -> None:
        """Fold snapshot and journal into `state`, checking the chain from there on.

        A snapshot that other code wrote is passed over: then the journal is folded whole.
        """
        found = self._journal.latest_snapshot()
        state = None if found is None else unpack(found[2])
        if found is not None and state is not None:
            self.number, self.head, self.state = *found[:2], state
        for group in follow(self._journal.frames(self.number), self.number + 1, self.head):
            for event in events(group.body):
                machine.apply(self.state, event)
            self.number, self.head = group.last, group.head
        self.committed = self._snapshot_at = self.number

    async def submit(self, command: Command) -> Sequence[e.Event]:
        """The durable facts that a command led to. Raises Refused at once, or Stopped."""
        done = self._take(command)
        if self._group or self._committing is not None:
            loop = self._loop = self._loop or asyncio.get_running_loop()
            waiter = loop.create_future()
            self._waiters.append(waiter)
            await waiter
        return done

    def post(self, command: Command) -> Sequence[e.Event]:
        """As submit, but without waiting: durable with the next commit."""
        return self._take(command)

    async def submit_all(self, commands: Sequence[Command]) -> Sequence[e.Event]:
        """The durable facts of all of them, in one frame; or Refused, and none of them happened.

        They are tried on a copy of the state first, which takes as long as a snapshot. The
        refusal's fact `command` counts from 0.
        """
        scratch = unpack(pack(self.state))
        assert scratch is not None
        for number, command in enumerate(commands):
            try:
                for event in machine.decide(scratch, command):
                    machine.apply(scratch, event)
            except Refused as refused:
                refused.facts["command"] = number
                raise
        done = [event for command in commands[:-1] for event in self.post(command)]
        return [*done, *await self.submit(commands[-1])]

    def _take(self, command: Command) -> Sequence[e.Event]:
        if self._failure is not None:
            raise Stopped(str(self._failure))
        if command.idem:
            before = machine.repeated(self.state, command)
            if before is not None:
                return before
        decided = machine.decide(self.state, command)
        try:
            for event in decided:
                machine.apply(self.state, event)
        except BaseException as bug:
            self._fail(bug, [])
            raise
        if decided:
            self.number += len(decided)
            self._group += decided
            if self._committing is None:
                self._committing = asyncio.create_task(self._commit())
        return decided

    async def _commit(self) -> None:
        """Write groups until nothing waits. The first failure ends the desk."""
        loop = asyncio.get_running_loop()
        while self._group or self._waiters:
            for _ in range(PASSES):
                await asyncio.sleep(0)
            group, self._group = self._group, []
            waiters, self._waiters = self._waiters, []
            try:
                if group:
                    snapshot = self._due_snapshot()
                    work = partial(self._write, group, self.head, snapshot)
                    self.head = await self._writer.do(loop, work)
                    self.committed += len(group)
                    for hear in self._watchers:
                        loop.call_soon(hear, self.committed, group)
            except Exception as failure:  # noqa: BLE001 - whatever fails here, the desk must stop
                self._fail(failure, waiters)
                return
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
        self._committing = None

    def _due_snapshot(self) -> bytes | None:
        """The state as JSON when enough happened since the last; includes the taken group."""
        if self.number - self._snapshot_at < self._snapshot_events:
            return None
        self._snapshot_at = self.number
        return pack(self.state)

    def _write(self, group: list[e.Event], prev: bytes, snapshot: bytes | None) -> bytes:
        """On the writer's thread: encode, chain, sign, make durable. Returns the new head."""
        first = self.committed + 1
        written = self._sign(frame(first, group, prev))
        self._journal.append(written)
        if snapshot is not None:
            self._journal.snapshot(written.last, written.head, snapshot)
        return written.head

    def _sign(self, unsigned: Frame) -> Frame:
        if not unsigned.leaves:
            return unsigned
        return structs.replace(unsigned, signature=self._signer.sign(signed(unsigned.head)))

    def _fail(self, failure: BaseException, waiters: list[asyncio.Future[None]]) -> None:
        self._failure = failure
        for waiter in waiters + self._waiters:
            if not waiter.done():
                waiter.set_exception(Stopped(f"a commit failed: {failure!r}"))
        self._waiters = []
        if self._on_failure is not None:
            self._on_failure(failure)

    async def close(self) -> None:
        """Commit what waits, keep a snapshot, take nothing more. Safe to call twice."""
        if self._committing is not None:
            await asyncio.wait([self._committing])
        try:
            if self._failure is None and self.number > self._snapshot_at:
                state = pack(self.state)
                self._journal.snapshot(self.number, self.head, state)
        finally:
            self._failure = self._failure or Stopped("the desk is closed")
            self._writer.end()


class _Writer:
    """One thread that makes one frame after another durable.

    A third cheaper than an executor, which passes each result through two futures.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        Thread(target=self._run, name="journal", daemon=True).start()

    def do(
        self, loop: asyncio.AbstractEventLoop, work: Callable[[], bytes]
    ) -> asyncio.Future[bytes]:
        """Run `work` on the thread; its result or exception comes back on the loop."""
        done: asyncio.Future[bytes] = loop.create_future()
        self._jobs.put(partial(self._job, loop, work, done))
        return done

    def end(self) -> None:
        """Take no more jobs. Safe to call twice."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _job(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Callable[[], bytes],
        done: asyncio.Future[bytes],
    ) -> None:
        try:
            tell = partial(done.set_result, work())
        except Exception as failure:  # noqa: BLE001 - passed on to whoever waits
            tell = partial(done.set_exception, failure)
        loop.call_soon_threadsafe(tell)
