"""Market export: all that a data directory has, in one open file.

Rule: the journal is checked as it is written; beside it goes every record, price history and
SQLite file that is not derived from it. Keys go only if they are asked for.
Invariant: without keys nothing secret is in it: providers' keys are sealed under the master key,
members' keys are hashes, and what is not carried is named.
Worked number: a market of 24 receipts is some 25 kB, three quarters of it the journal.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from allmende.adapters.bundle import Writer
from allmende.adapters.secrets import open_signer, open_vault
from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.core import events as e
from allmende.core import machine
from allmende.core.actors import Registry
from allmende.core.state import State
from allmende.wire import journal, portable
from allmende.wire.portable import Manifest
from allmende.wire.snapshot import fingerprint

DERIVED = ("views.sqlite", "lock", "serve.log", "contracts")
"""Folded or compiled again where it is missing, or of one process alone."""
RECORDS = (".json", ".jsonl", ".csv")
MASTER, SIGNER = "master.key", "signer.key"
FOLDERS = ("prices",)
_ENCODE = msgspec.json.Encoder(order="deterministic").encode
_TAIL = ("-wal", "-shm", "-journal")

Step = Callable[[int], None]


class Told:
    """A journal, folded: what an export says beside it, and an import works out again."""

    def __init__(self) -> None:
        self.state = State()
        self.registry = Registry()
        self.number = 0
        self.head = journal.GENESIS

    def see(self, frame: journal.Frame) -> None:
        """Fold the next frame, already found to follow."""
        for event in journal.events(frame.body):
            machine.apply(self.state, event)
            self.note(event)
        self.number, self.head = frame.last, frame.head

    def note(self, event: e.Event) -> None:
        if isinstance(event, e.ActorsImported):
            self.registry = event.registry

    def entries(self) -> dict[str, bytes]:
        """By name: the state, the registry of actors, evidence with assessments and floors."""
        state = self.state
        evidence = {
            "evidence": state.evidence,
            "assessments": state.assessments,
            "floors": state.floors,
        }
        found = {
            portable.STATE: state,
            portable.REGISTRY: self.registry,
            portable.EVIDENCE: evidence,
        }
        return {name: _ENCODE(_plain(value)) + b"\n" for name, value in found.items()}


def _plain(value: object) -> object:
    """Lanes are numbers, and JSON's names text."""
    return msgspec.to_builtins(value, str_keys=True, order="deterministic")


def write_market(
    folder: Path, name: str, out: Path, *, with_keys: bool, step: Step = lambda count: None
) -> Manifest:
    """Write the export of the market in `folder`, whose journal is `name`: running or not.

    `out` is whole, durable and private, or not there. Raises FileExistsError, OSError, Broken.
    """
    if out.exists():
        raise FileExistsError(out)
    draft = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
            made = _write(folder, name, Writer(file), with_keys, step)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, out)  # and not over what somebody has put there meanwhile
    finally:
        draft.unlink(missing_ok=True)
    return made


def _write(folder: Path, name: str, out: Writer, with_keys: bool, step: Step) -> Manifest:
    told = Told()
    with closing(SqliteJournal(folder / name, readonly=True)) as found:
        out.add(portable.JOURNAL, _lines(found, told, step))
    for entry, data in told.entries().items():
        out.add(entry, [data])
    left = []
    for path in _files(folder):
        inside = path.relative_to(folder).as_posix()
        if path.name == name or path.name in DERIVED:
            continue
        if path.suffix == ".key" and with_keys:
            out.add(portable.KEYS + inside, [path.read_bytes()])
        elif path.suffix in RECORDS and portable.carried_name(path.name):
            out.add(portable.FILES + inside, [path.read_bytes()])
        elif path.suffix == ".sqlite" and portable.carried_name(path.name):
            out.add(portable.FILES + inside, [_database(path)])
        else:
            left.append(inside)
    manifest = _manifest(folder, told, with_keys, tuple(left), out)
    out.close(manifest)
    return manifest


def _lines(found: SqliteJournal, told: Told, step: Step) -> Iterator[bytes]:
    for frame in journal.follow(found.frames(), 1, journal.GENESIS):
        told.see(frame)
        yield portable.frame_line(frame)
        step(frame.last)


def _manifest(
    folder: Path, told: Told, with_keys: bool, left: tuple[str, ...], out: Writer
) -> Manifest:
    market = told.state.market
    if market is None:
        raise journal.Broken("it founds no market")
    return Manifest(
        format=portable.MARKET,
        software=version("allmende"),
        state=fingerprint().decode(),
        market=market,
        events=told.number,
        head=told.head.hex(),
        digest=machine.digest(told.state),
        signature=_signature(folder, told.head),
        keys=with_keys,
        left=left,
        entries=out.entries,
    )


def _signature(folder: Path, head: bytes) -> str:
    """The market's own over the last head, so that events after the last receipt are proved too.

    Empty where the keys are kept elsewhere. Raises SecretBroken.
    """
    if not ((folder / MASTER).is_file() and (folder / SIGNER).is_file()):
        return ""
    return open_signer(folder, open_vault(folder)).sign(journal.signed(head)).hex()


def _files(folder: Path) -> Iterable[Path]:
    """Of the directory itself and of the folders that are known; in the order of their names."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name in FOLDERS:
            yield from (one for one in sorted(path.iterdir()) if one.name != "lock")
        elif path.is_dir():
            if path.name not in DERIVED:
                yield path
        elif not path.name.endswith(_TAIL):
            yield path


def _database(path: Path) -> bytes:
    """A SQLite file of one moment, also while another process writes it."""
    with TemporaryDirectory() as there:
        copy = Path(there) / path.name
        source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
        with closing(source), closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        return copy.read_bytes()
