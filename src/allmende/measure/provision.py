"""Provision: which offers stood when, how busy they were, and what came in while one was away.

Rule: an absence runs from an offer's withdrawal to its return; a return under a new price is
part of the absence.
Invariant: busy is a mean of requests in flight over the last ten minutes or so, so that one
quiet second does not make an offer idle.
Worked number: one request in flight throughout 600 s takes busy from 0 to 1 - 1/e = 0.63.
"""

from __future__ import annotations

from math import exp

from msgspec import Struct

from allmende.core import events as e
from allmende.core.nouns import Offer
from allmende.core.units import METERS, SECOND, Amount, Instant

MEMORY_S = 600
RECEIPTS_KEPT = 5
"""Of each absence, the first ones, for a person to look at."""


class Absence(Struct):
    """An offer left the book at event `seq`. `back` is the event of its return, 0 while away.

    `busy` is requests in flight before it left; `rivals` its provider's other offers of the
    model that were dearer, and `served` their receipts and pico-credits while it was away.
    """

    seq: int
    at: Instant
    offer: Offer
    busy: float
    faulted: bool
    rivals: tuple[Offer, ...]
    served: int = 0
    earned: Amount = 0
    receipts: tuple[int, ...] = ()
    back: int = 0
    returned: Instant = 0
    dearer: bool = False


class _Standing(Struct):
    offer: Offer
    open: int = 0
    busy: float = 0.0
    since: Instant = 0
    faulted: bool = False


class Provision:
    """`absences` in the order in which they began."""

    def __init__(self) -> None:
        self.absences: list[Absence] = []
        self._standing: dict[str, _Standing] = {}
        self._away: dict[str, Absence] = {}
        self._holds: dict[str, str] = {}
        self._rivals: dict[str, list[Absence]] = {}

    def feed(self, seq: int, event: e.Event) -> None:
        if isinstance(event, e.OfferPosted):
            self._posted(seq, event)
        elif isinstance(event, e.OfferWithdrawn):
            self._withdrawn(seq, event)
        elif isinstance(event, e.Reserved):
            self._holds[event.hold] = event.offer
            self._flight(event.offer, event.at, 1)
        elif isinstance(event, e.Captured):
            self._released(event.receipt.id, event.at)
            self._earned(seq, event.receipt.offer, event.receipt.price)
        elif isinstance(event, e.Voided):
            offer = self._released(event.hold, event.at)
            if event.fault and offer in self._standing:
                self._standing[offer].faulted = True

    def _posted(self, seq: int, event: e.OfferPosted) -> None:
        offer = event.offer
        away = self._away.pop(offer.id, None)
        if away is not None:
            away.back, away.returned = seq, event.at
            away.dearer = dear(offer) > dear(away.offer)
            for rival in away.rivals:
                self._rivals[rival.id].remove(away)
        old = self._standing.get(offer.id, _Standing(offer, since=event.at))
        self._standing[offer.id] = _Standing(offer, old.open, old.busy, old.since)

    def _withdrawn(self, seq: int, event: e.OfferWithdrawn) -> None:
        self._flight(event.id, event.at, 0)
        gone = self._standing.pop(event.id)
        rivals = tuple(
            other.offer
            for other in self._standing.values()
            if (other.offer.provider, other.offer.model) == (gone.offer.provider, gone.offer.model)
            and dear(other.offer) > dear(gone.offer)
        )
        absence = Absence(seq, event.at, gone.offer, gone.busy, gone.faulted, rivals)
        self.absences.append(absence)
        self._away[event.id] = absence
        for rival in rivals:
            self._rivals.setdefault(rival.id, []).append(absence)

    def _released(self, hold: str, at: Instant) -> str:
        offer = self._holds.pop(hold, "")
        self._flight(offer, at, -1)
        return offer

    def _flight(self, offer: str, at: Instant, change: int) -> None:
        standing = self._standing.get(offer)
        if standing is None:
            return
        passed = (at - standing.since) / SECOND
        kept = exp(-max(0.0, passed) / MEMORY_S)
        standing.busy = standing.open + (standing.busy - standing.open) * kept
        standing.open = max(0, standing.open + change)
        standing.since = at

    def _earned(self, seq: int, offer: str, price: Amount) -> None:
        for absence in self._rivals.get(offer, ()):
            absence.served += 1
            absence.earned += price
            absence.receipts = (*absence.receipts, seq)[:RECEIPTS_KEPT]


def dear(offer: Offer) -> Amount:
    """Pico-credits for one of each meter that is sold: enough to say which is dearer."""
    return sum(getattr(offer.tariff, meter) or 0 for meter in METERS)
