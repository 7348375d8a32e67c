"""Bundle: an export as one zip file, written entry by entry, and read with nothing believed.

Rule: names, lengths and hashes stand in the manifest, which is written last and read first; an
entry counts when it has been read to its end and its hash is right.
Invariant: reading takes no more room than the manifest says, and the manifest may not say more
than RATIO times the file; nothing is ever written to a name that the file chose.
Worked number: 40 MB of zeros in a file of 40 kB is a ratio of 1,000, and is refused unread.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from allmende.wire.portable import (
    MANIFEST,
    MANIFEST_MAX,
    Bad,
    Entry,
    Manifest,
    manifest_bytes,
    manifest_of,
)

RATIO, ROOM = 200, 1 << 26
"""Unpacked bytes that a file may claim: so many times its own, and 64 MB in any case."""
LINE_MAX = 1 << 26
CHUNK = 1 << 16
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(NotImplementedError, RuntimeError, OSError, ValueError, OverflowError, LookupError),
)
"""What the zip module ends in over bytes that others wrote."""
_TAKEN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Writer:
    """Entries one after another into an open file, and the manifest last."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        self.entries: dict[str, Entry] = {}

    def add(self, name: str, chunks: Iterable[bytes]) -> None:
        """A whole entry; the same bytes make the same file, whenever they are written."""
        with self.entry(name) as write:
            for chunk in chunks:
                write.write(chunk)

    @contextmanager
    def entry(self, name: str) -> Iterator[_Entry]:
        """An entry that grows until the block ends; one at a time."""
        with self._zip.open(_info(name), "w", force_zip64=True) as file:
            written = _Entry(file)
            yield written
        self.entries[name] = written.said()

    def close(self, manifest: Manifest) -> None:
        """`manifest` as the caller made it of `entries`."""
        self._zip.writestr(_info(MANIFEST), manifest_bytes(manifest))
        self._zip.close()


class _Entry:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._bytes = 0

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self._hash.update(chunk)
        self._bytes += len(chunk)

    def said(self) -> Entry:
        return Entry(self._bytes, self._hash.hexdigest())


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)  # of 1980, always
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    return info


class Bundle:
    """An export that is read. Raises Bad, which names the entry."""

    def __init__(self, found: zipfile.ZipFile, size: int) -> None:
        self._zip = found
        self.manifest = self._manifest()
        listed = {info.filename: info for info in found.infolist() if info.filename != MANIFEST}
        self._require_the_same(listed)
        most, claimed = max(ROOM, RATIO * size), 0
        for name, entry in self.manifest.entries.items():
            info = listed[name]
            if info.compress_type not in _TAKEN or info.flag_bits & 1 or info.is_dir():
                raise Bad(f"{name}: it is neither stored nor deflated")
            if info.file_size != entry.bytes:
                raise Bad(f"{name}: {info.file_size} bytes, and the manifest says {entry.bytes}")
            claimed += entry.bytes
            if claimed > most:
                raise Bad(f"{name}: with it the file would unpack to more than {most} bytes")

    def _manifest(self) -> Manifest:
        names = [info.filename for info in self._zip.infolist()]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise Bad(f"{twice[:80]!r}: it is there twice")
        if MANIFEST not in names:
            raise Bad(f"{MANIFEST}: there is none, so this is no export of Allmende")
        with _named(MANIFEST), self._zip.open(MANIFEST) as file:
            data = file.read(MANIFEST_MAX + 1)
        if len(data) > MANIFEST_MAX:
            raise Bad(f"{MANIFEST}: it has more than {MANIFEST_MAX} bytes")
        return manifest_of(data)

    def _require_the_same(self, listed: dict[str, zipfile.ZipInfo]) -> None:
        for name in self.manifest.entries.keys() - listed.keys():
            raise Bad(f"{name}: the manifest has it, and the file does not")
        for name in listed.keys() - self.manifest.entries.keys():
            raise Bad(f"{name[:80]!r}: the file has it, and the manifest does not")

    def chunks(self, name: str) -> Iterator[bytes]:
        """The entry's bytes; Bad at their end if they are not the manifest's."""
        entry, hash_, size = self.entry(name), hashlib.sha256(), 0
        with _named(name), self._zip.open(name) as file:
            while chunk := file.read(CHUNK):
                hash_.update(chunk)
                size += len(chunk)
                yield chunk
        if size != entry.bytes or hash_.hexdigest() != entry.sha256:
            raise Bad(f"{name}: it was changed: its SHA-256 differs from the manifest's")

    def lines(self, name: str) -> Iterator[bytes]:
        """Lines without their ends, each of at most LINE_MAX bytes."""
        rest = b""
        for chunk in self.chunks(name):
            *whole, rest = (rest + chunk).split(b"\n") if b"\n" in chunk else (rest + chunk,)
            yield from whole
            if len(rest) > LINE_MAX:
                raise Bad(f"{name}: a line has more than {LINE_MAX} bytes")
        if rest:
            raise Bad(f"{name}: its last line has no end")

    def whole(self, name: str) -> bytes:
        return b"".join(self.chunks(name))

    def entry(self, name: str) -> Entry:
        found = self.manifest.entries.get(name)
        if found is None:
            raise Bad(f"{name}: the export has none")
        return found


@contextmanager
def opened(path: Path) -> Iterator[Bundle]:
    """Raises Bad; also for a file that cannot be read."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            found = stack.enter_context(zipfile.ZipFile(file))
            size = path.stat().st_size
        except _DAMAGE as error:
            raise Bad(f"{path.name}: it is no zip file that can be read ({error!s:.100})") from None
        yield Bundle(found, size)


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise Bad(f"{name}: it is damaged ({error!s:.100})") from None
