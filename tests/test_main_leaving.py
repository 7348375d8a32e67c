"""A whole market on its own chain: what its members take home is worth what it says there."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deployed import CACHE, contracts
from doors import Doors
from eth_utils import keccak
from vault_town import ANNA

from allmende.adapters.chain.ensure import CACHE as CACHED
from allmende.adapters.chain.leaving import FINAL, Leaving
from allmende.adapters.chain.profiles import EMBEDDED
from allmende.adapters.chain.proving import Proving
from allmende.adapters.clock import SystemClock
from allmende.core import commands as c
from allmende.core import custody_commands as w
from allmende.core.settle import receipt_leaf
from allmende.core.units import CREDIT
from allmende.ports import Wanted
from allmende.ticket import decode
from allmende.wire import receipt

PAID = 2 * CREDIT


def opened(folder: Path) -> Doors:
    contracts()  # once for all tests, and not for each data directory
    shutil.copytree(CACHE, folder / "data" / CACHED)
    return Doors(folder, mode="lab", chain="embedded", chain_terms="fast", settle_every=1)


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.05)


async def link(doors: Doors) -> None:
    """The author gets a wallet, and the operator deposits for it."""
    desk, side = doors.market.desk, doors.market.custody_side
    await desk.submit(w.LinkWallet(at=doors.now(), member="author", address=ANNA.address))
    assert side.standing is not None
    custody, sender = side.standing.custody, doors.market.chain
    assert sender is not None
    for key, call in (
        ("allow", custody.approve(custody.deployment.vault, PAID)),
        ("give", custody.deposit(ANNA.address, PAID)),
    ):
        sender.sender.put(Wanted(f"test {key}", *call))


async def standing_of(doors: Doors, ticket: bytes) -> Any:
    chain = doors.market.chain
    assert chain is not None
    there = decode(ticket, keccak)
    leaving = Leaving(chain.chain, there, contracts(), EMBEDDED, SystemClock())
    assert all(one.ok for one in await leaving.begin())
    return await leaving.standing(await leaving.newest())


async def proved(doors: Doors, data: bytes) -> list[Any]:
    chain = doors.market.chain
    assert chain is not None
    file, one = receipt.read(data)
    assert file.chain is not None
    proving = Proving(chain.chain, contracts(), EMBEDDED, file.chain)
    return await proving.proved(receipt_leaf(one))


def test_tickets_and_receipts_of_a_market_hold_on_its_chain(tmp_path: Path) -> None:
    with opened(tmp_path) as doors:
        doors.furnish()
        doors.run(link(doors))
        author, uni = doors.key("author", "manage"), doors.key("uni", "spend", "chem")
        doors.run(until(lambda: doors.market.desk.state.wallets["author"].deposited == PAID))
        doors.receipt("r1", uni)
        doors.run(doors.market.desk.submit(c.CloseBatch(at=doors.now())))

        def taken_home() -> bytes:
            """The receipt's file, once it says where the chain has it."""
            while "chain" not in (found := doors.get("/api/receipts/r1", uni)).json:
                doors.run(asyncio.sleep(0.1))
            return found.body

        data = taken_home()
        assert all(check.ok for check in receipt.verify(data)), receipt.verify(data)
        assert all(one.ok for one in doors.run(proved(doors, data)))
        ticket = doors.get("/api/wallet/ticket", author)
        while (now := doors.run(standing_of(doors, ticket.body))).ticket != FINAL:
            ticket = doors.get("/api/wallet/ticket", author)  # another batch is final just now
        assert now.leaf + now.deposits > PAID, "the deposit, and what r1 earned"
        newer = doors.get("/api/wallet/ticket?pending", author)
        assert newer.json["batch"] >= ticket.json["batch"]
