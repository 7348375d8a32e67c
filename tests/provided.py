"""The lab's model server on a thread of its own, for markets in processes of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from allmende.lab.provider import Provider


@contextmanager
def provider() -> Iterator[str]:
    """The address of a model server in a thread of its own."""
    ready: list[str] = []
    over, begun = asyncio.Event(), threading.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with Provider() as found:
            ready.append(found.url)
            begun.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert begun.wait(10)
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
