"""Line: HTTP/1.1 to a market as a protocol without I/O: bytes in, answers out.

Rule: one request at a time; `send` gives bytes, `take` gets them, `done` says when the
answer is whole. What comes as a stream is handed on part by part.
Invariant: a status that is not 2xx is one `Failed`, whatever its body holds.
Worked number: 402 with {"error": {"code": "no_credit", "message": ..., "missing": "0.5"}} is
Failed("no_credit", ..., {"missing": "0.5"}).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import h11
import msgspec

from allmende.client.calls import Call
from allmende.client.words import Failed

ANSWER_MAX = 64 * 1024 * 1024
"""Bytes of an answer that is no stream."""
_FIXED = ("code", "message", "type", "param")


class Address:
    """Where a market is: https only if its URL says so. ValueError if it is no URL."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address such as http://127.0.0.1:8700.")
        self.url = url.rstrip("/")
        self.host = parts.hostname
        self.secure = parts.scheme == "https"
        self.port = parts.port or (443 if self.secure else 80)
        self.netloc = parts.netloc.rpartition("@")[2]
        self.path = parts.path.rstrip("/")

    def unreachable(self, why: object) -> Failed:
        sentence = f"No market answers at {self.url} ({why})."
        return Failed("unreachable", sentence, {})


class Line:
    """One connection's protocol. Raises Failed."""

    def __init__(self, address: Address, key: str) -> None:
        self._address = address
        self._key = key
        self._connection = h11.Connection(h11.CLIENT)
        self._status = 0
        self._refusal = bytearray()
        self.begun = False
        """Something of the answer has come."""
        self.done = False

    def send(self, call: Call[Any]) -> bytes:
        """The bytes of a request."""
        if self._connection.our_state is h11.DONE:
            self._connection.start_next_cycle()
        self.begun = self.done = False
        self._refusal.clear()
        headers = [("host", self._address.netloc), ("content-length", str(len(call.body)))]
        headers += [("authorization", f"Bearer {self._key}")] * bool(self._key)
        headers += [("idempotency-key", call.idem)] * bool(call.idem)
        target = self._address.path + call.target
        request = h11.Request(method=call.method, target=target, headers=headers)
        parts = [request, h11.Data(data=call.body), h11.EndOfMessage()]
        return b"".join(self._connection.send(part) or b"" for part in parts)

    def take(self, data: bytes) -> list[bytes]:
        """Parts of the answer's body, from what came in; b"" says that nothing more will."""
        found: list[bytes] = []
        try:
            self._connection.receive_data(data)
            while (event := self._connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                if isinstance(event, h11.ConnectionClosed):
                    raise self._address.unreachable("it closed the connection")
                found += self._part(event)
                if self.done:
                    break
        except h11.RemoteProtocolError as error:
            raise self._address.unreachable(error) from None
        return found

    def _part(self, event: object) -> list[bytes]:
        if isinstance(event, h11.Response):
            self.begun, self._status = True, event.status_code
        elif isinstance(event, h11.Data):
            if self._good:
                return [bytes(event.data)]
            self._refusal += event.data
        elif isinstance(event, h11.EndOfMessage):
            self.done = True
            if not self._good:
                raise _failed(self._status, bytes(self._refusal))
        return []

    @property
    def _good(self) -> bool:
        return 200 <= self._status < 300

    @property
    def reusable(self) -> bool:
        """Whether another request may follow on this connection."""
        return self._connection.our_state is h11.DONE is self._connection.their_state


def _failed(status: int, body: bytes) -> Failed:
    """The market's own words, or the status where it had none."""
    try:
        error = msgspec.json.decode(body)["error"]
        facts = {name: value for name, value in error.items() if name not in _FIXED}
        return Failed(str(error["code"]), str(error["message"]), facts, status)
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError):
        return Failed("http", f"The server answered {status}.", {}, status)
