"""The matcher against a slow one: the same trades, books, funds and refusals, always.

`make fuzz` runs 100,000 sequences here; `make matcher SEED=...` runs them alone and again.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_matcher import No, Rules, SlowMarket

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core import ledger, machine, orders
from allmende.core.contracts import GUARDS, SIDES, TERMS
from allmende.core.refusals import Refused
from allmende.core.state import State
from allmende.core.units import MINUTE, SECOND
from allmende.lab.floor import Floor, changed
from allmende.lab.world import START

EXAMPLES = 100_000 if settings.default.max_examples > 1_000 else 300
STEP = 1_000_000
"""Grains; at the reference of 10_000 pico a step is worth 0.01 credits."""
OWNERS = {"rhine": "rhine", "uni": "uni", "ada": "uni", "coop": "coop", "nordic": "nordic"}
TRADERS = tuple(OWNERS)
SHORT = {"lot": STEP, "step": STEP, "capacity": 1_000 * STEP, "end": START + 60 * MINUTE}
KEPT = 40
"""Steps of rights, and of credit at the reference, that everybody begins with."""


KINDS = ["place"] * 14 + ["amend"] * 4 + ["tick"] * 3 + ["cancel", "cancel_all", "call", "jump"]
CHOICES = (
    KINDS,
    [0, 0, 0, 0, 0, 1, 1, 4, 20, 60],
    TRADERS,
    SIDES,
    [97, 98, 98, 99, 99, 99, 100, 100, 100, 101, 101, 101, 102, 102, 103, 95, 105, 90, 110, 125],
    [1, 1, 2, 2, 3, 4, 6, 30],
    [*TERMS, "good", "good", "good", "good", "post"],
    [(guard, session) for guard in GUARDS for session in ("", "", "a")],
    [0, 0, 0, 0, 3, 30],
)
"""What each byte of a command chooses from."""
LENGTH = len(CHOICES) + 1


class Act(NamedTuple):
    """One command in small numbers; `pick` is one of the open orders, or none of them."""

    kind: str
    wait: int
    who: str
    side: str
    ticks: int
    steps: int
    term: str
    guard: tuple[str, str]
    lasts: int
    pick: int


def acts(data: bytes) -> Iterator[Act]:
    """Commands drawn as bytes, which is fast, and shrinks to few and simple ones."""
    for at in range(0, len(data) - LENGTH + 1, LENGTH):
        *chosen, pick = data[at : at + LENGTH]
        drawn = (some[byte % len(some)] for some, byte in zip(CHOICES, chosen, strict=True))
        yield Act(*drawn, pick)  # type: ignore[call-arg]


courses = st.binary(min_size=12 * LENGTH, max_size=40 * LENGTH)
rules = st.builds(
    Rules,
    call=st.sampled_from([0, 0, 20, 60]),
    freeze=st.sampled_from([0, 5, 30]),
    breaker=st.sampled_from([1_000, 20_000, 30_000, 200_000]),
    fee=st.sampled_from([0, 1_000, 50_000]),
)


@cache
def beginning(rules: Rules, session: str) -> bytes:
    """A market where everybody has rights and credit to trade, as bytes to copy it by."""
    floor = Floor(changed(**SHORT, session=session), call=rules.call)
    for name, value in (
        ("freeze_seconds", rules.freeze),
        ("breaker_ppm", rules.breaker),
        ("trade_fee_ppm", rules.fee),
        ("settle_seconds", 604_800),
    ):
        floor.do(c.SetParameter(name=name, value=value))
    floor.do(x.MintLots(instrument="december", grains=len(TRADERS) * KEPT * STEP))
    for account in TRADERS:
        spare = floor.balance(account) - KEPT * STEP * 10_000
        if account != "rhine":
            move(floor, "rhine", account, "december", KEPT * STEP)
        if spare > 0:
            move(floor, account, "author", "credit", spare)
        elif spare < 0:
            move(floor, "author", account, "credit", -spare)
    return msgspec.json.encode(floor.state)


def move(floor: Floor, source: str, target: str, asset: str, amount: int) -> None:
    floor.do(c.Transfer(source=source, target=target, asset=asset, amount=amount))


class Pair:
    """The fast market and the slow one, which are told the same."""

    def __init__(self, rules: Rules, session: str) -> None:
        self.state = msgspec.json.decode(beginning(rules, session), type=State)
        self.listing = self.state.listings["december"]
        self.slow = SlowMarket(
            self.listing.instrument,
            rules,
            OWNERS,
            {who: ledger.balance(self.state, who, "credit") for who in TRADERS},
            {who: ledger.balance(self.state, who, "december") for who in TRADERS},
            self.listing.call_until,
        )
        self.now, self.placed = START, 0

    def do(self, act: Act) -> None:
        self.now += act.wait * SECOND
        if act.kind == "jump":
            self.now = max(self.now, START + 60 * MINUTE - 60 * SECOND)
        command = self.command(act)
        try:
            fast: object = list(told(self.decide(command)))
        except Refused as refused:
            fast = refused.why.name
        try:
            slow: object = self.slow.do(command)
        except No as no:
            slow = no.args[0]
        assert in_order(fast) == in_order(slow), command
        self.compare()

    def decide(self, command: c.Command) -> list[e.Event]:
        done = machine.decide(self.state, command)
        for event in done:
            machine.apply(self.state, event)
        return done

    def command(self, act: Act) -> c.Command:
        open_ = [*self.state.orders, "none"]
        at, id_ = self.now, open_[act.pick % len(open_)]
        price, grains, (guard, session) = act.ticks * 100, act.steps * STEP, act.guard
        if act.kind == "amend":
            return x.AmendOrder(at=at, id=id_, price=price, grains=grains)
        if act.kind == "cancel":
            return x.CancelOrder(at=at, id=id_)
        if act.kind == "cancel_all":
            where = "december" if act.lasts else ""
            return x.CancelOrders(at=at, account=act.who, instrument=where, session=session)
        if act.kind == "call":
            return x.OpenCall(at=at, instrument="december", until=at + act.lasts * SECOND)
        if act.kind in ("tick", "jump"):
            return c.Tick(at=at)
        self.placed += 1
        return x.PlaceOrder(
            at=at, id=f"o{self.placed}", instrument="december", account=act.who, side=act.side,
            price=price, grains=grains, term=act.term, guard=guard, session=session,
            until=at + act.lasts * SECOND if act.lasts else 0,
        )  # fmt: skip

    def compare(self) -> None:
        """The same book in the same order, the same funds, and nothing that does not add up."""
        machine.check(self.state)
        standing = [
            (side, w.order.id, w.order.price, w.left)
            for side in SIDES
            for w in orders.queue(self.state, self.listing, side)
        ]
        assert standing == list(self.slow.standing())
        listing, slow = self.listing, self.slow
        assert (listing.call_until, listing.last) == (slow.call_until, slow.last)
        assert listing.reference == slow.reference
        for who in TRADERS:
            assert ledger.balance(self.state, who, "credit") == slow.credit[who]
            assert ledger.balance(self.state, who, "december") == slow.rights[who]


def told(events: list[e.Event]) -> Iterator[tuple[object, ...]]:
    """The fast market's events in the words of the slow one."""
    for event in events:
        if isinstance(event, f.Filled):
            sides = event.buy, event.sell
            yield "trade", *sides, event.price, event.grains, event.taker, event.fee
        elif isinstance(event, f.OrderEnded):
            yield "end", event.order, event.cause
        elif isinstance(event, f.CallOpened):
            yield "call", event.until, event.cause
        elif isinstance(event, f.Uncrossed):
            yield "uncrossed", event.price, event.until


def in_order(said: object) -> object:
    """Trades stay in their order; what ends in one instant does so in any."""
    if not isinstance(said, list):
        return said
    rest = [one for one in said if one[0] != "trade"]
    return [one for one in said if one[0] == "trade"], sorted(rest, key=repr)


sessions = st.sampled_from(["continuous", "continuous", "call"])


@given(rules, sessions, courses)
@settings(max_examples=EXAMPLES)
def test_the_matcher_agrees_with_the_slow_and_obvious_one(
    rules: Rules, session: str, course: bytes
) -> None:
    pair = Pair(rules, session)
    for act in acts(course):
        pair.do(act)
