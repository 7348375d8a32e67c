"""Both event loops: asyncio's own, and uvloop, which serves in production."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


def on_both_loops(main: Callable[[], Coroutine[Any, Any, T]], within_s: float = 20.0) -> T:
    """Run `main()` on each loop, once; what it returns must be the same."""

    async def limited() -> T:
        async with asyncio.timeout(within_s):
            return await main()

    result = asyncio.run(limited())
    again = uvloop.run(limited())
    assert again == result
    return result
