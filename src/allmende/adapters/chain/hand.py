"""Hand: one wallet's transactions, sent one after the other while a person waits.

Rule: a transaction takes the nonce that the chain has next, and pays more for the same one when
it waits too long; what has been done is read from the contracts, never from what was sent.
Invariant: a second run while the first one's transaction waits takes the same nonce, so that at
most one of the two is mined.
Worked number: an exit of 150_000 gas at 1 gwei needs 180_000 gas times what is offered, 2 gwei:
with 300_000 gwei in the wallet 60_000 are missing, and it says so before it sends.

The market's own account has an outbox instead (submitter): it sends in parallel, and for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from msgspec import structs

from allmende.adapters.chain.account import Account, Draft
from allmende.adapters.chain.fees import Fees
from allmende.adapters.chain.outbox import GAS_MAX, Attempt
from allmende.adapters.chain.profiles import Profile
from allmende.core.units import SECOND
from allmende.custody import ContractCall
from allmende.ports import Chain, ChainFailed, Clock, Mined

GAS_MARGIN_PERCENT = 20
LOOK_MIN_S, LOOK_MAX_S = 0.05, 5.0
OPEN_TO_OTHERS = 0o077
_PASSING = ("known", "nonce_too_low", "underpriced")
"""What a node says of a transaction that it has, that was mined meanwhile, or is too cheap."""


def wallet_of(file: Path) -> Account:
    """The account of a key file: 64 hex digits. ValueError says what is wrong, never the key."""
    if file.stat().st_mode & OPEN_TO_OTHERS:
        raise ValueError(f"{file} can be read by others: chmod 600 {file}")
    text = file.read_text(errors="replace").strip().removeprefix("0x")
    try:
        key = bytes.fromhex(text)
        if len(key) != 32 or len(text) != 64:
            raise ValueError
        return Account(key)
    except (ValueError, OverflowError):
        raise ValueError(f"{file} is no wallet key: 64 hex digits, 0x before them or not") from None


class Hand:
    """Of one account. ChainFailed says what stands in the way; calling again is safe."""

    def __init__(
        self,
        chain: Chain,
        account: Account,
        profile: Profile,
        clock: Clock,
        told: Callable[[str], None],
    ) -> None:
        self.address = account.address
        self._chain = chain
        self._account = account
        self._profile = profile
        self._clock = clock
        self._told = told
        self._fees = Fees(profile)
        self.pause_s = min(max(profile.block_ms / 2_000, LOOK_MIN_S), LOOK_MAX_S)

    async def send(self, what: str, call: ContractCall, gas: int = 0) -> Mined | None:
        """What became of it, once it is final; None if another transaction of this wallet took
        its nonce. ChainFailed("reverted") before anything is paid where it would be refused, if
        its `gas` is not given: a public node may estimate no more than so much."""
        chain_id, nonce = await self._chain.chain_id(), await self._chain.nonce(self.address)
        gas = gas or await self._gas(call)
        draft = Draft(
            chain_id=chain_id,
            nonce=nonce,
            to=call.to,
            data=call.data,
            value=0,
            gas=gas,
            max_fee=0,
            tip=0,
            legacy=self._profile.fees == "legacy",
        )
        attempts = [await self._offer(draft, None)]
        self._told(f"{what}: sent as {attempts[0].hash}")
        while (mined := await self._mined(attempts)) is None:
            if await self._chain.nonce(self.address) > nonce:
                mined = await self._mined(attempts)
                break
            if self._clock.now() - attempts[-1].at >= self._profile.patience_s * SECOND:
                attempts.append(await self._offer(draft, attempts[-1]))
                self._told(f"{what}: offers {attempts[-1].max_fee} wei per gas now")
            await asyncio.sleep(self.pause_s)
        return None if mined is None else await self._final(what, mined)

    async def _final(self, what: str, mined: Mined) -> Mined | None:
        """Once its block is deep enough; None if the block went away: look again."""
        self._told(f"{what}: in block {mined.block}")
        while True:
            head = await self._chain.block()
            if head is not None and head.number - mined.block + 1 >= self._profile.finality:
                break
            await asyncio.sleep(self.pause_s)
        return await self._chain.mined(mined.hash)

    async def _mined(self, attempts: list[Attempt]) -> Mined | None:
        for attempt in attempts:
            mined = await self._chain.mined(attempt.hash)
            if mined is not None:
                return mined
        return None

    async def _gas(self, call: ContractCall) -> int:
        gas = await self._chain.estimate(self.address, call.to, call.data)
        return min(gas * (100 + GAS_MARGIN_PERCENT) // 100, GAS_MAX)

    async def _offer(self, draft: Draft, last: Attempt | None) -> Attempt:
        """Sign and hand over: first, or for more than the last time."""
        head = await self._chain.block()
        if head is None:
            raise ChainFailed("lagging", "the node has no blocks")
        price = await self._chain.price()
        fees = self._fees
        most, tip = fees.bumped(last, head, price) if last else fees.first(head, price)
        await self._afford(draft.gas * most)
        signed = self._account.sign(structs.replace(draft, max_fee=most, tip=tip))
        try:
            await self._chain.send(signed.raw)
        except ChainFailed as failed:
            if failed.cause not in _PASSING:  # the next look says what became of those
                raise
        return Attempt(signed.hash, signed.raw, draft.gas, most, tip, self._clock.now())

    async def _afford(self, needed: int) -> None:
        owned = await self._chain.balance(self.address)
        if owned < needed:
            raise ChainFailed(
                "no_funds",
                f"{self.address} has {owned} wei for gas and may need {needed}: send it "
                f"{needed - owned} wei more",
            )
