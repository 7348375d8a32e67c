"""Settle: every final receipt in exactly one batch, under the root that RFC 6962 defines."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import settle
from allmende.core.units import Units
from allmende.lab import model
from allmende.lab.world import World


def sold(world: World, *ids: str, pending: bool = False) -> None:
    for id_ in ids:
        world.reserve(id_)
        world.capture(id_, Units(input=10, output=10), pending=pending)


def test_the_worked_number_of_the_module():
    peaks: list[tuple[int, bytes]] = []
    leaves = [settle.leaf_hash(data) for data in (b"a", b"b", b"c")]
    for leaf in leaves:
        settle.push(peaks, leaf)
    two = settle.node_hash(leaves[0], leaves[1])
    assert peaks == [(2, two), (1, leaves[2])]
    assert settle.root(peaks) == settle.node_hash(two, leaves[2])


@given(st.lists(st.binary(max_size=8), max_size=40))
def test_the_running_root_is_that_of_rfc_6962(data):
    peaks: list[tuple[int, bytes]] = []
    for leaf in data:
        settle.push(peaks, settle.leaf_hash(leaf))
    assert settle.root(peaks) == model.root(data)
    assert len(peaks) == len(data).bit_count()


def test_the_root_of_nothing_and_the_published_example():
    """The empty root and the first leaf of the test vectors of certificate transparency."""
    assert settle.root([]).hex() == hashlib.sha256().hexdigest()
    empty_leaf = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert settle.leaf_hash(b"").hex() == empty_leaf


def test_a_batch_nets_its_receipts_and_commits_to_both():
    world = World()
    sold(world, "r1", "r2")
    (closed,) = world.do(c.CloseBatch())
    net = {posting.account: posting.amount for posting in closed.net}
    assert net["uni"] == -2 * 5_000_000
    assert sum(net.values()) == 0
    assert closed.root == settle.batch_root(closed.receipts_root, closed.net)
    assert world.state.batch.number == 2
    assert not world.do(c.CloseBatch()), "an empty batch is none"
    model.agree(world.state, world.events)


def test_a_pending_receipt_waits_for_the_batch_in_which_it_is_final():
    world = World()
    sold(world, "r1", pending=True)
    sold(world, "r2")
    (closed,) = world.do(c.CloseBatch())
    assert closed.receipts == 1
    world.do(c.Recount(counts=(("r1", Units(input=10, output=11)),)))
    (closed,) = world.do(c.CloseBatch())
    assert (closed.number, closed.receipts) == (2, 1)
    model.agree(world.state, world.events)


def test_a_tick_that_closes_a_batch_puts_what_it_makes_final_into_the_next():
    world = World()
    sold(world, "r1")
    sold(world, "r2", pending=True)
    world.reserve("r3")
    world.do(c.Checkpoint(hold="r3", units=Units(output=1)))
    events = world.wait(3_600)
    assert [type(event) for event in events] == [e.BatchClosed, e.Captured, e.Finalised]
    assert (world.state.tally.batched, world.state.batch.receipts) == (1, 2)
    model.agree(world.state, world.events)


def test_a_batch_closes_by_number_or_by_age():
    world = World()
    world.do(c.SetParameter(name="batch_receipts_max", value=2))
    sold(world, "r1")
    assert not world.wait(1)
    sold(world, "r2")
    assert isinstance(world.wait(1)[0], e.BatchClosed)
    sold(world, "r3")
    assert not world.wait(3_599)
    assert isinstance(world.wait(1)[0], e.BatchClosed)


@pytest.mark.parametrize("lost", ["receipts", "net", "peaks"])
def test_check_sees_a_batch_that_lost_something(lost: str):
    world = World()
    sold(world, "r1")
    if lost == "receipts":
        world.state.tally.captured += 1
    elif lost == "net":
        world.state.batch.net["credit"]["uni"] += 1
    else:
        world.state.batch.peaks.clear()
    with pytest.raises(AssertionError):
        settle.check(world.state)
