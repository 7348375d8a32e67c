"""Verify evidence: filed as a claim, confirmed by a person, ended by hand or by time.

Rule: a provider's manager or an operator files; only a person with an operator's key confirms,
or signs an assessment. Nobody vouches for himself, and nothing rests on itself.
Invariant: evidence that rests on other evidence never closes a circle; an import is whole or not.
Worked number: of 40 rows with one that is expired none is filed, and the refusal names that row.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import evidence_commands as v
from allmende.core import evidence_events as f
from allmende.core import floors
from allmende.core.evidence import (
    EXPOSURE_MAX,
    KILL_SWITCH_MAX,
    Assessment,
    Evidence,
    Filed,
    Signed,
)
from allmende.core.filing import (
    NAME_MAX,
    TEXT_MAX,
    placed,
    provider_of,
    require_agreement,
    require_sound,
    require_text,
)
from allmende.core.identity import allow, allow_operator, key, new_id
from allmende.core.nouns import SYSTEM
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import Instant

ROWS_MAX, ROWS_SHOWN = 256, 4
"""Rows of an import; and of bad ones in its refusal's sentence: all are among its facts."""


def file(state: State, command: v.FileEvidence) -> list[e.Event]:
    evidence = placed(state, command.evidence)
    by = _filer(state, evidence, command)
    require_sound(state, evidence, {evidence.id: evidence}, command.at)
    return [f.EvidenceFiled(at=command.at, filed=Filed(evidence, command.at, by))]


def file_many(state: State, command: v.ImportEvidence) -> list[e.Event]:
    """Every bad row is named; and then none of them is filed."""
    _person(state, command.by, command.at)
    if not 0 < len(command.rows) <= ROWS_MAX:
        raise Refused(Why.BAD_VALUE, f"An import is 1 to {ROWS_MAX} rows.")
    bad: dict[int, Refused] = {}
    staged: dict[str, Evidence] = {}
    for number, row in enumerate(command.rows, 1):
        try:
            new_id(row.id, taken=row.id in staged)
            staged[row.id] = placed(state, row)
        except Refused as refused:  # told below, with all the others
            bad[number] = refused
    found: list[e.Event] = []
    for number, row in enumerate(command.rows, 1):
        if number not in bad:
            try:
                found.append(_filed(state, staged[row.id], staged, command))
            except Refused as refused:  # likewise
                bad[number] = refused
    if bad:
        raise _bad_rows(command.rows, bad)
    return found


def _filed(
    state: State, evidence: Evidence, staged: dict[str, Evidence], command: v.ImportEvidence
) -> e.Event:
    by = _filer(state, evidence, command)
    require_sound(state, evidence, staged, command.at)
    require_agreement(state, evidence, staged, command.at)
    return f.EvidenceFiled(at=command.at, filed=Filed(evidence, command.at, by))


def _bad_rows(rows: tuple[Evidence, ...], bad: dict[int, Refused]) -> Refused:
    """Who may file none of the bad ones is told that, and not that they are bad."""
    told = {
        f"row {number} ({rows[number - 1].id[:64]})": bad[number].detail for number in sorted(bad)
    }
    first = " ".join(f"{row}: {why}" for row, why in [*told.items()][:ROWS_SHOWN])
    says = f"Nothing is imported: {len(bad)} of {len(rows)} rows are bad. {first}"
    may_not = all(refused.why is Why.NOT_ALLOWED for refused in bad.values())
    return Refused(Why.NOT_ALLOWED if may_not else Why.BAD_VALUE, says, rows=told)


def _filer(state: State, evidence: Evidence, command: c.Command) -> str:
    allow(state, command.by, evidence.provider, command.at)
    return _person(state, command.by, command.at)


def _person(state: State, by: str, at: Instant) -> str:
    if by == SYSTEM:
        raise Refused(Why.NOT_ALLOWED, "A person does that, with a key of their own.")
    return key(state, by, at).id


def confirm(state: State, command: v.ConfirmEvidence) -> list[e.Event]:
    by = _person(state, command.by, command.at)
    allow_operator(state, command.by, command.at)
    filed = _find(state, command.id)
    evidence = filed.evidence
    if command.at >= evidence.expires:
        raise Refused(Why.ENDED, "This evidence has expired; ask its issuer for a new one.")
    standing = floors.stands_on(state, evidence.provider, evidence.offer)
    if standing is None:
        raise Refused(Why.NOT_FOUND, f"Offer {evidence.offer!r} does not stand; confirm it then.")
    if filed.confirmed_by and filed.footing == standing:
        raise Refused(Why.EXISTS, f"{command.id!r} is confirmed by {filed.confirmed_by}.")
    return [f.EvidenceConfirmed(at=command.at, id=command.id, by=by, footing=standing)]


def withdraw(state: State, command: v.WithdrawEvidence) -> list[e.Event]:
    filed = _find(state, command.id)
    allow(state, command.by, filed.evidence.provider, command.at)
    by = _person(state, command.by, command.at)
    return [f.EvidenceEnded(at=command.at, id=command.id, cause="withdrawn", by=by)]


def _find(state: State, id_: str) -> Filed:
    if id_ not in state.evidence:
        raise Refused(Why.NOT_FOUND, f"No evidence {id_!r} is on the file.")
    return state.evidence[id_]


# Assessments --------------------------------------------------------------------------


def assess(state: State, command: v.Assess) -> list[e.Event]:
    by = _person(state, command.by, command.at)
    allow_operator(state, command.by, command.at)
    said = command.assessment
    regime = floors.regime(said.regime)
    provider = provider_of(state, said.provider, said.offer)
    bounds = ((said.exposure, EXPOSURE_MAX), (said.kill_switch, KILL_SWITCH_MAX))
    if any(not 0 <= number <= most for number, most in bounds):
        raise Refused(Why.BAD_VALUE, "An exposure is 0 to 3 (E0 to E3), a kill switch 0 to 2.")
    require_text("reasoning", said.reasoning, TEXT_MAX)
    require_text("signer", said.signer, NAME_MAX)
    if said.expires <= command.at:
        raise Refused(Why.ENDED, "An assessment ends in the future.")
    whole: Assessment = structs.replace(said, regime=regime, provider=provider)
    standing = floors.stands_on(state, provider, said.offer)
    assert standing is not None, "the offer was just found"
    return [f.Assessed(at=command.at, signed=Signed(whole, command.at, by, standing))]


def unassess(state: State, command: v.WithdrawAssessment) -> list[e.Event]:
    by = _person(state, command.by, command.at)
    allow_operator(state, command.by, command.at)
    regime = floors.regime(command.regime)
    provider = command.provider
    if command.offer in state.offers and not provider:
        provider = state.offers[command.offer].provider
    if regime not in state.assessments.get(floors.subject(provider, command.offer), {}):
        raise Refused(Why.NOT_FOUND, f"Nobody assessed {command.offer or provider!r} for {regime}.")
    return [_ended(command.at, provider, command.offer, regime, "withdrawn", by)]


def _ended(at: Instant, provider: str, offer: str, regime: str, cause: str, by: str) -> e.Event:
    return f.AssessmentEnded(
        at=at, provider=provider, offer=offer, regime=regime, cause=cause, by=by
    )


def lapse(state: State, command: c.Tick) -> list[e.Event]:
    """What has expired leaves the state; it has not counted since."""
    at = command.at
    found: list[e.Event] = [
        f.EvidenceEnded(at=at, id=id_, cause="expired", by=SYSTEM)
        for id_ in sorted(i for i, filed in state.evidence.items() if at >= filed.evidence.expires)
    ]
    for _, regimes in sorted(state.assessments.items()):
        for regime, signed in sorted(regimes.items()):
            said = signed.assessment
            if at >= said.expires:
                found.append(_ended(at, said.provider, said.offer, regime, "expired", SYSTEM))
    return found


# Application --------------------------------------------------------------------------


def filed(state: State, event: f.EvidenceFiled) -> None:
    evidence = event.filed.evidence
    state.evidence[evidence.id] = event.filed
    of = floors.subject(evidence.provider, evidence.objective)
    state.filings[of] = (*state.filings.get(of, ()), evidence.id)


def confirmed(state: State, event: f.EvidenceConfirmed) -> None:
    state.evidence[event.id] = structs.replace(
        state.evidence[event.id], confirmed_by=event.by, footing=event.footing
    )


def ended(state: State, event: f.EvidenceEnded) -> None:
    evidence = state.evidence.pop(event.id).evidence
    of = floors.subject(evidence.provider, evidence.objective)
    rest = tuple(id_ for id_ in state.filings[of] if id_ != event.id)
    if rest:
        state.filings[of] = rest
    else:
        del state.filings[of]


def posted(state: State, event: e.OfferPosted) -> None:
    state.footings[event.offer.id] = floors.footing(event.offer)


def gone(state: State, event: e.OfferWithdrawn) -> None:
    state.footings.pop(event.id, None)


def assessed(state: State, event: f.Assessed) -> None:
    said = event.signed.assessment
    of = floors.subject(said.provider, said.offer)
    state.assessments.setdefault(of, {})[said.regime] = event.signed


def unassessed(state: State, event: f.AssessmentEnded) -> None:
    of = floors.subject(event.provider, event.offer)
    del state.assessments[of][event.regime]
    if not state.assessments[of]:
        del state.assessments[of]


DECIDE: dict[type, Callable[..., list[e.Event]]] = {
    v.FileEvidence: file,
    v.ImportEvidence: file_many,
    v.ConfirmEvidence: confirm,
    v.WithdrawEvidence: withdraw,
    v.Assess: assess,
    v.WithdrawAssessment: unassess,
    c.Tick: lapse,
}
APPLY: dict[type, Callable[..., None]] = {
    f.EvidenceFiled: filed,
    f.EvidenceConfirmed: confirmed,
    f.EvidenceEnded: ended,
    f.Assessed: assessed,
    f.AssessmentEnded: unassessed,
    e.OfferPosted: posted,
    e.OfferWithdrawn: gone,
}
