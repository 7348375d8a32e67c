"""Strangers: text that anybody could have written into a log of the chain.

Rule: bytes come in, one line of printable text goes out; nothing in it stops whoever reads on.
Invariant: no control character, no line's end and no broken UTF-8 leaves here.
Worked number: 0xff41 is a mark and an A.
"""

from __future__ import annotations

MARK = "\N{REPLACEMENT CHARACTER}"


def plain(data: str) -> str:
    """Of bytes as 0x text."""
    text = bytes.fromhex(data[2:]).decode("utf-8", "replace")
    return "".join(one if one.isprintable() else MARK for one in " ".join(text.split()))
