"""Reads: one answer of a contract, and its logs over any stretch of blocks.

Rule: a search for logs goes in pages, wider while the node goes along and narrower when it
does not: what a node finds too much differs from node to node.
Invariant: every block from first to last is searched once, or ChainFailed is raised.
Worked number: a year of Ethereum, 2.6 million blocks, is 46 pages where 64_000 at once are
allowed.
"""

from __future__ import annotations

from typing import Any

from allmende.adapters.chain.abi import Abi
from allmende.ports import Chain, ChainFailed, Log

PAGE, PAGE_MIN, PAGE_MAX = 2_000, 16, 64_000
"""Blocks of one search: to begin with, and the bounds."""
TOO_MUCH = ("bad_params", "failed", "busy", "timeout")
"""How nodes say so; each has other words and codes for it."""


async def read(
    chain: Chain, abi: Abi, address: str, function: str, *values: Any, at: int | None = None
) -> Any:
    """One answer of a contract. ChainFailed("garbled") if what is there does not answer so."""
    try:
        told = await chain.call(address, abi.call(function, *values), at=at)
    except ChainFailed as failed:
        if failed.cause != "reverted":
            raise
        raise ChainFailed("garbled", f"{address} does not answer {abi.name}.{function}") from None
    answer = abi.answer(function, told)
    return answer[0] if len(answer) == 1 else answer


async def logs(chain: Chain, address: str, topic: str, first: int, last: int) -> list[Log]:
    """All logs of one event, in order."""
    found: list[Log] = []
    page, most = PAGE, PAGE_MAX
    while first <= last:
        upto = min(last, first + page - 1)
        try:
            found += await chain.logs(address, first, upto, (topic,))
        except ChainFailed as failed:
            if failed.cause not in TOO_MUCH or page <= PAGE_MIN:
                raise
            page = most = max(PAGE_MIN, page // 2)
            continue
        first, page = upto + 1, min(2 * page, most)
    return found
