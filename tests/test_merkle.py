"""wire.merkle against a slow obvious model, and against core.settle's running peaks."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.core import settle
from allmende.wire import merkle

LEAVES = [settle.leaf_hash(bytes([n])) for n in range(70)]


def slow_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word by word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    both = slow_root(leaves[:half]) + slow_root(leaves[half:])
    return hashlib.sha256(b"\1" + both).digest()


@pytest.mark.parametrize("size", range(70))
def test_three_ways_to_a_root_agree(size: int) -> None:
    peaks: list[tuple[int, bytes]] = []
    for leaf in LEAVES[:size]:
        settle.push(peaks, leaf)
    assert slow_root(LEAVES[:size]) == merkle.root(LEAVES[:size]) == settle.root(peaks)
    assert len(peaks) <= max(1, size).bit_length()


@given(st.integers(1, 70), st.data())
def test_every_leaf_proves_itself_and_no_other(size: int, data: st.DataObject) -> None:
    leaves = LEAVES[:size]
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1))
    path = merkle.path(leaves, index)
    assert merkle.folds_to(leaves[index], index, size, path) == merkle.root(leaves)
    assert len(path) <= size.bit_length()
    if other != index:
        assert merkle.folds_to(leaves[other], index, size, path) != merkle.root(leaves)
        assert merkle.folds_to(leaves[index], other, size, path) != merkle.root(leaves)


def test_paths_that_do_not_fit_prove_nothing() -> None:
    path = merkle.path(LEAVES[:5], 2)
    assert path == [LEAVES[3], settle.node_hash(LEAVES[0], LEAVES[1]), LEAVES[4]]
    assert merkle.folds_to(LEAVES[2], 2, 5, path[:-1]) is None
    assert merkle.folds_to(LEAVES[2], 2, 5, [*path, LEAVES[0]]) is None
    assert merkle.folds_to(LEAVES[2], 5, 5, path) is None
    assert merkle.folds_to(LEAVES[2], -1, 5, path) is None
    with pytest.raises(IndexError):
        merkle.path(LEAVES[:5], 5)
