"""Cheats in the book and of holders: each tries to gain more than honestly, and loses."""

from __future__ import annotations

from holders import PRICE, WORST, claim, fills, rule, service, sold
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from allmende.core import commands as c
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core.contracts import LOT
from allmende.core.nouns import Policy, Title
from allmende.core.refusals import Refused, Why
from allmende.core.units import DAY, MINUTE, SECOND, Tariff, Units
from allmende.lab.floor import Floor, changed
from allmende.lab.world import OFFERS, ask

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
    assert floor.refuse(bid).facts == {"grains": LOT}
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


# The buyer ----------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["use", "hang up", "leave", "claim", "wait"]), max_size=25))
def test_who_is_served_gains_nothing_by_claims_or_by_hanging_up(acts: list[str]):
    """Use is paid in full, the rest brings its resale value, and every claim costs its stake."""
    floor = sold()
    before, stakes = floor.balance("uni"), 0
    for number, act in enumerate(acts):
        if act == "use":
            floor.use(f"r{number}", Units(input=10, output=number))
        elif act == "hang up":
            floor.do(ask(f"r{number}", "ada"))
            floor.do(c.Void(hold=f"r{number}", cause="client_left"))
        elif act == "leave":
            floor.do(ask(f"r{number}", "ada"))
            told = Units(input=10, output=1)
            floor.do(
                c.Capture(hold=f"r{number}", estimate=told, reported=told, outcome="client_left")
            )
        elif act == "claim":
            done = floor.attempt(
                x.ClaimDefault(id=f"c{number}", instrument="december", account="uni", grains=LOT)
            )
            stakes += 0 if isinstance(done, Refused) else PRICE * LOT // 100
        else:
            floor.wait(1_800)
    left = floor.rights("uni")
    settled = floor.close()
    assert settled.defaulted == ()
    assert floor.balance("uni") - before == left * settled.resale - stakes


def test_who_never_calls_is_not_failed_and_gets_the_resale_value_alone():
    floor = sold()
    for number in range(3):
        floor.fail(f"r{number}", "coop")
    before = floor.balance("uni")
    settled = floor.close()
    assert settled.defaulted == ("coop",)
    assert floor.balance("uni") - before == 2 * LOT * PRICE // 5


def test_who_hangs_up_until_one_request_fails_has_not_been_failed():
    floor = sold()
    for number in range(30):
        floor.do(ask(f"h{number}", "ada"))
        floor.do(c.Void(hold=f"h{number}", cause="client_left"))
    floor.fail("r")
    assert service(floor) == (30, 1)
    assert floor.close().defaulted == ()


def test_a_failure_or_two_in_a_hundred_are_within_a_promise_of_95_percent():
    """Whoever met one early would else stop asking, and be paid for all that he did not use."""
    floor = sold()
    floor.use("first", Units(input=1, output=1))
    claim(floor, "uni")
    floor.use("second", Units(input=1, output=1))
    for number in range(5):
        floor.fail(f"r{number}")
        floor.now += MINUTE
    floor.wait(3_600)
    assert floor.rights("uni") > LOT, "the claim was not upheld"
    assert floor.close().defaulted == ()


def test_an_outage_is_counted_once_however_often_it_is_asked():
    floor = sold()
    for number in range(3):
        floor.fail(f"r{number}")
    assert floor.state.trading["cheap"].down_until > floor.now
    for number in range(50):
        floor.attempt(ask(f"s{number}", "coop", policy=Policy()))
    floor.do(c.PostOffer(offer=structs.replace(OFFERS[1], tariff=Tariff(input=1, output=1))))
    for number in range(50):
        floor.do(ask(f"t{number}", "coop"))
        floor.do(c.Void(hold=f"t{number}", cause="client_left"))
    assert service(floor, "coop") == (0, 1)


def test_cheap_rights_bought_after_a_failure_are_not_paid_for_as_failed():
    """Near the end unused rights are worth their resale value; who was failed once must not
    collect them and be paid the whole price, with damages, for each."""
    floor = sold(lots=8)
    for number in range(3):
        floor.fail(f"r{number}", "coop")
    floor.place("uni", "sell", 9_000, 4)
    floor.place("coop", "buy", 9_000, 4)
    before = floor.balance("coop")
    settled = floor.close()
    assert settled.defaulted == ("coop",)
    assert floor.balance("coop") - before == 4 * LOT * 12_500 + 4 * LOT * settled.resale


def test_a_rate_holds_for_requests_at_once_and_for_redemptions():
    floor = sold(rate=2 * WORST)
    for number in range(4):
        floor.do(
            ask(f"r{number}", "ada", policy=Policy(pay=("december",))) if number else ask("r0")
        )
    assert [floor.state.holds[f"r{n}"].right for n in range(4)] == ["december", "december", "", ""]
    machine = changed(
        id="gpu", kind="machine", title="gpu", unit="second", weights=Tariff(second=100), rate=10**6
    )
    floor.do(c.RegisterTitle(title=Title("gpu", "rhine", "machine", "GPU")))
    floor.do(x.ListInstrument(instrument=machine))
    floor.mint(1, "gpu")
    use = x.Redeem(id="a", instrument="gpu", account="rhine", units=Units(second=6_000))
    floor.do(use)
    assert floor.refuse(structs.replace(use, id="b")).why is Why.RATE
    floor.now += 3_600 * SECOND
    floor.do(structs.replace(use, id="b"))


def test_one_request_served_does_not_win_an_issuer_the_stake_of_whom_it_fails():
    floor = sold()
    claim(floor, "uni")
    floor.use("served", Units(input=1, output=1))
    for number in range(6):
        floor.now += 3 * MINUTE
        floor.fail(f"r{number}")
    before, left = floor.balance("uni"), floor.rights("uni")
    floor.wait(3_600)
    assert floor.rights("uni") == left - LOT
    assert floor.balance("uni") - before == LOT * 12_500
    assert not floor.state.held["credit"], "the stake is back"
    floor.close()
    assert "december" not in floor.state.held, "nothing of the past is kept"
