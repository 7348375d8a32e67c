"""Sortition: a jury by lot, which anybody draws again from a published list and a public seed.

Rule: the list is fixed and published before its seed is known. SHA-256 of seed, list and a count
is a stream of numbers; one that would favour anybody is thrown away; the stream shuffles the
list as far as there are seats.
Invariant: the same list, seed and size give the same jury on any machine, in whatever order the
list came; nobody is drawn twice, and each is as likely as any other of the same stratum.
Worked number: of three names one seat takes numbers below 3 * (2**256 // 3), so that each of
0, 1 and 2 has exactly as many numbers as the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from allmende.core.units import Instant

_LIST = b"allmende jury list 1\0"
_STREAM = b"allmende jury 1\0"
_NUMBERS = 1 << 256

Pool = tuple[tuple[str, str], ...]
"""Each name with its stratum, "" where there are none; sorted by name."""


class Jury(Struct, frozen=True):
    """A jury that was called and is not yet drawn. `source` says where its seed will come from:
    the hash of a block that is not mined yet, or who publishes what when."""

    id: str
    size: int
    source: str
    pool: Pool
    since: Instant


def list_hash(pool: Pool) -> str:
    """SHA-256, in hex, of the published list: a line `name<TAB>stratum` for each, by name."""
    lines = "".join(f"{name}\t{stratum}\n" for name, stratum in sorted(pool))
    return hashlib.sha256(_LIST + lines.encode()).hexdigest()


def draw(pool: Pool, size: int, seed: bytes) -> tuple[str, ...]:
    """The jury, stratum by stratum, each in the order in which it was drawn."""
    assert 0 < size <= len(pool) == len(dict(pool)), f"{size} of {len(pool)}"
    rows = sorted(pool)
    listed = bytes.fromhex(list_hash(pool))
    strata: dict[str, list[str]] = {}
    for name, stratum in rows:
        strata.setdefault(stratum, []).append(name)
    places = seats({stratum: len(names) for stratum, names in strata.items()}, size)
    return tuple(
        name
        for stratum in sorted(strata)
        for name in _shuffled(strata[stratum], places[stratum], _stream(seed, listed, stratum))
    )


def seats(sizes: Mapping[str, int], size: int) -> dict[str, int]:
    """Seats by stratum, in proportion: whole ones first, the rest by the largest remainder, of
    equal ones to the larger stratum, and then to the one whose name comes first."""
    total = sum(sizes.values())
    found = {stratum: size * count // total for stratum, count in sizes.items()}
    left = size - sum(found.values())
    order = sorted(sizes, key=lambda s: (-(size * sizes[s] % total), -sizes[s], s))
    for stratum in order[:left]:
        found[stratum] += 1
    return found


def _shuffled(names: Sequence[str], count: int, numbers: Iterator[int]) -> list[str]:
    """The first `count` places of a Fisher-Yates shuffle."""
    rest = list(names)
    for place in range(count):
        other = place + below(len(rest) - place, numbers)
        rest[place], rest[other] = rest[other], rest[place]
    return rest[:count]


def below(most: int, numbers: Iterator[int]) -> int:
    """A number from 0 to `most` - 1, each as likely: numbers beyond the last whole round of
    `most` are thrown away."""
    limit = _NUMBERS - _NUMBERS % most
    return next(number for number in numbers if number < limit) % most


def _stream(seed: bytes, listed: bytes, stratum: str) -> Iterator[int]:
    """Numbers of 256 bits. What differs in length has its length before it."""
    head = b"".join(len(part).to_bytes(4) + part for part in (seed, listed, stratum.encode()))
    count = 0
    while True:
        block = hashlib.sha256(_STREAM + head + count.to_bytes(8)).digest()
        yield int.from_bytes(block)
        count += 1
