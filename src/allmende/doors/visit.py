"""Visit: the caller's side of one request: its body, its patience, its hanging up.

Rule: nothing is asked of the event loop per request. One sweep looks after all visits: it
ends uploads that take too long and readers that stand still, gives long streams their
checkpoints, and sets a listener for the hang-up on every visit that is not over at once.
Invariant: a visit that is settling (phase IDLE) is never interrupted, only told; in any
other phase a hang-up ends what it waits for, at most one sweep late.
Worked number: with a sweep every 25 ms an answer of 2 ms costs no task and no timer, and
a hang-up is noticed after 25 ms at most, later ones at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from allmende.core.refusals import Refused, Why
from allmende.doors.errors import Headers, Reply
from allmende.ports import Answer

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

IDLE, UPLOAD, CALL, ANSWER, SEND = range(5)
"""What a visit waits for: nothing that may be cut short, the caller's body, the provider's
first byte, its next bytes, the caller's taking them."""
LEFT, LATE = "left", "late"


class ClientLeft(Exception):
    """The caller hung up, or took nothing for too long; nobody is there to be answered."""


class Visit:
    """One request. `gone` says why its caller is no longer waited for; empty while it is."""

    def __init__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.raw_headers: Headers = scope["headers"]
        self.headers = dict(self.raw_headers)
        self.member = ""
        """Whose key came with it; empty before that is known, and where none did."""
        self.phase = IDLE
        self.gone = ""
        self.also: Headers = []
        """Headers that go with whatever is answered."""
        self.started = False
        """The head of the response is out."""
        self.answer: Answer | None = None
        """What to abort when the caller leaves in the phase ANSWER."""
        self.beat: Callable[[], None] | None = None
        """Called by the sweep now and then, while an answer is under way."""
        self.task: asyncio.Task[Any] | None = None
        self.since = self.due = 0.0
        self._receive = receive
        self._send = send
        self._listener: asyncio.Task[None] | None = None
        self._sent = self._seen = 0
        self._still_since = 0.0

    # --- in ------------------------------------------------------------------------------

    async def body(self, most: int) -> bytes:
        """The whole upload. Refused: TOO_LARGE past `most` bytes, TIMEOUT when swept."""
        declared = self.headers.get(b"content-length", b"0")
        if len(declared) > 18 or int(declared) > most:
            raise _too_large(most)
        self.phase = UPLOAD
        try:
            message = await self._receive()
            body: bytes = message.get("body", b"")
            if message.get("more_body"):
                body = await self._rest(body, most)
            elif message["type"] == "http.disconnect":
                raise ClientLeft
        except asyncio.CancelledError:
            self.settle_interruption()
            self.gone = ""  # the caller is still there, and is told
            raise Refused(Why.TIMEOUT, "Send the whole body sooner.") from None
        self.phase = IDLE
        if len(body) > most:
            raise _too_large(most)
        return body

    async def _rest(self, first: bytes, most: int) -> bytes:
        whole = bytearray(first)
        more = True
        while more and len(whole) <= most:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            whole += message.get("body", b"")
            more = message.get("more_body", False)
        return bytes(whole)

    # --- out -----------------------------------------------------------------------------

    async def start(self, status: int, headers: Headers) -> None:
        self.started = True
        if self.also:
            headers = [*headers, *self.also]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, data: bytes) -> None:
        """Send on a part of the body; waits while the caller reads too slowly."""
        self.phase = SEND
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        self._sent += 1
        self.phase = ANSWER

    async def end(self, data: bytes) -> None:
        self.phase = SEND
        await self._send({"type": "http.response.body", "body": data, "more_body": False})
        self.phase = IDLE

    async def reply(self, reply: Reply) -> None:
        """The whole response, unless one has begun: then it is broken off."""
        if not self.started and not self.gone:
            await self.start(reply.status, reply.headers)
            await self.end(reply.body)

    # --- interruption --------------------------------------------------------------------

    def interrupt(self, why: str) -> None:
        """Nobody waits any more: end what is waited for, unless it is the settling."""
        if self.gone:
            return
        self.gone = why
        if self.phase == ANSWER:
            assert self.answer is not None
            self.answer.abort()
        elif self.phase != IDLE:
            assert self.task is not None
            self.task.cancel()

    def settle_interruption(self) -> None:
        """In `except CancelledError`: go on if the cancellation was ours, else raise it."""
        self.phase = IDLE
        if not self.gone:
            raise asyncio.CancelledError
        assert self.task is not None
        self.task.uncancel()

    def listen(self) -> None:
        """From now on notice a hang-up at once."""
        if self._listener is None and self.phase not in (IDLE, UPLOAD):
            self._listener = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.interrupt(LEFT)

    def still(self, now: float) -> float:
        """Seconds for which the caller has taken nothing of what we want to send."""
        if self.phase != SEND or self._seen != self._sent:
            self._seen, self._still_since = self._sent, now
        return now - self._still_since

    def close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()


class Porter:
    """Looks after all visits of a gateway with one timer, which stops when there are none."""

    def __init__(self, *, sweep_s: float, upload_s: float, idle_s: float, beat_s: float) -> None:
        self.visits: set[Visit] = set()
        self._sweep_s = sweep_s
        self._upload_s = upload_s
        self._idle_s = idle_s
        self._beat_s = beat_s
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        """Kept, because Python 3.11 makes a system call to find it."""

    def enter(self, visit: Visit) -> None:
        loop = self._loop = self._loop or asyncio.get_running_loop()
        visit.task = asyncio.current_task(loop)
        visit.since = loop.time()
        visit.due = visit.since + self._beat_s
        self.visits.add(visit)
        if self._timer is None:
            self._timer = loop.call_later(self._sweep_s, self._sweep, loop)

    def leave(self, visit: Visit) -> None:
        self.visits.discard(visit)
        visit.close()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for visit in tuple(self.visits):
            self._look(visit, now)
        if self.visits:
            self._timer = loop.call_later(self._sweep_s, self._sweep, loop)

    def _look(self, visit: Visit, now: float) -> None:
        if visit.phase == UPLOAD and now - visit.since > self._upload_s:
            visit.interrupt(LATE)
        elif now - visit.since >= self._sweep_s:
            visit.listen()
        if now >= visit.due and visit.beat is not None and not visit.gone:
            visit.due = now + self._beat_s
            visit.beat()
        if visit.still(now) > self._idle_s:
            visit.interrupt(LATE)

    async def close(self, within_s: float) -> None:
        """Let visits end for so long, then cut them short; each settles what it owes."""
        await self._empty(within_s)
        for visit in tuple(self.visits):
            visit.interrupt(LEFT)
        await self._empty(within_s)

    async def _empty(self, within_s: float) -> None:
        for _ in range(int(within_s / self._sweep_s) + 1):
            if not self.visits:
                return
            await asyncio.sleep(self._sweep_s)


def _too_large(most: int) -> Refused:
    return Refused(Why.TOO_LARGE, f"The body may have {most} bytes.")
