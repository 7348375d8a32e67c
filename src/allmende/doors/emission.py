"""Emission: what the contract that gives out shares says, read at one block.

Rule: states are named by the second that the next block has at least, and by nothing that a
publisher says: a chain whose blocks come when they are wanted may be ahead of the clock.
Invariant: "open" is a list that can be claimed, "audit" one that can still be voided, "none" an
epoch without a list.
Worked number: a list that opens at second 1_000 is in audit where the next block may have 999, and
open where it has 1_000.
"""

from __future__ import annotations

from typing import NamedTuple

from allmende.custody import NOTHING
from allmende.institutions import Institution
from allmende.wire.claims import Line

CONTRACT = "Emission"
NONE, AUDIT, OPEN = "none", "audit", "open"


class Terms(NamedTuple):
    """As its constructor fixed them: seconds, an epoch, base units, epochs; `window` seconds."""

    length: int
    first: int
    pool: int
    halving: int
    window: int


class Listed(NamedTuple):
    """The list of an epoch. Hashes in hex; `opens` Unix seconds, amounts base units."""

    epoch: int
    state: str
    root: str
    total: int
    rule: str
    opens: int
    claimed: int
    voids: int


async def terms(emission: Institution, at: int | None = None) -> Terms:
    names = ("length", "first", "pool", "halving", "window")
    return Terms(*[int(await emission.get(name, at)) for name in names])


async def listed(emission: Institution, epoch: int, now_s: int, at: int | None = None) -> Listed:
    """`now_s` is what the next block has at least."""
    root, total, rule, opens, claimed = await emission.get("epochs", at, epoch)
    voids = int(await emission.get("voids", at, epoch))
    text = hexed(root)
    state = NONE if text == NOTHING else OPEN if now_s >= opens else AUDIT
    return Listed(epoch, state, text, total, hexed(rule)[2:], opens, claimed, voids)


async def claimed(emission: Institution, epoch: int, line: Line, at: int | None = None) -> bool:
    return bool(await emission.get("claimed", at, epoch, line.place))


def hexed(value: bytes | str) -> str:
    """A hash as 0x text, whether it came as bytes or as text."""
    return value if isinstance(value, str) else "0x" + bytes(value).hex()
