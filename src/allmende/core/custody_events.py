"""Custody events: what can have happened to wallets.

Rule: a wallet's deposit is credit issued against the vault, its withdrawal credit taken back.
Invariant: the postings of every event sum to zero for each asset.
Worked number: 5 deposited and 2 asked back post -3 to `issuer/credit` and +3 to the member.
"""

from __future__ import annotations

from allmende.core.custody import CHAIN, Permit, Wrap
from allmende.core.facts import Event, move
from allmende.core.nouns import Posting
from allmende.core.units import Amount


class WalletLinked(Event, frozen=True):
    member: str
    address: str
    asset: str


class PermitGranted(Event, frozen=True):
    """`base` is where the lane stood; a session's `budget` allows what the permit adds to it."""

    member: str
    permit: Permit
    base: Amount
    budget: str = ""
    parent: str = ""
    asset: str = ""


class PermitEnded(Event, frozen=True):
    member: str
    lane: int


class Vouched(Event, frozen=True):
    member: str
    lane: int
    amount: Amount
    signature: str


class VaultFollowed(Event, frozen=True):
    """What came since it was last followed. A contested request makes `requested` negative."""

    member: str
    issuer: str
    asset: str
    deposited: Amount
    requested: Amount

    @property
    def postings(self) -> tuple[Posting, ...]:
        return move(self.issuer, self.member, self.asset, self.deposited - self.requested)


class RequestWaits(Event, frozen=True):
    """`owing` of what was asked for is not free: whatever comes free goes there first."""

    member: str
    owing: Amount


class WalletsCut(Event, frozen=True):
    """Every wallet's account was noted, with all batches up to number `batch` in it."""

    batch: int


class RightsWrapped(Event, frozen=True):
    wrap: Wrap

    @property
    def postings(self) -> tuple[Posting, ...]:
        return move(self.wrap.account, CHAIN, self.wrap.instrument, self.wrap.grains)


class WrapEnded(Event, frozen=True):
    """`back` is empty where they were minted."""

    id: str
    back: tuple[Posting, ...] = ()

    @property
    def postings(self) -> tuple[Posting, ...]:
        return self.back


class RightsUnwrapped(Event, frozen=True):
    account: str
    instrument: str
    grains: int
    reference: str

    @property
    def postings(self) -> tuple[Posting, ...]:
        return move(CHAIN, self.account, self.instrument, self.grains)
