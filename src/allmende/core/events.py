"""Events: everything that can have happened, in the past tense.

Rule: an event is a fact with all it takes to apply it; applying never refuses.
Invariant: the postings of every event sum to zero for each asset.
Worked number: a receipt of 185_100_000 pico posts -185_100_000 to the payer, and to the
payees 185_100_000 in as many lines as the waterfall has.
"""

from __future__ import annotations

from typing import TypeAlias

from allmende.core import abroad_events as b
from allmende.core import charter_events as h
from allmende.core import check_events as k
from allmende.core import custody_events as w
from allmende.core import drill_events as d
from allmende.core import evidence_events as v
from allmende.core import exchange_events as x
from allmende.core import jury_events as j
from allmende.core import reward_events as r
from allmende.core import title_events as t
from allmende.core import tree_events as m
from allmende.core.actors import Registry
from allmende.core.facts import Event as Event
from allmende.core.facts import move
from allmende.core.nouns import Asset, Key, Market, Member, Offer, Posting, Receipt, Title, paid
from allmende.core.units import Amount, Instant, Units


class Founded(Event, frozen=True):
    market: Market
    asset: Asset


class MemberAdded(Event, frozen=True):
    member: Member


class BudgetAdded(Event, frozen=True):
    id: str
    name: str
    owner: str
    parent: str
    asset: str
    period: str
    limit: Amount | None


class BudgetChanged(Event, frozen=True):
    id: str
    limit: Amount | None


class CarbonCapSet(Event, frozen=True):
    """Micrograms of CO2-equivalent per period of the budget; None: no cap."""

    id: str
    cap_ug: int | None


class KeyIssued(Event, frozen=True):
    key: Key


class KeyRevoked(Event, frozen=True):
    id: str


class AssetRegistered(Event, frozen=True):
    asset: Asset


class Deposited(Event, frozen=True):
    member: str
    issuer: str
    asset: str
    amount: Amount
    reference: str

    @property
    def postings(self) -> tuple[Posting, ...]:
        return move(self.issuer, self.member, self.asset, self.amount)


class Minted(Event, frozen=True):
    member: str
    issuer: str
    asset: str
    amount: Amount

    @property
    def postings(self) -> tuple[Posting, ...]:
        return move(self.issuer, self.member, self.asset, self.amount)


class Transferred(Event, frozen=True):
    source: str
    target: str
    asset: str
    amount: Amount

    @property
    def postings(self) -> tuple[Posting, ...]:
        return move(self.source, self.target, self.asset, self.amount)


class TitleRegistered(Event, frozen=True):
    title: Title


class OfferPosted(Event, frozen=True):
    """`restated`: it stood already, with another energy; its faults stay what they were."""

    offer: Offer
    restated: bool = False


class OfferWithdrawn(Event, frozen=True):
    id: str


class Reserved(Event, frozen=True):
    """`output_limit` is tokens per choice; `bound` is what `amount` pays for at most.

    `right`, `grains` as in Hold. `missed` are instruments whose rights the caller
    had, and whose issuer's offer was not there to deliver. `ug` is micrograms of CO2 at worst.
    """

    hold: str
    key: str
    budget: str
    account: str
    offer: str
    endpoint: str
    amount: Amount
    bound: Units
    output_limit: int
    deadline: Instant
    prompt_hash: str = ""
    right: str = ""
    grains: int = 0
    missed: tuple[str, ...] = ()
    ug: int = 0


class Checkpointed(Event, frozen=True):
    hold: str
    units: Units


class Captured(Event, frozen=True):
    """The hold became a receipt. Provisional while its verdict is "pending"."""

    receipt: Receipt

    @property
    def postings(self) -> tuple[Posting, ...]:
        return paid(self.receipt)


class Voided(Event, frozen=True):
    """The hold was released. `down_until` takes its offer off the book until then."""

    hold: str
    cause: str
    fault: bool = False
    down_until: Instant = 0


class Finalised(Event, frozen=True):
    """A provisional receipt is final. `cause` says why, and names what a correction is for.

    `before` is the payment already made where the price changed, else empty; the
    correction posted is `receipt` minus `before`.
    """

    receipt: Receipt
    before: tuple[Posting, ...]
    cause: str

    @property
    def postings(self) -> tuple[Posting, ...]:
        if not self.before:
            return ()
        return paid(self.receipt) + tuple(
            Posting(p.account, p.asset, -p.amount) for p in self.before
        )


class BatchClosed(Event, frozen=True):
    """`root` commits to the receipts' root and the net postings together."""

    number: int
    receipts: int
    receipts_root: bytes
    net: tuple[Posting, ...]
    root: bytes


class ParameterScheduled(Event, frozen=True):
    name: str
    value: int
    effective: Instant


class ParameterChanged(Event, frozen=True):
    name: str
    value: int


class ActorsImported(Event, frozen=True):
    """A version of the registry, whole and canonical; `importer` is the key's id."""

    version: int
    registry: Registry
    sha256: str
    source: str
    importer: str


class Ticked(Event, frozen=True):
    """Idempotency keys older than `before` are forgotten."""

    before: Instant


Any: TypeAlias = (
    Founded
    | MemberAdded
    | BudgetAdded
    | BudgetChanged
    | CarbonCapSet
    | KeyIssued
    | KeyRevoked
    | AssetRegistered
    | Deposited
    | Minted
    | Transferred
    | TitleRegistered
    | OfferPosted
    | OfferWithdrawn
    | Reserved
    | Checkpointed
    | Captured
    | Voided
    | Finalised
    | BatchClosed
    | ParameterScheduled
    | ParameterChanged
    | m.Any
    | x.Any
    | ActorsImported
    | Ticked
    | w.WalletLinked
    | w.PermitGranted
    | w.PermitEnded
    | w.Vouched
    | w.VaultFollowed
    | w.RequestWaits
    | w.WalletsCut
    | w.RightsWrapped
    | w.WrapEnded
    | w.RightsUnwrapped
    | h.Chartered
    | h.Enacted
    | d.DrillStarted
    | d.DrillNoted
    | d.DrillEnded
    | j.JuryCalled
    | j.JuryDrawn
    | v.EvidenceFiled
    | v.EvidenceConfirmed
    | v.EvidenceEnded
    | v.Assessed
    | v.AssessmentEnded
    | v.FloorSet
    | k.Any
    | r.Any
    | t.Any
    | b.Any
)
"""The union that a journal decodes to."""
