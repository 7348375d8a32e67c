"""Gossip: what markets tell each other of heads.

Rule: whoever is asked tells its own head, the heads that it saw of others, and which split views
it can prove; whoever asks tells the same. Nothing in it is believed without a signature.
Invariant: no event, no name and no amount is in any of it.
Worked number: with 20 peers an answer is 21 statements and some 8 kB.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Struct

from allmende.wire.heads import Count, Statement, Stretch

T = TypeVar("T")
HEADS_MAX = 256
LINKS_MAX = 2_000
"""In one answer: some 300 kB."""
PROOFS_MAX = 64


class Asked(Struct, frozen=True):
    """What whoever asks has seen itself."""

    heads: tuple[Statement, ...] = ()


class Told(Struct, frozen=True):
    """`head` is missing of a market that cannot vouch for its journal now; `takes` are the keys
    of those from whom it takes something."""

    head: Statement | None
    heads: tuple[Statement, ...] = ()
    proofs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


class Wanted(Struct, frozen=True):
    """The links of a market's chain after so many frames, towards `upto`; `back`: those before
    `upto`, towards `after`."""

    market: str
    after: Count
    upto: Count
    back: bool = False


class Step(Struct, frozen=True):
    """As far as one answer reaches, with a statement for where it ends."""

    statement: Statement | None = None
    stretch: Stretch | None = None


def read_asked(data: bytes) -> Asked:
    """ValueError if it is no such thing, or too much of it."""
    asked = _read(data, Asked)
    if len(asked.heads) > HEADS_MAX:
        raise ValueError(f"more than {HEADS_MAX} heads")
    return asked


def read_told(data: bytes) -> Told:
    told = _read(data, Told)
    if len(told.heads) > HEADS_MAX or len(told.proofs) > PROOFS_MAX:
        raise ValueError("more heads or proofs than anybody has")
    return told


def read_wanted(data: bytes) -> Wanted:
    return _read(data, Wanted)


def read_step(data: bytes) -> Step:
    step = _read(data, Step)
    if step.stretch is not None and len(step.stretch.links) > LINKS_MAX:
        raise ValueError(f"more than {LINKS_MAX} links")
    return step


def _read(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not what markets tell each other: {error}") from error


encode = msgspec.json.encode
