"""Drive: steps a sender until what is wanted is in the chain for good.

Rule: a node that is away for a moment is asked again a few times; whatever else stands in the
way ends the driving and nothing else: what was wanted stays wanted.
Invariant: `final` returns only if every transaction did what it should.
Worked number: with blocks of 12 s it looks every 5 s, on the embedded chain every 20 ms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import rlp
from eth_utils.crypto import keccak

from allmende.adapters.chain.profiles import Profile
from allmende.adapters.chain.words import ADDRESS, hexed
from allmende.custody import ContractCall
from allmende.ports import ChainFailed, Send, Sender, Stage, Wanted

PASSING = ("unreachable", "timeout", "busy", "lagging")
TRIES = 5
"""Failures of that kind in a row."""
LOOK_MIN_S, LOOK_MAX_S = 0.02, 5.0


class Driver:
    """Of one sender. While it drives, nobody else may step that sender."""

    def __init__(self, sender: Sender, profile: Profile, told: Callable[[str], None]) -> None:
        self._sender = sender
        self._pause_s = min(max(profile.block_ms / 2_000, LOOK_MIN_S), LOOK_MAX_S)
        self._told = told
        self._keys: list[str] = []
        self._said: set[str] = set()
        self._troubles = 0

    def want(self, key: str, call: ContractCall) -> None:
        """To be sent, after what was wanted before. Refused(REPLAYED)."""
        self.put(Wanted(key, call.to, call.data))

    def put(self, wanted: Wanted) -> None:
        self._sender.put(wanted)
        self._keys.append(wanted.key)

    async def created(self, key: str, account: str, data: bytes) -> str:
        """Where a creation will stand: known as soon as it has its nonce."""
        self.want(key, ContractCall("", data))
        while (nonce := self._send(key).nonce) is None:
            await self._look()
        return created_at(account, nonce)

    async def final(self) -> dict[str, Send]:
        """All that was wanted, when it is final. ChainFailed("reverted") if one failed."""
        while not all(self._send(key).stage is Stage.FINAL for key in self._keys):
            await self._look()
        self._say()
        return {key: self._send(key) for key in self._keys}

    async def _look(self) -> None:
        try:
            await self._sender.step()
            self._troubles = 0
        except ChainFailed as failed:
            self._troubles += 1
            if failed.cause not in PASSING or self._troubles >= TRIES:
                raise
        self._say()
        await asyncio.sleep(self._pause_s)

    def _send(self, key: str) -> Send:
        send = self._sender.get(key)
        assert send is not None
        if send.stage is Stage.FAILED or (send.stage is Stage.FINAL and not send.ok):
            why = send.detail or f"{send.hash} was reverted"
            raise ChainFailed("reverted", f"{key}: {why}")
        return send

    def _say(self) -> None:
        for key in self._keys:
            send = self._send(key)
            if send.stage is Stage.FINAL and key not in self._said:
                self._said.add(key)
                self._told(f"{key}: block {send.block} {send.contract}".rstrip())


def created_at(account: str, nonce: int) -> str:
    """The address of what an account creates with its transaction of this nonce."""
    sender = bytes.fromhex(account[2:])
    return hexed(keccak(rlp.encode([sender, nonce]))[-ADDRESS:])
