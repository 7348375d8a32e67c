"""Bad input to the exchange: each is refused with its reason, and nothing has moved.

`World.attempt` compares the digest of the whole state before and after each refusal.
"""

from __future__ import annotations

import pytest
from bad_orders import (
    CHANGES,
    FORGED,
    HOUR,
    HUGE,
    NOW,
    ORDERS,
    claim,
    listing,
    market,
    order,
    redeem,
    request,
)
from msgspec import structs

from allmende.core import commands as c
from allmende.core import exchange_commands as x
from allmende.core.contracts import LOT
from allmende.core.refusals import Why
from allmende.core.units import DAY, Tariff, Units
from allmende.lab.floor import DECEMBER, Floor
from allmende.lab.world import START

ISSUES = {
    "under an id that is taken": (listing(id="december"), Why.EXISTS),
    "under the id of an asset": (listing(id="credit"), Why.EXISTS),
    "by nobody": (listing(issuer="x"), Why.NOT_FOUND),
    "paid in nothing": (listing(asset="gold"), Why.NOT_FOUND),
    "of an unknown title": (listing(title="x"), Why.NOT_FOUND),
    "of a title of another kind": (listing(kind="machine"), Why.NOT_FOUND),
    "delivered by nobody": (listing(offer="x"), Why.NOT_FOUND),
    "delivered by another": (listing(offer="clean"), Why.NOT_FOUND),
    "of another model than its offer's": (listing(model="large"), Why.BAD_VALUE),
    "in another zone than its offer's": (
        listing(zone=structs.replace(DECEMBER.zone, country="FRA")),
        Why.BAD_VALUE,
    ),
    "that is over": (listing(end=NOW), Why.BAD_VALUE),
    "that ends before it starts": (listing(start=NOW + DAY, end=NOW + HOUR), Why.BAD_VALUE),
    "for a thousand days": (listing(end=START + 1_000 * DAY), Why.BAD_VALUE),
    "of no capacity": (listing(capacity=0), Why.BAD_VALUE),
    "of a capacity beyond 64 bits": (listing(capacity=HUGE * LOT), Why.BAD_VALUE),
    "for nothing": (listing(price=0), Why.BAD_VALUE),
    "at a price off its own tick": (listing(price=10_050), Why.OFF_TICK),
    "in lots of broken steps": (listing(step=LOT // 3), Why.OFF_TICK),
    "with a step above its lot": (listing(step=2 * LOT), Why.BAD_VALUE),
    "without weights": (listing(weights=Tariff()), Why.BAD_VALUE),
    "with weights below nothing": (listing(weights=Tariff(input=-1)), Why.BAD_VALUE),
    "with a penalty below nothing": (listing(penalty_ppm=-1), Why.BAD_VALUE),
    "with a margin above all": (listing(stress_ppm=1_000_001), Why.BAD_VALUE),
    "traded in a way of its own": (listing(session="dark"), Why.BAD_VALUE),
    "settled in a way of its own": (listing(settlement="maybe"), Why.BAD_VALUE),
    "in a unit of its own": (listing(unit="wish"), Why.BAD_VALUE),
    "ratable without a rate": (listing(shape="ratable"), Why.BAD_VALUE),
    "above its capacity": (
        x.MintLots(instrument="december", grains=13 * LOT),
        Why.OVER_CAPACITY,
    ),
    "off step": (x.MintLots(instrument="december", grains=1), Why.OFF_TICK),
    "of less than nothing": (x.MintLots(instrument="december", grains=-LOT), Why.OFF_TICK),
    "after the end": (x.MintLots(instrument="over", grains=LOT), Why.ENDED),
    "back after the end": (x.RetireLots(instrument="over", grains=LOT), Why.ENDED),
    "back of what others hold": (
        x.RetireLots(instrument="december", grains=LOT),
        Why.NO_CREDIT,
    ),
}
OTHERS = {
    "call that runs already": (x.OpenCall(instrument="called", until=NOW + DAY), Why.HALTED),
    "call into the past": (x.OpenCall(instrument="december", until=NOW), Why.BAD_VALUE),
    "call beyond the window": (
        x.OpenCall(instrument="december", until=DECEMBER.end + 1),
        Why.BAD_VALUE,
    ),
    "call after the end": (x.OpenCall(instrument="over", until=NOW + DAY), Why.ENDED),
    "request that is over": (request(until=NOW), Why.BAD_VALUE),
    "request of a part of a step": (request(grains=1), Why.OFF_TICK),
    "request with an id that is open": (request(id="q"), Why.EXISTS),
    "request in what ended": (request(instrument="over"), Why.ENDED),
    "quote on no request": (
        x.Quote(id="n", request="x", account="coop", side="buy", price=100),
        Why.NOT_FOUND,
    ),
    "quote to oneself": (
        x.Quote(id="n", request="q", account="ada", side="sell", price=100),
        Why.WOULD_TRADE,
    ),
    "quote of what one has not": (
        x.Quote(id="n", request="q", account="nordic", side="sell", price=100),
        Why.NO_CREDIT,
    ),
    "quote off tick": (
        x.Quote(id="n", request="q", account="coop", side="buy", price=101),
        Why.OFF_TICK,
    ),
    "acceptance of an order": (x.AcceptQuote(id="bid"), Why.NO_ORDER),
    "acceptance of what is over": (x.AcceptQuote(id="late"), Why.ENDED),
    "acceptance of what one cannot pay": (x.AcceptQuote(id="dear"), Why.OVER_LIMIT),
    "redemption of a model by command": (redeem(instrument="december"), Why.BAD_VALUE),
    "redemption of what one has not": (redeem(account="uni"), Why.NO_CREDIT),
    "redemption of nothing": (redeem(units=Units()), Why.BAD_VALUE),
    "redemption of less than nothing": (redeem(units=Units(second=-1)), Why.BAD_VALUE),
    "redemption beyond 64 bits": (redeem(units=Units(second=HUGE)), Why.BAD_VALUE),
    "redemption of what it is not for": (redeem(units=Units(query=1)), Why.UNPRICED),
    "redemption before the window": (redeem(instrument="later"), Why.HALTED),
    "redemption above the rate": (redeem(units=Units(second=11)), Why.RATE),
    "redemption under a broken id": (redeem(id="a/b"), Why.BAD_VALUE),
    "claim on a second front": (claim(account="uni"), Why.EXISTS),
    "claim with an id that is open": (claim(id="c"), Why.EXISTS),
    "claim of what one has not": (claim(grains=5 * LOT), Why.NO_CREDIT),
    "claim of nothing": (claim(grains=0), Why.BAD_VALUE),
    "claim by the issuer": (claim(account="rhine", instrument="next"), Why.HALTED),
    "claim before delivery": (claim(instrument="next"), Why.HALTED),
    "claim on cash": (claim(instrument="cash"), Why.HALTED),
    "claim after the end": (claim(instrument="over"), Why.HALTED),
    "second plea": (
        x.PleadForceMajeure(instrument="called", cause="x", evidence="x"),
        Why.EXISTS,
    ),
    "plea without evidence": (
        x.PleadForceMajeure(instrument="december", cause="x", evidence=""),
        Why.BAD_VALUE,
    ),
    "plea without an end": (
        x.PleadForceMajeure(instrument="december", cause="x" * 501, evidence="x"),
        Why.BAD_VALUE,
    ),
    "judgement of no plea": (
        x.JudgeForceMajeure(instrument="december", external=True, unavoidable=True),
        Why.NOT_FOUND,
    ),
    "second judgement": (
        x.JudgeForceMajeure(instrument="called", external=False, unavoidable=True),
        Why.NOT_FOUND,
    ),
    "tier of its own": (x.SetTier(member="coop", tier=3), Why.BAD_VALUE),
    "asset under an instrument's id": (
        c.RegisterAsset(id="december", issuer="uni", name="x"),
        Why.EXISTS,
    ),
    "transfer of more rights than there are": (
        c.Transfer(source="uni", target="coop", asset="december", amount=5 * LOT),
        Why.NO_CREDIT,
    ),
}
ALL = {
    f"{kind}: {name}": case
    for kind, cases in (("order", ORDERS), ("change", CHANGES), ("forged", FORGED),
                        ("issue", ISSUES), ("other", OTHERS))
    for name, case in cases.items()
}  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_it_is_refused_with_its_reason_and_nothing_moves(name: str) -> None:
    command, why = ALL[name]
    refused = market().refuse(command)
    assert refused.why is why, refused
    assert 400 <= why.status < 500
    assert refused.detail


def test_an_order_in_an_ended_instrument_cannot_be_placed_cancelled_or_taken():
    floor = market()
    floor.now = DECEMBER.end
    floor.do(c.Tick())
    assert not floor.state.orders
    assert floor.refuse(order()).why is Why.ENDED
    assert floor.refuse(x.CancelOrder(id="bid")).why is Why.NO_ORDER
    assert floor.refuse(x.AcceptQuote(id="dear")).why is Why.NO_ORDER


def test_in_a_closed_loop_rights_are_bought_of_their_issuer_and_go_no_further():
    floor = Floor(mode="closed_loop")
    floor.mint(4)
    floor.place("rhine", "sell", 10_000, 2)
    floor.place("coop", "buy", 10_000, 2)
    sale = order(account="coop", side="sell")
    gift = c.Transfer(source="coop", target="uni", asset="december", amount=LOT)
    for forbidden in (sale, gift):
        refused = floor.refuse(forbidden)
        assert refused.why is Why.MODE_FORBIDS
        assert "limited_network" in refused.detail, "it says which mode has it"
    floor.do(request())
    quote = x.Quote(id="n", request="new", account="coop", side="sell", price=10_000)
    assert floor.refuse(quote).why is Why.MODE_FORBIDS


def test_a_repeated_order_acts_once_and_is_answered_as_before():
    floor = market()
    first = floor.do(order(price=9_000, idem="again"))
    assert floor.do(order(price=9_000, idem="again")) == list(first)
    assert floor.refuse(order(price=9_100, idem="again")).why is Why.REPLAYED
    assert len([id_ for id_ in floor.state.orders if id_ == "new"]) == 1
