"""The clock: microseconds since 1970 in UTC, never backwards.

Rule: time enters the market here and travels inside commands from there on.
Invariant: `now` never returns less than it did before, even when the system's clock is
set back; it then stands still until the world has caught up.
Worked number: 2026-11-21 00:00:00 UTC is 1_795_219_200_000_000.
"""

from __future__ import annotations

from collections.abc import Callable
from time import time_ns

from allmende.core.units import Instant


class SystemClock:
    """ports.Clock over the system's time. `source` gives nanoseconds since 1970."""

    def __init__(self, source: Callable[[], int] = time_ns) -> None:
        self._source = source
        self._last: Instant = 0

    def now(self) -> Instant:
        instant = self._source() // 1000
        if instant > self._last:
            self._last = instant
        return self._last
