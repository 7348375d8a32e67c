"""Claims: a list of who gets how much as one Merkle root, and the proof of each of its lines.

Rule: a line is (index, account, amount) and its leaf keccak(keccak(index, account, amount)),
each in 32 bytes; above it a node is keccak of its two children, the lower one first, and an odd
one goes up as it is. Indices count from 0 in the order of the accounts.
Invariant: `proved` says yes exactly when contracts/claims.vy does; `leaf` is OpenZeppelin's
standard leaf of (uint256, address, uint256); whoever has the same list finds the same root.
Worked number: of 1_000 lines a proof has at most 10 hashes; of 5 the last line's has one.

For whoever gives out by list: an airdrop has one root, an emission one each epoch. In short:

    lines = claims.lines({account: 7})        # 20 bytes -> base units
    tree = claims.levels(lines, keccak)
    tree[-1][0]                               # the root
    claims.proof(tree, 0)                     # for (lines[0].place, account, amount, proof)

Keccak comes in with the call, as in wire.merkle_sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from allmende.wire.merkle_sum import WORD_MAX, Keccak

DEPTH_MAX = 32
"""Hashes of the longest proof that the contract takes."""


class Line(NamedTuple):
    """Who gets how much. `place` is the index, the account has 20 bytes, the amount base units."""

    place: int
    account: bytes
    amount: int


def lines(amounts: Mapping[bytes, int]) -> list[Line]:
    """The list of whoever gets something, in the order of accounts. ValueError says what is
    wrong with one of them; of nobody, with the list."""
    found = [(account, amount) for account, amount in sorted(amounts.items()) if amount]
    if not found:
        raise ValueError("nobody gets anything")
    if sum(amount for _, amount in found) > WORD_MAX:
        raise ValueError("together that is more than a chain can count")
    made = [Line(index, *line) for index, line in enumerate(found)]
    for line in made:
        _fitting(line)
    return made


def total(of: Sequence[Line]) -> int:
    return sum(line.amount for line in of)


def leaf(line: Line, keccak: Keccak) -> bytes:
    """ValueError if the line does not fit."""
    _fitting(line)
    data = _word(line.place) + bytes(12) + line.account + _word(line.amount)
    return keccak(keccak(data))


def levels(of: Sequence[Line], keccak: Keccak) -> list[list[bytes]]:
    """The whole tree, from the leaves in their order up to the root. ValueError if it is empty."""
    if not of:
        raise ValueError("a list of nobody has no root")
    tree = [[leaf(line, keccak) for line in of]]
    while len(tree[-1]) > 1:
        below = tree[-1]
        pairs = [_node(below[i], below[i + 1], keccak) for i in range(0, len(below) - 1, 2)]
        tree.append(pairs + below[len(pairs) * 2 :])
    return tree


def root(of: Sequence[Line], keccak: Keccak) -> bytes:
    return levels(of, keccak)[-1][0]


def proof(tree: Sequence[Sequence[bytes]], index: int) -> tuple[bytes, ...]:
    """Of line `index` out of `levels`, from below. IndexError if there is no such line."""
    if not 0 <= index < len(tree[0]):
        raise IndexError(index)
    beside = ((level, (index >> height) ^ 1) for height, level in enumerate(tree[:-1]))
    return tuple(level[place] for level, place in beside if place < len(level))


def proved(top: bytes, line: Line, shown: Sequence[bytes], keccak: Keccak) -> bool:
    """Whether a line is in the list under this root."""
    node = leaf(line, keccak)
    for beside in shown:
        node = _node(node, beside, keccak)
    return node == top != bytes(32) and len(shown) <= DEPTH_MAX


def _node(one: bytes, other: bytes, keccak: Keccak) -> bytes:
    return keccak(min(one, other) + max(one, other))


def _fitting(line: Line) -> None:
    if len(line.account) != 20 or line.account == bytes(20):
        raise ValueError(f"line {line.place}: an account is 20 bytes, not all of them zero")
    if not (0 <= line.place <= WORD_MAX and 0 <= line.amount <= WORD_MAX):
        raise ValueError(f"line {line.place}: {line.amount} is no amount")


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")
