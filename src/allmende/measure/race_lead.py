"""Lead: how many months pass until somebody else trains with as much compute as the frontier.

Rule: a record is a model with more training compute than any before it, by a group alone; its
lead ends with the first later model of the others that has at least as much. What nobody has
reached by the end of the data is a lead of at least so long, and stays in the sum: the median
is Kaplan and Meier's. The interval resamples the records from a stated seed.
Invariant: a lead is never negative; an open lead never shortens the median.
Worked number: leads of 4, 10 and 12 months have the median 10; if the 12 is still open, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from random import Random
from typing import NamedTuple

from msgspec import Struct

from allmende.measure.race_data import Model

SEED, SAMPLES = 20_250_224, 2_000
LEAST = 4
"""Records that a median is said of."""
MONTH = 365.2425 / 12
Who = Callable[[Model], frozenset[str]]


class Span(NamedTuple):
    """`months` from a record to who reached it, or, if `open`, to the end of the data."""

    months: float
    open: bool
    record: Model
    by: Model | None


class Lead(Struct, frozen=True):
    """Median months with 5 and 95 % of the resampled medians; None: longer than the data say."""

    median: float | None
    low: float | None
    high: float | None
    records: int
    open: int


def spans(models: Iterable[Model], who: Who, leader: str, follower: str, end: date) -> list[Span]:
    """The leads of `leader` over `follower`, at each record of both together that it alone set."""
    known = _known(models)
    pair = [one for one in known if who(one) & {leader, follower}]
    rivals = [one for one in pair if follower in who(one)]
    return [
        _span(model, rivals, end)
        for model in _records(pair)
        if leader in who(model) and follower not in who(model)
    ]


def others(models: Iterable[Model], who: Who, end: date) -> list[Span]:
    """The leads of whoever set a record over all who had no part in it."""
    known = _known(models)
    return [
        _span(model, [one for one in known if who(one) and not who(one) & who(model)], end)
        for model in _records(known)
        if who(model)
    ]


def lead(found: Sequence[Span], seed: int = SEED, samples: int = SAMPLES) -> Lead | None:
    """None of fewer than LEAST records."""
    if len(found) < LEAST:
        return None
    chance = Random(seed)
    medians = sorted(
        _or_more(median([chance.choice(found) for _ in found])) for _ in range(samples)
    )
    low, high = (medians[round(share * (samples - 1))] for share in (0.05, 0.95))
    return Lead(
        median=median(found),
        low=None if low == FOREVER else low,
        high=None if high == FOREVER else high,
        records=len(found),
        open=sum(one.open for one in found),
    )


FOREVER = float("inf")


def median(found: Sequence[Span]) -> float | None:
    """Kaplan and Meier's: where half of the leads have ended; None if fewer ever did."""
    staying, at_risk = 1.0, len(found)
    for one in sorted(found, key=lambda span: (span.months, span.open)):
        if not one.open:
            staying *= 1 - 1 / at_risk
            if staying <= 0.5 + 1e-9:
                return one.months
        at_risk -= 1
    return None


def _or_more(months: float | None) -> float:
    return FOREVER if months is None else months


def _known(models: Iterable[Model]) -> list[Model]:
    return sorted((one for one in models if one.flop), key=lambda one: (one.day, one.name))


def _records(models: Sequence[Model]) -> list[Model]:
    found: list[Model] = []
    for model in models:
        if not found or (model.flop or 0) > (found[-1].flop or 0):
            found.append(model)
    return found


def _span(record: Model, rivals: Sequence[Model], end: date) -> Span:
    later = (
        one for one in rivals if one.day >= record.day and (one.flop or 0) >= (record.flop or 0)
    )
    by = next(later, None)
    until = by.day if by else end
    return Span((until - record.day).days / MONTH, by is None, record, by)
