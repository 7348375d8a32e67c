"""Savings: total cost of ownership, which states no saving while a cost is blank.

Rule: implementation, adaptation, checking time and operating cost must be given, also where
they are zero, and then with the reason; each is a number or a range. What is gained ramps up
over the months it takes people to change how they work (the J-curve); the rest is paid from the
first month. The low end pairs the least gain with the most cost.
Invariant: low <= high in every month; a wider input never narrows the answer.
Worked number: 100 hours a month at 40, checking 20 hours at 40, operating 500, implementation
10,000, adaptation 5,000 and no ramp: 2,700 a month, broken even in month 6.

Source: reference economics.md B31, B42 (estimates of productivity that leave out what it takes).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

Range = tuple[float, float]
COSTS = {
    "implementation": "once: buying, integrating, securing, testing",
    "adaptation": "once: training people, changing how work is done",
    "checking_hours": "hours a month spent checking and correcting results",
    "operating": "a month: subscriptions, tokens, machines, support",
}
GAINS = {
    "hours_saved": "hours a month that the work takes less, before checking",
    "hour_value": "what an hour costs",
}
MONTHS_MAX = 240


class Blank(ValueError):
    """A saving cannot be stated. `fields` are those that are missing, with what they mean."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        listed = "; ".join(f"{name} ({says})" for name, says in fields.items())
        super().__init__(f"No saving is stated, because these are blank: {listed}")
        self.fields = fields


class Plan(Struct, frozen=True):
    """Everything in one currency and hours; `ramp` is months until the gain is whole."""

    months: int
    currency: str
    hours_saved: Range
    hour_value: Range
    implementation: Range
    adaptation: Range
    checking_hours: Range
    operating: Range
    ramp: Range = (0.0, 0.0)


class Saving(Struct, frozen=True):
    """`curve` is what has been gained by the end of each month, month 0 first (negative: spent).

    Months to break even: `soonest` and `latest`, None where not within the plan.
    """

    plan: Plan
    curve: tuple[Range, ...]
    soonest: int | None
    latest: int | None

    @property
    def total(self) -> Range:
        return self.curve[-1]

    @property
    def deepest(self) -> Range:
        """The bottom of the J, of each end."""
        lows, highs = zip(*self.curve, strict=True)
        return min(lows), min(highs)


def plan(given: Mapping[str, Any]) -> Plan:
    """From a file's fields. Raises Blank if a cost is missing, ValueError for what is no number.

    A cost of zero needs its reason under `why.<field>`.
    """
    blank = {n: says for n, says in {**COSTS, **GAINS}.items() if given.get(n) in (None, "", [])}
    if blank:
        raise Blank(blank)
    why = given.get("why", {})
    if not isinstance(why, Mapping):
        raise ValueError(f"why is {why!r:.40}; it is a table of reasons, why.<field>")
    known = {*COSTS, *GAINS, "ramp", "months", "currency", "why"}
    for name in given:
        if name not in known:
            raise ValueError(f"{name!r} is no field; there are {', '.join(sorted(known))}")
    ranges = {name: _range(name, given[name]) for name in (*COSTS, *GAINS)}
    unsaid = {
        name: f"zero needs a reason: why.{name}"
        for name in COSTS
        if not ranges[name][1] and not str(why.get(name, "")).strip()
    }
    if unsaid:
        raise Blank(unsaid)
    months = given.get("months", 36)
    if type(months) is not int or not 1 <= months <= MONTHS_MAX:
        raise ValueError(f"months is {months!r}; it is a whole number from 1 to {MONTHS_MAX}")
    currency = str(given.get("currency", "EUR"))
    return Plan(months, currency, ramp=_range("ramp", given.get("ramp", 0)), **ranges)


def saving(of: Plan) -> Saving:
    curve = [(-of.implementation[1] - of.adaptation[1], -of.implementation[0] - of.adaptation[0])]
    for month in range(1, of.months + 1):
        least, most = _month(of, month)
        curve.append((curve[-1][0] + least, curve[-1][1] + most))
    return Saving(of, tuple(curve), _even(curve, 1), _even(curve, 0))


def _month(of: Plan, month: int) -> Range:
    """Net of one month. An hour that is worth more makes saving and checking dearer alike."""
    nets = [
        _ramped(hours, ramp, month) * value - checking * value - operating
        for hours, ramp, checking, operating in (
            (of.hours_saved[0], of.ramp[1], of.checking_hours[1], of.operating[1]),
            (of.hours_saved[1], of.ramp[0], of.checking_hours[0], of.operating[0]),
        )
        for value in of.hour_value
    ]
    return min(nets), max(nets)


def _ramped(hours: float, ramp: float, month: int) -> float:
    return hours if month >= ramp else hours * month / ramp


def _even(curve: list[Range], end: int) -> int | None:
    """The first month from which it stays at or above zero."""
    below = [month for month, ends in enumerate(curve) if ends[end] < 0]
    after = below[-1] + 1 if below else 0
    return after if after < len(curve) else None


def _range(name: str, value: Any) -> Range:
    found = value if isinstance(value, list) else [value, value]
    numbers = all(isinstance(n, int | float) and not isinstance(n, bool) for n in found)
    if len(found) != 2 or not numbers or not 0 <= found[0] <= found[1] < math.inf:
        raise ValueError(f"{name} is {value!r}; it is a number or [low, high], zero or more")
    return float(found[0]), float(found[1])
