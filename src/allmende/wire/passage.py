"""Passage: a file that proves to another market what was sent to it, or answered.

Rule: the file holds what was said, its path to the root of its frame's leaves, and a head
statement for just that frame; whoever knows the market's key checks it alone.
Invariant: whatever is changed in it, the check fails and says what.
Worked number: in a frame of 64 leaves the path is 6 hashes; a file is under 2 kB.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from allmende.core.abroad import Answer, Passage, leaf
from allmende.wire import heads, journal, merkle
from allmende.wire.heads import Statement

FORMAT = "allmende-passage-1"
PATH_MAX = 64


class File(Struct, frozen=True):
    """`said` is leaf `index` of `size` in the frame that follows `prev` and that `statement` ends
    in. Hashes are hex."""

    format: str
    said: Passage | Answer
    index: int
    size: int
    path: tuple[str, ...]
    prev: str
    body: str
    statement: Statement


class Unproved(Exception):
    """The file does not prove what it says; the text names the check that failed."""


def prove(said: Passage | Answer, frame: journal.Frame, statement: Statement) -> File:
    """Where it stands in its frame. ValueError if it is not there."""
    leaves = journal.leaves(journal.events(frame.body))
    index = leaves.index(leaf(said))
    path = tuple(beside.hex() for beside in merkle.path(leaves, index))
    body = journal.body_hash(frame.body).hex()
    return File(FORMAT, said, index, len(leaves), path, frame.prev.hex(), body, statement)


def check(file: File, public_key: str) -> None:
    """That the market with this key has it in the history that it signed. Raises Unproved."""
    statement = file.statement
    if file.format != FORMAT:
        raise Unproved(f"it is {file.format[:40]!r} and no {FORMAT}")
    if statement.public_key != public_key or not heads.genuine(statement):
        raise Unproved("its head is not signed by the key of that market")
    if file.said.source != public_key:
        raise Unproved("it is the word of another market than the one that signed")
    if len(file.path) > PATH_MAX:
        raise Unproved("its path is longer than any tree")
    try:
        path = [bytes.fromhex(beside) for beside in file.path]
        prev, body = bytes.fromhex(file.prev), bytes.fromhex(file.body)
    except ValueError:
        raise Unproved("a hash in it is none") from None
    top = merkle.folds_to(leaf(file.said), file.index, file.size, path)
    if top is None or journal.head(prev, body, top).hex() != statement.head:
        raise Unproved("what it says is not in the frame that its head ends in")


def read(data: bytes) -> File:
    """Unchecked. ValueError if it is no such file."""
    try:
        return msgspec.json.decode(data, type=File)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not the proof of a passage: {error}") from error


def encode(file: File) -> bytes:
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"
