"""Useful work: an epoch's public file out of a journal, as whoever has the journal makes it.

Rule: the journal is followed from its first event, hash by hash, and only read; an epoch is told
when it is over and the journal has gone beyond it, or its reader knows that nothing is to come.
Invariant: the same journal, epoch and rule give the same bytes, in whatever process.
Worked number: a journal of a million events takes about 15 s, of which most is decoding.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.core.observe_rewards import Work
from allmende.core.settle import receipt_leaf
from allmende.ports import Journal
from allmende.wire import journal
from allmende.wire.journal import GENESIS
from allmende.wire.rewards import encode, rule_of


def facts_file(found: Journal, rule: bytes, epoch: int) -> bytes:
    """Raises wire.journal.Broken, ValueError for a rule that is none."""
    work = Work(rule_of(rule), epoch, receipt_leaf)
    for frame in journal.follow(found.frames(), 1, GENESIS):
        for event in journal.events(frame.body):
            work.feed(event)
    return encode(work.facts(), rule)


def facts_file_of(path: Path, rule: bytes, epoch: int) -> bytes:
    """The same of a journal's file, for a process of its own."""
    with closing(SqliteJournal(path, readonly=True)) as found:
        return facts_file(found, rule, epoch)
