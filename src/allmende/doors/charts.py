"""Charts: candles and depth drawn by the server, as numbers that a template puts into an SVG.

Rule: shapes are thousandths of the width and of the height, so one drawing fits a phone and a
desk; what is read (prices, times) stays text of the page, at the lines that divide the height
into four equal parts.
Invariant: every candle is inside the drawing and at least as wide and high as can be seen.
Worked number: prices from 3.05 to 3.21 credits stand between lines at 3.05 and 3.25, 0.05
apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from allmende.core.units import SECOND, Amount, Instant
from allmende.doors.lots import per_lot, text

Row = Mapping[str, Any]

SIZE = 1_000
"""Thousandths: width and height of a drawing."""
LINES = 4
"""Equal parts of the height."""
SLOTS = 60
"""Candles in a chart, at most."""
SPANS_S = (60, 300, 900, 3_600, 14_400, 86_400, 604_800)
"""Lengths that a candle may have."""
MIN_SLOTS = 12
"""So that the first candle of a day is no wall."""
FLAT = 200
"""Lines are at least half a per cent of the price apart, so that a flat price looks flat."""
SEEN = 6
"""Thousandths that a body is high at least."""


class Bar(NamedTuple):
    """One candle: `kind` is up or down; y and height grow downwards; `volume` is a height."""

    kind: str
    x: int
    width: int
    top: int
    height: int
    high: int
    low: int
    volume: int
    row: Row

    @property
    def middle(self) -> int:
        return self.x + self.width // 2


class Chart(NamedTuple):
    """`scale` are the prices at the lines, from the top down."""

    bars: list[Bar]
    scale: list[str]


class _Paper(NamedTuple):
    """Where prices from `bottom` to `top` and instants from `first` on are drawn."""

    bottom: Amount
    top: Amount
    most: int
    first: Instant
    length: Instant
    slots: int

    def y(self, price: Amount) -> int:
        return (self.top - price) * SIZE // (self.top - self.bottom)

    def x(self, at: Instant) -> tuple[int, int]:
        """Left edge and width of a candle: seven tenths of its slot, and never a wide block."""
        slot = (at - self.first) // self.length
        left, right = slot * SIZE // self.slots, (slot + 1) * SIZE // self.slots
        width = min(max(3, (right - left) * 7 // 10), SIZE // 25)
        return left + (right - left - width) // 2, width


def seconds(since: Instant, until: Instant) -> int:
    """The shortest length of candles of which SLOTS reach from `since` to `until`."""
    for length in SPANS_S:
        if until - since <= (SLOTS - 1) * length * SECOND:
            return length
    return SPANS_S[-1]


def chart(rows: Sequence[Row], lot: int, length_s: int, until: Instant) -> Chart | None:
    """Candles of the read models, the newest first, up to `until`. None of nothing."""
    if not rows:
        return None
    length, first = length_s * SECOND, rows[-1]["at"]
    bottom, step = _scale([int(row[name]) for row in rows for name in ("low", "high")])
    paper = _Paper(
        bottom=bottom,
        top=bottom + LINES * step,
        most=max(int(row["volume"]) for row in rows),
        first=first,
        length=length,
        slots=max(MIN_SLOTS, (until - first) // length + 1),
    )
    prices = [paper.top - line * step for line in range(LINES + 1)]
    bars = [_bar(paper, row) for row in reversed(rows)]
    return Chart(bars, [per_lot(price, lot) for price in prices])


def _bar(paper: _Paper, row: Row) -> Bar:
    x, width = paper.x(row["at"])
    opened, closed = paper.y(int(row["open"])), paper.y(int(row["close"]))
    height = max(SEEN, abs(opened - closed))
    return Bar(
        kind="up" if closed <= opened else "down",
        x=x,
        width=width,
        top=min(opened, closed, SIZE - height),
        height=height,
        high=paper.y(int(row["high"])),
        low=paper.y(int(row["low"])),
        volume=max(SEEN, int(row["volume"]) * SIZE // paper.most),
        row=row,
    )


def _scale(prices: Sequence[Amount]) -> tuple[Amount, Amount]:
    """The lowest line and the distance of lines, a round one, with all prices between."""
    low, high = min(prices), max(prices)
    step = max(1, -(-(high - low) // LINES), low // FLAT)
    digits = 10 ** (len(str(step)) - 1)
    for wide in (digits * part for part in (1, 2, 5, 10, 20)):
        bottom = low // wide * wide
        if wide >= step and bottom + LINES * wide >= high:
            free = (bottom + LINES * wide - high) // wide
            return max(0, bottom - free // 2 * wide), wide
    raise AssertionError(f"no step reaches from {low} to {high}")


def depth(levels: Sequence[tuple[Amount, int]], lot: int) -> list[tuple[str, str, int]]:
    """(price, lots, thousandths of the fullest level) for (price, grains), best first."""
    most = max((grains for _, grains in levels), default=0)
    return [
        (per_lot(price, lot), text(grains, lot), max(SEEN, grains * SIZE // most))
        for price, grains in levels
    ]
