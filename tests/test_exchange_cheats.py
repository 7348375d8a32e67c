"""Cheats: each tries to take more out of the exchange than honest behaviour gives, and loses."""

from __future__ import annotations

from typing import Any

from allmende.core import commands as c
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core.contracts import LOT
from allmende.core.refusals import Why
from allmende.core.units import DAY, SECOND
from allmende.lab.floor import Floor


def fills(events: Any) -> list[f.Filled]:
    return [event for event in events if isinstance(event, f.Filled)]


def rule(floor: Floor, name: str, value: int) -> None:
    floor.do(c.SetParameter(name=name, value=value))


# In the book --------------------------------------------------------------------------


def test_an_order_whose_time_is_over_is_not_met_though_nobody_has_ticked():
    floor = Floor()
    floor.mint(4)
    floor.place("rhine", "sell", 10_000, 1, id="stale", until=floor.now + SECOND)
    floor.place("rhine", "sell", 10_100, 1)
    floor.now += SECOND
    done = floor.place("uni", "buy", 10_100, 1)
    assert [fill.price for fill in fills(done)] == [10_100]
    assert f.OrderEnded(at=floor.now, order="stale", cause="expired") in done


def test_a_post_only_order_takes_the_place_of_one_whose_time_is_over():
    floor = Floor()
    floor.mint(4)
    floor.place("rhine", "sell", 10_000, 1, until=floor.now + SECOND)
    floor.now += SECOND
    floor.place("uni", "buy", 10_000, 1, id="post", term="post")
    assert list(floor.state.orders) == ["post"]


def test_nobody_trades_with_himself_in_the_call_that_a_breaker_opens():
    for guard, left in (("newest", {"other", "own"}), ("oldest", {"other", "bid"})):
        floor = Floor()
        rule(floor, "call_seconds", 60)
        floor.mint(4)
        floor.do(c.Transfer(source="rhine", target="ada", asset="december", amount=LOT))
        floor.place("rhine", "sell", 13_000, 1, id="other")
        floor.place("ada", "sell", 13_100, 1, id="own")
        floor.place("uni", "buy", 13_100, 2, id="bid", guard=guard)
        assert floor.listing.call_until
        assert set(floor.state.orders) == left
        assert all((fill.buyer, fill.seller) != ("uni", "ada") for fill in fills(floor.wait(60)))


def test_a_limit_on_one_owners_share_is_not_passed_by_many_bids_or_by_quotes():
    floor = Floor()
    floor.mint(10)
    rule(floor, "position_ppm", 300_000)
    floor.place("uni", "buy", 9_000, 2)
    bid = x.PlaceOrder(
        id="more", instrument="december", account="ada", side="buy", price=9_000, grains=2 * LOT
    )
    assert floor.refuse(bid).facts == {"missing": LOT}
    floor.do(
        x.RequestQuotes(
            id="q", instrument="december", account="physics", grains=2 * LOT, until=floor.now + DAY
        )
    )
    floor.do(x.Quote(id="a", request="q", account="rhine", side="sell", price=10_000))
    assert floor.refuse(x.AcceptQuote(id="a")).why is Why.OVER_LIMIT


def test_an_order_may_always_be_made_smaller_and_is_not_counted_twice_when_moved():
    floor = Floor()
    rule(floor, "tier1_open_credits", 10)
    floor.place("uni", "buy", 10_000, 10, id="bid")
    floor.do(x.AmendOrder(id="bid", price=9_900, grains=10 * LOT))
    rule(floor, "tier1_open_credits", 1)
    floor.do(x.AmendOrder(id="bid", price=9_900, grains=4 * LOT))
    assert floor.state.orders["bid"].left == 4 * LOT


def test_two_who_agree_on_a_price_outside_the_book_do_not_move_its_last_price():
    """Else the price of an unused right, and the index of a thin contract, were theirs to make."""
    floor = Floor()
    floor.mint(2)
    floor.place("rhine", "sell", 10_000, 1)
    floor.place("uni", "buy", 10_000, 1)
    ask = {"instrument": "december", "account": "coop", "grains": LOT, "until": floor.now + DAY}
    floor.do(x.RequestQuotes(id="q", **ask))
    floor.do(x.Quote(id="a", request="q", account="rhine", side="sell", price=100))
    assert fills(floor.do(x.AcceptQuote(id="a")))[0].price == 100
    assert floor.listing.last == 10_000
