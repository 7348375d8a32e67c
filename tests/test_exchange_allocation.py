"""Scarce lots in a call: each rule shares them as it says, all of them, and no more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.core import commands as c
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core.contracts import ALLOCATIONS, LOT
from allmende.core.nouns import Member
from allmende.core.refusals import Why
from allmende.core.units import CREDIT, SECOND
from allmende.lab.floor import Floor, changed
from allmende.lab.world import secret

BUYERS = ("uni", "coop", "data")


def scarce(rule: str, lots: int = 6, held: tuple[int, ...] = (0, 0, 0)) -> Floor:
    """A call in which rhine offers some lots at its price, and buyers may hold some already."""
    floor = Floor(changed(allocation=rule, session="call", step=LOT), call=60)
    floor.do(c.Deposit(member="data", amount=50 * CREDIT, reference="data"))
    floor.mint(lots + sum(held))
    for name, has in zip(BUYERS, held, strict=True):
        if has:
            move = {"source": "rhine", "target": name, "asset": "december"}
            floor.do(c.Transfer(amount=has * LOT, **move))
    floor.place("rhine", "sell", 10_000, lots)
    return floor


def got(floor: Floor, bids: list[tuple[str, int, int]]) -> tuple[list[int], int]:
    """Lots that each bid (buyer, lots, price) gets, in order, and the one price."""
    ids = []
    for name, lots, price in bids:
        floor.now += SECOND
        ids.append(floor.place(name, "buy", price, lots)[0].order.id)
    fills = [event for event in floor.wait(60) if isinstance(event, f.Filled)]
    total = [sum(fill.grains for fill in fills if fill.buy == id_) for id_ in ids]
    (price,) = {fill.price for fill in fills}
    return [grains // LOT for grains in total], price


BIDS = [("uni", 5, 10_100), ("coop", 5, 10_300), ("data", 2, 10_200)]


def test_by_price_the_highest_bids_are_served_and_set_the_price():
    lots, price = got(scarce("price"), BIDS)
    assert lots == [0, 5, 1]
    assert price > 10_000


def test_first_come_is_served_first_at_the_issuers_price():
    assert got(scarce("first"), BIDS) == ([5, 1, 0], 10_000)


def test_fair_share_raises_all_to_one_level():
    assert got(scarce("fair"), BIDS) == ([2, 2, 2], 10_000)
    assert got(scarce("fair", held=(0, 3, 0)), BIDS) == ([4, 0, 2], 10_000)


def test_two_orders_of_one_owner_are_one_wish():
    bids = [("uni", 3, 10_100), ("uni", 3, 10_100), ("coop", 6, 10_100)]
    assert got(scarce("fair"), bids) == ([3, 0, 3], 10_000)


def test_an_owner_with_two_accounts_has_one_share():
    floor = scarce("fair", held=(4, 0, 0))
    floor.do(c.AddMember(member=Member("lab2", "Lab", "organisation", home="uni")))
    floor.do(c.Transfer(source="uni", target="lab2", asset="credit", amount=50 * CREDIT))
    lots, _ = got(floor, [("lab2", 5, 10_100), ("coop", 5, 10_100), ("data", 5, 10_100)])
    assert lots == [0, 3, 3]


def test_the_common_good_comes_before_others_once_an_operator_says_so():
    floor = scarce("common")
    floor.do(x.SetTier(member="data", tier=1, common_good=True))
    assert got(floor, BIDS) == ([4, 0, 2], 10_000)
    rhine = floor.refuse(x.SetTier(member="rhine", tier=2, common_good=True, by=secret("rhine")))
    assert rhine.why is Why.NOT_ALLOWED


def test_an_unknown_rule_is_refused():
    floor = Floor()
    refused = floor.refuse(x.ListInstrument(instrument=changed(id="other", allocation="luck")))
    assert refused.why is Why.BAD_VALUE


@pytest.mark.parametrize("rule", ALLOCATIONS)
@given(
    lots=st.integers(1, 9),
    bids=st.lists(
        st.tuples(st.sampled_from(BUYERS), st.integers(1, 6), st.integers(9_900, 10_500)),
        min_size=1,
        max_size=6,
    ),
)
def test_all_that_can_be_sold_is_and_nobody_gets_more_than_he_asked(rule, lots, bids):
    floor = scarce(rule, lots)
    bids = [(name, want, price - price % 100) for name, want, price in bids]
    willing = sum(want for _, want, price in bids if price >= 10_000)
    if not willing:
        return
    given_lots, price = got(floor, bids)
    assert sum(given_lots) == min(lots, willing)
    for (_, want, limit), lot in zip(bids, given_lots, strict=True):
        assert lot <= want
        assert not lot or limit >= price
