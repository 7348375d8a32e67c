"""Ladder: the resting grains of one instrument, price by price, as a tape follows them.

Rule: it is told what the market decided, and works out nothing but sums.
Invariant: no price has a negative or an empty level; prices are in ascending order.
Worked number: bids 2 at 99 and 3 at 100, asks 1 at 101 and 7 at 103: best 100 to 101, and
within 100 basis points of the middle at 100.5 stand 3 bid and 1 asked.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

DEPTH_BP = (10, 50, 100)
"""Basis points from the middle within which depth is told (economics.md section 2.8)."""


class Ladder:
    """Prices are pico-credits a grain; a best price of 0 is none."""

    def __init__(self) -> None:
        self._prices: dict[str, list[int]] = {"buy": [], "sell": []}
        self._grains: dict[str, dict[int, int]] = {"buy": {}, "sell": {}}

    def add(self, side: str, price: int, grains: int) -> None:
        """Grains come to a level, or leave it where negative."""
        levels = self._grains[side]
        if price not in levels:
            insort(self._prices[side], price)
        after = levels.get(price, 0) + grains
        assert after >= 0, f"{side} at {price}: {after} grains"
        levels[price] = after
        if not after:
            del levels[price]
            del self._prices[side][bisect_left(self._prices[side], price)]

    def best(self, side: str) -> tuple[int, int]:
        """Price and grains of the best level; zeros where the side is empty."""
        return next(self.levels(side), (0, 0))

    def levels(self, side: str) -> Iterator[tuple[int, int]]:
        """(price, grains), best first."""
        prices = self._prices[side]
        for price in reversed(prices) if side == "buy" else iter(prices):
            yield price, self._grains[side][price]

    def depth(self, side: str) -> tuple[int, ...]:
        """Grains within each of DEPTH_BP of the middle; zeros without two sides."""
        bid, ask = self.best("buy")[0], self.best("sell")[0]
        if not bid or not ask:
            return tuple(0 for _ in DEPTH_BP)
        twice = bid + ask
        sums = [0] * len(DEPTH_BP)
        for price, grains in self.levels(side):
            away = abs(2 * price - twice) * 10_000
            if away > DEPTH_BP[-1] * twice:
                break
            for place, bp in enumerate(DEPTH_BP):
                sums[place] += grains if away <= bp * twice else 0
        return tuple(sums)
