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
MOST = 2**70
GIFTS = {ANNA.bytes: 60, BEN.bytes: 40}


class Drop:
    """An airdrop of a list, with its share; the admin gives."""

    def __init__(self, amounts: dict[bytes, int], *, mode: int = 0, cap: int = CAP) -> None:
        self.share = deploy("Share", mode, cap, by=ADMIN.address)
        self.drop = deploy("Airdrop", self.share.address, COMMONS.address, MOST, by=ADMIN.address)
        self.share.grantRole(keccak(b"MINTER"), self.drop.address, sender=ADMIN.address)
        self.drop.grantRole(keccak(b"GIVER"), ADMIN.address, sender=ADMIN.address)
        self.begin(amounts)

    def begin(self, amounts: dict[bytes, int], total: int | None = None) -> None:
        """From now on everything is about this round."""
        self.lines = claims.lines(amounts)
        self.tree = claims.levels(self.lines, keccak)
        self.until = boa.env.evm.patch.timestamp + DAY
        sum_ = claims.total(self.lines) if total is None else total
        self.drop.begin(self.tree[-1][0], sum_, self.until, sender=ADMIN.address)
        self.round = self.drop.count()

    def given(self) -> int:
        return int(self.drop.rounds(self.round)[2])

    def line(self, of: Person) -> tuple[Any, ...]:
        found = next(line for line in self.lines if line.account == of.bytes)
        shown = claims.proof(self.tree, found.place)
        return self.round, found.place, of.address, found.amount, shown

    def claim(self, of: Person, by: Person | None = None) -> None:
        self.drop.claim(*self.line(of), sender=(by or of).address)


@pytest.fixture
def rig() -> Iterator[Drop]:
    with boa.env.anchor():
        yield Drop(GIFTS)


def test_a_line_is_paid_once_in_every_mode(rig: Drop) -> None:
    rig.claim(ANNA)
    assert (rig.share.balanceOf(ANNA.address), rig.given()) == (60, 60)
    assert [rig.drop.claimed(*rig.line(who)[:2]) for who in (ANNA, BEN)] == [True, False]
    with refused("claims: claimed already"):
        rig.claim(ANNA)
    with refused("claims: claimed already"):
        rig.claim(ANNA, MALLORY)
    assert rig.share.totalSupply() == 60


def test_another_may_claim_for_her_and_gains_nothing(rig: Drop) -> None:
    rig.claim(ANNA, MALLORY)
    assert (rig.share.balanceOf(ANNA.address), rig.share.balanceOf(MALLORY.address)) == (60, 0)


def test_a_forged_line_pays_nothing(rig: Drop) -> None:
    round_, index, account, amount, proof = rig.line(ANNA)
    other = rig.line(BEN)
    forged = [
        (index, MALLORY.address, amount, proof),
        (index, account, amount + 1, proof),
        (index + 256, account, amount, proof),  # another bit of the same place
        (other[1], account, amount, proof),
        (index, account, amount, other[4]),
        (index, account, amount, []),
        (index, account, amount, [*proof, bytes(32)]),
    ]
    for line in forged:
        assert not rig.drop.listed(round_, *line)
        with refused("claims: not in the list"):
            rig.drop.claim(round_, *line, sender=MALLORY.address)
    for unknown in (0, 2):
        assert not rig.drop.listed(unknown, *rig.line(ANNA)[1:])
        with refused("airdrop: no such round"):
            rig.drop.claim(unknown, *rig.line(ANNA)[1:], sender=ANNA.address)
    assert rig.share.totalSupply() == 0


def test_a_node_of_the_tree_is_no_line(rig: Drop) -> None:
    """Were leaves hashed once, the root's own two children could be shown as a line."""
    left, right = sorted(rig.tree[0])
    said = (int.from_bytes(left, "big"), "0x" + right[12:].hex(), int.from_bytes(right, "big"), [])
    with refused("claims: not in the list"):
        rig.drop.claim(rig.round, *said, sender=MALLORY.address)


def test_the_last_second_counts_and_the_rest_goes_to_the_commons_once(rig: Drop) -> None:
    rig.claim(ANNA)
    with refused("airdrop: not over"):
        rig.drop.give_back(rig.round, sender=MALLORY.address)
    boa.env.evm.patch.timestamp = rig.until
    with boa.env.anchor():
        rig.claim(BEN)
    boa.env.evm.patch.timestamp = rig.until + 1
    with refused("airdrop: over"):
        rig.claim(BEN)
    rig.drop.give_back(rig.round, sender=MALLORY.address)
    with refused("airdrop: nothing left"):
        rig.drop.give_back(rig.round, sender=MALLORY.address)
    assert rig.share.balanceOf(COMMONS.address) == 40
    assert (rig.share.totalSupply(), rig.given()) == (100, 100)


def test_a_list_beyond_the_cap_loses_nobody_his_line() -> None:
    with boa.env.anchor():
        rig = Drop(GIFTS, cap=70)
        rig.claim(ANNA)
        with refused("share: over the cap"):
            rig.claim(BEN)
        assert not rig.drop.claimed(*rig.line(BEN)[:2])
        rig.share.burn(30, sender=ANNA.address)
        rig.claim(BEN)


def test_a_root_of_more_than_its_total_stops_at_the_total(rig: Drop) -> None:
    rig.begin(GIFTS, total=99)
    rig.claim(ANNA)
    with refused("airdrop: over the total"):
        rig.claim(BEN)


def test_each_round_has_its_own_list_and_pays_it_once(rig: Drop) -> None:
    first = rig.line(ANNA)
    rig.begin({ANNA.bytes: 5, MALLORY.bytes: 1})
    with refused("claims: not in the list"):
        rig.drop.claim(rig.round, *first[1:], sender=ANNA.address)
    rig.drop.claim(*first, sender=ANNA.address)
    rig.claim(ANNA)
    with refused("claims: claimed already"):
        rig.claim(ANNA)
    assert rig.share.balanceOf(ANNA.address) == 65


def test_in_a_long_list_a_line_takes_its_own_bit_and_no_other(rig: Drop) -> None:
    rig.begin({number.to_bytes(20, "big"): number for number in range(1, 301)})
    done = (2, 5, 255, 256, 257, 299)
    for place in done:
        line = rig.lines[place]
        said = (place, "0x" + line.account.hex(), line.amount, claims.proof(rig.tree, place))
        rig.drop.claim(rig.round, *said)
        with refused("claims: claimed already"):
            rig.drop.claim(rig.round, *said)
    taken = [place for place in range(300) if rig.drop.claimed(rig.round, place)]
    assert tuple(taken) == done


def test_only_who_may_gives_and_never_more_than_there_is(rig: Drop) -> None:
    root, later = keccak(b"root"), boa.env.evm.patch.timestamp + DAY
    with refused("access_control"):
        rig.drop.begin(root, 1, later, sender=MALLORY.address)
    for total, says in ((MOST - 99, "more than there is to give"), (0, "an empty list")):
        with refused(f"airdrop: {says}"):
            rig.drop.begin(root, total, later, sender=ADMIN.address)
    with refused("airdrop: an empty list"):
        rig.drop.begin(bytes(32), 1, later, sender=ADMIN.address)
    with refused("airdrop: over"):
        rig.drop.begin(root, 1, boa.env.evm.patch.timestamp, sender=ADMIN.address)
    rig.drop.begin(root, MOST - 100, later, sender=ADMIN.address)
    assert rig.drop.promised() == MOST
    with boa.env.anchor(), pytest.raises(AssertionError, match="no commons"):
        deploy("Airdrop", rig.share.address, ZERO, MOST)


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
            assert rig.drop.listed(rig.round, *asked) == expected
        assert rig.drop.promised() == sum(amounts.values())
