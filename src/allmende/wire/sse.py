"""Server-sent events: where one ends, and what it carries.

Rule: an event ends at an empty line (LF or CRLF); its payload is its `data:` lines.
Invariant: `split` loses no byte: the events and the rest join to what went in.
Worked number: b"data: 1\\n\\ndata: 2" is one whole event of 9 bytes and a rest of 7.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

DONE = b"[DONE]"
"""The payload that ends an OpenAI stream."""
_EVENT = re.compile(rb".*?\n\r?\n", re.DOTALL)


def whole(data: bytes | bytearray, start: int = 0) -> int:
    """Length of the part of `data` that is whole events; looks for an end after `start`."""
    line_feed = data.rfind(b"\n\n", start)
    carriage = data.rfind(b"\n\r\n", start)
    return max(line_feed + 2 if line_feed >= 0 else 0, carriage + 3 if carriage >= 0 else 0)


def split(data: bytes) -> Iterator[bytes]:
    """Each event of `data` with the empty line that ends it, and the rest if there is one."""
    if b"\r" not in data:
        *events, rest = data.split(b"\n\n")
        yield from [event + b"\n\n" for event in events]
        if rest:
            yield rest
        return
    end = 0
    for match in _EVENT.finditer(data):
        end = match.end()
        yield match.group()
    if end < len(data):
        yield data[end:]


def payload(event: bytes) -> bytes:
    """What an event carries: its data lines joined; empty for comments and blank events."""
    if event.startswith(b"data: ") and event.count(b"\n") == 2:
        return event[6:].strip()
    lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines)
