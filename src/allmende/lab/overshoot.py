"""Overshoot: many requests at once against a budget that affords only some of them.

Rule: every hold is exactly its price (input is free, the provider sends all it may), so
the budget pays for a whole number of requests and not a pico-credit more.
Invariant: at no event of the journal is more spent and held than the budget allows.
Worked number: 1_000 requests of 16 tokens at 1_000_000 pico against 2_192_000_000 pico:
137 receipts and 863 times 402.
"""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from allmende.core.units import Amount, credits
from allmende.lab.caller import Told, chat
from allmende.lab.crash import OPTIONS, body, furnish
from allmende.lab.inspector import Inspector
from allmende.lab.provider import Provider
from allmende.lab.served import Served

TOKENS = 16
PRICE: Amount = TOKENS * 1_000_000
DELAY_S = 0.5
"""The provider's, so that all holds are open at once."""
FILES = 8_192


def main(requests: int = 1_000, affords: int = 137, echo: Callable[[str], None] = print) -> int:
    """0 if exactly `affords` of `requests` were served, else 1 and what is wrong."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    with TemporaryDirectory(prefix="allmende-overshoot-") as folder:
        try:
            return asyncio.run(_main(Path(folder), requests, affords, echo))
        except AssertionError as wrong:
            echo(f"FAILED: {wrong}")
            return 1


async def _main(data: Path, requests: int, affords: int, echo: Callable[[str], None]) -> int:
    market, inspector = Served(data, *OPTIONS), Inspector(data)
    async with Provider(delay_s=DELAY_S) as provider:
        await asyncio.to_thread(market.start)
        try:
            limit = credits(affords * PRICE)
            key = await asyncio.to_thread(furnish, market, provider.url, limit, requests)
            echo(f"{requests} requests at once, of {credits(PRICE)} credits each at worst, "
                 f"against a budget of {limit}: it affords {affords}.")  # fmt: skip
            calls = (
                chat(market.port, key, body(f"q{n}", TOKENS, n % 2 == 0)) for n in range(requests)
            )
            told = await asyncio.gather(*calls)
            await asyncio.to_thread(inspector.compare, market)
        finally:
            await asyncio.to_thread(market.stop)
    _judge(inspector, told, affords)
    digest = await asyncio.to_thread(inspector.close)
    spent = inspector.auditor.state.budgets["b"].spent
    echo(f"{len(inspector.receipts)} receipts, {requests - affords} refusals with 402, "
         f"{credits(spent)} of {limit} credits spent, no hold left; the provider was asked "
         f"{provider.asked} times; audit and replay agree on {digest[:16]}.")  # fmt: skip
    return 0


def _judge(inspector: Inspector, told: list[Told], affords: int) -> None:
    """Everything that the budget promised."""
    ends = Counter((end.status, end.error) for end in told)
    refused = {(402, "budget_spent"): len(told) - affords} if len(told) > affords else {}
    assert ends == {(200, ""): affords, **refused}, f"ends: {ends}"
    assert len(inspector.receipts) == affords, f"{len(inspector.receipts)} receipts"
    state = inspector.auditor.state
    node = state.budgets["b"]
    assert node.spent == node.limit == affords * PRICE, f"{node.spent} of {node.limit} spent"
    assert node.held == 0, f"{node.held} held"
    assert not state.holds
    for end in told:
        if end.status == 200:
            assert end.price == inspector.receipts[end.receipt].price == PRICE, f"{end}"
