"""Market socket: market data and orders on one WebSocket.

Rule: one JSON object a message; `op` says what it asks, and `ref` comes back with the answer.
Orders placed here belong to the connection, unless they say session="": when it ends, what is
left of them is cancelled.
Invariant: nothing that comes in here can move anything but by a command of the caller's own
key; a message that is not understood is answered and does nothing.
Worked number: a market maker with 40 quotes whose line breaks has none a commit later; in
the last seconds of a call they are frozen, and cancelled when it is over.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from allmende.core.refusals import Refused, Why
from allmende.desk import Stopped
from allmende.doors import errors
from allmende.doors.counter import Counter
from allmende.doors.market_feed import Feed, Reader
from allmende.doors.market_sessions import Sessions
from allmende.doors.market_stream import BEAT_S, STALL_S, end

MAY = frozenset(
    {
        *("place_order", "amend_order", "cancel_order", "cancel_orders"),
        *("request_quotes", "quote", "accept_quote"),
    }
)
"""Commands that a socket takes."""


class Subscribe(Struct, tag_field="op", tag="subscribe", forbid_unknown_fields=True):
    instrument: str
    since: int | None = None
    ref: str = ""


class Unsubscribe(Struct, tag_field="op", tag="unsubscribe", forbid_unknown_fields=True):
    instrument: str
    ref: str = ""


class Sign(Struct, tag_field="op", tag="key", forbid_unknown_fields=True):
    """The caller's key, where a browser cannot send it as a header."""

    key: str
    ref: str = ""


class Do(Struct, tag_field="op", tag="do", forbid_unknown_fields=True):
    command: str
    fields: dict[str, Any] = {}
    ref: str = ""
    idem: str = ""


Asked: TypeAlias = Subscribe | Unsubscribe | Sign | Do
_READ: Callable[[str | bytes], Asked] = msgspec.json.Decoder(Asked).decode
_ENCODE = msgspec.json.Encoder().encode


class Socket:
    """One connection."""

    def __init__(self, ws: WebSocket, feed: Feed, counter: Counter, sessions: Sessions) -> None:
        self._ws = ws
        self._feed = feed
        self._counter = counter
        self._sessions = sessions
        self._secret = ""
        self.session = f"ws-{secrets.token_hex(8)}"

    async def serve(self, reader: Reader) -> None:
        """Until the caller leaves, is dropped, or the market closes."""
        self._say(reader, {"type": "hello", "session": self.session, "beat_s": int(BEAT_S)})
        tasks = [asyncio.create_task(self._tell(reader)), asyncio.create_task(self._hear(reader))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._feed.leave(reader)
            self._sessions.end(self.session)
            await end(*tasks)

    # --- out -----------------------------------------------------------------------------

    async def _tell(self, reader: Reader) -> None:
        while not reader.done:
            found = await reader.next(BEAT_S)
            message = b'{"type":"beat"}' if found is None else found[1]
            async with asyncio.timeout(STALL_S):
                await self._ws.send_text(message.decode())
        if self._ws.application_state is WebSocketState.CONNECTED:
            await self._ws.close(reader.ended)

    def _say(self, reader: Reader, value: dict[str, Any]) -> None:
        reader.push(0, _ENCODE(value))

    # --- in ------------------------------------------------------------------------------

    async def _hear(self, reader: Reader) -> None:
        while True:
            message = await self._ws.receive()
            if message["type"] == "websocket.disconnect":
                return
            ref = ""
            try:
                asked = _read(message)
                ref = asked.ref[:64]
                answer = await self._answer(reader, asked)
            except (Refused, Stopped) as error:
                refused = error if isinstance(error, Refused) else Refused(Why.CLOSING)
                body = msgspec.json.decode(errors.refusal(refused).body)
                answer = {"type": "refused", **body}
            self._say(reader, {**answer, "ref": ref})

    async def _answer(self, reader: Reader, asked: Asked) -> dict[str, Any]:
        if isinstance(asked, Sign):
            return self.sign(asked.key)
        if isinstance(asked, Do):
            return await self._do(asked)
        if isinstance(asked, Subscribe):
            self._feed.follow(reader, asked.instrument, asked.since)
            return {"type": "subscribed", "instrument": asked.instrument}
        self._feed.unfollow(reader, asked.instrument)
        return {"type": "unsubscribed", "instrument": asked.instrument}

    def sign(self, secret: str) -> dict[str, Any]:
        """From here on commands are those of this key. Refused(UNKNOWN_KEY)."""
        viewer = self._counter.viewer(secret)
        self._secret = secret
        return {"type": "signed", "member": viewer.key.member}

    async def _do(self, asked: Do) -> dict[str, Any]:
        if not self._secret:
            raise Refused(Why.UNKNOWN_KEY, 'Send {"op": "key", "key": ...} first.')
        if asked.command not in MAY:
            raise Refused(Why.NOT_FOUND, f"Commands here are {', '.join(sorted(MAY))}.")
        viewer = self._counter.viewer(self._secret)  # it may be revoked by now
        fields = dict(asked.fields)
        if asked.command == "place_order" and fields.setdefault("session", self.session):
            if fields["session"] != self.session:
                raise Refused(Why.BAD_VALUE, 'session is this connection\'s, or "" for none.')
            self._sessions.begin(self.session, str(fields.get("account") or viewer.key.member))
        return {"type": "done", **await self._counter.do(asked.command, fields, viewer, asked.idem)}


def _read(message: Any) -> Asked:
    """Refused(BAD_REQUEST)."""
    raw = message.get("text") or message.get("bytes") or b""
    try:
        return _READ(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Refused(Why.BAD_REQUEST, f"{error}.") from None


async def accept(ws: WebSocket, feed: Feed, counter: Counter, sessions: Sessions) -> None:
    """A new connection, as long as there is room. A key may come as a header."""
    socket = Socket(ws, feed, counter, sessions)
    scheme, _, secret = ws.headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() == "bearer":
            socket.sign(secret.strip())
        reader = feed.enter()
    except Refused as refused:
        await _reject(ws, refused)
        return
    try:
        await ws.accept()
        await socket.serve(reader)
    except WebSocketDisconnect:
        return  # the caller left while we spoke; its orders are cancelled already
    finally:
        feed.leave(reader)


async def _reject(ws: WebSocket, refused: Refused) -> None:
    """No handshake: the refusal as an ordinary answer."""
    reply = errors.refusal(refused)
    headers = {name.decode(): value.decode() for name, value in reply.headers}
    await ws.send_denial_response(Response(reply.body, reply.status, headers))
