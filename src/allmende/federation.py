"""Federation: the seam to what a market remembers of heads, its own and other markets'.

Rule: what was seen is written down before anything is decided by it: a head forgotten is a lie
that nobody finds. A market is named by its public key, in hex.
Invariant: of each market one unbroken chain is kept, from the first frame looked at to the last,
and every statement that was heard, on that chain or not yet.
Worked number: a frame is 96 bytes here: its head, its body's hash and its leaves' root.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from allmende.core.units import Instant
from allmende.wire.heads import Split, Statement, Stretch


class Known(Struct, frozen=True):
    """One frame of a market's chain, without its contents. `number` is its last event, 0 where
    only hashes were shown; so are the hashes where nothing but its head is known."""

    frames: int
    head: bytes
    body: bytes = b""
    leaves: bytes = b""
    number: int = 0


class Said(Struct, frozen=True):
    """Where in our own journal something stands that another market is to be shown."""

    kind: str
    """passage or answer."""
    market: str
    """The key of the other one."""
    number: int
    frames: int
    first: int
    """The first event of its frame."""


class Heard(Struct, frozen=True):
    """A statement, who told us first (a peer's id, or "" for the market itself), and when."""

    statement: Statement
    source: str
    at: Instant
    linked: bool


class Memory(Protocol):
    """Durable when a method returns. From one thread at a time."""

    def begin(self, market: str) -> Known | None:
        """The first frame of its chain that we know."""

    def end(self, market: str) -> Known | None: ...
    def frame(self, market: str, frames: int) -> Known | None: ...
    def extend(self, market: str, frames: Sequence[Known], said: Sequence[Said] = ()) -> None:
        """Frames that follow the last one. Those that are there stay."""

    def rebase(self, market: str, frames: Sequence[Known]) -> None:
        """Frames that end in the one that was the first: of that only the head was known."""

    def stretch(self, market: str, after: int, upto: int) -> Stretch | None:
        """The links between two heads; None where some are not known."""

    def keep(self, heard: Heard) -> None:
        """Write a statement down, once."""

    def link(self, statement: Statement) -> None:
        """It was found on the market's chain."""

    def at(self, market: str, frames: int) -> list[Statement]: ...
    def against(self, statement: Statement) -> Statement | None:
        """One whose numbers cannot be true beside this one's: see wire.heads.conflict."""

    def anchor(self, market: str, frames: int, most: int = 0) -> Statement | None:
        """The lowest one on its chain of so many frames or more; with `most` the highest up to
        that."""

    def open(self, market: str) -> list[Statement]:
        """Those that were not found on its chain yet."""

    def newest(self, market: str) -> list[Heard]:
        """The last one of each who told, newest first."""

    def said(self, kind: str, market: str, number: int) -> Said | None: ...
    def prove(self, digest: str, split: Split, at: Instant) -> None: ...
    def proofs(self) -> list[tuple[str, Split, Instant]]:
        """Newest first, with the hash of each file."""

    def proof(self, digest: str) -> Split | None: ...
    def thin(self, market: str) -> None:
        """Forget most of the old statements of a market, ours included."""

    def prune(self, market: str) -> None:
        """Forget what is too old to be kept of another market."""

    def close(self) -> None: ...
