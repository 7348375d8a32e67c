"""Meter: from an OpenAI-compatible provider's bytes to usage units, without I/O.

Rule: bytes pass untouched. Withheld are only the event that ends a stream, so that a
receipt can go before it, a usage chunk that the caller did not ask for, and the part of
an event that has not wholly arrived (half an event is of no use to anyone).
Invariant: however the bytes are cut into chunks, the same bytes go out and the same
usage is read; no chunk raises; no unit is negative; the last usage wins, none is summed.
Worked number: a stream cut after the texts "Hel" and "lo" and before any usage is
running() = 2 output tokens, and estimate() = max(2 events, 5 bytes / 4 rounded up) = 2.

Fast path: an event is parsed only where `"usage":{` or `[DONE]` is in its bytes. Text is
read from what was kept only when somebody asks (`events`, `estimate`), or when so many
bytes went by that the output limit may have been passed.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from allmende.core.units import Units
from allmende.wire import answer, sse, usage
from allmende.wire.ask import Ask, Endpoint

MAX_KEPT = 16 * 1024 * 1024
"""Bytes of a stream kept for recounting; a longer one is not recounted."""
MAX_EVENT = 8 * 1024 * 1024
"""Bytes of one event; a provider that sends more without an end is over its limit."""
LEAST_EVENT = 40
"""Bytes of an ordinary event with text: {"choices":[{"text":"a"}]} and its frame."""
MOST_PER_TOKEN = 8 * 1024
"""Bytes of stream per output token, with 20 log-probabilities each, and then some."""
OVERHEAD = 1024 * 1024
"""Bytes of stream beyond what tokens need: comments, first and last events."""
_ENDS = (b"\n\n", b"\r\n\r\n")
_USAGE = (b'"usage":{', b'"usage": {')
_MARKS = (*_USAGE, b"[DONE]")
_TERMINALS = ("response.completed", "response.incomplete", "response.failed")


class _Chunk(Struct):
    """What decides whether an event goes on; the rest of it is skipped."""

    choices: Raw = Raw(b"")
    usage: Raw = Raw(b"")


class _Turn(Struct):
    usage: Raw = Raw(b"")


class _Event(Struct):
    type: str
    response: _Turn | None = None


_CHUNK = msgspec.json.Decoder(_Chunk)
_EVENT = msgspec.json.Decoder(_Event)
_BAD_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def _has_usage(chunk: bytes) -> bool:
    """Whether a usage object, not null, may be in there. Inside a text quotes are escaped."""
    return _USAGE[0] in chunk or _USAGE[1] in chunk


class Meter:
    """Taps one answer: feed it chunks, send on what it returns, `close` it, read units.

    `output_limit` is tokens per choice as sent upstream; `request` is the caller's body.
    Of an unstreamed answer everything is known after `close`, not before.
    """

    def __init__(self, ask: Ask, output_limit: int, request: bytes) -> None:
        self.ask = ask
        self.reported: Units | None = None
        """The provider's own last count, validated; None where it gave none or garbage."""
        self.complete = False
        """The stream's end mark was seen, or the body is a whole JSON object."""
        self.over_limit = False
        """The provider sends more than it was allowed: the caller should close it."""
        self.delivered = 0
        """Bytes of whole events (or of the body) that have gone by."""
        self.odd = ""
        """What is wrong with this answer, in a word: garbage, excess, after_end; or nothing."""
        self.truncated = False
        """More than MAX_KEPT went by: it is counted, but `response` is empty."""
        self._request = request
        self._most = ask.choices * output_limit
        self._fast = ask.stream and ask.endpoint is not Endpoint.RESPONSES
        self._stream = ask.stream
        self._kept: list[bytes] = []
        self._scanned = self._looked = self._seen = 0
        """Chunks read, chunks looked at, and events counted when looking."""
        self._said = answer.Said()
        self._tail = bytearray()
        self._withheld = b""
        self._look_at = min(LEAST_EVENT * self._most, MAX_KEPT) if ask.stream else 1 << 62

    # --- bytes through -------------------------------------------------------------------

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes from the provider; returns what to forward now, mostly `chunk` itself."""
        if self._stream and not (
            self._fast
            and not self._tail
            and (chunk.find(b'"usage"') < 0 or not _has_usage(chunk))
            and chunk.find(b"[DONE]") < 0
            and chunk.endswith(_ENDS)
        ):
            return self._feed_events(chunk)
        self._kept.append(chunk)
        self.delivered += len(chunk)
        if self.delivered > self._look_at:
            self._look()
        return chunk

    def close(self) -> bytes:
        """No more will come. Returns what was withheld and must still go out."""
        out = b""
        if self._tail:
            out = self._close_tail(bytes(self._tail))
            self._tail.clear()
        if not self._stream:
            self._read_body()
        out, self._withheld = out + self._withheld, b""
        return out

    def _feed_events(self, chunk: bytes) -> bytes:
        tail = self._tail
        start = max(0, len(tail) - 3)
        tail += chunk
        end = sse.whole(tail, start)
        if not end:
            self.over_limit = self.over_limit or len(tail) > MAX_EVENT
            return b""
        events = bytes(tail[:end])
        del tail[:end]
        return self._pass(events)

    def _pass(self, events: bytes) -> bytes:
        self._kept.append(events)
        self.delivered += len(events)
        quiet = self._quiet(events)
        rest = b"".join([event for event in sse.split(events[quiet:]) if self._forwards(event)])
        if self.delivered > self._look_at:
            self._look()
        return events[:quiet] + rest

    def _quiet(self, events: bytes) -> int:
        """Bytes of the leading events that can hold neither usage nor the end mark."""
        if not self._fast:
            return 0
        marks = [events.find(mark) for mark in _MARKS]
        first = min((at for at in marks if at >= 0), default=len(events))
        return events.rfind(b"\n\n", 0, first) + 2 if b"\n\n" in events[:first] else 0

    def _close_tail(self, tail: bytes) -> bytes:
        """The last event if only its empty line is missing, or a body where none was asked."""
        carried = sse.payload(tail + b"\n\n")
        if carried == sse.DONE or answer.read_json(carried) is not None:
            return self._pass(tail.rstrip(b"\r\n") + b"\n\n")
        if answer.read_json(tail) is None:
            return b""
        self._stream = False
        self._kept.append(tail)
        self.delivered += len(tail)
        return tail

    def _forwards(self, event: bytes) -> bool:
        """Whether this event goes on; reads usage and the end mark on the way."""
        carried = sse.payload(event)
        if carried == sse.DONE:
            self.complete = True
            self._end(event)
            return False
        if self._withheld:
            self.odd = self.odd or ("after_end" if carried else "")
            return False
        if self.ask.endpoint is Endpoint.RESPONSES:
            return self._forwards_response(event, carried)
        if not _has_usage(event):
            return True
        try:
            chunk = _CHUNK.decode(carried)
        except _BAD_JSON:
            return True
        self._report(chunk.usage)
        alone = bytes(chunk.usage) and bytes(chunk.choices) in (b"[]", b"null", b"")
        return self.ask.wants_usage or not alone

    def _forwards_response(self, event: bytes, carried: bytes) -> bool:
        try:
            said = _EVENT.decode(carried) if b'"response.' in carried else None
        except _BAD_JSON:
            return True
        if said is None or said.type not in _TERMINALS:
            return True
        if said.response is not None:
            self._report(said.response.usage)
        self.complete = True
        self._end(event)
        return False

    def _end(self, event: bytes) -> None:
        self._withheld += event
        self._fast = False

    # --- figures -------------------------------------------------------------------------

    def _report(self, raw: Raw) -> None:
        if not bytes(raw):
            return
        try:
            self.reported = usage.parse(self.ask.endpoint, raw)
        except ValueError:
            self.reported, self.odd = None, "garbage"
        if self.reported is not None and self.reported.output > self._most:
            self.odd = self.odd or "excess"

    def _read_body(self) -> None:
        try:
            self._report(_CHUNK.decode(self.response).usage)
        except _BAD_JSON:
            self.odd = "garbage"
        else:
            self.complete = True

    def _scan(self) -> answer.Said:
        """Read the events that nobody has read yet; only figures are kept, not texts."""
        if self._stream and self._scanned < len(self._kept):
            fresh = b"".join(self._kept[self._scanned :])
            self._scanned = len(self._kept)
            answer.read_events(self.ask.endpoint, fresh, self._said)
            self._said.texts.clear()
        elif not self._stream and not self._said.size:
            self._said = answer.read(self.ask.endpoint, False, self.response)
            self._said.texts.clear()
        return self._said

    def _look(self) -> None:
        """Is the provider past its limit? If not, say when to look again.

        Events are counted first; they are read only where there are more than tokens allowed.
        """
        fresh = b"".join(self._kept[self._looked :])
        self._looked = len(self._kept)
        self._seen += fresh.count(b"data:")
        textless = 2 + 2 * self.ask.choices  # usage, end mark; a first and a last of each choice
        room = self._most + textless - self._seen
        if room < 0:
            room = self._most - self._scan().pieces
        cap = OVERHEAD + MOST_PER_TOKEN * self._most
        self.over_limit = self.over_limit or room < 0 or self.delivered > cap
        self._look_at = self.delivered + min(LEAST_EVENT * max(0, room), MAX_KEPT)
        if self.delivered > MAX_KEPT:
            self._scan()
            self._kept, self._scanned, self._looked, self.truncated = [], 0, 0, True

    @property
    def events(self) -> int:
        """Deltas with text so far; a token or more each, so a lower bound of the output."""
        return self._scan().pieces

    @property
    def error(self) -> str:
        """The provider's own error inside an answer of status 200; empty if there is none.

        It may quote the prompt: show it to the caller, keep it out of logs.
        """
        return self._scan().error if self.truncated or b'"error"' in self.response else ""

    @property
    def response(self) -> bytes:
        """What the provider sent, for recounting; in memory only, empty if too long."""
        return b"".join(self._kept)

    def running(self) -> Units:
        """For checkpoints: what was surely used, in the buyer's favour. Input is left out."""
        return Units(output=min(self.events, self._most))

    def estimate(self) -> Units:
        """Units where the provider reports none; never zero where text was delivered.

        Input: bytes of the prompt's text over 4, rounded up, at least 1, within the bound.
        Output: the events with text, or their bytes of text over 4 rounded up, whichever
        is more, within the limit; of an unreadable body, all its bytes over 4.
        """
        if self.ask.endpoint is Endpoint.EMBEDDINGS:
            return Units(embedding=usage.assumed_input(self.ask, self._request))
        said = self._scan()
        size = said.size if self._stream or self.complete else self.delivered
        return Units(
            input=usage.assumed_input(self.ask, self._request),
            output=min(self._most, max(said.pieces, usage.assumed(size))),
            image=self.ask.images,
        )
