"""Death between any two steps: things whose calls are counted, and who dies at one of them.

Run by itself it is the process that dies: for every STRIDE-th point it forks a submitter which
sends two tallies and kills itself there with signal 9, then one that lives, and looks.

    python tests/killing.py URL OUTBOX TALLY STRIDE
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chains import ACCOUNT, count, name, tally

from allmende.adapters.chain.outbox import Outbox
from allmende.adapters.chain.profiles import EMBEDDED
from allmende.adapters.chain.rpc import chain_at
from allmende.adapters.chain.submitter import Submitter
from allmende.adapters.clock import SystemClock
from allmende.adapters.guard import Guard
from allmende.adapters.upstream import HttpUpstream
from allmende.ports import Stage, Wanted


class Killed(BaseException):
    """The process died here."""


class Death:
    """Comes before or after the `at`-th call of what it watches; never if `at` is 0."""

    def __init__(self, at: int, die: Callable[[], None]) -> None:
        self._left = at
        self._die = die

    def tick(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._die()

    def watch(self, thing: Any) -> Any:
        return _Watched(self, thing)


class _Watched:
    def __init__(self, death: Death, thing: Any) -> None:
        self._death = death
        self._thing = thing

    def __getattr__(self, called: str) -> Any:
        real, tick = getattr(self._thing, called), self._death.tick
        if not callable(real):
            return real

        def call(*args: Any, **named: Any) -> Any:
            tick()
            told = real(*args, **named)
            tick()
            return told

        async def call_async(*args: Any, **named: Any) -> Any:
            tick()
            told = await real(*args, **named)
            tick()
            return told

        return call_async if inspect.iscoroutinefunction(real) else call


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def submit(url: str, file: Path, address: str, at: int, keys: list[str]) -> None:
    """Send the tallies; die on the way if `at`; in the end each is in the chain once."""
    death, upstream = Death(at, kill_self), HttpUpstream(Guard())
    chain, outbox = chain_at(upstream, url, private=True), Outbox(file)
    watched = death.watch(outbox)
    submitter = Submitter(death.watch(chain), watched, ACCOUNT, EMBEDDED, SystemClock())
    for key in keys:
        watched.put(Wanted(key, address, tally(name(key))))
    while any(send is None or send.stage != Stage.FINAL for send in map(outbox.get, keys)):
        await submitter.step()
    for key in keys:
        assert await chain.call(address, count(name(key))) == (1).to_bytes(32, "big"), (at, key)
    await upstream.close()


def forked(*arguments: Any) -> int:
    """What the submitter's process ended with, as os.waitpid tells it."""
    child = os.fork()
    if child == 0:
        asyncio.run(submit(*arguments))
        os._exit(0)
    return os.waitpid(child, 0)[1]


def main(url: str, outbox: str, address: str, stride: str) -> None:
    for point in range(1, 1_000_000, int(stride)):
        keys = [f"{point} a", f"{point} b"]
        died = forked(url, Path(outbox), address, point, keys)
        if died == 0:
            sys.stdout.write(str(point))
            return
        assert os.WTERMSIG(died) == signal.SIGKILL, died
        assert forked(url, Path(outbox), address, 0, keys) == 0, point


if __name__ == "__main__":
    main(*sys.argv[1:])
