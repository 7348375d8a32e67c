"""Offline: what a data directory proves by itself, without a running market."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.adapters.views_worker import rebuild
from allmende.cli.client import Failed
from allmende.cli.show import out_json, pairs, progress
from allmende.core import events as e
from allmende.core import exchange_events as x
from allmende.core import machine
from allmende.core.settle import receipt_leaf
from allmende.core.state import State
from allmende.main import JOURNAL, VIEWS, Unset, settings
from allmende.wire import journal, merkle
from allmende.wire.journal import GENESIS, Broken, Frame
from allmende.wire.snapshot import unpack

CHECK_EVENTS = 20_000
"""The invariants are linear in the state, so they are checked this often, and at the end."""
UNSOUND = (
    *(Broken, AssertionError, msgspec.MsgspecError, sqlite3.Error),
    *(LookupError, TypeError, ValueError, ArithmeticError),
)
"""What folding a journal can end in that others have written to."""

data_option = click.option("--data", help="The data directory [ALLMENDE_DATA, data].")


@contextmanager
def opened(data: str | None) -> Iterator[tuple[SqliteJournal, Path]]:
    """The journal of a data directory, read only; also while a market writes it."""
    try:
        folder = Path(settings({"data": data}).data)
    except Unset as error:
        raise click.UsageError(str(error)) from None
    if not (folder / JOURNAL).is_file():
        raise Failed(f"No market in {folder}. Name its directory with --data.")
    with closing(SqliteJournal(folder / JOURNAL, readonly=True)) as found:
        try:
            yield found, folder
        except UNSOUND as error:
            raise Failed(f"The journal in {folder} is not sound: {error!s:.200}") from None


class Audit:
    """Fold a journal and look at everything that it claims. Raises Broken, AssertionError."""

    def __init__(self, snapshot: tuple[int, bytes, bytes] | None) -> None:
        self.state = State()
        self.number = 0
        self.signatures = self.batches = self.receipts = 0
        self.snapshot = "none kept"
        self.head = GENESIS
        self._kept = snapshot
        self._leaves: list[bytes] = []
        self._checked = 0

    def frame(self, frame: Frame) -> None:
        """The next frame, already found to follow the last."""
        found = journal.events(frame.body)
        if len(found) != frame.count:
            raise Broken(f"frame at event {frame.first} says {frame.count} events")
        for event in found:
            machine.apply(self.state, event)
            self.number += 1
            self._event(event)
            if self._kept is not None and self._kept[0] == self.number:
                self._compare(self._kept[2])
        self._signature(frame, journal.leaves(found))
        self.head = frame.head
        if self.number - self._checked >= CHECK_EVENTS:
            self.check()

    def check(self) -> None:
        self._checked = self.number
        machine.check(self.state)

    def _event(self, event: e.Event) -> None:
        if isinstance(event, e.Captured | x.Redeemed):
            self.receipts += 1
        receipts = e.Captured | e.Finalised | x.Redeemed
        if isinstance(event, receipts) and event.receipt.verdict != "pending":
            self._leaves.append(receipt_leaf(event.receipt))
        elif isinstance(event, e.BatchClosed):
            if merkle.root(self._leaves) != event.receipts_root:
                raise Broken(f"batch {event.number} is not the root of its receipts")
            self._leaves = []
            self.batches += 1

    def _signature(self, frame: Frame, leaves: list[bytes]) -> None:
        if not leaves:
            return
        market = self.state.market
        public = bytes.fromhex(market.public_key) if market else b""
        if merkle.root(leaves) != frame.leaves:
            raise Broken(f"frame at event {frame.first} has other receipts than it signed")
        if not journal.genuine(public, frame.head, frame.signature):
            raise Broken(f"frame at event {frame.first} is not signed by the market")
        self.signatures += 1

    def _compare(self, kept: bytes) -> None:
        state = unpack(kept)
        if state is None:
            self.snapshot = "of another version, which a start passes over"
            return
        if machine.digest(self.state) != machine.digest(state):
            raise Broken(f"the snapshot at event {self.number} is another state than its events")
        self.snapshot = f"agrees at event {self.number}"


@click.command()
@data_option
@click.option("--json", "as_json", is_flag=True)
def audit(data: str | None, as_json: bool) -> None:
    """Check hashes, signatures, invariants, batches and the snapshot of a whole journal."""
    with opened(data) as (found, _):
        done = Audit(found.latest_snapshot())
        with progress("audited") as step:
            for frame in journal.follow(found.frames(), 1, GENESIS):
                done.frame(frame)
                step(done.number)
        done.check()
        said = {
            "events": done.number,
            "receipts": done.receipts,
            "batches": done.batches,
            "signatures": done.signatures,
            "open_holds": len(done.state.holds),
            "snapshot": done.snapshot,
            "head": done.head.hex(),
            "digest": machine.digest(done.state),
            "ok": True,
        }
    if as_json:
        out_json(said)
    else:
        pairs({**said, "ok": "every hash, signature, batch and invariant holds"})


@click.command()
@data_option
@click.option("--json", "as_json", is_flag=True)
def replay(data: str | None, as_json: bool) -> None:
    """Fold every event from the first one, without any snapshot: the digest of the state."""
    state, count, head = State(), 0, GENESIS
    with opened(data) as (found, _), progress("replayed") as step:
        for frame in journal.follow(found.frames(), 1, GENESIS):
            machine.replay(journal.events(frame.body), state)
            count, head = frame.last, frame.head
            step(count)
    said = {"events": count, "head": head.hex(), "digest": machine.digest(state)}
    if as_json:
        out_json(said)
    else:
        pairs(said)


@click.command()
@data_option
@click.option("--out", type=click.File("wb"), default="-", help="A file; the terminal if not.")
def export(data: str | None, out: BinaryIO) -> None:
    """The journal as JSON lines, one event a line."""
    with opened(data) as (found, _):
        out.writelines(frame.body for frame in journal.follow(found.frames(), 1, GENESIS))


@click.group()
def views() -> None:
    """Read models: tables folded from the journal, which can be thrown away."""


@views.command("rebuild")
@data_option
def rebuild_views(data: str | None) -> None:
    """Fold the read models again from the journal's first event."""
    with opened(data) as (_, folder), progress("folded") as step:
        rebuild(folder / JOURNAL, folder / VIEWS, step)
    click.echo(f"The read models in {folder / VIEWS} are folded afresh.")
