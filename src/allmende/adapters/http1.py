"""HTTP/1.1 from the client's side: one connection, one answer at a time.

Rule: bytes go through untouched and as soon as they come; whatever is not plain,
whole HTTP/1.x is one `UpstreamFailed` with a one-word cause, and the connection goes.
Invariant: a connection is handed back for reuse only when exactly one answer was read to
its declared end, and nothing followed it.
Worked number: a provider that sends headers for ever is cut off after 65_536 bytes.

Theory of operation. The event loop calls `data_received`; httptools calls the `on_*`
methods from inside `feed_data`, which only write down what they saw; one decision is
taken after each feed, and the reader is woken at most once for it. Nothing here makes a
timer: a pool calls `sweep` now and then, so a time-out is late by up to two sweeps.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import cast

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpResponseParser,
)

from allmende.adapters.answer import Http1Answer
from allmende.ports import UpstreamFailed

HEAD_MAX = 65_536
"""Bytes of headers, interim answers, chunk lines and trailers between two body bytes."""
EVENT_STREAM = "text/event-stream"


class Http1Connection(asyncio.Protocol):
    """One socket to a provider. `ask` is called again only after `on_idle(self)`."""

    def __init__(
        self,
        on_idle: Callable[[Http1Connection], None],
        on_closed: Callable[[Http1Connection], None],
    ) -> None:
        self._on_idle = on_idle
        self._on_closed = on_closed
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._answer: Http1Answer | None = None
        self._paused = False
        self.closed = False
        self.uses = 0
        """Answers read to their end so far; above zero the connection is a reused one."""
        self.streamed = False
        """Whether the last of them was an event stream."""
        self.keep_alive_s: float | None = None
        """How long the provider promised to keep it open (Keep-Alive: timeout=N)."""
        self._begin(0.0, 0.0)

    def _begin(self, first_byte_s: float, idle_s: float) -> None:
        self._first_byte_s = first_byte_s
        self._idle_s = idle_s
        self.received = False
        """Whether any byte came back since `ask`."""
        self._head = self._complete = self._extra = self._chunked = self._keep = False
        self._fault: UpstreamFailed | None = None
        self._head_bytes = self._quiet = 0
        self._touched = True
        self._since = 0.0

    async def ask(self, request: bytes, first_byte_s: float, idle_s: float) -> Http1Answer:
        """Send, wait for the head of the answer. Raises UpstreamFailed; aborts if cancelled."""
        assert self._answer is None and self._transport is not None
        self._begin(first_byte_s, idle_s)
        answer = self._answer = Http1Answer(self)
        self._transport.write(request)
        try:
            await answer.changed()
        except asyncio.CancelledError:
            answer.abort()
            raise
        if not answer.status and answer.error is not None:
            raise answer.error
        return answer

    def fail(self, error: UpstreamFailed) -> None:
        """Give the reader `error` and close at once, unread bytes or not."""
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.end(error)
        self.close()

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    def resume(self) -> None:
        if self._paused and not self.closed:
            assert self._transport is not None
            self._paused = False
            self._transport.resume_reading()

    def sweep(self, now: float) -> None:
        """Fail with "timeout" if nothing moved for too long; `now` is the loop's time, s."""
        limit = self._idle_s if self._head else self._first_byte_s
        if self._answer is not None and not self._paused and self.still(now) >= limit:
            what = "between bytes" if self._head else "for the first byte"
            self.fail(UpstreamFailed("timeout", f"waited {limit:g} s {what}"))

    def still(self, now: float) -> float:
        """Seconds since the first look that found nothing new."""
        if self._touched:
            self._touched = False
            self._since = now
        return now - self._since

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def eof_received(self) -> None:
        self.closed = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        answer = self._answer
        if answer is not None:
            until_close = self._head and not self._chunked and answer.declared is None
            if until_close and exc is None:
                self._finish(reusable=False)
            else:
                when = "in the middle of its answer" if self._head else "before its answer"
                self.fail(UpstreamFailed("cut", f"the provider closed {when}"))
        self._on_closed(self)

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:
            self.close()  # nobody asked: a late or unsolicited answer must reach no one
            return
        self.received = True
        self._quiet += len(data)
        self._feed(data)
        if self._quiet > HEAD_MAX and not self._complete:
            self._too_much_head()
        if self._fault is not None:
            self.fail(self._fault)
        elif self._complete:
            self._finish(self._reusable(answer))
        elif self._head:
            self._touched = True
            answer.wake()

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except HttpParserCallbackError:
            raise  # a bug of ours, not the provider's
        except (HttpParserError, HttpParserUpgrade) as error:
            self._extra = True
            if not self._complete and self._fault is None:
                self._fault = UpstreamFailed("garbage", type(error).__name__)

    def _reusable(self, answer: Http1Answer) -> bool:
        if self._extra or self.closed or not self._keep:
            return False
        self.streamed = answer.content_type.startswith(EVENT_STREAM)
        assert self._transport is not None
        return not self._transport.get_write_buffer_size()  # it answered before we had asked

    def _finish(self, reusable: bool) -> None:
        answer, self._answer = self._answer, None
        assert answer is not None
        self.uses += 1
        if reusable:
            self.resume()
            self._touched = True
            self._on_idle(self)
        else:
            self.close()
        answer.end(None)

    def _too_much_head(self) -> None:
        self._fault = UpstreamFailed("garbage", f"more than {HEAD_MAX} bytes of headers")

    # httptools

    def on_message_begin(self) -> None:
        if self._complete:
            self._extra = True
        elif self._answer is not None:  # what an interim answer said does not hold
            self._answer.content_type = ""
            self._answer.declared = None

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > HEAD_MAX:
            self._too_much_head()
        elif not self._head:
            note = _NOTES.get(name.lower())
            if note is not None:
                note(self, value)

    def _note_type(self, value: bytes) -> None:
        assert self._answer is not None
        self._answer.content_type = value.decode("latin-1")

    def _note_length(self, value: bytes) -> None:
        assert self._answer is not None
        self._answer.declared = int(value)

    def _note_transfer(self, value: bytes) -> None:
        self._chunked = True
        if value.strip().lower() != b"chunked":
            self._fault = UpstreamFailed("compressed", "transfer coding")

    def _note_encoding(self, value: bytes) -> None:
        if value.strip().lower() not in (b"", b"identity"):
            self._fault = UpstreamFailed("compressed", "content coding")

    def _note_keep_alive(self, value: bytes) -> None:
        found = _TIMEOUT.search(value)
        if found is not None:
            self.keep_alive_s = float(found[1])

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._complete or self._fault is not None or (100 <= status < 200 and status != 101):
            return
        if 300 <= status < 400:
            self._fault = UpstreamFailed("redirect", f"status {status}")
        elif not 200 <= status < 600:
            self._fault = UpstreamFailed("garbage", f"status {status}")
        else:
            assert self._answer is not None
            self._head = True
            self._answer.status = status

    def on_body(self, body: bytes) -> None:
        if not self._head or self._complete:
            return
        self._quiet = 0
        assert self._answer is not None and self._transport is not None
        if self._answer.add(body) and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._head and not self._complete:
            self._complete = True
            self._keep = self._parser.should_keep_alive()


_TIMEOUT = re.compile(rb"timeout=(\d{1,6})")
_NOTES: dict[bytes, Callable[[Http1Connection, bytes], None]] = {
    b"content-type": Http1Connection._note_type,
    b"content-length": Http1Connection._note_length,
    b"transfer-encoding": Http1Connection._note_transfer,
    b"content-encoding": Http1Connection._note_encoding,
    b"keep-alive": Http1Connection._note_keep_alive,
}
"""The only answer headers that are looked at."""
