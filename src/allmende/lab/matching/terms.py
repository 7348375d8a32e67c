"""Terms: what the lab's books are told, and what they tell.

Rule: an event is (kind, id, tick, grains). Buy and sell rest what they do not trade, BUY_NOW
and SELL_NOW give it up, CANCEL looks at the id alone. An id is a place from 0 to a book's
capacity; it is taken while its order rests, and free again after.
Invariant: an event that cannot be is counted as refused and changes nothing: an unknown
kind, an id outside or taken, nothing to cancel, a tick outside, no grains.
Worked number: (SELL, 0, 101, 5) rests; (BUY, 1, 102, 7) trades 5 at 101 and rests 2 at 102,
which is the trade (0, 1, 101, 5).
"""

from __future__ import annotations

BUY, SELL, BUY_NOW, SELL_NOW, CANCEL = range(5)
"""Bit 0 is the side, bit 1 says not to rest."""

TICK_BITS = 18
TICKS = 1 << TICK_BITS
"""Prices are 0 to TICKS - 1: three levels of 64, see kernel."""

LAST = TICKS - 1
"""A price's *key* counts from the best of its side: `tick` of an ask, LAST - tick of a bid.
So both sides are one piece of code: the least key goes first, and a key meets an other
side's key of at most LAST - key."""

Event = tuple[int, int, int, int]
"""Kind, id, tick, grains."""
Trade = tuple[int, int, int, int]
"""Maker's id, taker's id, tick, grains."""
