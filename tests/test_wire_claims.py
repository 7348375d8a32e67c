"""Lists as Merkle roots: what is in them is proved, and nothing else."""

from __future__ import annotations

import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from allmende.wire import claims

ACCOUNTS = st.binary(min_size=20, max_size=20).filter(any)
LISTS = st.dictionaries(ACCOUNTS, st.integers(1, 2**100), min_size=1, max_size=40)
ONE, TWO = b"\1" * 20, b"\2" * 20


@given(LISTS, st.data())
def test_every_line_is_proved_and_no_changed_one(
    amounts: dict[bytes, int], data: st.DataObject
) -> None:
    listed = claims.lines(amounts)
    tree = claims.levels(listed, keccak)
    top = tree[-1][0]
    for line in listed:
        shown = claims.proof(tree, line.place)
        assert claims.proved(top, line, shown, keccak)
        assert not claims.proved(top, line._replace(amount=line.amount + 1), shown, keccak)
        assert not claims.proved(top, line._replace(place=line.place + 1), shown, keccak)
        assert not claims.proved(top, line, (*shown, bytes(32)), keccak)
    assert claims.total(listed) == sum(amounts.values())
    other = data.draw(ACCOUNTS.filter(lambda a: a not in amounts))
    stolen = listed[0]._replace(account=other)
    assert not claims.proved(top, stolen, claims.proof(tree, 0), keccak)


def test_the_list_is_the_same_whatever_its_order_was() -> None:
    assert claims.lines({TWO: 2, ONE: 1}) == claims.lines({ONE: 1, TWO: 2, b"\3" * 20: 0})
    assert [line.place for line in claims.lines({TWO: 2, ONE: 1})] == [0, 1]


def test_proofs_are_as_long_as_said() -> None:
    thousand = claims.lines({i.to_bytes(20, "big"): i for i in range(1, 1_001)})
    tree = claims.levels(thousand, keccak)
    assert max(len(claims.proof(tree, i)) for i in range(1_000)) == 10
    assert len(claims.proof(claims.levels(thousand[:5], keccak), 4)) == 1
    with pytest.raises(IndexError):
        claims.proof(tree, 1_000)


def test_a_leaf_is_openzeppelins_standard_one() -> None:
    """Of (uint256, address, uint256), as its tools for lists make it."""
    line = claims.Line(0, ONE, 5)
    words = bytes(32) + bytes(12) + ONE + (5).to_bytes(32, "big")
    assert claims.leaf(line, keccak) == keccak(keccak(words))


def test_a_node_cannot_be_shown_as_a_line() -> None:
    """A node is keccak of 64 bytes and a leaf keccak of 32."""
    tree = claims.levels(claims.lines({ONE: 1, TWO: 2}), keccak)
    assert keccak(b"".join(sorted(tree[0]))) == tree[1][0]
    assert not claims.proved(tree[1][0], claims.Line(0, ONE, 1), (), keccak)


@pytest.mark.parametrize(
    ("amounts", "says"),
    [
        ({}, "nobody gets anything"),
        ({ONE: 0}, "nobody gets anything"),
        ({bytes(20): 1}, "not all of them zero"),
        ({b"short": 1}, "an account is 20 bytes"),
        ({ONE: -1}, "-1 is no amount"),
        ({ONE: 2**256}, "more than a chain can count"),
        ({ONE: 2**255, TWO: 2**255}, "more than a chain can count"),
    ],
)
def test_a_bad_list_says_what_is_wrong(amounts: dict[bytes, int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        claims.lines(amounts)
    with pytest.raises(ValueError, match="has no root"):
        claims.levels([], keccak)
