"""A right from issue to settlement on the core alone, and what each step leaves behind."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import structs

from allmende.core import commands as c
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core import machine
from allmende.core.contracts import LOT
from allmende.core.nouns import Policy, Title
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import CREDIT, DAY, Tariff, Units
from allmende.lab.floor import Floor, changed
from allmende.lab.world import ask


def sold(lots: int = 4, floor: Floor | None = None) -> Floor:
    """Lots minted by rhine and bought by the university in the book."""
    floor = floor or Floor()
    floor.mint(lots)
    floor.place("rhine", "sell", 10_000, lots)
    floor.place("uni", "buy", 10_000, lots)
    return floor


def test_minting_needs_capacity_and_a_bond_and_says_what_is_missing():
    floor = Floor()
    before = floor.balance("rhine")
    floor.mint(4)
    assert floor.bond() == 5 * CREDIT == before - floor.balance("rhine")
    with pytest.raises(Refused) as over:
        floor.mint(17)
    assert (over.value.why, over.value.facts["missing"]) == (Why.OVER_CAPACITY, LOT)
    floor.do(c.Transfer(source="rhine", target="coop", asset="credit", amount=94 * CREDIT))
    with pytest.raises(Refused) as poor:
        floor.mint(2)
    assert (poor.value.why, poor.value.facts["missing"]) == (Why.NO_BOND, 3 * CREDIT // 2)


def test_a_fill_is_one_balanced_exchange_and_the_taker_pays_the_fee():
    floor = Floor()
    floor.mint(4)
    before = {name: floor.balance(name) for name in ("uni", "rhine", "house")}
    floor.place("rhine", "sell", 10_000, 4)
    _, filled = floor.place("uni", "buy", 11_000, 3)
    assert isinstance(filled, f.Filled)
    assert (filled.price, filled.grains, filled.fee) == (10_000, 3 * LOT, 3 * CREDIT // 1000)
    assert floor.rights("uni") == 3 * LOT
    assert floor.balance("uni") == before["uni"] - filled.fee - 3 * CREDIT
    assert floor.balance("rhine") == before["rhine"] + 3 * CREDIT
    assert floor.balance("house") == before["house"] + filled.fee


def test_a_request_is_paid_by_rights_first_and_the_bond_pays_the_waterfall():
    floor = sold()
    credit = floor.balance("uni")
    author = floor.balance("author")
    receipt = floor.use("r", Units(input=200, output=60)).receipt
    assert (receipt.right, receipt.grains) == ("december", 200 * 100 + 60 * 400)
    assert receipt.price == receipt.grains * 10_000
    assert floor.balance("uni") == credit
    assert floor.rights("uni") == 4 * LOT - receipt.grains
    assert floor.bond() == 5 * CREDIT - receipt.price
    assert floor.balance("author") == author + receipt.price // 10
    assert floor.state.budgets["uni"].spent == receipt.price


def test_a_caller_may_keep_his_rights_and_pay_in_credit():
    floor = sold()
    receipt = floor.use("r", Units(input=9, output=9), policy=Policy(pay=("credit",))).receipt
    assert receipt.right == ""
    assert floor.rights("uni") == 4 * LOT


def test_a_recount_moves_rights_and_credit_together():
    floor = sold()
    floor.do(ask("r"))
    told = Units(input=10, output=3)
    floor.do(c.Capture(hold="r", estimate=told, reported=told, pending=True))
    floor.do(c.Recount(counts=(("r", Units(input=10, output=9)),)))
    used = 10 * 100 + 9 * 400
    assert floor.rights("uni") == 4 * LOT - used
    assert floor.bond() == 5 * CREDIT - used * 10_000
    assert floor.listing.delivered == used


def test_too_few_rights_for_the_worst_case_leave_it_to_credit():
    floor = Floor(changed(step=10_000, lot=1_000_000))
    floor.do(x.MintLots(instrument="december", grains=10_000))
    floor.do(c.Transfer(source="rhine", target="uni", asset="december", amount=10_000))
    assert floor.use("r", Units(input=1, output=1)).receipt.right == ""


def test_unused_rights_bring_back_their_resale_value_and_the_rest_is_the_issuers():
    floor = sold()
    before, issuer = floor.balance("uni"), floor.balance("rhine")
    settled = floor.close()
    assert settled.defaulted == ()
    assert settled.resale == 2_000
    assert floor.balance("uni") == before + 4 * LOT * 2_000
    assert floor.balance("rhine") == issuer + 5 * CREDIT - 4 * LOT * 2_000
    assert "december" not in floor.state.listings
    assert not floor.state.delivering


def test_an_issuer_that_fails_pays_refund_damages_and_penalty():
    floor = sold()
    floor.do(c.WithdrawOffer(id="clean"))
    for number in range(3):
        floor.fail(f"r{number}")
    before = floor.balance("uni")
    settled = floor.close()
    assert settled.defaulted == ("uni",)
    assert settled.figure == 12_000, "nobody else delivers: as dear as the margin reaches"
    assert floor.balance("uni") == before + 4 * LOT * (12_000 + 500)


def test_another_provider_replaces_a_failed_one_at_the_bonds_cost():
    floor = sold()
    other = changed(id="x").zone
    offer = floor.state.offers["clean"]
    floor.do(c.PostOffer(offer=_at(offer, other, Tariff(input=1_000_000, output=4_000_000))))
    floor.fail("r0")
    credit = floor.balance("uni")
    receipt = floor.use("r1", Units(input=100, output=10), exclude=("cheap",)).receipt
    assert (receipt.offer, receipt.right) == ("clean", "december")
    assert receipt.grains == 100 * 100 + 10 * 400
    assert receipt.price == 140_000_000
    assert floor.balance("uni") == credit
    assert floor.bond() == 5 * CREDIT - receipt.price


def _at(offer, zone, tariff):
    return structs.replace(offer, zone=zone, tariff=tariff)


def test_a_claim_is_lost_with_its_stake_where_service_was_attested():
    floor = sold()
    floor.do(x.ClaimDefault(id="c", instrument="december", account="uni", grains=2 * LOT))
    floor.use("r", Units(input=1, output=1))
    before, issuer = floor.balance("uni"), floor.balance("rhine")
    floor.wait(3_600)
    stake = 2 * CREDIT // 100
    assert floor.balance("uni") == before - stake
    assert floor.balance("rhine") == issuer + stake


def test_a_claim_is_upheld_where_the_issuer_failed():
    floor = sold()
    floor.do(c.WithdrawOffer(id="clean"))
    floor.do(x.ClaimDefault(id="c", instrument="december", account="uni", grains=2 * LOT))
    floor.fail("r")
    before = floor.balance("uni")
    floor.wait(3_600)
    assert floor.balance("uni") == before + 2 * LOT * 12_500
    assert floor.rights("uni") == 2 * LOT


def test_force_majeure_in_all_three_parts_leaves_the_price_and_no_penalty():
    floor = sold()
    floor.fail("r")
    floor.do(x.PleadForceMajeure(instrument="december", cause="flood", evidence="report 7"))
    floor.do(x.JudgeForceMajeure(instrument="december", external=True, unavoidable=True))
    before = floor.balance("uni")
    floor.close()
    assert floor.balance("uni") == before + 4 * CREDIT


def test_an_opening_call_trades_at_one_price():
    floor = Floor(call=60)
    floor.mint(20)
    floor.place("rhine", "sell", 10_100, 10)
    floor.place("rhine", "sell", 10_400, 10)
    floor.place("uni", "buy", 10_500, 10)
    floor.place("coop", "buy", 10_300, 10)
    events = floor.wait(60)
    fills = [event for event in events if isinstance(event, f.Filled)]
    assert [(fill.price, fill.grains, fill.buyer) for fill in fills] == [(10_100, 10 * LOT, "uni")]
    assert floor.listing.call_until == 0


def test_a_price_too_far_off_halts_and_the_call_restarts_it():
    floor = Floor()
    floor.do(c.SetParameter(name="call_seconds", value=60))
    floor.mint(4)
    floor.place("rhine", "sell", 13_000, 2)
    events = floor.place("uni", "buy", 14_000, 1)
    assert [type(event).__name__ for event in events] == [
        "OrderPlaced",
        "CallOpened",
        "OrderRested",
    ]
    fills = [e for e in floor.wait(60) if isinstance(e, f.Filled)]
    assert [fill.price for fill in fills] == [13_000]
    assert floor.listing.reference == 13_000


def test_a_quote_that_is_taken_trades_whole_and_ends_the_others():
    floor = Floor()
    floor.mint(8)
    floor.do(
        x.RequestQuotes(
            id="q", instrument="december", account="uni", grains=4 * LOT, until=floor.now + DAY
        )
    )
    for id_, account, side, price in (("a", "rhine", "sell", 10_200), ("b", "coop", "buy", 9_000)):
        floor.do(x.Quote(id=id_, request="q", account=account, side=side, price=price))
    floor.do(x.AcceptQuote(id="a"))
    assert floor.rights("uni") == 4 * LOT
    assert not floor.state.orders
    assert not floor.state.requests


def test_in_a_closed_loop_only_the_issuer_sells():
    floor = sold(floor=Floor(mode="closed_loop"))
    with pytest.raises(Refused) as refused:
        floor.place("uni", "sell", 10_000, 1)
    assert refused.value.why is Why.MODE_FORBIDS


def test_an_offer_that_rights_stand_against_cannot_leave():
    floor = sold()
    with pytest.raises(Refused) as refused:
        floor.do(c.WithdrawOffer(id="cheap"))
    assert refused.value.why is Why.OWED


def test_the_whole_life_replays_to_the_same_digest():
    floor = sold()
    floor.use("r", Units(input=200, output=60))
    floor.fail("s")
    floor.close()
    assert machine.digest(machine.replay(floor.events)) == machine.digest(floor.state)


def test_a_book_survives_a_snapshot_with_its_queue():
    floor = Floor()
    floor.mint(4)
    for price in (10_300, 10_100, 10_200, 10_100):
        floor.place("rhine", "sell", price, 1)
    floor.place("uni", "buy", 9_900, 1)
    again = msgspec.json.decode(msgspec.json.encode(floor.state), type=State)
    assert machine.digest(again) == machine.digest(floor.state)
    asked = x.PlaceOrder(
        at=floor.now, id="z", instrument="december", account="uni", side="buy", price=10_300,
        grains=4 * LOT,
    )  # fmt: skip
    assert machine.decide(again, asked) == machine.decide(floor.state, asked)


def test_machine_time_and_queries_are_redeemed_by_their_holder():
    floor = Floor()
    floor.do(c.RegisterTitle(title=Title("corpus", "data", "dataset", "Corpus")))
    terms = {"kind": "dataset", "title": "corpus", "model": "", "offer": "", "unit": "query"}
    queries = changed(id="queries", weights=Tariff(query=100), **terms)
    floor.do(x.ListInstrument(instrument=queries))
    floor.do(x.MintLots(instrument="queries", grains=LOT))
    floor.do(c.Transfer(source="rhine", target="uni", asset="queries", amount=LOT))
    (event,) = floor.do(
        x.Redeem(id="q1", instrument="queries", account="uni", units=Units(query=3))
    )
    assert event.receipt.grains == 300
    assert event.receipt.price == 3_000_000
    assert floor.state.listings["queries"].delivered == 300
    refused = floor.refuse(
        x.Redeem(id="q2", instrument="queries", account="uni", units=Units(second=3))
    )
    assert refused.why is Why.UNPRICED


def test_a_repeated_order_is_told_its_fills_again():
    floor = Floor()
    floor.mint(2)
    floor.place("rhine", "sell", 10_000, 2)
    first = floor.place("uni", "buy", 10_000, 1, id="mine", idem="k1")
    again = floor.place("uni", "buy", 10_000, 1, id="mine", idem="k1")
    assert [type(event) for event in again] == [f.OrderPlaced, f.Filled]
    assert again == first
    assert floor.rights("uni") == LOT
