"""A deployment on a real node, for tests: fast terms, our own Credit, one account in all roles.

async with deployed("embedded", tmp_path) as town:
    await town.do(town.custody.cut())
    seen = await town.custody.look(await town.custody.final_block())
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from chains import ACCOUNT, CHAIN_ID, ETHER, OTHER, Rig, anvil
from market import HandClock

from allmende.adapters import chain_contracts
from allmende.adapters.chain.account import Account
from allmende.adapters.chain.custody import ChainCustody
from allmende.adapters.chain.deploy import Contracts, Plan, deploy
from allmende.adapters.chain.evm import Genesis
from allmende.adapters.chain.node import EmbeddedNode
from allmende.adapters.chain.outbox import Outbox
from allmende.adapters.chain.profiles import ANVIL, EMBEDDED
from allmende.adapters.chain.reader import Reader
from allmende.adapters.chain.submitter import Submitter
from allmende.adapters.chain.terms import FAST
from allmende.adapters.clock import SystemClock
from allmende.core.units import SECOND
from allmende.custody import ContractCall, Deployment, VaultSeen
from allmende.ports import Chain, Mined, Stage, Wanted

CACHE = Path(__file__).parents[1] / ".pytest_cache" / "contracts"
CREDIT = 10**12
BORN_S = 1_790_000_000
Later: TypeAlias = Callable[[int], Awaitable[None]]
STEPS = 12
"""Transactions of a deployment with a Credit of its own."""


def contracts() -> Contracts:
    return {name: chain_contracts.load(name, CACHE) for name in chain_contracts.NAMES}


def plan(rig: Rig, **other: Any) -> Plan:
    fields: dict[str, Any] = {
        "profile": rig.profile,
        "norm": FAST,
        "operator": ACCOUNT.address,
        "market_key": OTHER.address,
        "guardian": ACCOUNT.address,
        "commons": "0x" + "c0" * 20,
        "play_units": 1_000,
    }
    return Plan(**{**fields, **other})


def sender(rig: Rig, folder: Path, chain: Chain | None = None) -> Submitter:
    outbox = Outbox(folder / "outbox.sqlite")
    return Submitter(chain or rig.chain, outbox, ACCOUNT, rig.profile, SystemClock())


@dataclass
class Town:
    rig: Rig
    sender: Submitter
    deployment: Deployment
    custody: ChainCustody
    later: Later
    """Lets seconds pass."""
    _count: int = 0

    async def do(self, call: ContractCall, value: int = 0) -> None:
        """Sent by the operator, in the chain, and not reverted."""
        self._count += 1
        key = f"test {self._count}"
        self.sender.put(Wanted(key, call.to, call.data, value))
        while (send := self.sender.get(key)) is not None and send.block is None:
            assert send.stage is not Stage.FAILED, send.detail
            await self.sender.step()
        assert send is not None
        assert send.ok

    async def by(self, account: Account, call: ContractCall) -> Mined:
        """Sent by somebody else, who has gas from the operator."""
        if not await self.rig.chain.balance(account.address):
            await self.do(ContractCall(account.address, b""), 10**18)
        other = Rig(self.rig.kind, self.rig.chain, self.rig.profile, account)
        return await other.send(call.to, call.data, gas=2_000_000)

    async def now(self) -> int:
        return await self.custody.final_block()

    async def seen(self) -> VaultSeen:
        return await self.custody.look(await self.now())


@contextlib.asynccontextmanager
async def open_town_chain(kind: str, folder: Path) -> AsyncIterator[tuple[Rig, Later]]:
    """A chain whose time can be moved on."""
    if kind == "anvil":
        async with anvil() as node:
            await node.ask("anvil_setBalance", (ACCOUNT.address, hex(100 * ETHER)))

            async def pass_there(seconds: int) -> None:
                await node.ask("evm_increaseTime", (hex(seconds),))
                await node.ask("evm_mine")

            yield Rig(kind, Reader(node.ask, node.close), ANVIL), pass_there
        return
    clock = HandClock(BORN_S * SECOND)
    genesis = Genesis(CHAIN_ID, {ACCOUNT.address: 100 * ETHER}, BORN_S)
    ours = EmbeddedNode(folder / "chain.sqlite", genesis, lambda: clock.now() // SECOND)

    async def pass_here(seconds: int) -> None:
        """From the newest block on: a quick run of transactions is ahead of the clock."""
        head = int((await ours.ask("eth_getBlockByNumber", ("latest", False)))["timestamp"], 16)
        clock.at = max(clock.at, head * SECOND) + seconds * SECOND

    yield Rig(kind, Reader(ours.ask, ours.close), EMBEDDED), pass_here
    await ours.close()


@contextlib.asynccontextmanager
async def deployed(kind: str, folder: Path, **other: Any) -> AsyncIterator[Town]:
    async with open_town_chain(kind, folder) as (rig, later):
        ours, steps = contracts(), sender(rig, folder)
        made = await deploy(rig.chain, steps, ours, plan(rig, **other))
        custody = ChainCustody(rig.chain, made, ours, rig.profile, SystemClock())
        yield Town(rig, steps, made, custody, later)
