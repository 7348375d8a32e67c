"""Floors the dumb way: what an offer could show at an instant, read again from all events.

Rule: nothing is carried along and nothing of core.floors is used: whoever asks reads the journal
from its beginning, as an inspector with a pencil would.
Invariant: a Reserved that this calls a breach is one, whatever the market believes.
Worked number: evidence confirmed in event 5, expiring at 100 and withdrawn in event 9 counts for
a request at 99 in event 8, and for none at 100 or after event 9.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from allmende.core import events as e
from allmende.core import evidence_events as f
from allmende.core.custody_events import PermitGranted
from allmende.core.evidence import Evidence, Floor, Signed
from allmende.core.nouns import Offer, Policy

NOTHING = Policy()
FACTS = (
    *(e.BudgetAdded, e.OfferPosted, e.OfferWithdrawn, PermitGranted, f.FloorSet),
    *(f.EvidenceFiled, f.EvidenceConfirmed, f.EvidenceEnded, f.Assessed, f.AssessmentEnded),
)
"""All that it looks at."""
Demand = dict[tuple[str, str], int]
"""(kind, objective or regime) -> number; kinds as the fields of a Policy."""


class Inspection(NamedTuple):
    """How many requests were served under a demand, and what was wrong with whose offer."""

    judged: int
    breaches: list[str]


def inspect(events: Iterable[e.Event], asked: Mapping[str, Policy]) -> Inspection:
    """Every request that was given an offer below what it, or a budget above it, demanded.

    `asked` is what each request (by the id of its hold) demanded itself.
    """
    judged = 0
    found: list[str] = []
    past: list[e.Event] = []
    for event in events:
        if isinstance(event, FACTS):
            past.append(event)
        elif isinstance(event, e.Reserved):
            wants = demanded(past, event.budget, asked.get(event.hold, NOTHING))
            judged += bool(wants)
            lacks = missing(past, offers(past)[event.offer], wants, event.at) if wants else []
            found += [f"{event.hold} at {event.offer}: {lack}" for lack in lacks]
    return Inspection(judged, found)


def demanded(events: Sequence[e.Event], budget: str, policy: Policy) -> Demand:
    """The strictest of a request's own demand and the floors of all budgets above it."""
    above = _above(events, budget)
    last = {event.budget: event.floor for event in events if isinstance(event, f.FloorSet)}
    found: Demand = {}
    all_: list[Policy | Floor] = [policy, *(last[id_] for id_ in above if id_ in last)]
    for said in all_:
        for kind, pairs in (
            ("min_seal", said.min_seal),
            ("max_exposure", said.max_exposure),
            ("max_kill_switch", said.max_kill_switch),
        ):
            for name, number in pairs:
                before = found.get((kind, name), number)
                strict = max if kind == "min_seal" else min
                found[kind, name] = strict(before, number)
    return found


def _above(events: Iterable[e.Event], budget: str) -> list[str]:
    parents = {}
    for event in events:
        if isinstance(event, e.BudgetAdded):
            parents[event.id] = event.parent
        elif isinstance(event, PermitGranted) and event.budget:
            parents[event.budget] = event.parent
    found = []
    while budget:
        found.append(budget)
        budget = parents[budget]
    return found


def missing(events: Sequence[e.Event], offer: Offer, wants: Demand, at: int) -> list[str]:
    """What an offer lacks at an instant, after these events."""
    found = []
    for (kind, name), number in wants.items():
        if kind == "min_seal":
            has = level(events, offer, name, at)
            if has < number:
                found.append(f"{name} is {has}, not {number}")
        else:
            exposure, kill_switch = reach(events, offer, name, at)
            has = exposure if kind == "max_exposure" else kill_switch
            if has > number:
                found.append(f"{kind} of {name} is {has}, not {number}")
    return found


def level(events: Sequence[e.Event], offer: Offer, objective: str, at: int) -> int:
    """The lowest level that valid evidence states, 0 without any."""
    said = [
        evidence.level
        for evidence in standing(events).values()
        if evidence.objective == objective
        and evidence.provider == offer.provider
        and evidence.offer in ("", offer.id)
        and counts(events, evidence, at)
    ]
    return min(said, default=0)


def counts(events: Sequence[e.Event], evidence: Evidence, at: int) -> bool:
    """Begun, not over, confirmed of the offer as it stands now; and so is all it rests on."""
    if not evidence.issued <= at < evidence.expires:
        return False
    confirmed = None
    for number, event in enumerate(events):
        if isinstance(event, f.EvidenceFiled) and event.filed.evidence.id == evidence.id:
            confirmed = None
        elif isinstance(event, f.EvidenceConfirmed) and event.id == evidence.id:
            confirmed = number
    if confirmed is None or _ground(events, evidence) != _ground(events[:confirmed], evidence):
        return False
    file = standing(events)
    return all(id_ in file and counts(events, file[id_], at) for id_ in evidence.rests_on)


def standing(events: Iterable[e.Event]) -> dict[str, Evidence]:
    """What is on the file, confirmed or not."""
    found = {}
    for event in events:
        if isinstance(event, f.EvidenceFiled):
            found[event.filed.evidence.id] = event.filed.evidence
        elif isinstance(event, f.EvidenceEnded):
            del found[event.id]
    return found


def _ground(events: Sequence[e.Event], of: Evidence) -> object:
    """What evidence on an offer was confirmed of; None where the offer does not stand."""
    return _essence(events, of.provider, of.offer)


def _essence(events: Sequence[e.Event], provider: str, id_: str) -> object:
    if not id_:
        return "the provider"
    offer = offers(events).get(id_)
    if offer is None or offer.provider != provider:
        return None
    return offer.title, offer.zone, offer.url, offer.upstream_model


def reach(events: Sequence[e.Event], offer: Offer, regime: str, at: int) -> tuple[int, int]:
    """The worst that is validly signed for an offer and its provider; else E3 and 2."""
    valid = [
        signed.assessment
        for number, signed in _assessments(events)
        if signed.assessment.regime == regime
        and signed.assessment.provider == offer.provider
        and signed.assessment.offer in ("", offer.id)
        and at < signed.assessment.expires
        and _same_ground(events, number, signed)
    ]
    if not valid:
        return 3, 2
    return max(one.exposure for one in valid), max(one.kill_switch for one in valid)


def _same_ground(events: Sequence[e.Event], number: int, signed: Signed) -> bool:
    provider, id_ = signed.assessment.provider, signed.assessment.offer
    return _essence(events, provider, id_) == _essence(events[:number], provider, id_)


def _assessments(events: Iterable[e.Event]) -> list[tuple[int, Signed]]:
    """Those that stand, with the number of the event that signed each."""
    found: dict[tuple[str, str, str], tuple[int, Signed]] = {}
    for number, event in enumerate(events):
        if isinstance(event, f.Assessed):
            said = event.signed.assessment
            found[said.provider, said.offer, said.regime] = number, event.signed
        elif isinstance(event, f.AssessmentEnded):
            del found[event.provider, event.offer, event.regime]
    return list(found.values())


def offers(events: Iterable[e.Event]) -> dict[str, Offer]:
    """Those that stand after these events."""
    found = {}
    for event in events:
        if isinstance(event, e.OfferPosted):
            found[event.offer.id] = event.offer
        elif isinstance(event, e.OfferWithdrawn):
            found.pop(event.id)
    return found
