"""Verify by many: verifiers seal a verdict each, and tell it when all are sealed.

Rule: one commitment a tree of members and check, none by whom the check is about; late, early,
second and unfit ones are refused. What more than half of at least three say is the outcome.
Invariant: while anybody can commit, no verdict is known; a check ends by its time alone.
Worked number: of verdicts agrees, agrees, disagrees the outcome is "agrees" and two are right; of
agrees, disagrees there is none.
"""

from __future__ import annotations

from allmende.core import check_commands as kc
from allmende.core import check_events as ke
from allmende.core import commands as c
from allmende.core import events as e
from allmende.core.checks import SAID, SALT_LEAST, SALT_MOST, Check, majority, sealed
from allmende.core.identity import allow, allow_operator, find_member, new_id, root
from allmende.core.refusals import Refused, Why
from allmende.core.state import Checking, State
from allmende.core.units import SECOND

SECONDS_MAX = 604_800
SUBJECT_MAX = 200
OPEN_MAX = 1_000
_HEX = frozenset("0123456789abcdef")


def open_check(state: State, command: kc.OpenCheck) -> list[e.Event]:
    allow_operator(state, command.by, command.at)
    new_id(command.id, command.id in state.checks)
    find_member(state, command.about)
    if len(state.checks) >= OPEN_MAX:
        raise Refused(Why.OVER_LIMIT, f"{OPEN_MAX} checks are open: wait until one ends.")
    if not command.subject.isprintable() or not 0 < len(command.subject) <= SUBJECT_MAX:
        raise Refused(Why.BAD_VALUE, f"A subject is 1 to {SUBJECT_MAX} characters, one line.")
    for seconds in (command.commit_seconds, command.reveal_seconds):
        if not 0 < seconds <= SECONDS_MAX:
            raise Refused(Why.BAD_VALUE, f"Each phase takes 1 to {SECONDS_MAX} seconds.")
    commit_until = command.at + command.commit_seconds * SECOND
    reveal_until = commit_until + command.reveal_seconds * SECOND
    check = Check(command.id, command.subject, command.about, commit_until, reveal_until)
    return [ke.CheckOpened(at=command.at, check=check)]


def commit(state: State, command: kc.Commit) -> list[e.Event]:
    found = _find(state, command.check)
    find_member(state, command.verifier)
    allow(state, command.by, command.verifier, command.at)
    if command.at >= found.check.commit_until:
        raise Refused(Why.ENDED, f"{command.check!r} takes verdicts now, and no more commitments.")
    own = root(state, command.verifier)
    if own == root(state, found.check.about):
        raise Refused(Why.NOT_ALLOWED, f"{command.check!r} is about your own house.")
    if any(root(state, other) == own for other in found.commits):
        raise Refused(Why.EXISTS, f"{own!r} has committed to {command.check!r} already.")
    _require_hex("A commitment is a SHA-256", command.hash, 64, 64)
    return [
        ke.Committed(
            at=command.at, check=command.check, verifier=command.verifier, hash=command.hash
        )
    ]


def reveal(state: State, command: kc.Reveal) -> list[e.Event]:
    found = _find(state, command.check)
    find_member(state, command.verifier)
    allow(state, command.by, command.verifier, command.at)
    check, who = found.check, command.verifier
    if command.at < check.commit_until:
        raise Refused(Why.HALTED, "Others may still commit: tell nobody your verdict before then.")
    if command.at >= check.reveal_until:
        raise Refused(Why.ENDED, f"The time for verdicts on {check.id!r} is over.")
    if who not in found.commits:
        raise Refused(Why.NOT_FOUND, f"{who!r} has committed to nothing in {check.id!r}.")
    if who in found.verdicts:
        raise Refused(Why.EXISTS, f"{who!r} has told its verdict already.")
    if command.verdict not in SAID:
        raise Refused(Why.BAD_VALUE, f"A verdict is one of {', '.join(SAID)}.")
    _require_hex("A salt is", command.salt, SALT_LEAST, SALT_MOST)
    if sealed(check.id, who, command.verdict, command.salt) != found.commits[who]:
        raise Refused(Why.BAD_SIGNATURE, "Verdict and salt are not what was sealed.")
    return [ke.Revealed(at=command.at, check=check.id, verifier=who, verdict=command.verdict)]


def over(state: State, command: c.Tick) -> list[e.Event]:
    return [
        _closed(found, command.at)
        for found in state.checks.values()
        if command.at >= found.check.reveal_until
    ]


def _closed(found: Checking, at: int) -> ke.CheckClosed:
    outcome = majority(tuple(found.verdicts.values()))
    right = tuple(sorted(who for who, said in found.verdicts.items() if said == outcome))
    check = found.check
    return ke.CheckClosed(at=at, id=check.id, about=check.about, outcome=outcome, right=right)


def _find(state: State, id_: str) -> Checking:
    found = state.checks.get(id_)
    if found is None:
        raise Refused(Why.NOT_FOUND, f"No check {id_!r} is open.")
    return found


def _require_hex(says: str, text: str, least: int, most: int) -> None:
    if not least <= len(text) <= most or not set(text) <= _HEX:
        length = str(least) if least == most else f"{least} to {most}"
        raise Refused(Why.BAD_VALUE, f"{says}: {length} lower-case hex digits.")


def opened(state: State, event: ke.CheckOpened) -> None:
    state.checks[event.check.id] = Checking(event.check)


def committed(state: State, event: ke.Committed) -> None:
    state.checks[event.check].commits[event.verifier] = event.hash


def revealed(state: State, event: ke.Revealed) -> None:
    state.checks[event.check].verdicts[event.verifier] = event.verdict


def closed(state: State, event: ke.CheckClosed) -> None:
    del state.checks[event.id]


DECIDE = {
    kc.OpenCheck: open_check,
    kc.Commit: commit,
    kc.Reveal: reveal,
    c.Tick: over,
}
APPLY = {
    ke.CheckOpened: opened,
    ke.Committed: committed,
    ke.Revealed: revealed,
    ke.CheckClosed: closed,
}
