"""Verify by people: a case is opened on an alert, and a person decides it.

Rule: an alert asks, it does not act; opening a case moves nothing, and only a person with
an operator's key decides one, with a reason.
Invariant: the state lists open cases alone, and what was decided stays in the journal.
Worked number: a case on events 812, 815 and 819 is CaseOpened(evidence=(812, 815, 819)) and
later CaseDecided("dismissed", "the two desks hedge each other"): no order or balance changes.
"""

from __future__ import annotations

from itertools import pairwise

from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core.contracts import Case
from allmende.core.identity import allow_operator, find_member, key, new_id
from allmende.core.nouns import SYSTEM
from allmende.core.refusals import Refused, Why
from allmende.core.state import State

DECISIONS = ("dismissed", "warned", "referred")
"""No ground for it; the member was spoken to; handed to whoever is competent."""
TEXT_MAX = 2_000
"""Characters of an explanation or a reason."""
EVIDENCE_MAX = 1_000
"""Event numbers on one case."""


def open_case(state: State, command: x.OpenCase) -> list[e.Event]:
    allow_operator(state, command.by, command.at)
    new_id(command.id, command.id in state.cases)
    new_id(command.kind, taken=False)
    find_member(state, command.subject)
    _require_text("explanation", command.explanation)
    numbers = command.evidence
    if not 0 < len(numbers) <= EVIDENCE_MAX or not _ascending(numbers):
        raise Refused(
            Why.BAD_VALUE, f"Evidence is 1 to {EVIDENCE_MAX} event numbers, each once, ascending."
        )
    case = Case(
        id=command.id,
        kind=command.kind,
        subject=command.subject,
        explanation=command.explanation,
        evidence=numbers,
        opener=_person(state, command.by, command.at),
    )
    return [f.CaseOpened(at=command.at, case=case)]


def decide_case(state: State, command: x.DecideCase) -> list[e.Event]:
    if command.by == SYSTEM:
        raise Refused(Why.NOT_ALLOWED, "A case is decided by a person, with an operator's key.")
    allow_operator(state, command.by, command.at)
    if command.id not in state.cases:
        raise Refused(Why.NOT_FOUND, f"No case {command.id!r} is open.")
    if command.decision not in DECISIONS:
        raise Refused(Why.BAD_VALUE, f"A decision is one of {', '.join(DECISIONS)}.")
    _require_text("reason", command.reason)
    return [
        f.CaseDecided(
            at=command.at,
            case=command.id,
            decision=command.decision,
            reason=command.reason,
            decider=_person(state, command.by, command.at),
        )
    ]


def _person(state: State, by: str, at: int) -> str:
    """The id of the key, as its hash says nothing to a reader."""
    return SYSTEM if by == SYSTEM else key(state, by, at).id


def _require_text(name: str, text: str) -> None:
    if not text.strip() or len(text) > TEXT_MAX:
        raise Refused(Why.BAD_VALUE, f"The {name} is 1 to {TEXT_MAX} characters.")


def _ascending(numbers: tuple[int, ...]) -> bool:
    return numbers[0] > 0 and all(one < other for one, other in pairwise(numbers))


def case_opened(state: State, event: f.CaseOpened) -> None:
    state.cases[event.case.id] = event.case


def case_decided(state: State, event: f.CaseDecided) -> None:
    del state.cases[event.case]


DECIDE = {x.OpenCase: open_case, x.DecideCase: decide_case}
APPLY = {f.CaseOpened: case_opened, f.CaseDecided: case_decided}
