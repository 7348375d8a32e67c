"""Reach: a node's chain for as long as one command looks at it.

Rule: whoever reaches a node lets go of it, however the look ended.
Invariant: nothing is kept open between two commands.
Worked number: two chains of a bridge are two `node_at`, one within the other.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from allmende.adapters.chain.rpc import chain_at
from allmende.adapters.guard import Guard
from allmende.adapters.upstream import HttpUpstream
from allmende.ports import Chain


@contextlib.asynccontextmanager
async def node_at(url: str) -> AsyncIterator[Chain]:
    """The chain that this node tells; one's own node may be at a private address."""
    upstream = HttpUpstream(Guard())
    chain = chain_at(upstream, url, private=True)
    try:
        yield chain
    finally:
        await chain.close()
        await upstream.close()
