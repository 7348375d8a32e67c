"""Portable: the open format in which a market, or a member's tree, leaves and arrives.

Rule: an export is a manifest and named entries, each with its length and SHA-256; the journal is
one frame a line, with its events as they were hashed. What is derived is told again on arrival.
Invariant: `frame_of(frame_line(frame))` is the frame, to the byte.
Worked number: a frame of 3 events is one line of JSON with three objects in `events`.

docs/portability.md says it field by field.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

from allmende.core.nouns import Market
from allmende.wire.journal import Broken, Frame

MARKET, MEMBER = "allmende-market-1", "allmende-member-1"
MANIFEST, JOURNAL, STATE = "manifest.json", "journal.jsonl", "state.json"
REGISTRY, EVIDENCE = "registry.json", "evidence.json"
TREE, OPEN, RECEIPTS, PARAMETERS = "tree.json", "open.json", "receipts.jsonl", "parameters.json"
FILES, KEYS = "files/", "keys/"
MANIFEST_MAX = 4_194_304
"""Bytes."""
_PLAIN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_NAME = re.compile(rf"(?:(?:files|keys)/(?:prices/)?)?{_PLAIN}\Z")


class Bad(Exception):
    """An export that is not taken; the sentence begins with the entry that is to blame."""


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """Of the bytes as they are when unpacked."""

    bytes: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True):
    """What an export says of itself. `head` and `digest` are of the state after event `events`.

    `state` is the fingerprint of the state's shape: with another, `digest` cannot be compared.
    `signature` is the market's over `head`, "" where its key was not there. `left` names what
    was in the data directory and is not in the export. `members` are the tops of the trees.
    """

    format: str
    software: str
    state: str
    market: Market
    events: int
    head: str
    digest: str
    signature: str = ""
    keys: bool = False
    left: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    entries: dict[str, Entry]


class _Line(Struct, frozen=True, forbid_unknown_fields=True):
    first: int
    prev: str
    leaves: str
    head: str
    signature: str
    events: list[msgspec.Raw]


_ENCODE = msgspec.json.Encoder().encode
_LINE = msgspec.json.Decoder(_Line)


def manifest_bytes(manifest: Manifest) -> bytes:
    return msgspec.json.format(_ENCODE(manifest), indent=2) + b"\n"


def manifest_of(data: bytes) -> Manifest:
    """Raises Bad."""
    try:
        found = msgspec.json.decode(data, type=Manifest)
        sound = bytes.fromhex(found.market.public_key), bytes.fromhex(found.signature)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise Bad(f"{MANIFEST}: {error}") from None
    assert sound
    if found.format not in (MARKET, MEMBER):
        raise Bad(f"{MANIFEST}: format {found.format[:40]!r} is none of {MARKET}, {MEMBER}")
    for name, entry in found.entries.items():
        require_name(name)
        if entry.bytes < 0:
            raise Bad(f"{MANIFEST}: {name} cannot have {entry.bytes} bytes")
    return found


def require_name(name: str) -> None:
    """Refuse what could lead out of a folder. Raises Bad."""
    if not _NAME.match(name) or name == MANIFEST:
        raise Bad(f"{name[:80]!r}: an export has no entry of such a name")


def carried_name(name: str) -> bool:
    """Whether a file of this name can be an entry."""
    return re.match(rf"{_PLAIN}\Z", name) is not None


def frame_line(frame: Frame) -> bytes:
    """One line, with its end. Raises Broken where the events are not lines of JSON."""
    lines = [msgspec.Raw(line) for line in frame.body.split(b"\n")[:-1]]
    told = _Line(
        frame.first,
        frame.prev.hex(),
        frame.leaves.hex(),
        frame.head.hex(),
        frame.signature.hex(),
        lines,
    )
    if _body(lines) != frame.body or len(lines) != frame.count:
        raise Broken(f"frame at event {frame.first} is no lines of JSON")
    return _ENCODE(told) + b"\n"


def frame_of(line: bytes) -> Frame:
    """Raises Bad, without the entry's name."""
    try:
        told = _LINE.decode(line)
        hashes = [bytes.fromhex(h) for h in (told.prev, told.leaves, told.head, told.signature)]
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise Bad(f"no frame: {error}") from None
    prev, leaves, head, signature = hashes
    body = _body(told.events)
    return Frame(told.first, len(told.events), body, prev, leaves, head, signature)


def _body(lines: list[msgspec.Raw]) -> bytes:
    return b"".join(bytes(line) + b"\n" for line in lines)
