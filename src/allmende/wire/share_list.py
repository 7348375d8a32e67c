"""Share list: the file of an airdrop, one line for each account.

Rule: `address,shares`, with a point and up to 18 decimals; lines that begin with # and a first
line without an address are passed over.
Invariant: whoever has the same file finds the same root; an account stands in it once.
Worked number: "0x…01,2.5" is 2_500_000_000_000_000_000 base units.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

DECIMALS = 18
_LINE = re.compile(r"(0x[0-9a-fA-F]{40})\s*[,;\t]\s*([0-9]{1,40})(?:\.([0-9]{1,18}))?", re.ASCII)
BYTES_MAX = 50_000_000


def read_list(text: str) -> dict[bytes, int]:
    """Account of 20 bytes -> base units. ValueError names the line that is wrong."""
    found: dict[bytes, int] = {}
    for number, line in _lines(text):
        shape = _LINE.fullmatch(line)
        if shape is None:
            if number == 1 and "0x" not in line:
                continue  # what its columns are called
            raise ValueError(f"line {number}: not an address, a comma and an amount of shares")
        account = bytes.fromhex(shape[1][2:])
        if account in found:
            raise ValueError(f"line {number}: {shape[1]} stands in the list already")
        found[account] = int(shape[2] + (shape[3] or "").ljust(DECIMALS, "0"))
    return found


def _lines(text: str) -> Iterator[tuple[int, str]]:
    if len(text) > BYTES_MAX:
        raise ValueError(f"a list has at most {BYTES_MAX // 1_000_000} MB")
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        told = line.strip()
        if told and not told.startswith("#"):
            yield number, told
