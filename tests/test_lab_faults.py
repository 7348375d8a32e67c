"""Faults: the journal that can lose its power keeps the contract of the one on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.core import events as e
from allmende.lab.faults import Disk, Fuse, KnownSigner, MemoryJournal, PowerCut, VirtualClock
from allmende.ports import Journal
from allmende.wire import journal
from allmende.wire.journal import GENESIS, Frame

Open = Callable[[], Journal]


@pytest.fixture(params=["sqlite", "memory"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the same journal, as often as wanted."""
    disk = Disk()
    if request.param == "memory":
        return lambda: MemoryJournal(disk)
    return lambda: SqliteJournal(tmp_path / "journal.sqlite")


def chain(*sizes: int) -> list[Frame]:
    """Frames of so many events each."""
    frames: list[Frame] = []
    first, prev = 1, GENESIS
    for size in sizes:
        made = journal.frame(first, [e.KeyRevoked(at=first, id=f"k{n}") for n in range(size)], prev)
        frames.append(made)
        first, prev = first + size, made.head
    return frames


def test_what_was_appended_is_there_after_opening_again(reopen: Open):
    frames = chain(3, 1, 64)
    written = reopen()
    for frame in frames:
        written.append(frame)
        assert list(reopen().frames())[-1] == frame
    written.close()
    assert list(reopen().frames()) == frames
    assert list(journal.follow(reopen().frames(), 1, GENESIS)) == frames


@pytest.mark.parametrize(
    ("after", "left"), [(0, 3), (1, 3), (2, 3), (3, 2), (4, 1), (67, 1), (68, 0), (99, 0)]
)
def test_frames_that_hold_events_beyond_a_number(reopen: Open, after: int, left: int):
    written = reopen()
    for frame in chain(3, 1, 64):
        written.append(frame)
    assert len(list(written.frames(after))) == left


def test_an_empty_journal_has_nothing(reopen: Open):
    assert list(reopen().frames()) == []
    assert reopen().latest_snapshot() is None


def test_a_frame_is_appended_once(reopen: Open):
    written = reopen()
    (frame,) = chain(1)
    written.append(frame)
    with pytest.raises(Exception, match=r"next|UNIQUE"):
        written.append(frame)
    assert list(reopen().frames()) == [frame]


def test_the_latest_snapshot_is_the_one_with_the_most_events(reopen: Open):
    written = reopen()
    written.snapshot(3, b"h3", b"three")
    written.snapshot(9, b"h9", b"nine")
    assert reopen().latest_snapshot() == (9, b"h9", b"nine")


def test_frames_may_be_read_while_more_are_written(reopen: Open):
    written = reopen()
    first, second = chain(2, 2)
    written.append(first)
    reading = reopen().frames()
    assert next(iter(reading)) == first
    written.append(second)
    assert list(reopen().frames()) == [first, second]


@pytest.mark.parametrize(("stored", "found"), [(False, 1), (True, 2)])
def test_a_fuse_blows_before_or_after_the_frame_is_stored(stored: bool, found: int):
    disk = Disk()
    broken = MemoryJournal(disk, Fuse(2, stored=stored))
    frames = chain(1, 1, 1)
    broken.append(frames[0])
    for frame in frames[1:]:
        with pytest.raises(PowerCut):
            broken.append(frame)
    with pytest.raises(PowerCut):
        broken.snapshot(1, b"", b"")
    assert list(MemoryJournal(disk).frames()) == frames[:found]


def test_the_known_signer_signs_and_the_virtual_clock_stands():
    signer, clock = KnownSigner(), VirtualClock(5)
    head = bytes(32)
    assert journal.genuine(signer.public, head, signer.sign(journal.signed(head)))
    assert not journal.genuine(signer.public, GENESIS[1:] + b"\1", signer.sign(b"other"))
    assert clock.now() == clock.now() == 5
