"""A market a day after its start, and what must not be done to its orders."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from holders import sold

from allmende.core import commands as c
from allmende.core import exchange_commands as x
from allmende.core.contracts import LOT
from allmende.core.nouns import Key, Title
from allmende.core.refusals import Why
from allmende.core.state import State
from allmende.core.units import DAY, MINUTE, SECOND, Tariff, Units
from allmende.lab.floor import Floor, changed
from allmende.lab.world import START, secret

HUGE = 1 << 64
HOUR = 60 * MINUTE
NOW = START + DAY


@cache
def ready() -> bytes:
    """The state of a market a day after its start.

    Open are a bid and an ask, a request of the university with a quote that is over, and a
    claim; `over` has ended and waits to be settled, `called` is in a call that is frozen.
    """
    floor = sold(lots=8, alone=False)
    floor.mint(1)
    floor.do(c.RegisterTitle(title=Title("gpu", "rhine", "machine", "GPU")))
    for other in (
        changed(id="over", end=START + 1),
        changed(id="called"),
        changed(id="cash", settlement="cash", offer=""),
        changed(id="gpu", kind="machine", title="gpu", weights=Tariff(second=10**6), rate=10**7),
        changed(id="next", start=NOW + 10 * DAY),
        changed(id="later", kind="machine", title="gpu", start=NOW + 10 * DAY),
    ):
        floor.do(x.ListInstrument(instrument=other))
        floor.mint(2, other.id)
    for name in ("rhine", "coop"):
        key = Key(f"{name}-boss", secret(f"{name}-boss"), name, "manage")
        floor.do(c.IssueKey(key=key))
    floor.now = NOW
    floor.do(x.ClaimDefault(id="c", instrument="december", account="uni", grains=LOT))
    floor.do(
        x.RequestQuotes(
            id="q", instrument="december", account="uni", grains=LOT, until=NOW + MINUTE
        )
    )
    floor.do(
        x.Quote(id="late", request="q", account="coop", side="sell", price=10_000, until=NOW + 1)
    )
    floor.do(x.Quote(id="dear", request="q", account="rhine", side="sell", price=10**15))
    floor.place("uni", "buy", 9_900, 1, id="bid")
    floor.place("coop", "sell", 10_100, 1, id="ask")
    floor.place("coop", "buy", 10_000, 1, id="waits", instrument="called")
    floor.do(x.OpenCall(instrument="called", until=NOW + 5 * SECOND))
    floor.do(x.PleadForceMajeure(instrument="called", cause="flood", evidence="report"))
    floor.do(x.JudgeForceMajeure(instrument="called", external=True, unavoidable=True))
    floor.do(c.Deposit(member="uni", amount=1, reference="wire 9", idem="i"))
    floor.now += SECOND
    return msgspec.json.encode(floor.state)


def market() -> Floor:
    floor = Floor()
    floor.state = msgspec.json.decode(ready(), type=State)
    floor.now = NOW + SECOND
    return floor


def order(**terms: Any) -> x.PlaceOrder:
    usual = {"id": "new", "instrument": "december", "account": "uni", "side": "buy"}
    return x.PlaceOrder(**{**usual, "price": 10_000, "grains": LOT, **terms})


def listing(**terms: Any) -> x.ListInstrument:
    return x.ListInstrument(instrument=changed(**{"id": "new", **terms}))


def redeem(**terms: Any) -> x.Redeem:
    usual = {"id": "r", "instrument": "gpu", "account": "rhine", "units": Units(second=1)}
    return x.Redeem(**{**usual, **terms})


def claim(**terms: Any) -> x.ClaimDefault:
    usual = {"id": "new", "instrument": "december", "account": "coop", "grains": LOT}
    return x.ClaimDefault(**{**usual, **terms})


def request(**terms: Any) -> x.RequestQuotes:
    usual = {"id": "new", "instrument": "december", "account": "uni", "until": NOW + DAY}
    return x.RequestQuotes(**{**usual, "grains": LOT, **terms})


ORDERS = {
    "of an unknown instrument": (order(instrument="x"), Why.NO_INSTRUMENT),
    "of an unknown account": (order(account="x"), Why.NOT_FOUND),
    "of an account that is nobody's": (order(account="bond/december"), Why.NOT_FOUND),
    "with an id that is open": (order(id="bid"), Why.EXISTS),
    "with an id that is not plain": (order(id="../x"), Why.BAD_VALUE),
    "without an id": (order(id=""), Why.BAD_VALUE),
    "on a third side": (order(side="both"), Why.BAD_VALUE),
    "with a guard of its own": (order(guard="none"), Why.BAD_VALUE),
    "on terms of its own": (order(term="maybe"), Why.BAD_VALUE),
    "off tick": (order(price=10_050), Why.OFF_TICK),
    "free": (order(price=0), Why.OFF_TICK),
    "at a price below nothing": (order(price=-100), Why.OFF_TICK),
    "at a price beyond 64 bits": (order(price=HUGE * 100), Why.OFF_TICK),
    "off step": (order(grains=LOT + 1), Why.OFF_TICK),
    "of nothing": (order(grains=0), Why.OFF_TICK),
    "of less than nothing": (order(side="sell", grains=-LOT), Why.OFF_TICK),
    "of more than 64 bits": (order(grains=HUGE * LOT), Why.OFF_TICK),
    "that is over before it comes": (order(until=NOW), Why.BAD_VALUE),
    "in an instrument that ended": (order(instrument="over"), Why.ENDED),
    "above the limit of a tier": (order(grains=2 * 10**6 * LOT), Why.OVER_LIMIT),
    "that its account cannot pay": (order(account="coop", grains=100 * LOT), Why.NO_CREDIT),
    "of rights that its account has not": (order(side="sell", grains=5 * LOT), Why.NO_CREDIT),
    "of rights that are offered already": (
        order(account="coop", side="sell", grains=4 * LOT, price=10_100),
        Why.NO_CREDIT,
    ),
    "that must not trade, and would": (order(price=10_100, term="post"), Why.WOULD_TRADE),
    "to be filled whole, where there is less": (
        order(price=10_100, grains=2 * LOT, term="fok"),
        Why.UNFILLED,
    ),
    "to be filled whole, where nothing is": (order(price=9_000, term="fok"), Why.UNFILLED),
    "at once, in a call": (order(instrument="called", term="ioc"), Why.HALTED),
    "across one's own, in a call": (
        order(instrument="called", account="coop", side="sell", price=9_900),
        Why.WOULD_TRADE,
    ),
}
CHANGES = {
    "amend what is unknown": (x.AmendOrder(id="x", price=100, grains=LOT), Why.NO_ORDER),
    "amend to nothing": (x.AmendOrder(id="bid", price=9_900, grains=0), Why.OFF_TICK),
    "amend off tick": (x.AmendOrder(id="bid", price=9_901, grains=LOT), Why.OFF_TICK),
    "amend beyond one's means": (
        x.AmendOrder(id="ask", price=10_100, grains=10 * LOT),
        Why.NO_CREDIT,
    ),
    "amend in a frozen call": (x.AmendOrder(id="waits", price=9_900, grains=LOT), Why.HALTED),
    "amend a quote": (x.AmendOrder(id="dear", price=100, grains=LOT), Why.NO_ORDER),
    "amend another's order": (
        x.AmendOrder(id="bid", price=9_800, grains=LOT, by=secret("coop-boss")),
        Why.NOT_ALLOWED,
    ),
    "cancel what is unknown": (x.CancelOrder(id="x"), Why.NO_ORDER),
    "cancel in a frozen call": (x.CancelOrder(id="waits"), Why.HALTED),
    "cancel another's order": (
        x.CancelOrder(id="bid", by=secret("coop-boss")),
        Why.NOT_ALLOWED,
    ),
    "cancel all of another's": (
        x.CancelOrders(account="uni", by=secret("rhine-boss")),
        Why.NOT_ALLOWED,
    ),
    "cancel all of nobody's": (x.CancelOrders(account="x"), Why.NOT_FOUND),
}
FORGED = {
    "with an unknown key": (order(by="00" * 32), Why.UNKNOWN_KEY),
    "with a key that only spends": (order(by=secret("ada")), Why.NOT_ALLOWED),
    "with another's key": (order(by=secret("coop-boss")), Why.NOT_ALLOWED),
    "of a listing": (
        x.ListInstrument(instrument=changed(id="new"), by=secret("coop-boss")),
        Why.NOT_ALLOWED,
    ),
    "of a mint": (
        x.MintLots(instrument="december", grains=LOT, by=secret("coop-boss")),
        Why.NOT_ALLOWED,
    ),
    "of a retirement": (
        x.RetireLots(instrument="december", grains=LOT, by=secret("coop-boss")),
        Why.NOT_ALLOWED,
    ),
    "of a call": (
        x.OpenCall(instrument="december", until=NOW + HOUR, by=secret("rhine-boss")),
        Why.NOT_ALLOWED,
    ),
    "of an acceptance": (x.AcceptQuote(id="dear", by=secret("rhine-boss")), Why.NOT_ALLOWED),
    "of a redemption": (redeem(by=secret("coop-boss")), Why.NOT_ALLOWED),
    "of a claim": (claim(by=secret("rhine-boss")), Why.NOT_ALLOWED),
    "of a plea": (
        x.PleadForceMajeure(instrument="december", cause="x", evidence="x", by=secret("coop-boss")),
        Why.NOT_ALLOWED,
    ),
    "of a judgement": (
        x.JudgeForceMajeure(
            instrument="december", external=True, unavoidable=True, by=secret("rhine-boss")
        ),
        Why.NOT_ALLOWED,
    ),
    "of a tier": (x.SetTier(member="coop", tier=2, by=secret("coop-boss")), Why.NOT_ALLOWED),
    "as a replay with other contents": (
        c.Deposit(member="uni", amount=2, reference="wire 10", idem="i"),
        Why.REPLAYED,
    ),
}
