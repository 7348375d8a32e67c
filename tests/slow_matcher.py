"""A market in one instrument, written the slow and obvious way, to hold the fast one against.

Rule: one list of orders in the order of their arrival; whatever is asked of it is found by
looking at all of it again. It shares nothing with the core but the words of its commands.
Invariant: nothing is kept that can be summed: what is set aside, volumes, who is first.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from msgspec import Struct, structs

from allmende.core import commands as c
from allmende.core import exchange_commands as x
from allmende.core.contracts import Instrument

SECOND = MILLION = 1_000_000


class No(Exception):
    """Refused; the argument is the refusal's name."""


class Waiting(Struct):
    """An order in the book, with what is left of it."""

    id: str
    account: str
    side: str
    price: int
    left: int
    until: int
    session: str
    guard: str


class Rules(Struct, frozen=True):
    """As in core.govern: seconds and parts per million."""

    call: int
    freeze: int
    breaker: int
    fee: int


class SlowMarket:
    def __init__(
        self,
        instrument: Instrument,
        rules: Rules,
        owners: dict[str, str],
        credit: dict[str, int],
        rights: dict[str, int],
        call_until: int,
    ) -> None:
        self.instrument, self.rules, self.owners = instrument, rules, owners
        self.credit, self.rights = dict(credit), dict(rights)
        self.orders: list[Waiting] = []
        self.reference, self.last = instrument.price, 0
        self.call_until = call_until
        self.told: list[tuple[object, ...]] = []

    def do(self, command: c.Command) -> list[tuple[object, ...]]:
        """What it leads to. Raises No, and is then as it was."""
        before = self.orders, dict(self.credit), dict(self.rights), self.last, self.call_until
        self.orders = [structs.replace(order) for order in self.orders]
        self.told = []
        try:
            getattr(self, type(command).__name__)(command)
        except No:
            self.orders, self.credit, self.rights, self.last, self.call_until = before
            raise
        return self.told

    # What is asked ------------------------------------------------------------------------

    def PlaceOrder(self, ask: x.PlaceOrder) -> None:  # noqa: N802 - a command's own name
        _unless(all(order.id != ask.id for order in self.orders), "EXISTS")
        until = ask.until or self.instrument.end
        what = ask.side, ask.price, ask.grains
        new = Waiting(ask.id, ask.account, *what, until, ask.session, ask.guard)
        self._well_formed(new, ask.at)
        self._enter(new, ask.term, ask.at, self._available(new))

    def AmendOrder(self, ask: x.AmendOrder) -> None:  # noqa: N802 - a command's own name
        old = self._find(ask.id)
        _unless(not self._frozen(ask.at), "HALTED")
        new = structs.replace(old, price=ask.price, left=ask.grains)
        if new.price == old.price and new.left <= old.left:
            _unless(new.left > 0 and new.left % self.instrument.step == 0, "OFF_TICK")
            old.left = new.left
            return
        self._well_formed(new, ask.at)
        self.orders.remove(old)
        self.told.append(("end", old.id, "amended"))
        self._enter(new, "good", ask.at, self._available(new))

    def CancelOrder(self, ask: x.CancelOrder) -> None:  # noqa: N802 - a command's own name
        order = self._find(ask.id)
        _unless(not self._frozen(ask.at), "HALTED")
        self._end(order, "cancelled")

    def CancelOrders(self, ask: x.CancelOrders) -> None:  # noqa: N802 - a command's own name
        if self._frozen(ask.at) or ask.instrument not in ("", self.instrument.id):
            return
        for order in list(self.orders):
            if order.account == ask.account and ask.session in ("", order.session):
                self._end(order, "cancelled")

    def OpenCall(self, ask: x.OpenCall) -> None:  # noqa: N802 - a command's own name
        _unless(ask.at < self.instrument.end, "ENDED")
        _unless(not self.call_until, "HALTED")
        _unless(ask.at < ask.until <= self.instrument.end, "BAD_VALUE")
        self._call(ask.until, "operator")

    def Tick(self, ask: c.Tick) -> None:  # noqa: N802 - a command's own name
        end = self.instrument.end
        for order in list(self.orders):
            if order.until <= ask.at and order.until < end:
                self._end(order, "expired")
        if self.call_until and ask.at >= self.call_until:
            self._uncross(ask.at)
        elif not self.call_until and 0 < end - ask.at <= self.rules.call * SECOND:
            self._call(end, "closing")
        if ask.at >= end:
            for order in list(self.orders):
                self._end(order, "closed")

    # How it trades ------------------------------------------------------------------------

    def _enter(self, new: Waiting, term: str, at: int, available: int) -> None:
        _unless(not (self.call_until and term in ("ioc", "fok")), "HALTED")
        if self.call_until:
            _unless(not self._own(new), "WOULD_TRADE")
        elif term == "post":
            _unless(all(order.until <= at for order in self._crossing(new)), "WOULD_TRADE")
        wanted, spent, stop = new.left, 0, ""
        if not self.call_until:
            spent, stop = self._take(new, at)
        _unless(not (term == "fok" and new.left), "UNFILLED")
        stays = bool(new.left) and term in ("good", "post") and stop != "own"
        if stays and stop == "breaker":
            stays = self._stands_aside(new)
        rest = new.price * new.left if stays else 0
        _unless((spent + rest if new.side == "buy" else wanted) <= available, "NO_CREDIT")
        if stop == "breaker":
            until = min(at + max(1, self.rules.call) * SECOND, self.instrument.end)
            self._call(until, "breaker")
        if stays:
            self.orders.append(new)
        elif new.left:
            halted = stop == "breaker" and term == "ioc"
            self.told.append(
                ("end", new.id, "breaker" if halted else "self_trade" if stop else term)
            )

    def _take(self, new: Waiting, at: int) -> tuple[int, str]:
        """Trade with the best of the other side, again and again: what it cost, why it stopped."""
        spent = 0
        while new.left and self._crossing(new):
            other = self._crossing(new)[0]
            away = abs(other.price - self.reference) * MILLION
            if other.until <= at:
                self._end(other, "expired")
            elif away > self.rules.breaker * self.reference:
                return spent, "breaker"
            elif other not in self._own(new):
                spent += self._trade(new, other)
            elif new.guard == "newest":
                return spent, "own"
            else:
                self._end(other, "self_trade")
        return spent, ""

    def _trade(self, new: Waiting, other: Waiting) -> int:
        """One trade at the price of the order that waited; what the newcomer pays of credit."""
        grains = min(new.left, other.left)
        value = grains * other.price
        fee = value * self.rules.fee // MILLION
        buy, sell = (new, other) if new.side == "buy" else (other, new)
        self._settle(buy, sell, other.price, grains, new.side, fee)
        self.credit[new.account] -= fee
        self.last = other.price
        return value + fee if new is buy else fee

    def _settle(
        self, buy: Waiting, sell: Waiting, price: int, grains: int, taker: str, fee: int
    ) -> None:
        self.credit[buy.account] -= price * grains
        self.credit[sell.account] += price * grains
        self.rights[buy.account] += grains
        self.rights[sell.account] -= grains
        for order in (buy, sell):
            order.left -= grains
        self.orders = [order for order in self.orders if order.left]
        self.told.append(("trade", buy.id, sell.id, price, grains, taker, fee))

    def _stands_aside(self, new: Waiting) -> bool:
        """Before the breaker's call: the newcomer or his own orders that he would meet there."""
        if self._own(new) and new.guard == "newest":
            return False
        for order in self._own(new):
            self._end(order, "self_trade")
        return True

    def _uncross(self, at: int) -> None:
        price = self._price()
        if price is not None:
            pairs = list(zip(self._steps("buy", price), self._steps("sell", price), strict=False))
            for _, same in groupby(pairs, key=lambda pair: (pair[0].id, pair[1].id)):
                (buy, sell), *more = same
                grains = (1 + len(more)) * self.instrument.step
                self._settle(buy, sell, price, grains, "", 0)
            self.reference = self.last = price
        end, periodic = self.instrument.end, self.instrument.session == "call"
        again = min(at + max(1, self.rules.call) * SECOND, end)
        self.call_until = again if periodic and at < end else 0
        self.told.append(("uncrossed", price, self.call_until))

    def _price(self) -> int | None:
        """Largest volume, then smallest imbalance, then nearest reference; that leaves one."""
        found = []
        for price in {order.price for order in self.orders} | {self.reference}:
            bids, asks = len(self._steps("buy", price)), len(self._steps("sell", price))
            if min(bids, asks):
                distance = abs(price - self.reference)
                found.append((-min(bids, asks), abs(bids - asks), distance, price))
        if not found:
            return None
        best = min(found)
        assert [entry[:3] for entry in found].count(best[:3]) == 1, "two prices are as good"
        return best[3]

    def _steps(self, side: str, price: int) -> list[Waiting]:
        """Each order of a side that takes this price, once for every step of it, best first."""
        takes = [o for o in self._queue(side) if _reaches(o, price)]
        return [order for order in takes for _ in range(order.left // self.instrument.step)]

    # What there is ------------------------------------------------------------------------

    def _queue(self, side: str) -> list[Waiting]:
        """Orders of a side, best price first, and at one price the one that came first."""
        own = [order for order in self.orders if order.side == side]
        return sorted(own, key=lambda order: -order.price if side == "buy" else order.price)

    def _crossing(self, new: Waiting) -> list[Waiting]:
        other = "sell" if new.side == "buy" else "buy"
        return [order for order in self._queue(other) if _reaches(new, order.price)]

    def _own(self, new: Waiting) -> list[Waiting]:
        """Of those it could trade with, the orders of its own owner."""
        owner = self.owners[new.account]
        return [order for order in self._crossing(new) if self.owners[order.account] == owner]

    def _available(self, new: Waiting) -> int:
        """Of what the order would give: what its account has, less what other orders may take."""
        mine = [o for o in self.orders if (o.account, o.side) == (new.account, new.side)]
        if new.side == "sell":
            return self.rights[new.account] - sum(order.left for order in mine)
        return self.credit[new.account] - sum(order.price * order.left for order in mine)

    def _well_formed(self, new: Waiting, at: int) -> None:
        _unless(at < self.instrument.end, "ENDED")
        _unless(new.price > 0 and new.price % self.instrument.tick == 0, "OFF_TICK")
        _unless(new.left > 0 and new.left % self.instrument.step == 0, "OFF_TICK")
        _unless(at < new.until, "BAD_VALUE")

    def _frozen(self, at: int) -> bool:
        return bool(self.call_until) and at >= self.call_until - self.rules.freeze * SECOND

    def _call(self, until: int, cause: str) -> None:
        self.call_until = until
        self.told.append(("call", until, cause))

    def _end(self, order: Waiting, cause: str) -> None:
        self.orders.remove(order)
        self.told.append(("end", order.id, cause))

    def _find(self, id_: str) -> Waiting:
        for order in self.orders:
            if order.id == id_:
                return order
        raise No("NO_ORDER")

    def standing(self) -> Iterator[tuple[str, str, int, int]]:
        """The book: (side, id, price, left), bids and then asks, best first."""
        for side in ("buy", "sell"):
            for order in self._queue(side):
                yield side, order.id, order.price, order.left


def _reaches(order: Waiting, price: int) -> bool:
    return order.price >= price if order.side == "buy" else order.price <= price


def _unless(holds: bool, why: str) -> None:
    if not holds:
        raise No(why)
