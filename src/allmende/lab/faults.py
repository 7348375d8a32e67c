"""Faults: a clock that is moved by hand, and a disk that fails when it is told to.

Rule: what fails fails as the real thing does: an append either is durable or is not, and
whoever asked for it hears of neither.
Invariant: MemoryJournal keeps the contract of the SQLite journal (tests/test_lab_faults.py).
Worked number: Fuse(3, stored=True) lets two appends pass; the third is written, and then
the power goes: it is found at the next start, though nobody was told.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct, field

from allmende.core.units import Instant
from allmende.wire.journal import Frame


class PowerCut(Exception):
    """The machine under the journal is gone."""


class Fuse(Struct):
    """Blows at the `left`-th append from now, before or after it is stored. 0: never."""

    left: int = 0
    stored: bool = False


class Disk(Struct):
    """What survives a power cut."""

    frames: list[Frame] = field(default_factory=list)
    snapshots: list[tuple[int, bytes, bytes]] = field(default_factory=list)


class MemoryJournal:
    """ports.Journal on a Disk. Open another one on the same disk to start again."""

    def __init__(self, disk: Disk | None = None, fuse: Fuse | None = None) -> None:
        self.disk = disk or Disk()
        self.fuse = fuse or Fuse()
        self.dead = False

    def append(self, frame: Frame) -> None:
        """Durable on return. Raises PowerCut, ValueError if the frame is not next."""
        blown = self._blown()
        if blown and not self.fuse.stored:
            raise PowerCut
        frames = self.disk.frames
        if frame.first != (frames[-1].last + 1 if frames else 1):
            raise ValueError(f"frame at event {frame.first} is not next")
        frames.append(frame)
        if blown:
            raise PowerCut

    def _blown(self) -> bool:
        if self.dead:
            raise PowerCut
        self.fuse.left -= 1
        self.dead = self.fuse.left == 0
        return self.dead

    def frames(self, after: int = 0) -> Iterator[Frame]:
        return (frame for frame in tuple(self.disk.frames) if frame.last > after)

    def snapshot(self, upto: int, head: bytes, state: bytes) -> None:
        if self.dead:
            raise PowerCut
        self.disk.snapshots.append((upto, head, state))

    def latest_snapshot(self) -> tuple[int, bytes, bytes] | None:
        return max(self.disk.snapshots, key=lambda found: found[0], default=None)

    def close(self) -> None:
        self.dead = True


class VirtualClock:
    """ports.Clock that stands until it is moved."""

    def __init__(self, at: Instant) -> None:
        self.at = at

    def now(self) -> Instant:
        return self.at


class KnownSigner:
    """ports.Signer with a key that everybody knows."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)
