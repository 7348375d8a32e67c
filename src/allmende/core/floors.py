"""Floors: what an offer can show of its sovereignty at an instant, and what is demanded of it.

Rule: an objective's level is the lowest that valid evidence on the offer or its provider states,
and 0 where there is none; a regime that nobody validly assessed counts as the worst. What the
request, its budget and every budget above demand is combined, and the strictest stands.
Invariant: nothing is averaged, a request can only tighten, and what is not known does not pass.
Worked number: evidence of SOV-3 at 3 on the offer and at 2 on its provider is a level of 2, and
is told as contradictory; a floor of 2 above and a demand of 1 below make 2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import structs

from allmende.core.budgets import path
from allmende.core.commands import Reserve
from allmende.core.countries import CODES
from allmende.core.evidence import (
    CSF,
    EXPOSURE_MAX,
    KILL_SWITCH_MAX,
    LAWS,
    LEVEL_MAX,
    OBJECTIVES,
    Filed,
    Floor,
    Pairs,
    Signed,
)
from allmende.core.nouns import Offer, Policy
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import Instant

DEMANDS = {
    "min_seal": LEVEL_MAX,
    "max_exposure": EXPOSURE_MAX,
    "max_kill_switch": KILL_SWITCH_MAX,
}
"""What can be demanded -> the highest number that it may name."""
WORDS = {"min_seal": "sovereignty", "max_exposure": "exposure", "max_kill_switch": "kill switch"}
"""What can be demanded -> the word in a refusal."""
CURES_SHOWN = 3
"""Offers, and demands of each, that a refusal explains."""


class Seal(NamedTuple):
    """An objective as it stands: the lowest level of all evidence that is valid."""

    level: int
    contradictory: bool
    evidence: tuple[Filed, ...]


class Reach(NamedTuple):
    """A country's reach as it stands: the worst of what persons have validly signed."""

    exposure: int
    kill_switch: int
    signed: tuple[Signed, ...]


# What an offer can show ---------------------------------------------------------------


def footing(offer: Offer) -> str:
    """Digest of what evidence on an offer rests on: if this changes, it is another offer."""
    parts = (offer.title, offer.zone, offer.url, offer.upstream_model)
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def stands_on(state: State, provider: str, offer_id: str) -> str | None:
    """The footing of a provider's offer as it stands, "" for the provider itself."""
    if not offer_id:
        return ""
    offer = state.offers.get(offer_id)
    if offer is None or offer.provider != provider:
        return None
    return state.footings.get(offer_id) or footing(offer)


def good(state: State, id_: str, at: Instant) -> bool:
    """Whether evidence counts: it and all it rests on are confirmed, begun, unexpired and, where
    they speak of an offer, of that offer as it stands."""
    filed = state.evidence.get(id_)
    if filed is None or not _holds(state, filed, at):
        return False
    seen = {id_}
    ahead = [*filed.evidence.rests_on]
    while ahead:
        id_ = ahead.pop()
        if id_ in seen:
            continue
        seen.add(id_)
        filed = state.evidence.get(id_)
        if filed is None or not _holds(state, filed, at):
            return False
        ahead += filed.evidence.rests_on
    return True


def _holds(state: State, filed: Filed, at: Instant) -> bool:
    evidence = filed.evidence
    if not filed.confirmed_by or not evidence.issued <= at < evidence.expires:
        return False
    return stands_on(state, evidence.provider, evidence.offer) == filed.footing


def seal(state: State, offer: Offer, objective: str, at: Instant, framework: str = CSF) -> Seal:
    """The level that an offer reaches on an objective at an instant."""
    found = [
        state.evidence[id_]
        for id_ in state.filings.get(subject(offer.provider, objective), ())
        if _speaks_of(state.evidence[id_], offer, framework) and good(state, id_, at)
    ]
    levels = {filed.evidence.level for filed in found}
    return Seal(min(levels, default=0), len(levels) > 1, tuple(found))


def _speaks_of(filed: Filed, offer: Offer, framework: str) -> bool:
    evidence = filed.evidence
    return evidence.framework == framework and evidence.offer in ("", offer.id)


def reach(state: State, offer: Offer, regime: str, at: Instant) -> Reach:
    """How far a country's law reaches an offer at an instant."""
    signed = [*_signed(state, offer, regime, at)]
    said = [one.assessment for one in signed]
    return Reach(
        max((one.exposure for one in said), default=EXPOSURE_MAX),
        max((one.kill_switch for one in said), default=KILL_SWITCH_MAX),
        tuple(signed),
    )


def _signed(state: State, offer: Offer, regime: str, at: Instant) -> Iterator[Signed]:
    for of in ("", offer.id):
        found = state.assessments.get(subject(offer.provider, of), {}).get(regime)
        if found is None or at >= found.assessment.expires:
            continue
        if stands_on(state, offer.provider, of) == found.footing:
            yield found


def subject(provider: str, of: str) -> str:
    """What an assessment or evidence is of, as the state's key: ids have no slash."""
    return f"{provider}/{of}"


# What is demanded ---------------------------------------------------------------------


def pairs(name: str, told: Pairs) -> Pairs:
    """A demand as it is kept: known names, numbers within bounds, each once, sorted.

    Refused(BAD_VALUE) with what is wrong.
    """
    most = DEMANDS[name]
    found: dict[str, int] = {}
    for key, number in told:
        key = objective(key) if name == "min_seal" else regime(key)
        if not 0 <= number <= most:
            raise Refused(Why.BAD_VALUE, f"{name} of {key} is 0 to {most}, not {number}.")
        if key in found:
            raise Refused(Why.BAD_VALUE, f"{name} names {key} twice.")
        found[key] = number
    return tuple(sorted(found.items()))


def objective(name: str, framework: str = CSF) -> str:
    """Refused(BAD_VALUE) if the framework has no such objective."""
    known = OBJECTIVES.get(framework)
    if known is None:
        raise Refused(Why.BAD_VALUE, f"A framework is one of {', '.join(OBJECTIVES)}.")
    if name not in known:
        raise Refused(
            Why.BAD_VALUE, f"An objective is {known[0]} to {known[-1]}, not {name!r:.40}."
        )
    return name


def regime(name: str) -> str:
    """US, CN, or a country in three letters; USA and CHN are the same as the first two."""
    short = LAWS.get(name, name)
    if short not in LAWS.values() and short not in CODES:
        raise Refused(Why.BAD_VALUE, f"A regime is US, CN or a country as DEU, not {name!r:.40}.")
    return short


def asked(state: State, ask: Reserve, budget: str) -> Reserve:
    """A request with its policy tightened by the floors of its budget and of all above it."""
    if not state.floors:
        return ask
    policy = ask.policy
    for node in path(state, budget):
        floor = state.floors.get(node.id)
        policy = tightened(policy, floor) if floor is not None else policy
    return structs.replace(ask, policy=policy)


def tightened(policy: Policy, floor: Floor) -> Policy:
    """Both demands at once: of each objective the higher, of each regime the lower."""
    return structs.replace(
        policy,
        min_seal=_strictest(policy.min_seal, floor.min_seal, least=False),
        max_exposure=_strictest(policy.max_exposure, floor.max_exposure, least=True),
        max_kill_switch=_strictest(policy.max_kill_switch, floor.max_kill_switch, least=True),
    )


def _strictest(one: Pairs, other: Pairs, *, least: bool) -> Pairs:
    found: dict[str, int] = {}
    for name, number in (*one, *other):
        before = found.get(name, number)
        found[name] = min(before, number) if least else max(before, number)
    return tuple(sorted(found.items()))


def demands(policy: Policy) -> bool:
    return bool(policy.min_seal or policy.max_exposure or policy.max_kill_switch)


def short(state: State, offer: Offer, policy: Policy, at: Instant) -> str:
    """The word for the first demand that an offer does not meet, "" if it meets them all."""
    if not demands(policy):
        return ""
    return next((WORDS[kind] for kind, _ in _lacks(state, offer, policy, at)), "")


def told(state: State, ids: Sequence[str], ask: Reserve) -> tuple[str, dict[str, Any]]:
    """Of the offers that come nearest to what is demanded: what they lack, what would cure it."""
    if not demands(ask.policy):
        return "", {}
    lacks = {id_: [*_lacks(state, state.offers[id_], ask.policy, ask.at)] for id_ in ids}
    near = sorted((id_ for id_ in ids if lacks[id_]), key=lambda id_: (len(lacks[id_]), id_))
    cures = {
        id_: "; ".join(says for _, says in lacks[id_][:CURES_SHOWN]) for id_ in near[:CURES_SHOWN]
    }
    return "".join(f" Of {id_!r} {says}." for id_, says in cures.items()), {"cures": cures}


def _lacks(state: State, offer: Offer, policy: Policy, at: Instant) -> Iterator[tuple[str, str]]:
    for name, level in policy.min_seal:
        has = seal(state, offer, name, at).level
        if has < level:
            yield (
                "min_seal",
                f"{name} is {has}, not {level}: confirmed evidence of it would cure it",
            )
    for name, most in policy.max_exposure:
        found = reach(state, offer, name, at)
        if found.exposure > most:
            yield "max_exposure", f"exposure to {name} is {_of(found, found.exposure, most, 'E')}"
    for name, most in policy.max_kill_switch:
        found = reach(state, offer, name, at)
        if found.kill_switch > most:
            yield (
                "max_kill_switch",
                f"{name}'s kill switch is {_of(found, found.kill_switch, most)}",
            )


def _of(found: Reach, has: int, most: int, letter: str = "") -> str:
    why = "as assessed" if found.signed else "as nobody validly assessed it"
    return f"{letter}{has} {why}, not {letter}{most}: a person's signed assessment would cure it"


def check(state: State) -> None:
    """What is kept by provider, objective and offer is so; floors are of budgets, and demand."""
    listed = {id_: of for of, ids in state.filings.items() for id_ in ids}
    said = {id_: filed.evidence for id_, filed in state.evidence.items()}
    owners = {id_: subject(one.provider, one.objective) for id_, one in said.items()}
    assert listed == owners, "evidence is listed under what it does not speak of"
    for id_, kept in state.footings.items():
        assert kept == footing(state.offers[id_]), f"offer {id_} stands on something else"
    assert state.floors.keys() <= state.budgets.keys(), "a floor of no budget"
    assert all(floor != Floor() for floor in state.floors.values()), "a floor of nothing"
