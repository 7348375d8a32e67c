"""Offline: what a data directory proves by itself, without a running market."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from allmende.adapters.audit import Audit
from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.adapters.views_worker import rebuild
from allmende.cli.client import Failed
from allmende.cli.folder import data_option as data_option
from allmende.cli.folder import folder_of
from allmende.cli.show import out_json, pairs, progress
from allmende.core import machine
from allmende.core.state import State
from allmende.main import JOURNAL, VIEWS
from allmende.wire import journal
from allmende.wire.journal import GENESIS, Broken

UNSOUND = (
    *(Broken, AssertionError, msgspec.MsgspecError, sqlite3.Error),
    *(LookupError, TypeError, ValueError, ArithmeticError),
)
"""What folding a journal can end in that others have written to."""


@contextmanager
def opened(data: str | None) -> Iterator[tuple[SqliteJournal, Path]]:
    """The journal of a data directory, read only; also while a market writes it."""
    folder = folder_of(data)
    if not (folder / JOURNAL).is_file():
        raise Failed(f"No market in {folder}. Name its directory with --data.")
    with closing(SqliteJournal(folder / JOURNAL, readonly=True)) as found:
        try:
            yield found, folder
        except UNSOUND as error:
            raise Failed(f"The journal in {folder} is not sound: {error!s:.200}") from None


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
