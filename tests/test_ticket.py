"""Exit tickets: one way to write each, and none that does not prove itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from allmende.ticket import Ticket, decode, encode, proves
from allmende.wire import merkle_sum
from allmende.wire.merkle_sum import EMPTY, Leaf, Proof

AMOUNTS = st.integers(0, 2**96)


def ticket(leaves: list[Leaf], index: int) -> Ticket:
    tree = merkle_sum.levels(leaves, keccak)
    top = tree[-1][0]
    return Ticket(
        chain_id=31337,
        genesis="0x" + "11" * 32,
        vault="0x" + "22" * 20,
        token="0x" + "33" * 20,
        batch=7,
        root="0x" + top.hash.hex(),
        total=top.sum,
        size=len(leaves),
        leaf=leaves[index],
        proof=merkle_sum.proof(tree, index),
        at=1_750_000_000,
    )


def leaves(count: int) -> list[Leaf]:
    return [Leaf(bytes([i + 1]) * 20, 10**13 + i, 5 * i) for i in range(count)]


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS), min_size=1, max_size=20), st.data())
def test_every_ticket_comes_back_as_it_was_and_is_written_in_one_way(
    amounts: list[tuple[int, int]], data: st.DataObject
) -> None:
    all_ = [Leaf(bytes([i + 1]) * 20, *pair) for i, pair in enumerate(amounts)]
    made = ticket(all_, data.draw(st.integers(0, len(all_) - 1)))
    again = decode(encode(made), keccak)
    assert again == made
    assert encode(again) == encode(made)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("balance", "10000000000009"),
        ("spent", "6"),
        ("account", "0x" + "09" * 20),
        ("total", "1"),
        ("size", 2),
        ("place", 2),
        ("root", "0x" + "00" * 32),
        ("siblings", []),
        ("balance", str(2**256)),
    ],
)
def test_a_changed_ticket_does_not_prove_itself(field: str, value: Any) -> None:
    text = json.loads(encode(ticket(leaves(5), 1)))
    with pytest.raises(ValueError, match="does not prove its own leaf"):
        decode(json.dumps(text | {field: value}).encode(), keccak)


@pytest.mark.parametrize(
    "change",
    [
        {"vault": "0x" + "AA" * 20},
        {"balance": 10},
        {"balance": "010"},
        {"balance": "-1"},
        {"genesis": "0x12"},
        {"chain_id": -1},
        {"note": "pay me"},
        {"siblings": [["0x" + "00" * 32, "0"]] * 33},
    ],
)
def test_what_is_not_written_as_a_ticket_is_none(change: dict[str, Any]) -> None:
    text = json.loads(encode(ticket(leaves(5), 1)))
    with pytest.raises(ValueError, match="This is no exit ticket"):
        decode(json.dumps(text | change).encode(), keccak)


def test_text_that_is_no_ticket_is_refused_in_words() -> None:
    for data in (b"", b"{}", b"\xff\xfe", b"[1]"):
        with pytest.raises(ValueError, match="This is no exit ticket"):
            decode(data, keccak)
    other = json.loads(encode(ticket(leaves(1), 0))) | {"format": "allmende-exit-ticket-2"}
    with pytest.raises(ValueError, match="this program reads"):
        decode(json.dumps(other).encode(), keccak)


def test_a_member_without_a_leaf_has_a_ticket_for_its_deposits() -> None:
    before = Ticket(
        chain_id=1,
        genesis="0x" + "11" * 32,
        vault="0x" + "22" * 20,
        token="0x" + "33" * 20,
        batch=0,
        root="0x" + EMPTY.hash.hex(),
        total=0,
        size=0,
        leaf=Leaf(b"\1" * 20, 0, 0),
        proof=Proof(0, ()),
        at=1,
    )
    assert proves(before, keccak)
    assert decode(encode(before), keccak).account == "0x" + "01" * 20


def test_a_ticket_of_ten_thousand_accounts_is_small() -> None:
    many = [Leaf(i.to_bytes(20, "big"), 10**15, 10**14) for i in range(1, 10_001)]
    assert len(encode(ticket(many, 9_999))) < 3_000
