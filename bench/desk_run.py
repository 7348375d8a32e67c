"""One run of the desk alone, in a process of its own: pairs, growth or a start.

Rule: the desk, its journal, its signer and its clock are those of a served market.
Invariant: a pair is one reserve and one capture, each answered only when it is durable.
Worked number: 100 pairs in flight that take 4 ms each are 25_000 pairs a second.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import uvloop
from msgspec import Struct, field

from allmende.adapters.clock import SystemClock
from allmende.adapters.secrets import open_signer, open_vault
from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.core import commands as c
from allmende.core.nouns import Key, Member, Offer, Share, Title
from allmende.core.units import CREDIT, Tariff, Units, Zone
from allmende.desk import Desk
from bench import desk_exchange as exchange

IN_FLIGHT = 100
_KEY = "b" * 64
_DELIVERED = Units(input=200, output=178)
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Told(Struct):
    """What one run found. Milliseconds, megabytes."""

    pairs: int = 0
    seconds: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    events: int = 0
    replay_s: float = 0.0
    memory_mb: dict[int, float] = field(default_factory=dict)
    """Resident memory by receipts written so far."""


async def open_desk(folder: Path) -> Desk:
    """A started desk, founded if its journal is new."""
    signer = open_signer(folder, open_vault(folder))
    desk = Desk(SqliteJournal(folder / "journal.sqlite"), signer, SystemClock())
    await desk.start()
    if desk.state.market is None:
        for command in _founding(SystemClock().now(), signer.public.hex()):
            await desk.submit(command)
    return desk


def _founding(at: int, public: str) -> list[c.Command]:
    """The same market as the gateway's: three budgets deep, one offer, one payee."""
    tariff = Tariff(input=150_000, output=600_000)
    url = "http://127.0.0.1:1/v1"
    offer = Offer(
        "bench", "host", "bench", "bench", "credit", tariff, Zone("DEU"), url, capacity=10_000
    )
    title = Title("bench", "host", "model", "Bench", (Share("author", "host", 100_000),))
    budgets = (("uni", "uni", ""), ("faculty", "", "uni"), ("lab", "", "faculty"))
    limit = 900_000 * CREDIT
    return [
        c.Found(at=at, market="m", name="M", mode="closed_loop", operator="op", public_key=public),
        c.AddMember(at=at, member=Member("uni", "University", "organisation")),
        c.AddMember(at=at, member=Member("host", "Host", "provider")),
        c.Deposit(at=at, member="uni", amount=1_000_000 * CREDIT, reference="bench"),
        *(
            c.AddBudget(at=at, id=id_, name=id_, owner=owner, parent=parent, limit=limit)
            for id_, owner, parent in budgets
        ),
        c.IssueKey(at=at, key=Key("k", _KEY, "uni", "spend", "lab")),
        c.RegisterTitle(at=at, title=title),
        c.PostOffer(at=at, offer=offer),
    ]


async def pair(desk: Desk, clock: SystemClock, id_: str) -> None:
    """One request as the gateway books it."""
    await desk.submit(
        c.Reserve(
            at=clock.now(),
            id=id_,
            key=_KEY,
            endpoint="chat/completions",
            model="bench",
            input_bound=986,
            output_bound=256,
        )
    )
    usage = c.Capture(at=clock.now(), hold=id_, estimate=_DELIVERED, reported=_DELIVERED)
    await desk.submit(usage)


async def pairs(folder: Path, seconds: float, what: str = "pairs") -> Told:
    """As many pairs as fit into some seconds, after a second of warm-up.

    `rights` are pairs that lots pay for; `orders` are two orders each.
    """
    desk, clock = await open_desk(folder), SystemClock()
    if what != "pairs":
        await exchange.list_lots(desk, clock)

    async def work(number: int) -> None:
        if what == "orders":
            await exchange.order(desk, clock, number)
        else:
            await pair(desk, clock, f"h{number}")

    took, wall = await exchange.timed(work, IN_FLIGHT, seconds)
    paid = desk.state.listings["lots"].delivered if what == "rights" else 1
    assert paid, "the lots did not pay"
    await desk.close()
    return Told(
        pairs=len(took),
        seconds=wall,
        p50_ms=took[len(took) // 2] * 1e3,
        p99_ms=took[len(took) * 99 // 100] * 1e3,
        events=desk.number,
    )


async def grow(folder: Path, receipts: int) -> Told:
    """Write receipts, and look at the memory at none, a quarter, a half and all of them.

    Ends without closing, as a crash does: what a start then finds is the worst case.
    """
    desk, clock = await open_desk(folder), SystemClock()
    told = Told(memory_mb={0: memory_mb()})
    began = time.perf_counter()
    ids = iter(range(receipts))
    for mark in (receipts // 4, receipts // 2, receipts):
        await _write(desk, clock, ids, mark - told.pairs)
        told.pairs = mark
        told.memory_mb[mark] = memory_mb()
    told.seconds = time.perf_counter() - began
    told.events = desk.committed
    return told


async def _write(desk: Desk, clock: SystemClock, ids: Iterator[int], count: int) -> None:
    todo = itertools.islice(ids, count)

    async def worker() -> None:
        for number in todo:
            await pair(desk, clock, f"h{number}")

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


async def start(folder: Path) -> Told:
    """Open what `grow` left, until the desk takes commands."""
    began = time.perf_counter()
    desk = await open_desk(folder)
    told = Told(replay_s=time.perf_counter() - began, events=desk.number)
    told.memory_mb[0] = memory_mb()
    return told


def memory_mb() -> float:
    """Resident memory of this process, in 2**20 bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 2**20


async def main(what: str, folder: Path, amount: float) -> Told:
    if what in ("pairs", "rights", "orders"):
        return await pairs(folder, amount, what)
    return await (grow(folder, int(amount)) if what == "grow" else start(folder))


if __name__ == "__main__":
    found = uvloop.run(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
    sys.stdout.buffer.write(msgspec.json.encode(found))
    sys.stdout.flush()
    os._exit(0)  # no clean end: a start after this is a start after a crash
