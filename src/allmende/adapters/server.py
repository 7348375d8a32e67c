"""Server: uvicorn as the market needs it, and the directory that one process owns.

Rule: signals only say "stop"; then nothing new is accepted, what runs may end, and the
market closes while it does.
Invariant: `run` returns after `close` did; a second process on the same data is refused.
Worked number: with a drain of 10 s a stream that would last a minute is cut after 10 s,
and captured at what it delivered.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import IO, Any

import uvicorn

BACKLOG = 2_048
MESSAGE_MAX = 65_536
"""Bytes of one message on a WebSocket; what is longer closes it."""


class Busy(Exception):
    """Something else has what we need: the data directory, or the address."""


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, close: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._close = close

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn would raise the signal again, and end the process before the market."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.gather(super().shutdown(sockets), self._close())


def collect_seldom() -> None:
    """Look for cycles rarely, and never in what a market starts with.

    A request makes hundreds of small acyclic objects, which reference counting frees; at
    Python's own thresholds a sixth of the processor went into looking at them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


async def run(
    app: Callable[..., Awaitable[None]],
    listener: socket.socket,
    *,
    stop: asyncio.Event,
    close: Callable[[], Awaitable[None]],
    drain_s: float,
) -> None:
    """Serve until `stop` is set or a signal comes, then close within about `drain_s`."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="wsproto",
        ws_max_size=MESSAGE_MAX,
        ws_per_message_deflate=False,  # a small message must not unpack to a large one
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(drain_s) + 5,
    )
    server = _Server(config, close)
    collect_seldom()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    serving = asyncio.create_task(server.serve([listener]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
    stopping.cancel()


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """A listening socket and its URL. Raises Busy with what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Busy(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another with --port."
        ) from None
    name: Any = listener.getsockname()
    shown = f"[{name[0]}]" if ":" in name[0] else name[0]
    return listener, f"http://{shown}:{name[1]}"


def own(folder: Path) -> IO[str]:
    """Make a directory and hold it until the returned file is closed. Raises Busy."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = (folder / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise Busy(
            f"Another process runs the market in {folder}. Stop it, or choose another with --data."
        ) from None
    return file
