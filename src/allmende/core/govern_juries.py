"""Juries of a market: called with a list, drawn with a seed that nobody could know before.

Rule: members that are persons or organisations stand in the list, each once; an operator calls
and draws, and cannot choose: the list is fixed before the seed is known, and both are journalled.
Invariant: a jury that was called is drawn from the list of its call, whoever came or went since;
one that was called and not drawn stays in sight.
Worked number: of 40 members a jury of 41 is refused, and so is a second draw of the same.
"""

from __future__ import annotations

from allmende.core import events as e
from allmende.core import jury_commands as jc
from allmende.core import jury_events as je
from allmende.core.identity import allow_operator, find_member
from allmende.core.refusals import Refused, Why
from allmende.core.sortition import Jury, Pool, draw, list_hash
from allmende.core.state import State

KINDS = ("person", "organisation")
"""Who can sit on a jury: hosts and operators have a stake of another kind."""
SOURCE_MAX = 200
"""Characters."""
SEED_MAX = 64
"""Bytes."""


def call(state: State, command: jc.CallJury) -> list[e.Event]:
    allow_operator(state, command.by, command.at)
    source = command.source.strip()
    if not source or not source.isprintable() or len(source) > SOURCE_MAX:
        raise Refused(
            Why.BAD_VALUE,
            f"Say in one line of up to {SOURCE_MAX} characters where the seed will come from, "
            'such as "hash of block 4711".',
        )
    pool = _listed(state, command)
    if not 1 <= command.size <= len(pool):
        raise Refused(Why.BAD_VALUE, f"A jury is 1 to {len(pool)} here: so many can be drawn.")
    id_ = f"jury-{state.juries_called + 1}"
    jury = Jury(id_, command.size, source, pool, command.at)
    return [je.JuryCalled(at=command.at, jury=jury, list_sha256=list_hash(pool))]


def _listed(state: State, command: jc.CallJury) -> Pool:
    if not command.strata:
        return tuple(
            (id_, member.kind if command.by_kind else "")
            for id_, member in sorted(state.members.items())
            if member.kind in KINDS
        )
    if command.by_kind or len(dict(command.strata)) != len(command.strata):
        raise Refused(Why.BAD_VALUE, "Draw by kind or by your own strata, each member once.")
    for name, stratum in command.strata:
        if find_member(state, name).kind not in KINDS:
            raise Refused(Why.BAD_VALUE, f"{name!r} is none of {', '.join(KINDS)}.")
        if not stratum.isprintable() or len(stratum) > SOURCE_MAX:
            raise Refused(Why.BAD_VALUE, f"{name!r}: a stratum is a word, as a country's code.")
    return tuple(sorted(command.strata))


def drawing(state: State, command: jc.DrawJury) -> list[e.Event]:
    allow_operator(state, command.by, command.at)
    jury = state.juries.get(command.id)
    if jury is None:
        open_ = ", ".join(state.juries) or "none"
        raise Refused(Why.NOT_FOUND, f"No jury {command.id!r} waits for its seed; open: {open_}.")
    seed = seed_of(command.seed)
    drawn = draw(jury.pool, jury.size, seed)
    event = je.JuryDrawn(
        at=command.at, id=jury.id, seed=seed.hex(), list_sha256=list_hash(jury.pool), drawn=drawn
    )
    return [event]


def seed_of(text: str) -> bytes:
    """The bytes of a seed in hex, with 0x or without. Refused(BAD_VALUE)."""
    digits = text.removeprefix("0x")
    plain = digits.isascii() and len(digits) % 2 == 0 and 0 < len(digits) <= 2 * SEED_MAX
    if not plain or set(digits.lower()) - set("0123456789abcdef"):
        raise Refused(Why.BAD_VALUE, f"A seed is 1 to {SEED_MAX} bytes in hex, as a block's hash.")
    return bytes.fromhex(digits)


def called(state: State, event: je.JuryCalled) -> None:
    state.juries[event.jury.id] = event.jury
    state.juries_called += 1


def drawn(state: State, event: je.JuryDrawn) -> None:
    del state.juries[event.id]


DECIDE = {jc.CallJury: call, jc.DrawJury: drawing}
APPLY = {je.JuryCalled: called, je.JuryDrawn: drawn}
