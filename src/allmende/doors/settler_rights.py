"""Settler, rights: out of the desk's custody into wallets as ERC-20s, and back.

Rule: what the account "chain" holds is in wallets or on its way there; each wrap is one mint
under the hash of its id, sent once, and the contract's own note of that hash says if it is done.
Invariant: of each instrument no more grains are on the chain than the account "chain" holds;
a wrap is minted once or goes back.
Worked number: a wrap of 2 lots whose transaction was reverted for good, because the instrument
had ended meanwhile, gives 200_000_000 grains back to its account, and its id is never used again.

The way back is settler_returns. A contract is deployed when its first wrap comes.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

from msgspec import Struct

from allmende.core import ledger
from allmende.core.contracts import Instrument
from allmende.core.custody import CHAIN, Wrap
from allmende.core.custody_commands import EndWrap
from allmende.core.state import Listing
from allmende.custody import Custody, Redemption
from allmende.desk import Desk
from allmende.doors.settler_returns import Returns
from allmende.ports import ChainFailed, Clock, Sender, Stage, Wanted
from allmende.wire.merkle_sum import Keccak

EnsureContract: TypeAlias = Callable[[Instrument], Awaitable[str]]
"""The address of an instrument's contract, final and recorded; "" while it is on its way.
ChainFailed. Called again until it answers, and after a restart if the record lacks it."""

log = logging.getLogger(__name__)


class BridgedRight(Struct, frozen=True):
    """One instrument's rights on the chain, for people. Quantities are grains."""

    instrument: str
    contract: str
    custody: int
    """On the account "chain"."""
    wallets: int
    """The contract's supply at the last final block that was read."""
    on_the_way: int
    unknown: tuple[Redemption, ...]
    """Redeemed for a hash that is no member's: credited when a member with it comes."""
    alarm: str
    """Why nothing is minted or credited; "" if all is well."""


class RightsBridge:
    """`await step()` now and then, one at a time; whoever owns the sender steps that."""

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        custody: Custody,
        sender: Sender,
        ensure_contract: EnsureContract,
        keccak: Keccak,
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._custody = custody
        self._sender = sender
        self._ensure = ensure_contract
        self._returns = Returns(desk, clock, custody, keccak)
        self._contracts = dict(custody.deployment.rights)

    async def step(self) -> None:
        """Mint, end and credit what can be. ChainFailed says what stands in the way now; one
        instrument's trouble does not keep the others waiting."""
        failures = []
        for instrument in self._busy():
            try:
                await self._bridge(instrument)
            except ChainFailed as failed:
                failures.append(failed)
        if failures:
            raise failures[0]

    def status(self) -> list[BridgedRight]:
        """As of the last step, in the order of ids; what is settled is left out."""
        return [self._told(id_) for id_ in sorted(self._contracts) if id_ in self._listings]

    def reference(self, wrap: str) -> str:
        """Under which the wrap with this id is minted."""
        return self._returns.hash(wrap)

    # --- one instrument ------------------------------------------------------------------

    async def _bridge(self, id_: str) -> None:
        if id_ not in self._listings:
            await self._end(self._wraps(id_), minted=False)  # it was settled: nothing is left
            return
        if id_ not in self._contracts and not await self._deploy(id_):
            return
        final = await self._custody.final_block()
        await self._mint(id_, final)
        if id_ in self._listings:
            await self._returns.credit(id_, final)

    async def _deploy(self, id_: str) -> bool:
        """Whether its contract is there."""
        instrument = self._listings[id_].instrument
        if self._clock.now() >= instrument.end:
            await self._end(self._wraps(id_), minted=False)  # nothing was ever sent for them
            return False
        address = await self._ensure(instrument)
        if address:
            self._custody.add_rights(id_, address)
            self._contracts[id_] = address
        return bool(address)

    async def _mint(self, id_: str, final: int) -> None:
        """Send for what was not sent for; end what is minted, or never can be."""
        for wrap in self._wraps(id_):
            reference = self.reference(wrap.id)
            minted = await self._custody.minted(id_, reference, final)
            if id_ not in self._listings:
                return  # settled while we read
            if minted:
                await self._end([wrap], minted=True)
            elif self._never(wrap, final):
                log.warning("wrap %s cannot be minted and goes back", wrap.id)
                await self._end([wrap], minted=False)
            elif self._sender.get(_key(wrap)) is None and not self._returns.of(id_).alarm:
                call = self._custody.mint_right(id_, wrap.to, wrap.grains, reference)
                self._sender.put(Wanted(_key(wrap), *call))

    def _never(self, wrap: Wrap, final: int) -> bool:
        """Whether a wrap that is not minted at block `final` never will be: one transaction
        could do it, and that was not sent, will not be, or was reverted for good."""
        send = self._sender.get(_key(wrap))
        if send is None:
            return self._clock.now() >= self._listings[wrap.instrument].instrument.end
        if send.stage == Stage.FAILED:
            return True
        return send.stage == Stage.FINAL and not send.ok and (send.block or 0) <= final

    async def _end(self, wraps: Iterable[Wrap], *, minted: bool) -> None:
        for wrap in wraps:
            command = EndWrap(at=self._clock.now(), id=wrap.id, minted=minted)
            await self._desk.submit(command)

    # --- looking -------------------------------------------------------------------------

    @property
    def _listings(self) -> dict[str, Listing]:
        return self._desk.state.listings

    def _busy(self) -> list[str]:
        """Instruments with something to do: on the chain, or on their way there."""
        there = {id_ for id_ in self._contracts if id_ in self._listings}
        return sorted(there | {wrap.instrument for wrap in self._desk.state.wraps.values()})

    def _wraps(self, id_: str) -> list[Wrap]:
        return [wrap for wrap in self._desk.state.wraps.values() if wrap.instrument == id_]

    def _told(self, id_: str) -> BridgedRight:
        read = self._returns.of(id_)
        return BridgedRight(
            instrument=id_,
            contract=self._contracts[id_],
            custody=ledger.balance(self._desk.state, CHAIN, id_),
            wallets=read.supply,
            on_the_way=sum(wrap.grains for wrap in self._wraps(id_)),
            unknown=self._returns.unknown(id_),
            alarm=read.alarm,
        )


def _key(wrap: Wrap) -> str:
    return f"mint {wrap.id}"
