"""Main's chain: what a market with the setting `chain` has beside one without.

Rule: nothing of the chain is imported before it is wanted, so that a market without one needs
neither the extra `chain` nor the half second that importing it takes.
Invariant: importing it leaves Python's recursion limit, which bounds how deep a request's JSON
may be, as it was: py_ecc and py-evm raise it for the whole process.
Worked number: a node that is away for an hour is said once in the log, and once more when it
is away again after an answer.

What stands on the contracts (settler, wallet door, pages) is put together in `main_custody`.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from starlette.routing import BaseRoute

from allmende.adapters.secrets import Vault
from allmende.core.refusals import Refused, Why
from allmende.desk import Desk
from allmende.doors.bridge_look import BridgeLook
from allmende.doors.chain_rpc import ChainRpc
from allmende.doors.pay_per_call import PayPerCall
from allmende.doors.plain import to_amount
from allmende.main_duties import Duties
from allmende.ports import Clock, Upstream

STEP_S = 1.0
LOOKS_S = 15
"""Steps between two looks at the chain while nothing is under way; nodes elsewhere cost money."""


class Wiring(Struct, frozen=True):
    """What the market hands over. `where` is the setting `chain`, `profile` chain_profile,
    `terms` chain_terms."""

    where: str
    profile: str
    terms: str
    settle_every: int
    folder: Path
    vault: Vault
    clock: Clock
    upstream: Upstream
    institutions: bool = False
    bridge_node: str = ""


class ChainSide:
    """One per market; without the setting it is there and does nothing."""

    def __init__(self, wiring: Wiring) -> None:
        """Refused where the extra is missing or the settings do not fit; SecretBroken."""
        self.opened = None
        self.wiring = wiring
        self.duties = Duties()
        self._turn, self._failed = 0, False
        self._paying: PayPerCall | None = None
        self._bridge: BridgeLook | None = None
        if not wiring.where:
            return
        with tools():
            from allmende.adapters.chain.opened import OpenedChain
        self.opened = OpenedChain(
            *(wiring.folder, wiring.vault, wiring.clock, wiring.upstream),
            *(wiring.where, wiring.profile),
        )

    async def open(self) -> None:
        """ChainFailed if the embedded chain does not start; another node may be away."""
        if self.opened is not None:
            await self.opened.open()

    async def pay_per_call(self, desk: Desk, secret: bytes, least: str) -> PayPerCall:
        """What serves callers without a key, for `least` credits or more. Refused where that
        cannot be. ChainFailed."""
        smallest = to_amount(least, "pay_per_call_least")
        if smallest < 0:
            raise Refused(Why.BAD_VALUE, "No payment is below zero.", field="pay_per_call_least")
        if self.opened is None:
            text = (
                "The setting pay_per_call needs a chain: `--chain embedded`, or a node's address."
            )
            raise Refused(Why.BAD_VALUE, text, field="pay_per_call")
        with tools():
            from allmende.adapters.chain.paid_in import open_payments
        clock = self.wiring.clock
        payments = await open_payments(self.opened, self.wiring.folder, clock)
        self._paying = PayPerCall(desk, clock, payments, secret, least=smallest)
        await self._paying.open()
        return self._paying

    def routes(self) -> list[BaseRoute]:
        """What the hall gets besides its own doors."""
        if self.opened is None or not self.opened.embedded:
            return []
        return [*ChainRpc(self.opened.ask).routes()]

    def shown(self) -> tuple[str, int, BridgeLook]:
        """For the chain's page: which chain, and the bridge of this data directory, if there ever
        is one."""
        assert self.opened is not None
        with tools():
            from allmende.adapters.chain.bridge_told import BridgeTold
        wiring = self.wiring
        node = (wiring.bridge_node, wiring.upstream)
        told = BridgeTold(self.opened.chain, wiring.folder, *node)
        self._bridge = BridgeLook(told.facts, wiring.clock)
        return self.opened.profile.name, self.opened.profile.lag_s, self._bridge

    async def close(self) -> None:
        """When the doors are closed and `run` has ended."""
        if self._paying is not None:
            await self._paying.close()
        if self._bridge is not None:
            self._bridge.close()
        if self.opened is not None:
            await self.opened.close()

    async def run(self) -> None:
        """Send what is to be sent, until cancelled; what stands in the way is said once."""
        while self.opened is not None:
            await self.duties.once("The chain", self._send)
            await asyncio.sleep(STEP_S)

    async def _send(self) -> None:
        assert self.opened is not None
        self._turn += 1
        if self._turn % LOOKS_S == 1 or self._failed or self.opened.under_way():
            self._failed = True  # until it went well
            await self.opened.sender.step()
            self._failed = False


@contextlib.contextmanager
def tools() -> Iterator[None]:
    """Around an import of the chain's tools. Refused, with what to install."""
    limit = sys.getrecursionlimit()
    try:
        yield
    except ImportError as missing:
        raise Refused(
            Why.BAD_VALUE,
            f"The setting chain needs the extra `chain` ({missing}): pip install 'allmende[chain]'",
            field="chain",
        ) from None
    finally:
        sys.setrecursionlimit(limit)
