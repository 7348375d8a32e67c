"""Custody: the contracts of one deployment, read at one block and put into words.

Rule: state is asked of the contracts themselves at a named block; logs are used to learn which
accounts and redemptions there are, never what anybody has.
Invariant: a read is of the block that was asked for: if that block changes while it is read,
the read fails and is made again by whoever wants it.
Worked number: on Ethereum, finality 64, a node at block 1_000 makes 937 the newest final block.

Reading at a final block needs a node that keeps the state of as many blocks as finality is
deep; most keep 128, so Base (900) and BNB (240) need one that keeps more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from allmende.adapters.chain.abi import Abi, word
from allmende.adapters.chain.calls import ContractCalls
from allmende.adapters.chain.profiles import Profile
from allmende.adapters.chain.reads import logs, read
from allmende.adapters.chain_contracts import Contract
from allmende.core.units import SECOND
from allmende.custody import (
    NOBODY,
    Challenge,
    Deployment,
    OnChainBatch,
    Redemption,
    VaultSeen,
    Withdrawal,
)
from allmende.ports import Block, Chain, ChainFailed, Clock, Log
from allmende.wire.voucher import Domain

AT_ONCE = 8
"""Questions to a node at the same time."""

T = TypeVar("T")


class ChainCustody(ContractCalls):
    """custody.Custody. Ends with the chain that it was given."""

    def __init__(
        self,
        chain: Chain,
        deployment: Deployment,
        contracts: Mapping[str, Contract],
        profile: Profile,
        clock: Clock,
    ) -> None:
        super().__init__(deployment, contracts)
        self.domain = Domain(deployment.chain_id, bytes.fromhex(deployment.vault[2:]))
        self._chain = chain
        self._profile = profile
        self._clock = clock
        self._room = asyncio.Semaphore(AT_ONCE)

    async def newest_block(self) -> int:
        return (await self._block(None)).number

    async def final_block(self) -> int:
        return max(0, await self.newest_block() - self._profile.finality + 1)

    # --- the vault -----------------------------------------------------------------------

    async def look(self, at: int) -> VaultSeen:
        block = await self._block(at)
        words = [field for field in VaultSeen.__struct_fields__ if field not in _NOT_ASKED]
        told = dict(zip(words, await self._all(*(self._get(w, at) for w in words)), strict=True))
        if (await self._block(at)).hash != block.hash:
            raise ChainFailed("lagging", f"block {at} changed while it was read; read again")
        final, pending = OnChainBatch(*told.pop("final")), OnChainBatch(*told.pop("pending"))
        return VaultSeen(
            block=at,
            block_hash=block.hash,
            time_s=block.time_s,
            now_s=self._now_s(block),
            final=final,
            pending=pending,
            **told,
        )

    def _now_s(self, block: Block) -> int:
        """Of the next block at least. On a chain whose blocks come only with transactions that is
        the clock's second, or the one after the last block's where that ran ahead."""
        if self._profile.lag_s:
            return block.time_s
        return max(block.time_s + 1, self._clock.now() // SECOND)

    async def flows(self, account: str, after: int, until: int, at: int) -> tuple[int, int]:
        epochs = range(after + 1, until + 1)
        into = await self._all(*(self._get("deposits", at, account, e) for e in epochs))
        out = await self._all(*(self._get("requests", at, account, e) for e in epochs))
        return sum(into), sum(out)

    async def deposited(self, account: str, at: int) -> int:
        return int(await self._get("deposited", at, account))

    async def requested(self, account: str, at: int) -> int:
        return int(await self._get("requested", at, account))

    async def accounts(self, first: int, last: int) -> set[str]:
        vault, abi = self.deployment.vault, self._abi["Vault"]
        events = ("Deposited", "Asked")
        return {
            abi.log(event, log)["account"]
            for event in events
            for log in await logs(self._chain, vault, abi.topic(event), first, last)
        }

    async def challenge(self, id_: int, at: int) -> Challenge | None:
        told = await self._get("challenges", at, id_)
        return Challenge(id_, *told) if told[0] else None

    async def withdrawal(self, id_: int, at: int) -> Withdrawal | None:
        told = await self._get("withdrawals", at, id_)
        return Withdrawal(id_, *told) if told[0] != NOBODY else None

    async def signed(self, account: str, at: int) -> int:
        return int(await self._get("signed", at, account))

    async def lane(self, account: str, lane: int, at: int) -> int:
        return int(await self._get("lanes", at, account, lane))

    async def settled(self, account: str, at: int) -> int:
        return int(await self._get("settled", at, account))

    async def receipts_of(self, batch: int, at: int) -> str:
        return str(await self._get("receipts_of", at, batch))

    async def owed(self, account: str, at: int) -> int:
        return int(await self._get("owed", at, account))

    async def exited(self, account: str, at: int) -> tuple[bool, bool]:
        leaf, deposits = await self._all(
            self._get("leaf_paid", at, account), self._get("deposits_paid", at, account)
        )
        return bool(leaf), bool(deposits)

    # --- pay unit and bond ---------------------------------------------------------------

    async def credit_balance(self, address: str, at: int) -> int:
        return int(await self._ask("Credit", self.deployment.credit, "balanceOf", at, address))

    async def allowance(self, owner: str, spender: str, at: int) -> int:
        asked = ("Credit", self.deployment.credit, "allowance", at)
        return int(await self._ask(*asked, owner, spender))

    async def bonded(self, address: str, at: int) -> int:
        return int((await self._ask("Bond", self.deployment.bond, "collateral", at, address))[0])

    async def secures(self, address: str, at: int) -> int:
        return int(await self._ask("Bond", self.deployment.bond, "secures", at, address))

    # --- rights --------------------------------------------------------------------------

    async def redemptions(self, instrument: str, first: int, last: int) -> list[Redemption]:
        abi, address = self._abi["Rights"], self.deployment.rights[instrument]
        found = await logs(self._chain, address, abi.topic("Redeemed"), first, last)
        return [_redemption(abi, instrument, log) for log in found]

    async def supply(self, instrument: str, at: int) -> int:
        return int(await self._ask("Rights", self.deployment.rights[instrument], "totalSupply", at))

    async def right_balance(self, instrument: str, holder: str, at: int) -> int:
        return int(
            await self._ask("Rights", self.deployment.rights[instrument], "balanceOf", at, holder)
        )

    async def minted(self, instrument: str, reference: str, at: int) -> bool:
        asked = ("Rights", self.deployment.rights[instrument], "minted", at)
        return bool(await self._ask(*asked, word(reference)))

    # --- asking --------------------------------------------------------------------------

    async def _get(self, function: str, at: int, *values: Any) -> Any:
        return await self._ask("Vault", self.deployment.vault, function, at, *values)

    async def _ask(self, contract: str, address: str, function: str, at: int, *values: Any) -> Any:
        abi = self._abi[contract]
        async with self._room:
            return await read(self._chain, abi, address, function, *values, at=at)

    async def _all(self, *asked: Coroutine[Any, Any, T]) -> list[T]:
        """At once as far as there is room; the first failure ends the others."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one) for one in asked]
        except* ChainFailed as failed:
            first = failed.exceptions[0]
            assert isinstance(first, ChainFailed)
            raise first from None
        return [task.result() for task in tasks]

    async def _block(self, number: int | None) -> Block:
        found = await self._chain.block(number)
        if found is None:
            raise ChainFailed("lagging", f"the node does not have block {number} yet")
        return found


_NOT_ASKED = ("block", "block_hash", "time_s", "now_s")


def _redemption(abi: Abi, instrument: str, log: Log) -> Redemption:
    told = abi.log("Redeemed", log)
    return Redemption(
        instrument=instrument,
        holder=told["holder"],
        account=told["account"],
        grains=told["grains"],
        transaction=log.transaction,
        block=log.block,
        block_hash=log.block_hash,
        index=log.index,
    )
