"""Manipulators: who does on purpose what surveillance looks for, and honest members who look alike.

Rule: each is labelled by what it is, draws how bold it is from the seed, and trades on the
real book by orders like anybody's; it knows nothing of the tests that look for it.
Invariant: manipulators use the special accounts s0 to s9 and the host h6, look-alikes the
special accounts from s10 on, zero-intelligence flow none of them.
Worked number: layering shows 3 to 6 orders of 30 to 90 steps, 2 to 12 s before and after a
small sale, 4 to 9 times in two hours.
"""

from __future__ import annotations

from allmende.core import commands as c
from allmende.core.units import SECOND
from allmende.lab.watched import HOSTS, TICK, Actor, Label, Plan, Watched, post, trader

CLOSING_S = 240

# Manipulators -------------------------------------------------------------------------


def wash_owner(market: Watched) -> Label:
    """Two accounts of one parent, stated in their offers, and in no common tree."""
    pair = ("s0", "s1")
    for account in pair:
        post(market, f"{account}-offer", account, 100_000, parent="Hook and Hanger plc")
    market.join(_pass_round(market, pair, market.rng.randint(3, 8)), 600)
    return Label("wash_owner", pair)


def wash_cycle(market: Watched) -> Label:
    """Two to four accounts that nothing connects, and a parcel that goes round."""
    ring = tuple(f"s{2 + n}" for n in range(market.rng.randint(2, 4)))
    market.join(_pass_round(market, ring, market.rng.randint(4, 9)), 300)
    return Label("wash_cycle", ring)


def _pass_round(market: Watched, ring: tuple[str, ...], rounds: int) -> Plan:
    """Inside the spread, so that the next one in the ring is the one who takes it."""
    rng = market.rng
    typical = rng.randint(30, 200)
    for _ in range(rounds):
        for seller, buyer in zip(ring, (*ring[1:], ring[0]), strict=True):
            steps = max(1, round(typical * rng.uniform(0.95, 1.05)))
            if market.ask - market.bid > TICK and not market.in_call:
                price = rng.randrange(market.bid + TICK, market.ask, TICK)
                shown = market.order(seller, "sell", price, steps, "post")
                yield rng.uniform(0.1, 2)
                market.order(buyer, "buy", price, steps, "ioc")
                market.cancel(shown)
            yield rng.uniform(5, 40)
        yield rng.uniform(30, 400)


def layering(market: Watched) -> Label:
    rng = market.rng
    plan = _show(market, "s6", rng.randint(3, 6), rng.randint(30, 90), rng.randint(4, 9))
    market.join(plan, 300)
    return Label("layering", ("s6",))


def spoofing(market: Watched) -> Label:
    rng = market.rng
    plan = _show(market, "s7", 1, rng.randint(150, 400), rng.randint(4, 9))
    market.join(plan, 450)
    return Label("spoofing", ("s7",))


def _show(market: Watched, account: str, layers: int, steps: int, times: int) -> Plan:
    """Show orders behind the best price, trade a little on the other side, take them back."""
    rng = market.rng
    for _ in range(times):
        up = rng.random() < 0.5
        side, other, sign = ("buy", "sell", -1) if up else ("sell", "buy", 1)
        best = market.bid if up else market.ask
        shown = [
            market.order(account, side, best + sign * TICK * (n + 1), steps) for n in range(layers)
        ]
        yield rng.uniform(2, 12)
        real = max(1, steps * layers // rng.randint(5, 12))
        market.order(account, other, market.bid if up else market.ask, real, "ioc")
        yield rng.uniform(1, 12)
        for id_ in shown:
            market.cancel(id_)
        yield rng.uniform(120, 700)


def mark_close(market: Watched) -> Label:
    """Buys (or sells) through the book in the last minutes, or leans on the closing call."""
    rng = market.rng
    in_call = rng.random() < 0.3
    sign = rng.choice((1, -1))
    plan = _lean(market, sign) if in_call else _push(market, sign)
    begins = market.close - rng.randint(90, CLOSING_S) * SECOND
    wait = (market.end - rng.randint(20, 90) * SECOND if in_call else begins) - market.now
    market.join(plan, wait / SECOND)
    return Label("marking_close", ("s8",))


def _push(market: Watched, sign: int) -> Plan:
    """A price further away, in some steps: each takes all there is up to it."""
    rng = market.rng
    side = "buy" if sign > 0 else "sell"
    start, away = market.middle, rng.uniform(0.008, 0.02)
    times = rng.randint(4, 8)
    for number in range(times):
        price = start * (1 + sign * away * (number + 1) / times)
        market.order("s8", side, price, 2_000, "ioc")
        yield rng.uniform(5, 70 * 3 / times)


def _lean(market: Watched, sign: int) -> Plan:
    side = "buy" if sign > 0 else "sell"
    price = market.value * (1 + sign * market.rng.uniform(0.012, 0.025))
    market.order("s8", side, price, market.rng.randint(3_000, 6_000))
    yield 3_600.0


def withhold(market: Watched) -> Label:
    """Takes the cheap offer away whenever it is idle, until some dear requests were served."""
    host = f"h{HOSTS}"
    market.join(_withhold(market, host, market.rng.randint(10, 16)), 120)
    return Label("withholding", (host,))


def _withhold(market: Watched, host: str, times: int) -> Plan:
    for _ in range(times):
        market.do(c.WithdrawOffer(id=f"{host}-cheap"))
        yield market.rng.uniform(120, 300)
        post(market, f"{host}-cheap", host, 90_000)
        yield market.rng.uniform(60, 240)


MANIPULATORS: tuple[Actor, ...] = (
    *(wash_owner, wash_cycle, layering, spoofing, mark_close, withhold),
)

# Honest look-alikes -------------------------------------------------------------------


def maker(market: Watched) -> Label:
    """Quotes three levels on both sides, and gives them anew every 20 s: cancels without end."""
    market.join(_make(market, "s10"), 30)
    return Label("market maker", ("s10",))


def _make(market: Watched, account: str) -> Plan:
    rng = market.rng
    own: list[str] = []
    while True:
        for id_ in own:
            market.cancel(id_)
        middle, steps = market.middle, rng.randint(20, 60)
        own = [
            market.order(account, side, middle * (1 + sign * 0.0012 * (n + 1)), steps, "post")
            for n in range(3)
            for side, sign in (("buy", -1), ("sell", 1))
        ]
        yield rng.uniform(15, 25)


def late_buyer(market: Watched) -> Label:
    """Must have its lots by the close, and takes a little every half minute until then."""
    market.join(_buy_late(market, "s11"), (market.close - market.now) / SECOND - 1_500)
    return Label("late buyer", ("s11",))


def _buy_late(market: Watched, account: str) -> Plan:
    while True:
        market.order(account, "buy", market.ask, market.rng.randint(5, 30), "ioc")
        yield market.rng.uniform(20, 40)


def siblings(market: Watched) -> Label:
    """Two companies of one parent that trade each for itself, and meet now and then."""
    pair = ("s12", "s13")
    for account in pair:
        post(market, f"{account}-offer", account, 100_000, parent="Two Houses SE")
        market.join(trader(market, account), 10)
    return Label("siblings", pair)


def two_way(market: Watched) -> Label:
    """An intermediary: buys from whoever sells and sells on soon after, flat at night."""
    market.join(_turn(market, "s14"), 200)
    return Label("intermediary", ("s14",))


def _turn(market: Watched, account: str) -> Plan:
    rng = market.rng
    while True:
        steps = rng.randint(20, 80)
        market.order(account, "buy", market.ask, steps, "ioc")
        yield rng.uniform(20, 120)
        market.order(account, "sell", market.bid, steps, "ioc")
        yield rng.uniform(20, 120)


def changing_mind(market: Watched) -> Label:
    """Large one-sided orders, often cancelled and given anew; never a trade on the other side."""
    market.join(_waver(market, "s15"), 100)
    return Label("wavering buyer", ("s15",))


def _waver(market: Watched, account: str) -> Plan:
    rng = market.rng
    while True:
        id_ = market.order(account, "buy", market.bid, rng.randint(100, 300))
        yield rng.uniform(10, 90)
        market.cancel(id_)
        yield rng.uniform(1, 20)


LOOKALIKES: tuple[Actor, ...] = (maker, late_buyer, siblings, two_way, changing_mind)
