"""Relay: a provider that dies on purpose, in front of a model that works.

Rule: what passes is the real model's answer, byte for byte, until the relay closes.
Invariant: it listens on 127.0.0.1 and ends with the block that started it.
Worked number: `Relay(host, port, after=400)` passes 400 bytes of each answer, then hangs up;
`after=0` reads the request and hangs up before the first byte.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from types import TracebackType
from typing import Self

REQUEST_MAX = 1 << 20


class Relay:
    """A TCP relay to (host, port) in a thread, on a free port."""

    def __init__(self, host: str, port: int, *, after: int) -> None:
        self._target = (host, port)
        self._after = after
        relay = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):
                    relay.pass_on(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def pass_on(self, caller: socket.socket) -> None:
        request = _read_request(caller)
        if not self._after or not request:
            return
        with socket.create_connection(self._target, timeout=30) as model:
            model.sendall(request)
            left = self._after
            while left > 0:
                chunk = model.recv(min(left, 65_536))
                if not chunk:
                    return
                caller.sendall(chunk)
                left -= len(chunk)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _read_request(caller: socket.socket) -> bytes:
    """One request with a Content-Length, whole; empty if the caller leaves first."""
    data = b""
    while len(data) < REQUEST_MAX:
        head, gap, body = data.partition(b"\r\n\r\n")
        if gap and len(body) >= _length(head):
            return data
        chunk = caller.recv(65_536)
        if not chunk:
            return b""
        data += chunk
    return b""


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0
