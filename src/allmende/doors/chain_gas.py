"""Chain gas: what it cost to settle the latest batches, out of the chain's own receipts.

Rule: a batch costs what its submission and its finalising used, attempts that were reverted too;
a batch is told of when both are final.
Invariant: a number that was told stays: what is final does not change.
Worked number: 109_966 to submit and 100_365 to finalise 10_000 receipts are 21.03 gas a request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

from allmende.ports import ChainFailed, Mined, Send, Stage

LATEST = 5
WORD = 32
"""Bytes of the last argument of `submit`: how many receipts the batch has."""


class Gas(NamedTuple):
    batch: int
    receipts: int
    gas: int

    def row(self) -> dict[str, Any]:
        """`each` is gas per receipt, None of a batch without any."""
        hundredths = self.gas * 100 // self.receipts if self.receipts else None
        each = None if hundredths is None else f"{hundredths // 100}.{hundredths % 100:02}"
        return {**self._asdict(), "each": each}


GasOf: TypeAlias = Callable[[int], Awaitable[Sequence[Gas]]]
"""Of the latest batches up to this final one, newest first."""


class GasOfSends:
    """GasOf out of what the settler sent. `sends` finds all under keys that begin so, `mined`
    is the chain's, `vault` the address that begins the settler's keys."""

    def __init__(
        self,
        sends: Callable[[str], Iterable[Send]],
        mined: Callable[[str], Awaitable[Mined | None]],
        vault: str,
    ) -> None:
        self._sends = sends
        self._mined = mined
        self._vault = vault
        self._known: dict[int, Gas] = {}

    async def __call__(self, newest: int) -> list[Gas]:
        """Those that could be found out; a node that is away leaves out what is new."""
        numbers = range(newest, max(0, newest - LATEST), -1)
        try:
            for number in numbers:
                if number not in self._known:
                    await self._learn(number)
        except ChainFailed:
            pass  # it is asked again with the next page
        self._known = {number: self._known[number] for number in numbers if number in self._known}
        return list(self._known.values())

    async def _learn(self, number: int) -> None:
        submits, finals = (self._final(f"{act} {number}") for act in ("submit", "finalise"))
        if not submits or not finals:
            return
        gas = 0
        for send in submits + finals:
            mined = await self._mined(send.hash)
            if mined is None:
                return  # this node does not hold blocks that old
            gas += mined.gas
        receipts = int.from_bytes(submits[-1].wanted.data[-WORD:], "big")
        self._known[number] = Gas(number, receipts, gas)

    def _final(self, intent: str) -> list[Send]:
        """What was sent for it and is final, the one that worked last; nothing if none did."""
        sent = [s for s in self._sends(f"{self._vault} {intent} ") if s.stage is Stage.FINAL]
        sent.sort(key=lambda send: send.ok)
        return sent if sent and sent[-1].ok else []
