"""The settler's arithmetic and its store: leaves, rounding, lanes, and what is written down."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.adapters.trees import SqliteTrees
from allmende.core.custody import Closed, Permit
from allmende.core.units import CREDIT
from allmende.doors.settler_lanes import Provable, to_show
from allmende.doors.settler_tree import House, Overdrawn, Scale, build, place_of, wallet_leaf
from allmende.trees import FINAL, VOID, Tree, Voucher
from allmende.wire.merkle_sum import Leaf

ME, OTHER, HOUSE = (bytes([n]) * 20 for n in (1, 2, 9))
WEI = Scale(10**18)
PICO = Scale(CREDIT)
CENT = Scale(10**6)
SCALES = st.sampled_from((Scale(1), CENT, PICO, WEI))
AMOUNTS = st.integers(0, 10**15)


def hexed(account: bytes) -> str:
    return "0x" + account.hex()


def house(balance: int = 0, spent: int = 0, flow: int = 0) -> House:
    return House(HOUSE, Leaf(HOUSE, balance, spent), flow)


def test_the_worked_number_of_the_tree() -> None:
    closed = Closed(deposited=4, requested=0, spent=2, balance=3)
    assert closed.earned == 1
    made = build({hexed(ME): 4}, {hexed(ME): closed}, 10, house(flow=6), PICO)
    assert made.leaves == [Leaf(ME, 3, 2), Leaf(HOUSE, 7, 0)]
    assert (made.short, made.total) == (0, 10)


def test_what_the_house_lacks_is_told_and_no_tree_is_made() -> None:
    earner = Closed(balance=8)
    made = build({hexed(OTHER): 5}, {hexed(ME): earner}, 5, house(), PICO)
    assert made.short == 8


def test_who_spent_more_than_he_left_is_told() -> None:
    with pytest.raises(Overdrawn):
        wallet_leaf(ME, 3, Closed(deposited=10, spent=5, balance=5), PICO)


def test_accounts_with_nothing_have_no_leaf_and_the_order_does_not_matter() -> None:
    flows = {hexed(OTHER): 3, hexed(ME): 0}
    made = build(flows, {}, 3, house(), PICO)
    assert made.leaves == [Leaf(OTHER, 3, 0)]
    assert made == build(dict(reversed(flows.items())), {}, 3, house(), PICO)
    assert (place_of(made.leaves, OTHER), place_of(made.leaves, ME)) == (0, None)


@given(SCALES, AMOUNTS)
def test_rounding_loses_less_than_a_unit_and_only_one_way(scale: Scale, pico: int) -> None:
    down, up = scale.units(pico), scale.units_up(pico)
    assert down <= up <= down + 1
    assert scale.pico(down) <= pico <= scale.pico_up(up)
    assert scale.units(scale.pico_up(down)) >= down, "a unit comes back as a unit"


STEPS = st.lists(st.tuples(st.sampled_from("deposit earn spend ask".split()), AMOUNTS), max_size=30)


@given(SCALES, STEPS)
def test_whatever_happens_gross_falls_by_requests_alone(
    scale: Scale, steps: list[tuple[str, int]]
) -> None:
    """What Vault.challenge reckons with, at every step and for every unit."""
    into = out = earned = spent = 0
    last, dust = Leaf(ME, 0, 0), 2 * scale.unit // CREDIT
    for what, amount in steps:
        deposited, requested, asked = scale.pico(into), scale.pico_up(out), 0
        balance = deposited + earned - spent - requested
        if what == "deposit":
            into += amount
        elif what == "earn":
            earned += amount
        elif what == "spend":
            spent += min(amount, balance)
        else:
            asked = min(amount, last.balance, scale.units(balance))
            out += asked
        deposited, requested = scale.pico(into), scale.pico_up(out)
        balance = deposited + earned - spent - requested
        new = wallet_leaf(ME, into - out, Closed(deposited, requested, spent, balance), scale)
        assert new.balance + new.spent >= last.balance + last.spent - asked
        assert 0 <= new.balance <= scale.units_up(balance) + dust
        assert last.spent <= new.spent <= scale.units_up(spent)
        last = new


@given(AMOUNTS, AMOUNTS, st.integers(-(10**15), 10**15), AMOUNTS)
def test_the_houses_earnings_do_not_vanish(balance: int, spent: int, flow: int, rest: int) -> None:
    before = Leaf(HOUSE, balance, spent)
    made = build({}, {}, rest, House(HOUSE, before, flow), PICO)
    leaf = made.leaves[-1] if made.leaves else Leaf(HOUSE, 0, 0)
    assert leaf.balance == rest
    assert leaf.spent >= spent
    assert leaf.balance + leaf.spent >= balance + spent + flow
    assert leaf.spent == spent or leaf.balance + leaf.spent == balance + spent + flow


# Lanes ------------------------------------------------------------------------------------


def permit(lane: int, expires: int = 0) -> Permit:
    return Permit(lane, hexed(ME), 100, (), expires, "")


def test_vouchers_show_what_is_needed_the_signed_ones_first() -> None:
    lanes = {
        0: [Provable(permit(0), 5)],
        1: [Provable(permit(1, 1), 7, "aa"), Provable(permit(1, 2), 3)],
        2: [Provable(permit(2), 9)],
    }
    chosen, missing = to_show(lanes, {2: 4}, 10)
    assert [(show.provable.permit.lane, show.amount) for show in chosen] == [(1, 7), (0, 3)]
    assert missing == 0
    assert to_show(lanes, {0: 5, 1: 7, 2: 9}, 1) == ([], 1)
    again, _ = to_show(lanes, {2: 4, 1: 7}, 3)
    assert again == chosen[1:], "the same need is the same voucher"


# The store --------------------------------------------------------------------------------


def tree(serial: int, state: str = "built", **other: int) -> Tree:
    fields = {"total": 5, "size": 1, "cut": 1, "base": 0, "after": 0, "upto": 1, "receipts": 2}
    hashes = {"root": f"0x{serial:064x}", "receipts_root": "0x" + "ee" * 32}
    number = other.pop("number", serial)
    rest = {**fields, **other}
    return Tree(serial=serial, number=number, state=state, block=7, at=9, **hashes, **rest)  # type: ignore[arg-type]


def test_a_tree_comes_back_as_it_was_written_in_another_process_too(tmp_path: Path) -> None:
    store = SqliteTrees(tmp_path / "t")
    leaf, receipts = Leaf(ME, 2**255, 2**200), [b"\1" * 32, b"\2" * 32]
    store.add(tree(1), [leaf], receipts)
    other = SqliteTrees(tmp_path / "t", readonly=True)
    assert other.newest() == tree(1)
    assert other.submitted(1, tree(1).root, tree(1).receipts_root) == tree(1)
    assert other.submitted(2, tree(1).root, tree(1).receipts_root) is None
    assert (other.leaves(1), other.receipts(1)) == ([leaf], receipts)
    assert other.final() is None
    store.mark(1, FINAL)
    assert other.final() == tree(1, FINAL)


def test_a_receipt_is_found_where_it_stands_and_not_across_two_others(tmp_path: Path) -> None:
    store = SqliteTrees(tmp_path / "t")
    first, second = b"\1" * 16 + b"\2" * 16, b"\3" * 16 + b"\4" * 16
    store.add(tree(1), [Leaf(ME, 1, 1)], [first, second])
    store.add(tree(2, VOID), [Leaf(ME, 1, 1)], [first, second])
    store.add(tree(3), [Leaf(ME, 1, 1)], [second, first])
    assert [(found.serial, index) for found, index in store.find(first)] == [(3, 1), (1, 0)]
    assert store.find(b"\2" * 16 + b"\3" * 16) == []


def test_pruning_leaves_the_final_tree_and_all_final_receipts(tmp_path: Path) -> None:
    store = SqliteTrees(tmp_path / "t")
    for serial in range(1, 12):
        state = FINAL if serial in (1, 2, 3, 4, 6) else VOID
        store.add(tree(serial, state), [Leaf(ME, 1, 1)], [bytes([serial]) * 32, bytes(32)])
    store.prune(3)
    assert [bool(store.leaves(serial)) for serial in (1, 2, 3, 4, 6, 9, 10, 11)] == [
        *(False, False, True, True, True, True, True, True)
    ]
    assert store.find(b"\1" * 32)[0][0].serial == 1
    assert store.receipts(5) == []
    final = store.final()
    assert final is not None
    assert final.serial == 6


def test_accounts_and_vouchers_are_kept(tmp_path: Path) -> None:
    store = SqliteTrees(tmp_path / "t")
    assert store.known() == (set(), 0)
    store.know(["0xa", "0xb"], 5)
    store.know(["0xb", "0xc"], 9)
    low, high = (Voucher("0xa", permit(1), amount, "aa") for amount in (3, 2**100))
    for one in (low, high, low):
        store.keep(one)
    store.keep(Voucher("0xa", permit(1, 7), 1, "bb"))
    again = SqliteTrees(tmp_path / "t")
    assert again.known() == ({"0xa", "0xb", "0xc"}, 9)
    assert [one.amount for one in again.kept()] == [2**100, 1]
    again.forget(high)
    assert [one.amount for one in store.kept()] == [1]
