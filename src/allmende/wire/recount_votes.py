"""Recount, votes: whether a market did what its members decided, from the chain's logs alone.

Rule: outcomes are those of the book, which counted every vote again; the market's own account of
what it took is held against them, and its parameters against what follows from that.
Invariant: no difference means: each decision was taken once, in order, as it was decided, and the
rules that stand now are the last ones that were decided on.
Worked number: fee 4 % decided and 5 % in force is one difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from allmende.core.charter import PARAMETER, Decision
from allmende.core.parameters import PARAMETERS, outside
from allmende.core.units import Instant
from allmende.wire.assembly import Book


class Taken(Struct, frozen=True):
    """A decision as the market says that it took it, at `at`; `undone` says why it did not."""

    decision: Decision
    at: Instant
    undone: str


def differences(
    book: Book, taken: Sequence[Taken], parameters: Mapping[str, int], now: Instant
) -> list[str]:
    """In words, for people. `parameters` are those of the market, as of `now`."""
    return [
        *book.faults,
        *_decisions(book.decisions, taken),
        *_parameters(taken, parameters, now),
    ]


def behind(book: Book, taken: Sequence[Taken]) -> int:
    """Decisions that the market has not taken yet; a moment after an execution that is no fault."""
    return max(0, len(book.decisions) - len(taken))


def _decisions(decided: Sequence[Decision], taken: Sequence[Taken]) -> Iterator[str]:
    for place, one in enumerate(taken):
        number = place + 1
        if place >= len(decided):
            yield f"decision {number}: the market took one that was never decided"
        elif one.decision != decided[place]:
            yield f"decision {number}: the market took {one.decision}, not {decided[place]}"
        elif said := _undone(one):
            yield f"decision {number}: {said}"


def _undone(one: Taken) -> str:
    """What is wrong with having carried it out, or not. A grant's cover is in the journal."""
    its = one.decision
    if its.kind != PARAMETER:
        return ""
    cannot = its.name not in PARAMETERS or bool(outside(its.name, its.value))
    if cannot and not one.undone:
        return f"{its.name} = {its.value} cannot be, and was carried out"
    if one.undone and not cannot:
        return f"{its.name} = {its.value} can be, and was not carried out: {one.undone}"
    return ""


def _parameters(
    taken: Sequence[Taken], parameters: Mapping[str, int], now: Instant
) -> Iterator[str]:
    for name, value in expected(taken, now).items():
        if parameters.get(name) != value:
            yield f"{name} is {parameters.get(name)} in the market, and {value} was decided"


def expected(taken: Sequence[Taken], now: Instant) -> dict[str, int]:
    """What the rules that were decided on are at `now`: each holds from its time on, or from
    when it was taken if that was later; of two at one instant the later decision stands."""
    done = [one for one in taken if one.decision.kind == PARAMETER and not one.undone]
    rules = [(max(one.at, one.decision.effective), one.decision) for one in done]
    found: dict[str, int] = {}
    for at, decision in sorted(rules, key=lambda rule: (rule[0], rule[1].number)):
        if at <= now:
            found[decision.name] = decision.value
    return found
