"""Settler, returns: rights that wallets burnt come back to accounts of the desk.

Rule: the chain's state says how much came back; its logs say only to whom, and count for
nothing where they do not add up to it.
Invariant: what was burnt is credited once, whatever is read again, and never more of it than
the account "chain" holds for wallets.
Worked number: custody 5 lots, 1 of them on its way, a supply of 3: so 1 lot came back, and one
Redeemed of 1 lot that was not yet credited explains it.

Theory of operation. Whoever wraps has given his grains to "chain" in the same event, so at every
moment  custody - on their way = supply + burnt and not yet credited.  Both sides are taken at
one final block. If they differ nothing is credited or minted, the logs are read from the first
block again a little later, and the alarm says so until they agree. After the end anyone may
sweep, so the last block before it is the one that is compared.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from msgspec import Struct, field

from allmende.core import ledger
from allmende.core.custody import CHAIN
from allmende.core.custody_commands import UnwrapRights
from allmende.core.units import SECOND, Instant
from allmende.custody import Custody, Redemption
from allmende.desk import Desk
from allmende.ports import Clock
from allmende.wire.merkle_sum import Keccak

NEAR_S = 86_400
"""So long before an instrument's end we begin to ask each block for its time; a chain whose
blocks come only when wanted may be ahead of the clock."""
RETRY_S = 10
"""Between two looks at a contract that there is an alarm about."""

log = logging.getLogger(__name__)


class Read(Struct):
    """What was read of one contract. Lost at a restart, and read again."""

    until: int
    """The last block whose logs were read."""
    supply: int = 0
    last: int | None = None
    """The last block before the end, once that is over."""
    burnt: dict[str, Redemption] = field(default_factory=dict)
    """By reference; not yet credited."""
    alarm: str = ""
    """Why nothing is minted or credited."""
    retry: Instant = 0


class Returns:
    """`await credit(instrument, final block)`, after what is minted there was noted."""

    def __init__(self, desk: Desk, clock: Clock, custody: Custody, keccak: Keccak) -> None:
        self._desk = desk
        self._clock = clock
        self._custody = custody
        self._keccak = keccak
        self._read: dict[str, Read] = {}
        self._members: dict[str, str] = {}
        """Hash -> id."""

    def of(self, id_: str) -> Read:
        return self._read.setdefault(id_, Read(self._first()))

    def unknown(self, id_: str) -> tuple[Redemption, ...]:
        """Burnt for a hash that is no member's: credited when a member with it comes."""
        return tuple(r for r in self.of(id_).burnt.values() if self._member(r.account) is None)

    def hash(self, text: str) -> str:
        return "0x" + self._keccak(text.encode()).hex()

    async def credit(self, id_: str, final: int) -> None:
        """Credit what was burnt, if the state of the chain says that so much was. ChainFailed."""
        read = self.of(id_)
        if read.alarm and self._clock.now() < read.retry:
            return
        at = await self._before_end(id_, read, final)
        if at > read.until:
            burnt = await self._custody.redemptions(id_, read.until + 1, at)
            read.supply = await self._custody.supply(id_, at)
            read.burnt |= referenced(burnt)
            read.until = at
        if id_ not in self._desk.state.listings:
            return  # settled while we read
        known = self._desk.state.references
        read.burnt = {name: one for name, one in read.burnt.items() if name not in known}
        self._compare(id_, read)
        for name, one in read.burnt.items():
            await self._credit_one(name, one)

    def _compare(self, id_: str, read: Read) -> None:
        """Set or lift the alarm; see the theory of operation."""
        state = self._desk.state
        way = sum(wrap.grains for wrap in state.wraps.values() if wrap.instrument == id_)
        there = ledger.balance(state, CHAIN, id_) - way
        said = _difference(id_, there, read.supply, sum(one.grains for one in read.burnt.values()))
        if said and said != read.alarm:
            log.error("The chain: %s", said)
        read.alarm = said
        if said:
            read.until, read.burnt = self._first(), {}
            read.retry = self._clock.now() + RETRY_S * SECOND

    async def _credit_one(self, name: str, one: Redemption) -> None:
        account = self._member(one.account)
        if account is None or one.instrument not in self._desk.state.listings:
            return
        await self._desk.submit(
            UnwrapRights(
                at=self._clock.now(),
                account=account,
                instrument=one.instrument,
                grains=one.grains,
                reference=name,
            )
        )

    async def _before_end(self, id_: str, read: Read, final: int) -> int:
        """The newest final block before the instrument's end."""
        if read.last is not None:
            return read.last
        end_s = self._desk.state.listings[id_].instrument.end // SECOND
        if final <= read.until or self._clock.now() // SECOND < end_s - NEAR_S:
            return final
        if await self._time_s(final) < end_s:
            return final
        low, high = max(read.until, self._first()), final
        while high - low > 1:
            middle = (low + high) // 2
            if await self._time_s(middle) < end_s:
                low = middle
            else:
                high = middle
        read.last = low
        return low

    async def _time_s(self, block: int) -> int:
        return (await self._custody.look(block)).time_s

    def _first(self) -> int:
        """No block up to this one has anything of ours."""
        return self._custody.deployment.block - 1

    def _member(self, hashed: str) -> str | None:
        """Whose id has this hash; ids stay, so each is hashed once."""
        members = self._desk.state.members
        if len(self._members) < len(members):
            done = set(self._members.values())
            self._members |= {self.hash(id_): id_ for id_ in members if id_ not in done}
        return self._members.get(hashed)


def referenced(burnt: Iterable[Redemption]) -> dict[str, Redemption]:
    """Each with the name that it is credited under: its transaction, and which one in there, so
    that it keeps its name in whatever block the transaction stands. Whole blocks only."""
    count: dict[str, int] = {}
    named = {}
    for one in sorted(burnt, key=lambda redemption: (redemption.block, redemption.index)):
        place = count[one.transaction] = count.get(one.transaction, -1) + 1
        named[f"redeem:{one.transaction}:{place}"] = one
    return named


def _difference(id_: str, there: int, supply: int, told: int) -> str:
    """What is wrong, or nothing; `there` is in custody for wallets, `told` in logs."""
    if supply > there:
        return (
            f"{supply} grains of {id_} are on the chain and {there} in custody for them: somebody "
            "else mints, or the chain took back what was final. Nothing is minted or credited "
            "until a person has looked."
        )
    if told != there - supply:
        return (
            f"{there - supply} grains of {id_} came back from wallets, and the node shows logs of "
            f"{told}: ask another node. Nothing is minted or credited until they agree."
        )
    return ""
