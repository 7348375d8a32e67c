"""Market import: an export becomes a data directory again, or nothing at all.

Rule: every hash, the chain of frames, every signature, batches and invariants are checked on the
way; state, registry and evidence are folded anew and must be what the export says they are.
Invariant: the directory appears in one step, when all of it is right and durable; until then, and
after any failure, it is not there.
Worked number: one bit of any entry changed, and the import names that entry and leaves nothing.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from allmende.adapters.audit import Audit
from allmende.adapters.bundle import Bundle, opened
from allmende.adapters.market_export import MASTER, SIGNER, Told
from allmende.adapters.secrets import SecretBroken, open_signer, open_vault
from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.core import machine
from allmende.wire import journal, portable
from allmende.wire.portable import Bad, Manifest
from allmende.wire.snapshot import fingerprint, pack

Step = Callable[[int], None]
_UNSOUND = (
    *(journal.Broken, AssertionError, msgspec.MsgspecError, sqlite3.Error),
    *(LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError),
)
"""What folding a journal can end in that others have written to."""


class Imported(Struct, frozen=True):
    """What was found right. `compared`: the digest too, as the state has the same shape here."""

    manifest: Manifest
    receipts: int
    batches: int
    signatures: int
    digest: str
    compared: bool


def read_market(path: Path, target: Path, name: str, step: Step = lambda count: None) -> Imported:
    """Make the data directory `target` out of an export; its journal is called `name`.

    Raises Bad, FileExistsError; OSError of the disk.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    draft.mkdir(mode=0o700)
    try:
        with opened(path) as bundle:
            done = _unpack(bundle, draft, name, step)
        _durable(draft)
        draft.rename(target)
        _sync(target.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return done


def check_market(bundle: Bundle, step: Step = lambda count: None) -> Imported:
    """The same checks without keeping anything. Raises Bad."""
    audit, told = Audit(None), Told()
    _fold(bundle, audit, told, step, lambda frames: [None for _ in frames])
    for name in bundle.manifest.entries:
        if name not in (portable.JOURNAL, *told.entries()):
            _drain(bundle, name)
    return _compared(bundle, audit, told)


def _drain(bundle: Bundle, name: str) -> None:
    for _ in bundle.chunks(name):
        continue


def _unpack(bundle: Bundle, draft: Path, name: str, step: Step) -> Imported:
    audit, told = Audit(None), Told()
    with closing(SqliteJournal(draft / name)) as kept:
        _fold(bundle, audit, told, step, kept.append_all)
        done = _compared(bundle, audit, told)
        kept.snapshot(audit.number, audit.head, pack(audit.state))
    for entry in bundle.manifest.entries:
        for place in (portable.FILES, portable.KEYS):
            if entry.startswith(place):
                _put(bundle, entry, draft / entry.removeprefix(place))
    _require_keys(bundle.manifest, draft)
    return done


def _put(bundle: Bundle, entry: str, file: Path) -> None:
    """Private, as everything in a data directory is."""
    if file.name in (portable.MANIFEST, "lock") or file.exists():
        raise Bad(f"{entry}: a data directory has no such file of its own")
    file.parent.mkdir(mode=0o700, exist_ok=True)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as to:
        to.writelines(bundle.chunks(entry))


def _fold(
    bundle: Bundle,
    audit: Audit,
    told: Told,
    step: Step,
    keep: Callable[[Iterator[journal.Frame]], object],
) -> None:
    """Every frame checked, folded and handed on to `keep`."""

    if bundle.manifest.format != portable.MARKET:
        raise Bad(f"{portable.MANIFEST}: a member's export is for `allmende market import-member`")

    def frames() -> Iterator[journal.Frame]:
        lines = (portable.frame_of(line) for line in bundle.lines(portable.JOURNAL))
        for frame in journal.follow(lines, 1, journal.GENESIS):
            audit.frame(frame)
            for event in journal.events(frame.body):
                told.note(event)
            yield frame
            step(frame.last)

    try:
        keep(frames())
        audit.check()
    except Bad as bad:
        said = str(bad)
        raise Bad(said if said.startswith(portable.JOURNAL) else _of_journal(said)) from None
    except _UNSOUND as error:
        raise Bad(_of_journal(f"{error!s:.200}")) from None
    told.state, told.number, told.head = audit.state, audit.number, audit.head


def _of_journal(said: str) -> str:
    return f"{portable.JOURNAL}: {said or 'it is not sound'}"


def _compared(bundle: Bundle, audit: Audit, told: Told) -> Imported:
    """Hold what was folded against what the export says. Raises Bad."""
    manifest, market = bundle.manifest, audit.state.market
    if market is None or market != manifest.market:
        raise Bad(f"{portable.MANIFEST}: it names another market than the journal founds")
    if (audit.number, audit.head.hex()) != (manifest.events, manifest.head):
        raise Bad(f"{portable.JOURNAL}: it ends elsewhere than the manifest says")
    public, signature = bytes.fromhex(market.public_key), bytes.fromhex(manifest.signature)
    if signature and not journal.genuine(public, audit.head, signature):
        raise Bad(f"{portable.MANIFEST}: the market did not sign this head")
    digest, same = machine.digest(audit.state), manifest.state == fingerprint().decode()
    for name, data in told.entries().items():
        found = bundle.whole(name)
        if same and found != data:
            raise Bad(f"{name}: it is not what the journal folds to")
    if same and digest != manifest.digest:
        raise Bad(f"{portable.MANIFEST}: its digest is of another state than the journal's")
    return Imported(manifest, audit.receipts, audit.batches, audit.signatures, digest, same)


def _require_keys(manifest: Manifest, draft: Path) -> None:
    """Where keys came, they are this market's. Raises Bad."""
    if not manifest.keys:
        return
    for name in (MASTER, SIGNER):
        if not (draft / name).is_file():
            raise Bad(f"{portable.KEYS}{name}: the export says that it has the keys")
    try:
        signer = open_signer(draft, open_vault(draft))
    except (SecretBroken, ValueError) as broken:
        raise Bad(f"{portable.KEYS}{SIGNER}: {_short(broken, draft)}") from None
    if signer.public.hex() != manifest.market.public_key:
        raise Bad(f"{portable.KEYS}{SIGNER}: it is the key of another market")


def _short(error: Exception, draft: Path) -> str:
    return str(error).replace(f"{draft}/", "")


def _durable(folder: Path) -> None:
    for path in folder.rglob("*"):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.close(file)
