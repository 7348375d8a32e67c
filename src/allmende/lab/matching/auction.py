"""Auction: a call of many orders at one price, by the core's rule, in linear time.

Rule: the price of `core.uncross`: most volume, then least imbalance, then nearest to the
reference, then the side with more left over; then price-time priority on both sides until
the volume is exhausted. At the price itself the last order may trade in part.
Invariant: what buyers get is what sellers give. To fill whatever is strictly better than the
price would break that: on a plateau it can be more than the other side has.
Worked number: bids 10 and 10 at 105, an ask of 15 at 100, reference 102: 15 trade at 102,
though 20 are strictly better than it; the first bid gets 10, the second 5.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from allmende.lab.matching.jit import compiled
from allmende.lab.matching.terms import LAST

ORDER = np.dtype([("tick", "i4"), ("grains", "i8")], align=True)
"""An order's place in its array is its time."""
FILL = np.dtype([("buy", "i4"), ("sell", "i4"), ("grains", "i8")], align=True)
"""Places of both orders, and what they trade with each other."""

_BIN = np.dtype([("grains", "i8"), ("orders", "i8")], align=True)
_SPAN = np.dtype([("end", "i8"), ("order", "i4")], align=True)
"""An order's share of its side's volume, best first, ends at `end`."""
_GRAINS = 2**62

Array = NDArray[Any]


class Clearing(NamedTuple):
    """`grains` trade at `tick`; `imbalance` is left over there, buyers' positive.

    `fills` is a view, until the next call.
    """

    tick: int
    grains: int
    imbalance: int
    fills: Array


class Auction:
    """Calls of at most `orders` a side, in memory of its own."""

    def __init__(self, orders: int) -> None:
        self._bids = np.empty(orders, _SPAN)
        self._asks = np.empty(orders, _SPAN)
        self._fills = np.empty(2 * orders, FILL)

    def uncross(self, bids: Array, asks: Array, reference: int) -> Clearing | None:
        """Both sides are of dtype ORDER, in time order. None where nothing crosses.

        Ticks are terms' own, grains at least 1; one side's most grains times its number of
        orders stay below 2**62.
        """
        assert len(bids) <= len(self._bids), "more bids than there is memory for"
        assert len(asks) <= len(self._asks), "more asks than there is memory for"
        if not len(bids) or not len(asks):
            return None
        found = clear(bids, asks, reference, self._bids, self._asks, self._fills)
        tick, grains, imbalance, fills = found
        assert fills >= 0, "a tick or a quantity is out of range"
        return Clearing(tick, grains, imbalance, self._fills[:fills]) if grains else None


@compiled
def clear(
    bids: Array, asks: Array, reference: int, buyers: Array, sellers: Array, fills: Array
) -> tuple[int, int, int, int]:
    """Tick, grains, imbalance and how many fills: -1 where the orders are out of range."""
    _, high, sound = _survey(bids)
    low, _, fine = _survey(asks)
    if not (sound and fine):
        return 0, 0, 0, -1
    if low > high:
        return 0, 0, 0, 0
    last = high - low + 1  # the bin of all that meets nobody
    demand, supply = np.zeros(last + 1, _BIN), np.zeros(last + 1, _BIN)
    _gather(bids, high, -1, demand)
    _gather(asks, low, 1, supply)
    tick, grains, imbalance = _price(demand, supply, low, reference)
    _line_up(bids, high, -1, demand, buyers)
    _line_up(asks, low, 1, supply, sellers)
    return tick, grains, imbalance, _walk(buyers, sellers, grains, fills)


@compiled
def _survey(orders: Array) -> tuple[int, int, bool]:
    """Lowest and highest tick, and whether all is in range."""
    low = high = orders[0].tick
    least = most = orders[0].grains
    for i in range(len(orders)):
        tick, grains = orders[i].tick, orders[i].grains
        low, high = min(low, tick), max(high, tick)
        least, most = min(least, grains), max(most, grains)
    return low, high, low >= 0 and high <= LAST and least > 0 and most < _GRAINS // len(orders)


@compiled
def _gather(orders: Array, best: int, way: int, bins: Array) -> None:
    """Grains and orders by distance from the side's best tick; `way` is where worse ones are."""
    last = len(bins) - 1
    for i in range(len(orders)):
        own = bins[min(way * (orders[i].tick - best), last)]
        own.grains += orders[i].grains
        own.orders += 1


@compiled
def _price(demand: Array, supply: Array, low: int, reference: int) -> tuple[int, int, int]:
    """As core.uncross.clearing: over ascending prices that somebody named, or the reference."""
    last = len(demand) - 1
    wanted = offered = 0
    for i in range(last):
        wanted += demand[i].grains
    found = (0, 0, 0)
    for i in range(last):
        tick, bid, ask = low + i, demand[last - 1 - i], supply[i]
        offered += ask.grains
        if bid.orders or ask.orders or tick == reference:
            at = (tick, min(wanted, offered), wanted - offered)
            if _better(at, found, reference):
                found = at
        wanted -= bid.grains
    return found


@compiled
def _better(new: tuple[int, int, int], old: tuple[int, int, int], reference: int) -> bool:
    """Whether `new`, which is at a higher price, is the better one."""
    if new[1] != old[1]:
        return new[1] > old[1]
    if abs(new[2]) != abs(old[2]):
        return abs(new[2]) < abs(old[2])
    if abs(new[0] - reference) != abs(old[0] - reference):
        return abs(new[0] - reference) < abs(old[0] - reference)
    return new[2] > 0


@compiled
def _line_up(orders: Array, best: int, way: int, bins: Array, queue: Array) -> None:
    """Orders by priority: a counting sort that keeps time, with each one's end on the way."""
    grains = places = 0
    for i in range(len(bins)):
        own = bins[i]
        own.grains, grains = grains, grains + own.grains
        own.orders, places = places, places + own.orders
    last = len(bins) - 1
    for i in range(len(orders)):
        own = bins[min(way * (orders[i].tick - best), last)]
        own.grains += orders[i].grains
        span = queue[own.orders]
        span.end = own.grains
        span.order = i
        own.orders += 1


@compiled
def _walk(buyers: Array, sellers: Array, grains: int, fills: Array) -> int:
    """Both queues side by side: a fill ends where an order of either ends.

    The volume is all that one side has at the price, so it too ends with an order.
    """
    buy = sell = done = made = 0
    while done < grains:
        wants, gives = buyers[buy].end, sellers[sell].end
        to = min(wants, gives)
        fill = fills[made]
        fill.buy = buyers[buy].order
        fill.sell = sellers[sell].order
        fill.grains = to - done
        made += 1
        done = to
        buy += wants == to
        sell += gives == to
    return made
