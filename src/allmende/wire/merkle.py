"""Merkle: roots and audit paths over leaf hashes, as in RFC 6962 section 2.1.

Rule: a path proves one leaf under a root with log2(n) hashes and nothing else.
Invariant: `root` equals what core.settle builds leaf by leaf.
Worked number: leaf 2 of 5 has the path [leaf 3, H(leaf 0, leaf 1), leaf 4].
"""

from __future__ import annotations

from collections.abc import Sequence

from allmende.core.settle import EMPTY, node_hash


def root(leaves: Sequence[bytes]) -> bytes:
    """Root over 32-byte leaf hashes; of none, SHA-256 of nothing."""
    if not leaves:
        return EMPTY
    level = list(leaves)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Sibling hashes from leaf `index` up to the root. IndexError if there is no such leaf."""
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    return _path(_levels(leaves), index)


class Places:
    """Where leaves stand in one tree that is worked out once, for many paths."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.size = len(leaves)
        self._levels = _levels(leaves)
        self._first = {leaf: number for number, leaf in reversed([*enumerate(leaves)])}

    def of(self, leaf: bytes) -> tuple[int, list[bytes]]:
        """(its number, its path). ValueError if it is not there."""
        if leaf not in self._first:
            raise ValueError(f"{leaf.hex()} is no leaf of this tree")
        return self._first[leaf], _path(self._levels, self._first[leaf])


def _levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Every level below the root, leaves first."""
    found, level = [], list(leaves)
    while len(level) > 1:
        found.append(level)
        level = _above(level)
    return found


def _path(tree: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    siblings = []
    for level in tree:
        beside = index ^ 1
        if beside < len(level):
            siblings.append(level[beside])
        index //= 2
    return siblings


def _above(level: list[bytes]) -> list[bytes]:
    """The next level; a last node without a neighbour moves up as it is."""
    pairs = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return pairs + level[len(pairs) * 2 :]


def folds_to(leaf: bytes, index: int, size: int, siblings: Sequence[bytes]) -> bytes | None:
    """The root that a leaf and its path give in a tree of `size`; None if they do not fit."""
    if not 0 <= index < size:
        return None
    rest, last, top = list(siblings), size - 1, leaf
    while last:
        if index % 2:
            if not rest:
                return None
            top = node_hash(rest.pop(0), top)
        elif index < last:
            if not rest:
                return None
            top = node_hash(top, rest.pop(0))
        index, last = index // 2, last // 2
    return None if rest else top
