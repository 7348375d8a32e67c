"""The clock: it counts microseconds and never goes back."""

from __future__ import annotations

from allmende.adapters.clock import SystemClock
from allmende.core.units import DAY
from allmende.ports import Clock


def test_it_never_goes_back() -> None:
    told = iter([5_000, 9_000, 3_000, 9_999, 12_000])
    clock: Clock = SystemClock(lambda: next(told))
    assert [clock.now() for _ in range(5)] == [5, 9, 9, 9, 12]


def test_it_is_the_systems_time_in_microseconds() -> None:
    clock = SystemClock()
    first, second = clock.now(), clock.now()
    assert first <= second
    assert 2_026 - 1_970 < first / DAY / 365 < 200
