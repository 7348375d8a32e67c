"""Meter: from an OpenAI-compatible provider's bytes to usage units, without I/O.

Rule: bytes pass untouched. Withheld are only the event that ends a stream, so that a
receipt can go before it, a usage chunk that the caller did not ask for, and the part of
an event that has not wholly arrived (half an event is of no use to anyone).
Invariant: however the bytes are cut into chunks, the same bytes go out and the same
usage is read; no chunk raises; no unit is negative; the last usage wins, none is summed.
Worked number: a stream cut after the texts "Hel" and "lo" and before any usage is
running() = 2 output tokens, and estimate() = max(2 events, 5 bytes / 4 rounded up) = 2.

Fast path: an event is parsed only where the bytes `"usage":{` or `[DONE]` are in it. Text
is read again from what was kept only when somebody asks for it (`events`, `estimate`), or
when enough bytes went by that the output limit may have been passed.
"""

from __future__ import annotations

from msgspec import Raw

from allmende.core.units import Units
from allmende.wire import answer, sse, usage
from allmende.wire.ask import Ask, Endpoint

MAX_KEPT = 16 * 1024 * 1024
"""Bytes of an answer kept for recounting; a longer answer is not recounted."""
MAX_EVENT = 8 * 1024 * 1024
"""Bytes of one event; a provider that sends more without an end is cut off."""
LEAST_EVENT = 40
"""Bytes that an event with text has at least, {"choices":[{"text":"a"}]} with its frame."""
MOST_PER_TOKEN = 8 * 1024
"""Bytes of stream per output token, with 20 log-probabilities each, and then some."""
OVERHEAD = 1024 * 1024
"""Bytes of stream beyond what tokens need: comments, first and last events."""
_ENDS = (b"\n\n", b"\r\n\r\n")
_TERMINALS = (b'"response.completed"', b'"response.incomplete"', b'"response.failed"')


class Meter:
    """Taps one answer. Feed it chunks, send on what it returns, `close` it, read units.

    `output_limit` is tokens per choice as sent upstream; `request` is the caller's body.
    """

    def __init__(self, ask: Ask, output_limit: int, request: bytes) -> None:
        self.ask = ask
        self.output_limit = output_limit
        self.complete = False
        """The stream's end mark was seen, or the body is a whole JSON value."""
        self.over_limit = False
        """The provider sends more than it was allowed: close it."""
        self.delivered = 0
        """Bytes of whole events (or of body) handed on or withheld so far."""
        self._request = request
        self._stream = ask.stream
        self._kept: list[bytes] = []
        self._scanned = 0
        self._tail = bytearray()
        self._withheld = b""
        self._last_usage: bytes | None = None
        self._odd = ""
        self._said = answer.Said()
        self._most = ask.choices * output_limit
        self._look_at = LEAST_EVENT * self._most if ask.stream else MAX_KEPT

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes from the provider; returns what to forward now, mostly `chunk` itself."""
        if not self._stream:
            self._kept.append(chunk)
            self.delivered += len(chunk)
            if self.delivered > self._look_at:
                self._drop()
            return chunk
        if (
            not self._tail
            and b'"usage":{' not in chunk
            and b"[DONE]" not in chunk
            and chunk.endswith(_ENDS)
            and not self._withheld
            and self.ask.endpoint is not Endpoint.RESPONSES
            and b'"usage": {' not in chunk
        ):
            out = self._keep(chunk)
        else:
            out = self._slow(chunk)
        return out
