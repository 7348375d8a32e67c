"""Wallet kit: what the parts of the wallet door share.

Rule: the contracts may not be there yet when the door opens; until they stand, whatever needs
them is refused in words.
Invariant: money crosses this door as decimal text of credits, as everywhere; what a wallet is
asked to sign or to send is in base units, and never rounded: what is between two is refused.
Worked number: with a pay unit of 6 decimals "2.5" credits are 2_500_000 base units.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec import Struct

from allmende.core.refusals import Refused, Why
from allmende.core.state import State, Wallet
from allmende.core.units import SECOND, Amount, credits
from allmende.custody import Custody
from allmende.desk import Desk
from allmende.doors.plain import to_amount
from allmende.doors.settler_says import Status
from allmende.doors.settler_tree import Scale
from allmende.ports import Clock
from allmende.signing import Signing
from allmende.ticket import Ticket

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
SIGNATURE = re.compile(r"0x[0-9a-fA-F]{130}", re.ASCII)

T = TypeVar("T")


class Settling(Protocol):
    """What the wallet door needs of the settler."""

    async def ticket(self, member: str, *, pending: bool = False) -> Ticket:
        """Of the last final batch, or of the pending one if that is asked for and there; with an
        empty leaf where it has none of this member."""

    def status(self) -> Status: ...


class Contracts(Struct, frozen=True):
    """What stands on the chain, once it does. `ether` tells an address's wei."""

    custody: Custody
    settler: Settling
    ether: Callable[[str], Awaitable[int]]


class Kit:
    """One per wallet door. `contracts` is set when they stand."""

    def __init__(self, desk: Desk, clock: Clock, signing: Signing) -> None:
        self.desk = desk
        self.clock = clock
        self.signing = signing
        self.contracts: Contracts | None = None

    @property
    def state(self) -> State:
        return self.desk.state

    @property
    def at_s(self) -> int:
        return self.clock.now() // SECOND

    @property
    def stands(self) -> Contracts:
        """Refused(NOT_FOUND) while nothing stands."""
        if self.contracts is None:
            raise Refused(
                Why.NOT_FOUND, "This market's contracts are not on its chain yet; try again soon."
            )
        return self.contracts

    @property
    def custody(self) -> Custody:
        return self.stands.custody

    @property
    def scale(self) -> Scale:
        return Scale(10**self.custody.deployment.decimals)

    def wallet(self, member: str) -> Wallet:
        found = self.state.wallets.get(member)
        if found is None:
            raise Refused(
                Why.NOT_FOUND,
                f"No wallet is linked to {member!r}. Whoever manages it links one at /wallet.",
            )
        return found

    def member_of(self, address: str) -> str:
        """The member whose wallet this is, "" if it is nobody's."""
        return self.state.addresses.get(address, "")

    def units(self, value: object, field: str = "amount") -> tuple[Amount, int]:
        """Credits as text: pico-credits, and the same in base units. Refused(BAD_VALUE)."""
        pico = to_amount(value, field)
        units = self.scale.units(pico)
        if pico <= 0 or self.scale.pico(units) != pico or units >= 2**128:
            raise Refused(
                Why.BAD_VALUE,
                f"{field} is above 0 and in steps of {credits(self.scale.pico_up(1))}, "
                f"not {value!r:.40}.",
            )
        return pico, units


def address_of(text: object, field: str = "address") -> str:
    """In lower case. Refused(BAD_VALUE)."""
    if not isinstance(text, str) or not ADDRESS.fullmatch(text):
        raise Refused(Why.BAD_VALUE, f"{field} is an address: 0x and 40 of 0-9 a-f.")
    return text.lower()


def signature_of(text: object) -> bytes:
    """65 bytes, the last of them 27 or 28: some wallets say 0 or 1. Refused(BAD_SIGNATURE)."""
    if not isinstance(text, str) or not SIGNATURE.fullmatch(text):
        raise Refused(Why.BAD_SIGNATURE, "A signature is 0x and 130 of 0-9 a-f.")
    raw = bytes.fromhex(text[2:])
    return raw if raw[64] > 1 else raw[:64] + bytes([raw[64] + 27])


def recover(signing: Signing, digest: bytes, signature: bytes) -> str:
    """Who signed it. Refused(BAD_SIGNATURE)."""
    try:
        return signing.recover(digest, signature)
    except ValueError as error:
        raise Refused(Why.BAD_SIGNATURE, f"{error}.") from None


def read(kind: type[T], sent: dict[str, Any]) -> T:
    """The fields that a caller sent; numbers may be text. Refused(BAD_VALUE)."""
    try:
        return msgspec.convert(sent, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(Why.BAD_VALUE, f"{error}.") from None
