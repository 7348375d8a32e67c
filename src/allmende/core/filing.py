"""Filing: whether evidence is fit to be filed at all, before anybody judges its document.

Rule: it is complete, of a known objective, not expired, vouched for by somebody else, and rests
on what is there; in an import no row contradicts another or the file.
Invariant: following what evidence rests on never comes back to it.
Worked number: A rests on B and B on A: whichever is filed second is circular, and is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import structs

from allmende.core import floors
from allmende.core.evidence import LEVEL_MAX, Evidence
from allmende.core.identity import find_member, new_id
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import Instant

TEXT_MAX, NAME_MAX = 2_000, 200
"""Characters of a claim or a reasoning; of an issuer or a signer."""
FILED_MAX = 64
"""Pieces on one provider's file of one objective."""
RESTS_MAX = 16
HEX = frozenset("0123456789abcdef")

Staged = Mapping[str, Evidence]
"""Evidence by id that comes in the same command."""


def placed(state: State, evidence: Evidence) -> Evidence:
    """With its provider, where only an offer was named. Refused: NOT_FOUND, BAD_VALUE."""
    provider = provider_of(state, evidence.provider, evidence.offer)
    return structs.replace(evidence, provider=provider)


def provider_of(state: State, provider: str, offer_id: str) -> str:
    if not offer_id:
        return find_member(state, provider).id
    offer = state.offers.get(offer_id)
    if offer is None or provider not in ("", offer.provider):
        of = f" of {provider!r}" if provider else ""
        raise Refused(Why.NOT_FOUND, f"No offer {offer_id!r}{of} stands.")
    return offer.provider


def require_sound(state: State, evidence: Evidence, staged: Staged, at: Instant) -> None:
    new_id(evidence.id, evidence.id in state.evidence)
    floors.objective(evidence.objective, evidence.framework)
    if not 0 <= evidence.level <= LEVEL_MAX:
        raise Refused(Why.BAD_VALUE, f"A level is 0 to {LEVEL_MAX}, not {evidence.level}.")
    require_text("claim", evidence.claim, TEXT_MAX)
    require_text("issuer", evidence.issuer, NAME_MAX)
    if len(evidence.document) != 64 or set(evidence.document) - HEX:
        raise Refused(Why.BAD_VALUE, "A document is the SHA-256 of its file in 64 hex digits.")
    if not 0 < evidence.issued < evidence.expires:
        raise Refused(Why.BAD_VALUE, "It is issued before it expires.")
    if evidence.expires <= at:
        raise Refused(Why.ENDED, "This evidence has expired; ask its issuer for a new one.")
    about = _about(evidence)
    coming = sum(_about(other) == about for other in staged.values())
    if len(_on_file(state, evidence)) + coming > FILED_MAX:
        raise Refused(Why.OVER_LIMIT, f"At most {FILED_MAX} pieces an objective; withdraw some.")
    _require_other_issuer(state, evidence)
    _require_ground(state, evidence, staged)


def _on_file(state: State, evidence: Evidence) -> tuple[str, ...]:
    """What its provider has on the file of the same objective."""
    return state.filings.get(_about(evidence), ())


def _about(evidence: Evidence) -> str:
    return floors.subject(evidence.provider, evidence.objective)


def _require_other_issuer(state: State, evidence: Evidence) -> None:
    """Circular: a provider, or an organisation that it belongs to, vouches for itself."""
    if _plain(evidence.issuer) in {_plain(name) for name in _selves(state, evidence)}:
        raise Refused(
            Why.BAD_VALUE,
            f"This is circular: {evidence.issuer!r:.80} vouches for itself. Name another issuer.",
        )


def _selves(state: State, evidence: Evidence) -> Iterator[str]:
    member = state.members.get(evidence.provider)
    while member is not None:
        yield from (member.id, member.name)
        member = state.members.get(member.home)
    for offer in state.offers.values():
        if offer.provider == evidence.provider and evidence.offer in ("", offer.id):
            yield from (offer.id, offer.zone.operator, offer.zone.parent)


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _require_ground(state: State, evidence: Evidence, staged: Staged) -> None:
    """What it rests on is there, and does not come back to it."""
    if len(evidence.rests_on) > RESTS_MAX:
        raise Refused(Why.BAD_VALUE, f"Evidence rests on at most {RESTS_MAX} others.")
    seen: set[str] = set()
    ahead = [*evidence.rests_on]
    while ahead:
        id_ = ahead.pop()
        if id_ == evidence.id:
            raise Refused(Why.BAD_VALUE, f"This is circular: {id_!r} rests on itself.")
        if id_ in seen:
            continue
        seen.add(id_)
        ground = staged.get(id_)
        if ground is None and id_ in state.evidence:
            ground = state.evidence[id_].evidence
        if ground is not None:
            ahead += ground.rests_on
        elif id_ in evidence.rests_on:
            raise Refused(Why.NOT_FOUND, f"It rests on {id_!r}, which is not on the file.")


def require_agreement(state: State, evidence: Evidence, staged: Staged, at: Instant) -> None:
    """Of an import: nothing that says another level of the same thing at the same time."""
    on_file = _on_file(state, evidence)
    for other in (*staged.values(), *(state.evidence[id_].evidence for id_ in on_file)):
        if at < other.expires and _contradicts(evidence, other):
            raise Refused(
                Why.BAD_VALUE,
                f"It contradicts {other.id!r}, which says level {other.level} of "
                f"{other.objective}. If both are meant, file it by itself: the lower counts.",
            )


def _contradicts(one: Evidence, other: Evidence) -> bool:
    about = (one.provider, one.offer, one.framework, one.objective)
    same = about == (other.provider, other.offer, other.framework, other.objective)
    together = one.issued < other.expires and other.issued < one.expires
    return same and together and one.level != other.level


def require_text(name: str, text: str, most: int) -> None:
    if not text.strip() or len(text) > most:
        raise Refused(Why.BAD_VALUE, f"The {name} is 1 to {most} characters.")
