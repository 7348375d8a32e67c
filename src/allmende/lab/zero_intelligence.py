"""Zero intelligence: traders without any wit on the real book, and how much they still gain.

Rule: as in Gode and Sunder (1993), a trader drawn at random names a random price for his next
unit, and each trade ends all other orders. Constrained, a buyer bids up to what the unit is
worth to him and a seller asks no less than it costs him; unconstrained, both name anything.
Efficiency is the surplus made over the largest there is.
Invariant: they trade on core's own book: every order is a command, every trade an event.
Worked number: values 9, 7, 3 and costs 2, 4, 8 allow (9 - 2) + (7 - 4) = 10; trades of 9 with
4 and of 7 with 8 make 5 - 1 = 4, an efficiency of 40 %.

About half of the units here are not worth trading, and the unconstrained trade those too; so
they lose more than in the paper, whose markets had fewer such units.
Source: D. K. Gode and S. Sunder, Allocative Efficiency of Markets with Zero-Intelligence
Traders, Journal of Political Economy 101 (1993): constrained near 100 %, unconstrained less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from statistics import fmean

from msgspec import Struct

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core import machine
from allmende.core.contracts import LOT
from allmende.core.nouns import Member
from allmende.core.units import CREDIT
from allmende.lab.floor import DECEMBER, Floor

SIDE = 6
"""Buyers, and as many sellers: twelve, as in the paper."""
UNITS = 4
"""What a buyer would take, and a seller give: one lot each."""
TOP = 200
"""Ticks: the highest value, cost and price. The instrument's own price is in the middle."""
STEPS = 4_000
"""Orders in one session: more than it takes to exhaust the trades that can be made."""
NEAR_ALL, CLEARLY = 0.97, 0.1
"""What a rerun must show: constrained above the first, unconstrained less by the second."""


class Trader(Struct):
    """`limits` are ticks in the order in which units trade: values falling, or costs rising."""

    name: str
    side: str
    limits: list[int]
    done: int = 0

    @property
    def limit(self) -> int | None:
        """Of the next unit; None where nothing is left."""
        return self.limits[self.done] if self.done < len(self.limits) else None


class Session(Struct, frozen=True):
    """Gains in ticks: of each trade, and the most that all could be together."""

    gains: tuple[int, ...]
    most: int

    @property
    def made(self) -> int:
        return sum(self.gains)

    @property
    def efficiency(self) -> float:
        return self.made / self.most


def traders(rng: Random) -> list[Trader]:
    """Buyers and sellers with random values and costs, drawn until something can be gained."""
    found: list[Trader] = []
    while not found or not surplus(found):
        found = [_trader(rng, side, n) for side in ("buy", "sell") for n in range(SIDE)]
    return found


def _trader(rng: Random, side: str, number: int) -> Trader:
    limits = sorted((rng.randint(1, TOP) for _ in range(UNITS)), reverse=side == "buy")
    return Trader(f"{side}er-{number}", side, limits)


def surplus(found: Sequence[Trader]) -> int:
    """The most that all together can gain, in ticks: dearest values meet cheapest costs."""
    values = sorted((v for t in found if t.side == "buy" for v in t.limits), reverse=True)
    costs = sorted(v for t in found if t.side == "sell" for v in t.limits)
    return sum(max(0, value - cost) for value, cost in zip(values, costs, strict=True))


def run(seed: int, *, constrained: bool, steps: int = STEPS) -> Session:
    """One session on a floor of its own. The seed makes the traders and what they do."""
    rng = Random(seed)
    people = traders(rng)
    floor = _Pit(people)
    gains: list[int] = []
    for step in range(steps):
        trader = rng.choice(people)
        limit = trader.limit
        if limit is None:
            continue
        fill = floor.order(trader, _price(rng, trader.side, limit, constrained), step)
        if fill is not None:
            gains.append(_gained(people, fill))
            floor.clear(people)
    machine.check(floor.state)
    return Session(tuple(gains), surplus(people))


def _price(rng: Random, side: str, limit: int, constrained: bool) -> int:
    """Ticks, all equally likely."""
    if not constrained:
        return rng.randint(1, TOP)
    return rng.randint(1, limit) if side == "buy" else rng.randint(limit, TOP)


def _gained(people: Sequence[Trader], fill: f.Filled) -> int:
    """Value less cost of the unit that changed hands; both go on to their next."""
    known = {trader.name: trader for trader in people}
    buyer, seller = known[fill.buyer], known[fill.seller]
    gained = buyer.limits[buyer.done] - seller.limits[seller.done]
    buyer.done += 1
    seller.done += 1
    return gained


class _Pit(Floor):
    """A floor for these traders, with money and lots for all they might do, and no fee.

    It does not check after every command: a session is checked once, at its end.
    """

    def __init__(self, people: Sequence[Trader]) -> None:
        super().__init__(mode="lab")
        rules = {"trade_fee_ppm": 0, "breaker_ppm": 10_000_000, "freeze_seconds": 0}
        for name, value in rules.items():
            self.do(c.SetParameter(name=name, value=value))
        self.tick = DECEMBER.price * 2 // TOP
        self.mint(DECEMBER.capacity // LOT)
        for trader in people:
            self.do(c.AddMember(member=Member(trader.name, trader.name, "person")))
            reference = f"play {trader.name}"
            self.do(c.Deposit(member=trader.name, amount=100 * CREDIT, reference=reference))
            if trader.side == "sell":
                lots = UNITS * DECEMBER.step
                self.do(
                    c.Transfer(source="rhine", target=trader.name, asset="december", amount=lots)
                )

    def order(self, trader: Trader, price: int, number: int) -> f.Filled | None:
        """A new order in place of the trader's last; its trade, if there is one at once."""
        self._clear(trader.name)
        done = self._quick(
            x.PlaceOrder(
                at=self.now,
                id=f"z{number}",
                instrument="december",
                account=trader.name,
                side=trader.side,
                price=price * self.tick,
                grains=DECEMBER.step,
            )
        )
        fills = [event for event in done if isinstance(event, f.Filled)]
        return fills[0] if fills else None

    def clear(self, people: Sequence[Trader]) -> None:
        """A trade ends all orders that did not trade."""
        for trader in people:
            self._clear(trader.name)

    def _clear(self, account: str) -> None:
        self._quick(x.CancelOrders(at=self.now, account=account))

    def _quick(self, command: c.Command) -> Sequence[e.Event]:
        done = machine.decide(self.state, command)
        for event in done:
            machine.apply(self.state, event)
        return done


def compare(seeds: Sequence[int]) -> list[tuple[int, Session, Session]]:
    """(seed, constrained, unconstrained): the same traders, twice."""
    return [(seed, run(seed, constrained=True), run(seed, constrained=False)) for seed in seeds]


def means(found: Sequence[tuple[int, Session, Session]]) -> tuple[float, float]:
    """Efficiency of the constrained and of the unconstrained, 1 for all there is."""
    return fmean(one.efficiency for _, one, _ in found), fmean(o.efficiency for *_, o in found)


def main(seeds: int, start: int = 0, echo: Callable[[str], None] = print) -> int:
    """Print the table, and its means: 0 if they are as published, else 1."""
    found = compare(range(start, start + seeds))
    echo(f"Zero-intelligence traders on the market's own book: {SIDE} buyers and {SIDE} sellers")
    echo(f"of {UNITS} units each, efficiency in % of the largest surplus (Gode and Sunder 1993)")
    echo(f"\n{'seed':>6}  {'constrained':>11}  {'unconstrained':>13}")
    for seed, one, other in found:
        echo(f"{seed:>6}  {100 * one.efficiency:>11.1f}  {100 * other.efficiency:>13.1f}")
    wise, wild = means(found)
    echo(f"{'mean':>6}  {100 * wise:>11.1f}  {100 * wild:>13.1f}")
    return 0 if wise > NEAR_ALL and wild < wise - CLEARLY else 1
