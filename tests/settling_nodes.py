"""The nodes that settling.py stands on: blocks at the hand clock's time, histories that change.

Each transaction is a block, mined when `ask` returns. `remember` keeps the chain as it is,
`go_back` makes it so again; `kept` has the numbers of the blocks that one can go back to.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chains import CHAIN_ID, ETHER, Anvil
from market import HandClock

from allmende.adapters.chain.evm import Genesis
from allmende.adapters.chain.node import EmbeddedNode
from allmende.core.units import SECOND

BORN_S = 1_790_000_000
TIMED = ("eth_sendRawTransaction", "eth_estimateGas")
"""What happens in a block that is not there yet."""


class OurNode:
    """The embedded chain: a history is a file."""

    def __init__(self, folder: Path, clock: HandClock, rich: Sequence[str]) -> None:
        self.kept: list[int] = []
        self._folder = folder
        self._clock = clock
        self._genesis = Genesis(CHAIN_ID, dict.fromkeys(rich, 100 * ETHER), BORN_S)
        self._node = self._open()

    def _open(self) -> EmbeddedNode:
        file = self._folder / "chain.sqlite"
        return EmbeddedNode(file, self._genesis, lambda: self._clock.at // SECOND)

    async def ask(self, method: str, params: Sequence[Any] = ()) -> Any:
        return await self._node.ask(method, params)

    async def close(self) -> None:
        await self._node.close()

    async def remember(self) -> int:
        number = int(await self.ask("eth_blockNumber"), 16)
        await self._node.close()
        shutil.copy(self._folder / "chain.sqlite", self._folder / f"chain {number}")
        self._node = self._open()
        self.kept.append(number)
        return number

    async def go_back(self, number: int) -> None:
        await self._node.close()
        for file in self._folder.glob("chain.sqlite*"):
            file.unlink()
        shutil.copy(self._folder / f"chain {number}", self._folder / "chain.sqlite")
        self._node = self._open()


class AnvilByHand:
    """Foundry's node, which mines when it is told to: begun with `--no-mining`."""

    def __init__(self, anvil: Anvil, clock: HandClock) -> None:
        self.kept: list[int] = []
        self._anvil = anvil
        self._clock = clock
        self._snapshots: dict[int, str] = {}

    async def ask(self, method: str, params: Sequence[Any] = ()) -> Any:
        if method in TIMED:
            head = await self._anvil.ask("eth_getBlockByNumber", ("latest", False))
            at = max(int(head["timestamp"], 16) + 1, self._clock.at // SECOND)
            await self._anvil.ask("evm_setNextBlockTimestamp", (at,))
        told = await self._anvil.ask(method, params)
        if method == "eth_sendRawTransaction":
            await self._anvil.ask("evm_mine")
        return told

    async def close(self) -> None:
        """It ends with whoever began it."""

    async def remember(self) -> int:
        number = int(await self.ask("eth_blockNumber"), 16)
        self._snapshots[number] = await self._anvil.ask("evm_snapshot")
        self.kept.append(number)
        return number

    async def go_back(self, number: int) -> None:
        """What was remembered later is gone with it, and so is the snapshot itself."""
        assert await self._anvil.ask("evm_revert", (self._snapshots[number],))
        self._snapshots = {n: id_ for n, id_ in self._snapshots.items() if n < number}
        self.kept = sorted(self._snapshots)
        await self.remember()
