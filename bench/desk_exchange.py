"""The exchange on the desk alone: durable orders, and pairs that are paid with rights.

Rule: the desk is the one of desk_run; every answer counts only when it is durable.
Invariant: of two orders one rests and one fills it, so half the orders are trades.
Worked number: 100 in flight that take 5 ms each are 20_000 orders a second.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

from allmende.adapters.clock import SystemClock
from allmende.core import commands as c
from allmende.core import exchange_commands as x
from allmende.core.contracts import LOT, Instrument
from allmende.core.units import CREDIT, DAY, MINUTE, Zone
from allmende.desk import Desk

PRICE = 10_000
STEP = LOT // 100
LOTS = 100_000


async def list_lots(desk: Desk, clock: SystemClock) -> None:
    """An instrument that trades at once; half of its lots go to the university."""
    at = clock.now()
    instrument = Instrument(
        id="lots",
        issuer="host",
        title="bench",
        model="bench",
        offer="bench",
        start=at - MINUTE,
        end=at + DAY,
        capacity=LOTS * LOT,
        price=PRICE,
        zone=Zone("DEU"),
    )
    half = LOTS // 2 * LOT
    for command in (
        c.SetParameter(at=at, name="call_seconds", value=0),
        c.Deposit(at=at, member="host", amount=LOTS * 2 * CREDIT, reference="bond"),
        x.SetTier(at=at, member="uni", tier=2),
        x.ListInstrument(at=at, instrument=instrument),
        x.MintLots(at=at, instrument="lots", grains=LOTS * LOT),
        _order("first ask", "host", "sell", half, at),
        _order("first bid", "uni", "buy", half, at),
    ):
        await desk.submit(command)


def _order(id_: str, account: str, side: str, grains: int, at: int) -> x.PlaceOrder:
    return x.PlaceOrder(
        at=at,
        id=id_.replace(" ", "-"),
        instrument="lots",
        account=account,
        side=side,
        price=PRICE,
        grains=grains,
    )


async def order(desk: Desk, clock: SystemClock, number: int) -> None:
    """Two orders: an ask that rests and a bid that fills one, whichever is first in line."""
    for account, side in (("host", "sell"), ("uni", "buy")):
        await desk.submit(_order(f"{side}{number}", account, side, STEP, clock.now()))


async def timed(
    work: Callable[[int], Awaitable[None]], in_flight: int, seconds: float
) -> tuple[list[float], float]:
    """How long each call took in seconds, sorted, and the wall time, after a second's warm-up."""
    took: list[float] = []
    numbers = itertools.count()
    began = time.perf_counter()

    async def worker() -> None:
        while (start := time.perf_counter()) < began + 1 + seconds:
            await work(next(numbers))
            if start > began + 1:
                took.append(time.perf_counter() - start)

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return sorted(took), time.perf_counter() - began - 1
