"""Rules of a Hypothesis machine that issues and trades; test_exchange_machine drives it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from msgspec import structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core.contracts import GUARDS, LOT, SIDES, TERMS
from allmende.core.nouns import Title
from allmende.core.refusals import Refused
from allmende.core.units import CREDIT, DAY, SECOND, Tariff
from allmende.lab.floor import Floor, changed
from allmende.lab.world import START

WINDOW = {"start": START, "end": START + DAY, "capacity": 20 * LOT, "step": LOT // 100}
GPU = {"kind": "machine", "title": "gpu", "unit": "second", "weights": Tariff(second=10**6)}
INSTRUMENTS = {
    "december": changed(**WINDOW),
    "thin": changed(**WINDOW, id="thin", session="call", price=11_000),
    "slow": changed(**WINDOW, id="slow", rate=3 * 10**5, stress_ppm=0, penalty_ppm=0),
    "index": changed(**WINDOW, id="index", settlement="cash", offer=""),
    "gpu": changed(**WINDOW, id="gpu", **GPU),
}
names = st.sampled_from([*INSTRUMENTS, "december", "december"])
traders = st.sampled_from(["rhine", "rhine", "uni", "ada", "coop", "nordic", "nobody"])
buyers = st.sampled_from(["uni", "coop"])
prices = st.sampled_from(
    [9_900, 10_000, 10_000, 10_000, 10_100, 10_200, 11_000, 12_500, 9_000, 50, 0]
)
some = st.sampled_from([*(LOT // 100, LOT // 2, LOT, 2 * LOT) * 3, 30 * LOT, 7, -LOT])
waits = st.sampled_from([0, 1, 1, 5, 61, 61, 901, 3_601])
"""Seconds: to the ends of orders, calls, recounts, holds, claims."""
picks = st.integers(0, 10**6)


class Trading(RuleBasedStateMachine):
    """A floor, and what may be asked of its issuers and its books."""

    @initialize(
        mode=st.sampled_from(["limited_network", "limited_network", "closed_loop", "lab"]),
        call=st.sampled_from([0, 0, 60]),
        funded=st.booleans(),
    )
    def found(self, mode: str, call: int, funded: bool) -> None:
        """`funded`: most begin with rights to trade and to spend."""
        self.floor = Floor(INSTRUMENTS["december"], call=call, mode=mode)
        self.made = self.read = 0
        self.do(c.RegisterTitle(title=Title("gpu", "rhine", "machine", "GPU")))
        for instrument in INSTRUMENTS.values():
            self.try_(x.ListInstrument(instrument=instrument))
            self.do(x.MintLots(instrument=instrument.id, grains=6 * LOT))
            if funded and mode != "closed_loop":
                for account in ("uni", "coop"):
                    self.give("rhine", account, instrument.id, 2 * LOT)

    def do(self, command: c.Command) -> None:
        self.floor.do(command)

    def try_(self, command: c.Command) -> list[e.Event]:
        """Do it, or be refused and see that nothing changed. [] if refused."""
        done = self.floor.attempt(command)
        if isinstance(done, Refused):
            assert 400 <= done.why.status < 600
            assert done.facts.get("missing", 1) > 0
            return []
        return list(done)

    def give(self, source: str, target: str, asset: str, amount: int) -> None:
        self.try_(c.Transfer(source=source, target=target, asset=asset, amount=amount))

    def name(self, kind: str) -> str:
        self.made += 1
        return f"{kind}-{self.made}"

    def pick(self, of: dict[str, Any], number: int) -> str:
        """One of what is open, most of the time."""
        known = [*sorted(of), "nothing"]
        return known[number % len(known)]

    # Issue ----------------------------------------------------------------------------

    @rule(name=names, days=st.integers(-1, 2), cheaper=st.integers(0, 2))
    def list_again(self, name, days, cheaper) -> None:
        """What was settled may come again, in another window."""
        old = INSTRUMENTS[name]
        new = structs.replace(
            old,
            price=old.price - 100 * cheaper,
            start=self.floor.now + days * DAY,
            end=self.floor.now + (days + 1) * DAY,
        )
        self.try_(x.ListInstrument(instrument=new))

    @rule(name=names, grains=some)
    def mint(self, name, grains) -> None:
        self.try_(x.MintLots(instrument=name, grains=grains))

    @rule(name=names, grains=some)
    def retire(self, name, grains) -> None:
        self.try_(x.RetireLots(instrument=name, grains=grains))

    @rule(name=names, source=traders, receiver=traders, grains=some)
    def hand_over(self, name, source, receiver, grains) -> None:
        self.give(source, receiver, name, grains)

    @rule(source=traders, share=st.integers(1, 3))
    def pay_out(self, source, share) -> None:
        self.give(source, "author", "credit", self.floor.balance(source) // share)

    @rule(member=traders)
    def pay_in(self, member) -> None:
        reference = self.name("wire")
        self.try_(c.Deposit(member=member, amount=20 * CREDIT, reference=reference))

    # Trade ----------------------------------------------------------------------------

    @rule(
        name=names, account=traders, side=st.sampled_from(SIDES), price=prices, grains=some,
        term=st.sampled_from([*TERMS, "good"]), guard=st.sampled_from(GUARDS),
        lasts=st.sampled_from([0, 0, 5, 100_000]),
    )  # fmt: skip
    def place(self, name, account, side, price, grains, term, guard, lasts) -> None:
        until = self.floor.now + lasts * SECOND if lasts else 0
        self.try_(
            x.PlaceOrder(
                id=self.name("o"),
                instrument=name,
                account=account,
                side=side,
                price=price,
                grains=grains,
                term=term,
                guard=guard,
                until=until,
                session="s" * (lasts > 5),
            )
        )

    @rule(name=names, buyer=buyers, price=prices, grains=some)
    def buy_from_the_issuer(self, name, buyer, price, grains) -> None:
        for account, side in (("rhine", "sell"), (buyer, "buy")):
            self.place(name, account, side, price, grains, "good", "newest", 0)

    @rule(number=picks, price=prices, grains=some)
    def amend(self, number, price, grains) -> None:
        order = self.pick(self.floor.state.orders, number)
        self.try_(x.AmendOrder(id=order, price=price, grains=grains))

    @rule(number=picks)
    def cancel(self, number) -> None:
        self.try_(x.CancelOrder(id=self.pick(self.floor.state.orders, number)))

    @rule(
        account=traders, name=st.sampled_from(["", "december"]), session=st.sampled_from(["", "s"])
    )
    def cancel_all(self, account, name, session) -> None:
        self.try_(x.CancelOrders(account=account, instrument=name, session=session))

    @rule(name=names, seconds=waits)
    def open_call(self, name, seconds) -> None:
        until = self.floor.now + seconds * SECOND
        self.try_(x.OpenCall(instrument=name, until=until))

    @rule(name=names, account=traders, grains=some, seconds=waits)
    def request_quotes(self, name, account, grains, seconds) -> None:
        until = self.floor.now + seconds * SECOND
        self.try_(
            x.RequestQuotes(
                id=self.name("q"), instrument=name, account=account, grains=grains, until=until
            )
        )

    @rule(number=picks, account=traders, side=st.sampled_from(SIDES), price=prices)
    def quote(self, number, account, side, price) -> None:
        request = self.pick(self.floor.state.requests, number)
        self.try_(
            x.Quote(id=self.name("o"), request=request, account=account, side=side, price=price)
        )

    @rule(name=names, account=traders, other=traders, price=prices, grains=some,
          side=st.sampled_from(SIDES), taken=st.booleans())  # fmt: skip
    def trade_by_quote(self, name, account, other, price, grains, side, taken) -> None:
        self.request_quotes(name, account, grains, 61)
        request = f"q-{self.made}"
        for quoter in ("rhine", other):
            self.try_(
                x.Quote(id=self.name("o"), request=request, account=quoter, side=side, price=price)
            )
        if taken:
            self.try_(x.AcceptQuote(id=f"o-{self.made}"))

    @rule(number=picks)
    def accept(self, number) -> None:
        quotes = {id_: w for id_, w in self.floor.state.orders.items() if w.order.request}
        self.try_(x.AcceptQuote(id=self.pick(quotes or self.floor.state.orders, number)))
