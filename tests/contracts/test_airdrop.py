"""An airdrop pays each line of its list once, to whom the line names, and to nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from vault_rig import ZERO, Person, deploy, refused

from allmende.wire import claims

ADMIN, ANNA, BEN, MALLORY, COMMONS = (
    Person(name) for name in ("admin", "anna", "ben", "mallory", "commons")
)
DAY = 86_400
CAP = 2**120
GIFTS = {ANNA.bytes: 60, BEN.bytes: 40}


class Drop:
    """An airdrop of a list, with its share."""

    def __init__(self, amounts: dict[bytes, int], *, mode: int = 0, cap: int = CAP) -> None:
        self.lines = claims.lines(amounts)
        self.tree = claims.levels(self.lines, keccak)
        self.share = deploy("Share", mode, cap, by=ADMIN.address)
        until = boa.env.evm.patch.timestamp + DAY
        words = (self.tree[-1][0], claims.total(self.lines), until, COMMONS.address)
        self.drop = deploy("Airdrop", self.share.address, *words)
        self.share.grantRole(keccak(b"MINTER"), self.drop.address, sender=ADMIN.address)

    def line(self, of: Person) -> tuple[Any, ...]:
        found = next(line for line in self.lines if line.account == of.bytes)
        return found.place, of.address, found.amount, claims.proof(self.tree, found.place)

    def claim(self, of: Person, by: Person | None = None) -> None:
        self.drop.claim(*self.line(of), sender=(by or of).address)


@pytest.fixture
def rig() -> Iterator[Drop]:
    with boa.env.anchor():
        yield Drop(GIFTS)


def test_a_line_is_paid_once_in_every_mode(rig: Drop) -> None:
    rig.claim(ANNA)
    assert (rig.share.balanceOf(ANNA.address), rig.drop.given()) == (60, 60)
    assert (rig.drop.claimed(rig.line(ANNA)[0]), rig.drop.claimed(rig.line(BEN)[0])) == (
        True,
        False,
    )
    with refused("claims: claimed already"):
        rig.claim(ANNA)
    with refused("claims: claimed already"):
        rig.claim(ANNA, MALLORY)
    assert rig.share.totalSupply() == 60


def test_another_may_claim_for_her_and_gains_nothing(rig: Drop) -> None:
    rig.claim(ANNA, MALLORY)
    assert (rig.share.balanceOf(ANNA.address), rig.share.balanceOf(MALLORY.address)) == (60, 0)


def test_a_forged_line_pays_nothing(rig: Drop) -> None:
    index, account, amount, proof = rig.line(ANNA)
    other = rig.line(BEN)
    forged = [
        (index, MALLORY.address, amount, proof),
        (index, account, amount + 1, proof),
        (index + 256, account, amount, proof),  # another bit of the same place
        (other[0], account, amount, proof),
        (index, account, amount, other[3]),
        (index, account, amount, []),
        (index, account, amount, [*proof, bytes(32)]),
    ]
    for line in forged:
        assert not rig.drop.listed(*line)
        with refused("claims: not in the list"):
            rig.drop.claim(*line, sender=MALLORY.address)
    assert rig.share.totalSupply() == 0


def test_a_node_of_the_tree_is_no_line(rig: Drop) -> None:
    """Were leaves hashed once, the root's own two children could be shown as a line."""
    left, right = sorted(rig.tree[0])
    said = (int.from_bytes(left, "big"), "0x" + right[12:].hex(), int.from_bytes(right, "big"), [])
    with refused("claims: not in the list"):
        rig.drop.claim(*said, sender=MALLORY.address)


def test_the_last_second_counts_and_the_rest_goes_to_the_commons_once(rig: Drop) -> None:
    rig.claim(ANNA)
    with refused("airdrop: not over"):
        rig.drop.give_back(sender=MALLORY.address)
    boa.env.evm.patch.timestamp = rig.drop.deadline()
    with boa.env.anchor():
        rig.claim(BEN)
    boa.env.evm.patch.timestamp = rig.drop.deadline() + 1
    with refused("airdrop: over"):
        rig.claim(BEN)
    rig.drop.give_back(sender=MALLORY.address)
    with refused("airdrop: nothing left"):
        rig.drop.give_back(sender=MALLORY.address)
    assert rig.share.balanceOf(COMMONS.address) == 40
    assert (rig.share.totalSupply(), rig.drop.given()) == (100, rig.drop.total())


def test_a_list_beyond_the_cap_loses_nobody_his_line() -> None:
    with boa.env.anchor():
        rig = Drop(GIFTS, cap=70)
        rig.claim(ANNA)
        with refused("share: over the cap"):
            rig.claim(BEN)
        assert not rig.drop.claimed(rig.line(BEN)[0])
        rig.share.burn(30, sender=ANNA.address)
        rig.claim(BEN)


def test_a_root_of_more_than_its_total_stops_at_the_total() -> None:
    with boa.env.anchor():
        rig = Drop(GIFTS)
        words = (rig.tree[-1][0], 99, rig.drop.deadline(), COMMONS.address)
        less = deploy("Airdrop", rig.share.address, *words)
        rig.share.grantRole(keccak(b"MINTER"), less.address, sender=ADMIN.address)
        less.claim(*rig.line(ANNA))
        with refused("airdrop: over the total"):
            less.claim(*rig.line(BEN))


def test_what_makes_no_airdrop_is_not_deployed() -> None:
    now = boa.env.evm.patch.timestamp
    root = keccak(b"root")
    for words, says in (
        ((bytes(32), 1, now + 1, COMMONS.address), "an empty list"),
        ((root, 0, now + 1, COMMONS.address), "an empty list"),
        ((root, 1, now, COMMONS.address), "airdrop: over"),
        ((root, 1, now + 1, ZERO), "no commons"),
    ):
        with boa.env.anchor(), pytest.raises(AssertionError, match=says):
            deploy("Airdrop", COMMONS.address, *words)


@given(
    st.dictionaries(
        st.binary(min_size=20, max_size=20).filter(any),
        st.integers(1, 2**60),
        min_size=1,
        max_size=20,
    ),
    st.data(),
)
@settings(max_examples=max(20, settings.default.max_examples // 3))
def test_the_contract_accepts_exactly_the_lines_that_python_proves(
    amounts: dict[bytes, int], data: st.DataObject
) -> None:
    with boa.env.anchor():
        rig = Drop(amounts)
        for line in rig.lines:
            shown = claims.proof(rig.tree, line.place)
            said = line._replace(
                place=data.draw(st.sampled_from((line.place, line.place, 0, 1))),
                amount=line.amount + data.draw(st.sampled_from((0, 0, 1))),
            )
            expected = claims.proved(rig.tree[-1][0], said, shown, keccak)
            asked = (said.place, "0x" + said.account.hex(), said.amount, shown)
            assert rig.drop.listed(*asked) == expected
        assert rig.drop.total() == sum(amounts.values())
