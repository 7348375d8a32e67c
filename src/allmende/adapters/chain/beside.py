"""Beside: the embedded chain in a process of its own, kept alive for as long as the market runs.

Rule: py-evm burns a core and raises Python's recursion limit for its whole process, so it gets
one to itself; a child that dies is followed by another one on the same file.
Invariant: `ask` always goes to the living child, at most twice. To ask again is safe: the one
method that changes anything takes the same signed transaction for the same.
Worked number: a question costs 0.2 ms more than in one process; killed between two, it answers
the second one after 1.5 s; one that dies at once is tried after 0.1, 0.2, 0.4 ... 30 s.

The parent imports nothing of the EVM. The child listens on 127.0.0.1, on a free port that
changes from child to child, and answers at a secret path that other users of this machine
do not know; what the public may ask goes through the market's door, which bounds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from allmende.adapters.chain.beside_words import Failure, Order, Told
from allmende.adapters.guard import Guard
from allmende.adapters.upstream import HttpUpstream
from allmende.ports import Call, ChainFailed, UpstreamFailed

FILE = "chain.sqlite"
"""Its name in a data directory."""
CHILD = "allmende.adapters.chain.beside_child"
BACKOFF_S, BACKOFF_MAX_S = 0.1, 30.0
STEADY_S = 60.0
"""A process that lived this long is forgiven its earlier deaths."""
READY_S, STOP_S = 60.0, 3.0
PATIENCE_S = 30.0
"""For one answer, and for a new child."""
ANSWER_MAX = 1 << 26

log = logging.getLogger(__name__)


class ChainBeside:
    """`await start()`, then `ask`, then `await stop()`. Use it from one event loop."""

    def __init__(
        self, folder: Path, allocation: Mapping[str, int], *, chain_id: int | None = None
    ) -> None:
        """`allocation` (wei by address) and `chain_id` (None: one that nobody else has) are for
        a folder without a chain; one that is there remembers its own."""
        balances = {address.lower(): wei for address, wei in allocation.items()}
        self._secret = secrets.token_urlsafe(24)
        self._order = Order(str(folder / FILE), self._secret, balances, chain_id)
        self._upstream = HttpUpstream(Guard())
        self._ids = count(1)
        self._child: _Child | None = None
        self._changed = asyncio.Condition()
        self._keeper: asyncio.Task[None] | None = None
        self._over = False

    @property
    def url(self) -> str:
        """Of the child that lives now: JSON-RPC over HTTP. Empty between two."""
        return "" if self._child is None else f"http://127.0.0.1:{self._child.port}/{self._secret}"

    @property
    def pid(self) -> int:
        """Of the current process; 0 before the start and between two."""
        return 0 if self._child is None else self._child.process.pid

    async def start(self) -> str:
        """Returns the URL when the chain answers there. ChainFailed says why it cannot."""
        assert self._keeper is None
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep())
        return self.url

    async def stop(self) -> None:
        """End the process. Safe to call twice, and before `start`."""
        self._over = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        await self._end()
        await self._upstream.close()

    async def ask(self, method: str, params: Sequence[Any] = ()) -> Any:
        """The result as JSON values. ChainFailed; "unreachable" if two children died of it."""
        question = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        try:
            body = msgspec.json.encode(question)
        except RecursionError:
            raise ChainFailed("bad_params", "the parameters are nested too deeply") from None
        died: _Child | None = None
        for _ in range(2):
            child = await self._living(died)
            try:
                return _result(await self._post(child, body))
            except UpstreamFailed as failed:
                _alive(failed)
                died = child
        raise ChainFailed("unreachable", f"the chain beside the market ended over {method}")

    # --- the process ---------------------------------------------------------------------

    async def _living(self, died: _Child | None) -> _Child:
        """The child that answers, once it is another one than `died`."""
        try:
            async with asyncio.timeout(PATIENCE_S), self._changed:
                while self._child is None or self._child is died:
                    if self._over:
                        raise ChainFailed("unreachable", "the chain beside the market is closed")
                    await self._changed.wait()
                return self._child
        except TimeoutError:
            raise ChainFailed("unreachable", "the chain beside the market is not up") from None

    async def _post(self, child: _Child, body: bytes) -> bytes:
        call = Call(
            url=f"http://127.0.0.1:{child.port}",
            path=self._secret,
            body=body,
            allow_private=True,
            first_byte_s=PATIENCE_S,
            idle_s=PATIENCE_S,
        )
        answer = await self._upstream.open(call)
        text = await answer.read(ANSWER_MAX)
        if answer.status != 200:
            raise ChainFailed("failed", f"the chain beside the market answers {answer.status}")
        return text

    async def _keep(self) -> None:
        """Start again whatever ended, with growing pauses."""
        loop = asyncio.get_running_loop()
        pause_s = BACKOFF_S
        while True:
            born = loop.time()
            if self._child is not None:
                code = await self._child.process.wait()
                log.warning("the chain beside the market ended with %s; starting another", code)
                await self._end()
            if loop.time() - born > STEADY_S:
                pause_s = BACKOFF_S
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, BACKOFF_MAX_S)
            try:
                await self._spawn()
            except ChainFailed as failed:  # the next round tries again
                log.error("the chain beside the market does not start: %s", failed.detail)

    async def _spawn(self) -> None:
        child = await _Child.spawn(self._order)
        try:
            async with asyncio.timeout(READY_S):
                await child.ready()
        except TimeoutError:
            await child.end()
            raise ChainFailed("timeout", f"no chain after {READY_S:g} s") from None
        except BaseException:
            await child.end()
            raise
        await self._set(child)

    async def _set(self, child: _Child | None) -> None:
        async with self._changed:
            self._child = child
            self._changed.notify_all()

    async def _end(self) -> None:
        child = self._child
        await self._set(None)
        if child is not None:
            await child.end()


class _Child:
    """A process, and where it listens."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self.process = process
        self.port = 0
        self._stdin = process.stdin
        self._stdout = process.stdout

    @classmethod
    async def spawn(cls, order: Order) -> _Child:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", CHILD),
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,  # Ctrl-C is for the market, which then stops its chain
        )
        child = cls(process)
        child._stdin.write(msgspec.json.encode(order) + b"\n")
        return child

    async def ready(self) -> None:
        """Returns when it listens. ChainFailed says why it does not."""
        line = await self._stdout.readline()
        if not line:
            raise ChainFailed("failed", "its process ended at once; its own words are above")
        told = msgspec.json.decode(line, type=Told)
        if told.cause:
            raise ChainFailed(told.cause, told.detail)
        self.port = told.port

    async def end(self) -> None:
        """Closing its standard input ends it; a kill makes sure, and loses nothing."""
        self._stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):  # it ended just now
                self.process.kill()
            await self.process.wait()
        await self._stdout.read()


class _Reply(Struct, frozen=True):
    result: Any = None
    error: Failure | None = None


def _result(text: bytes) -> Any:
    reply = msgspec.json.decode(text, type=_Reply)
    if reply.error is not None:
        raise reply.error.failed()
    return reply.result


def _alive(failed: UpstreamFailed) -> None:
    """Raises what is no sign of a child's death."""
    if failed.cause == "timeout":
        raise ChainFailed("timeout", "the chain beside the market is too busy to answer")
    if failed.cause == "too_large":
        raise ChainFailed("failed", "the answer is too large; ask for less at once")
