"""Watched: one trading day on the real core, with zero-intelligence flow, to look for crime in.

Rule: every order, request and offer is a command that the machine decides; what it refuses
did not happen. A refusal is part of the flow, since zero intelligence asks for anything.
Invariant: the same seed gives the same events.
Worked number: 24 traders who act every 40 s or so for two hours make some 4,300 commands.

Traders after Gode and Sunder 1993: they know a value, never lose on it, and nothing else.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from msgspec import structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core import machine
from allmende.core.contracts import LOT, Instrument
from allmende.core.nouns import Key, Member, Offer, Title
from allmende.core.refusals import Refused
from allmende.core.state import Listing, State
from allmende.core.units import CREDIT, DAY, SECOND, Amount, Instant, Tariff, Units, Zone

START: Instant = 1_796_083_200 * SECOND
LASTS: Instant = 2 * 3_600 * SECOND
CALL_S = 120
STEP = LOT // 100
TICK: Amount = 20
VALUE: Amount = 31_000
"""3.1 credits a lot."""
TRADERS = 24
HOSTS = 6
SECRET = "5" * 64

Plan = Iterator[float]
"""An actor: it acts, then yields for how many seconds it waits."""


class Label(NamedTuple):
    """What an actor did, for those who count: a kind of alert, or of honest look-alike."""

    kind: str
    accounts: tuple[str, ...]


class Watched:
    """A market with members who hold credit and rights, a clock, and everything that happened."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.state = State()
        self.events: list[e.Event] = []
        self.now = START
        self.value = float(VALUE)
        self.end = START + LASTS
        self.close = self.end - CALL_S * SECOND
        self._queue: list[tuple[Instant, int, Plan]] = []
        self._made = 0
        for command in _founding(self.end):
            assert self.do(command), f"not founded: {command}"

    def do(self, command: c.Command) -> list[e.Event]:
        """Decide and apply at the market's time; nothing where it is refused."""
        command = structs.replace(command, at=self.now)
        try:
            decided = machine.decide(self.state, command)
        except Refused:
            return []
        for event in decided:
            machine.apply(self.state, event)
        self.events += decided
        return decided

    def join(self, plan: Plan, after: float = 0.0) -> None:
        """Let an actor act from `after` seconds on."""
        self._made += 1
        heapq.heappush(self._queue, (self.now + int(after * SECOND), self._made, plan))

    def run(self) -> None:
        """To the end of the window, and one tick more."""
        while self._queue and self._queue[0][0] < self.end:
            self.now, _, plan = heapq.heappop(self._queue)
            pause = next(plan, None)
            if pause is not None:
                self.join(plan, pause)
        self.now = self.end
        self.do(c.Tick())
        machine.check(self.state)

    # What actors ask for -------------------------------------------------------------

    def order(
        self, account: str, side: str, price: float, steps: int, term: str = "good", lasts: int = 0
    ) -> str:
        """An order at the tick nearest to `price`; its id if it rests, else ""."""
        self._made += 1
        command = x.PlaceOrder(
            id=f"o{self._made}",
            instrument="day",
            account=account,
            side=side,
            price=max(TICK, round(price / TICK) * TICK),
            grains=steps * STEP,
            term=term,
            until=min(self.now + lasts * SECOND, self.end) if lasts else 0,
        )
        return command.id if self.do(command) and command.id in self.state.orders else ""

    def cancel(self, id_: str) -> None:
        if id_:
            self.do(x.CancelOrder(id=id_))

    @property
    def listing(self) -> Listing:
        return self.state.listings["day"]

    @property
    def bid(self) -> Amount:
        prices = self.listing.bids.prices
        return prices[-1] if prices else round(self.value * 0.99)

    @property
    def ask(self) -> Amount:
        prices = self.listing.asks.prices
        return prices[0] if prices else round(self.value * 1.01)

    @property
    def middle(self) -> float:
        return (self.bid + self.ask) / 2

    @property
    def in_call(self) -> bool:
        return self.listing.call_until > 0

    def pick(self) -> str:
        """A trader of the zero-intelligence flow."""
        return f"z{self.rng.randrange(TRADERS)}"

    def reserve(self, model: str) -> None:
        """One request from hold to receipt, with the cheapest offer that stands."""
        self._made += 1
        id_ = f"r{self._made}"
        ask = c.Reserve(
            id=id_,
            key=SECRET,
            endpoint="chat/completions",
            model=model,
            input_bound=500,
            output_bound=200,
        )
        if self.do(ask):
            told = Units(input=self.rng.randint(50, 500), output=self.rng.randint(10, 200))
            self.do(c.Capture(hold=id_, estimate=told, reported=told))


def post(market: Watched, id_: str, provider: str, rate: int, parent: str = "") -> None:
    """An offer of the provider's own model, at `rate` pico-credits a token."""
    market.do(c.PostOffer(offer=_offer(id_, provider, f"model-{provider}", rate, parent)))


def _offer(id_: str, provider: str, model: str, rate: int, parent: str = "") -> Offer:
    tariff = Tariff(input=rate, output=4 * rate)
    zone = Zone("DEU", parent=parent)
    return Offer(id_, provider, "t", model, "credit", tariff, zone, "http://x", capacity=8)


def _founding(end: Instant) -> Iterator[c.Command]:
    """Traders z0 ..., special accounts s0 ..., hosts h0 ... each with a cheap and a dear offer."""
    yield c.Found(market="m", name="Watched", mode="lab", operator="house", public_key="00" * 32)
    yield c.SetParameter(name="call_seconds", value=CALL_S)
    yield c.AddMember(member=Member("maker", "Maker", "provider", tier=2))
    yield c.Deposit(member="maker", amount=10**6 * CREDIT, reference="bond")
    yield c.RegisterTitle(title=Title("t", "maker", "model", "T"))
    yield c.PostOffer(offer=_offer("own", "maker", "traded", 100_000))
    day = Instrument(
        id="day",
        issuer="maker",
        title="t",
        model="traded",
        offer="own",
        start=START - DAY,
        end=end,
        capacity=100_000 * LOT,
        price=VALUE,
        zone=Zone("DEU"),
        tick=TICK,
    )
    yield x.ListInstrument(instrument=day)
    yield x.MintLots(instrument="day", grains=10_000 * LOT)
    for name in (*(f"z{n}" for n in range(TRADERS)), *(f"s{n}" for n in range(24))):
        yield c.AddMember(member=Member(name, name.upper(), "organisation", tier=2))
        yield c.Deposit(member=name, amount=5_000 * CREDIT, reference=name)
        yield c.Transfer(source="maker", target=name, asset="day", amount=100 * LOT)
    for name in (f"h{n}" for n in range(HOSTS + 1)):
        yield c.AddMember(member=Member(name, name.upper(), "provider"))
        yield c.PostOffer(offer=_offer(f"{name}-cheap", name, f"model-{name}", 90_000))
        yield c.PostOffer(offer=_offer(f"{name}-dear", name, f"model-{name}", 120_000))
    yield c.AddBudget(id="b", name="b", owner="z0")
    yield c.IssueKey(key=Key("k", SECRET, "z0", "spend", "b"))


# Zero intelligence --------------------------------------------------------------------


def background(market: Watched) -> None:
    """Flow without any purpose: traders, the clock, the value's walk, requests, maintenance."""
    market.join(_clock(market))
    market.join(_walk(market))
    for number in range(TRADERS):
        market.join(trader(market, f"z{number}"), market.rng.random() * 60)
    for number in range(HOSTS + 1):
        market.join(_demand(market, f"model-h{number}"), market.rng.random() * 60)
    for number in range(HOSTS):
        market.join(_maintenance(market, f"h{number}"), market.rng.random() * 600)


def _clock(market: Watched) -> Plan:
    while True:
        market.do(c.Tick())
        yield 15.0


def _walk(market: Watched) -> Plan:
    while True:
        market.value *= 1 + market.rng.gauss(0, 0.0006)
        yield 60.0


def trader(market: Watched, account: str) -> Plan:
    """Any side, any price that does not lose on a private value, any size; some cancelling."""
    rng = market.rng
    private = 1 + rng.gauss(0, 0.004)
    own: list[str] = []
    while True:
        own = [id_ for id_ in own if id_ in market.state.orders]
        if own and rng.random() < 0.25:
            market.cancel(own.pop(rng.randrange(len(own))))
        else:
            side = rng.choice(("buy", "sell"))
            away = rng.random() * 0.012
            price = market.value * private * (1 - away if side == "buy" else 1 + away)
            steps = 1 + min(400, int(rng.expovariate(1 / 40)))
            own.append(market.order(account, side, price, steps, lasts=rng.randint(60, 900)))
        yield rng.expovariate(1 / 40)


def _demand(market: Watched, model: str) -> Plan:
    while True:
        market.reserve(model)
        yield market.rng.expovariate(1 / 30)


def _maintenance(market: Watched, provider: str) -> Plan:
    """Any of its offers, at any time, back at the same price."""
    while True:
        which, rate = market.rng.choice((("cheap", 90_000), ("dear", 120_000)))
        market.do(c.WithdrawOffer(id=f"{provider}-{which}"))
        yield 60 + market.rng.random() * 240
        post(market, f"{provider}-{which}", provider, rate)
        yield market.rng.expovariate(1 / 600)


Actor = Callable[[Watched], Label]
"""Joins a market, and says what it will have done there."""


def market(seed: int, actors: tuple[Actor, ...] = ()) -> tuple[Watched, list[Label]]:
    """A day under zero-intelligence flow with these actors in it, run to its end."""
    made = Watched(seed)
    background(made)
    labels = [actor(made) for actor in actors]
    made.run()
    return made, labels


def traded(made: Watched) -> int:
    return sum(isinstance(event, f.Filled) for event in made.events)
