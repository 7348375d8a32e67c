"""Allocate: who gets a scarce window's tokens, under four rules an operator may choose from.

Rule: asks queue until a window closes; its capacity then goes down the queue in the rule's
order until it is used up, the last one getting a part; who waits longer than his patience
leaves with what he got.
Invariant: no rule leaves capacity idle while somebody waits, or hands out more than there is;
what buyers pay is what the operator gets, and nobody pays more than his value.
Worked number: 10 units, asks of 8 at value 5, 6 at value 9 and 4 at value 7, in this order.
First come gives 8, 2, 0; the auction 0, 6, 4 at a price of 5, the best value left over.

The auction is truthful where everybody wants one unit (Vickrey 1961); who wants several can
gain by asking for fewer (demand reduction, Ausubel et al. 2014), and over several windows
waiting is a choice too: see docs/market-quality.md. Fair share is Slurm's 2**(-usage/share).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappushpop

from msgspec import Struct, field

from allmende.core.units import Amount


class Ask(Struct, frozen=True):
    """Somebody wants standard units at an instant (seconds); each is worth `value` to him.

    `value` is pico-credits a unit; `public` says that it serves the common good.
    """

    id: int
    who: str
    at: float
    units: int
    value: Amount
    public: bool = False


class Waiting(Struct):
    """An ask in the queue, and how much of it is still to come."""

    ask: Ask
    left: int


class Use(Struct):
    """What accounts have had so far, and their shares; both in any unit."""

    shares: Mapping[str, float]
    had: dict[str, int] = field(default_factory=dict)

    def factor(self, who: str) -> float:
        """2**(-usage/share), both as parts of all: 1/2 for who had exactly his share."""
        total, whole = sum(self.had.values()), sum(self.shares.values())
        if not total:
            return 1.0
        return float(2 ** (-(self.had.get(who, 0) / total) / (self.shares[who] / whole)))


Order = Callable[[Sequence[Waiting], Use], Iterator[Waiting]]


def first_come(queue: Sequence[Waiting], use: Use) -> Iterator[Waiting]:
    return iter(sorted(queue, key=_came))


def fair_share(queue: Sequence[Waiting], use: Use) -> Iterator[Waiting]:
    """Always the oldest ask of whoever has the highest factor by then."""
    own: dict[str, deque[Waiting]] = {}
    for waiting in sorted(queue, key=_came):
        own.setdefault(waiting.ask.who, deque()).append(waiting)
    ahead = [(_used(use, who), who) for who in own]
    heapify(ahead)
    while ahead:
        _, who = heappop(ahead)
        while True:
            yield own[who].popleft()
            if not own[who]:
                break
            _, who = heappushpop(ahead, (_used(use, who), who))


def auction(queue: Sequence[Waiting], use: Use) -> Iterator[Waiting]:
    """The highest values first; `price` says what they pay."""
    return iter(sorted(queue, key=lambda waiting: (-waiting.ask.value, _came(waiting))))


def common_good(queue: Sequence[Waiting], use: Use) -> Iterator[Waiting]:
    """What serves the common good before everything else, and then first come."""
    return iter(sorted(queue, key=lambda waiting: (not waiting.ask.public, _came(waiting))))


RULES: dict[str, Order] = {
    "first_come": first_come,
    "fair_share": fair_share,
    "auction": auction,
    "common_good": common_good,
}


def _came(waiting: Waiting) -> tuple[float, int]:
    return waiting.ask.at, waiting.ask.id


def _used(use: Use, who: str) -> float:
    """Least first is the factor's greatest first, and costs no power."""
    return use.had.get(who, 0) / use.shares[who]


class Grant(Struct, frozen=True):
    """Units of one ask in one window, and what they cost, in pico-credits."""

    ask: Ask
    units: int
    paid: Amount


def allot(queue: Sequence[Waiting], capacity: int, rule: str, use: Use) -> list[Grant]:
    """One window: its grants. Takes them off the queue's `left` and adds them to `use`."""
    given: list[tuple[Ask, int]] = []
    wanted = sum(waiting.left for waiting in queue)
    rest = capacity
    for waiting in RULES[rule](queue, use):
        if not rest:
            break
        units = min(rest, waiting.left)
        rest -= units
        waiting.left -= units
        use.had[waiting.ask.who] = use.had.get(waiting.ask.who, 0) + units
        given.append((waiting.ask, units))
    assert capacity - rest == min(capacity, wanted), "capacity idle while somebody waits"
    price = _price(queue) if rule == "auction" else 0
    return [Grant(ask, units, price * units) for ask, units in given]


def _price(queue: Sequence[Waiting]) -> Amount:
    """The highest value that was left over; nothing where all got all."""
    return max((waiting.ask.value for waiting in queue if waiting.left), default=0)


# A whole day --------------------------------------------------------------------------


class Outcome(Struct):
    """A day under one rule. `waits` are seconds from ask to last unit, of what was completed."""

    rule: str
    capacity: int
    windows: int = 0
    asked: dict[str, int] = field(default_factory=dict)
    got: dict[str, int] = field(default_factory=dict)
    paid: dict[str, Amount] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    left: int = 0
    value: Amount = 0
    public_asked: int = 0
    public_got: int = 0

    @property
    def revenue(self) -> Amount:
        """What the operator gets, in pico-credits: exactly what all pay."""
        return sum(self.paid.values())


def run(
    asks: Sequence[Ask],
    rule: str,
    capacity: int,
    *,
    window: float,
    patience: float,
    shares: Mapping[str, float],
) -> Outcome:
    """A day's asks through windows of `capacity` units and `window` seconds, until none waits."""
    out, use = Outcome(rule, capacity), Use(shares)
    coming = deque(sorted(asks, key=lambda ask: (ask.at, ask.id)))
    queue: list[Waiting] = []
    close = 0.0
    while coming or queue:
        close += window
        while coming and coming[0].at < close:
            queue.append(Waiting(coming[0], coming[0].units))
            _asked(out, coming.popleft())
        queue = [waiting for waiting in queue if _stays(out, waiting, close - patience)]
        for grant in allot(queue, capacity, rule, use):
            _granted(out, grant)
        out.waits += [close - waiting.ask.at for waiting in queue if not waiting.left]
        queue = [waiting for waiting in queue if waiting.left]
        out.windows += 1
    return out


def _asked(out: Outcome, ask: Ask) -> None:
    out.asked[ask.who] = out.asked.get(ask.who, 0) + ask.units
    out.public_asked += ask.units if ask.public else 0


def _stays(out: Outcome, waiting: Waiting, since: float) -> bool:
    if waiting.ask.at >= since:
        return True
    out.left += 1
    return False


def _granted(out: Outcome, grant: Grant) -> None:
    ask, units = grant.ask, grant.units
    assert grant.paid <= ask.value * units, f"ask {ask.id} pays more than its value"
    out.got[ask.who] = out.got.get(ask.who, 0) + units
    out.paid[ask.who] = out.paid.get(ask.who, 0) + grant.paid
    out.value += ask.value * units
    out.public_got += units if ask.public else 0
