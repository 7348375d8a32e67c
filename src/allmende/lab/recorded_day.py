"""Recorded day: asks for tokens out of a trace of real requests, or made up and said to be so.

Rule: a trace says when and how much; who asked and what it was worth to him are drawn from a
seed, since no public trace says it, and every report says so.
Invariant: the same trace and seed give the same asks.
Worked number: 374 context and 44 generated tokens are 374 + 4 * 44 = 550 standard units.

The trace's format is that of Azure's public LLM traces (CC-BY-4.0): a line of names, then
TIMESTAMP,ContextTokens,GeneratedTokens.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from math import pi, sin
from random import Random
from typing import NamedTuple

from allmende.measure.allocate import Ask

OUTPUT_WEIGHT = 4
PUBLIC_EVERY = 4
"""Every fourth institute's work is called public, so that the rule has somebody to prefer."""
TYPICAL = 300_000
"""Pico-credits a standard unit: the median value drawn."""
MICROSECOND_CHARS = 26
MADE_REQUESTS, MADE_S = 6_000, 86_400.0


class Request(NamedTuple):
    """Seconds since the trace began, and standard units."""

    at: float
    units: int


class NoTrace(Exception):
    """The file is not a trace, and why."""


def read(lines: Iterable[str]) -> list[Request]:
    """The requests of a trace. Raises NoTrace with the line that is not one."""
    found: list[Request] = []
    began: datetime | None = None
    for number, row in enumerate(csv.DictReader(lines), 2):
        try:
            at = datetime.fromisoformat(row["TIMESTAMP"][:MICROSECOND_CHARS])
            units = int(row["ContextTokens"]) + OUTPUT_WEIGHT * int(row["GeneratedTokens"])
        except (KeyError, ValueError, TypeError) as error:
            raise NoTrace(f"line {number}: {error}") from None
        began = began or at
        found.append(Request((at - began).total_seconds(), units))
    if not found:
        raise NoTrace("it has no requests")
    return found


def made_up(seed: int) -> list[Request]:
    """A generated day of 6,000 requests: quiet at night, busy by day, sizes of a long tail."""
    rng = Random(seed)
    found: list[Request] = []
    while len(found) < MADE_REQUESTS:
        at = rng.random() * MADE_S
        if rng.random() < (1.1 + sin(2 * pi * (at / MADE_S - 0.3))) / 2.1:
            found.append(Request(at, 1 + int(rng.lognormvariate(7, 1))))
    return sorted(found)


def asks(requests: Sequence[Request], institutes: int, seed: int) -> list[Ask]:
    """Give each request an institute (some ask far more than others) and a value."""
    rng = Random(seed)
    names = list(named(institutes))
    sizes = [1 / (place + 1) for place in range(institutes)]
    level = [rng.lognormvariate(0, 0.5) for _ in names]
    drawn = rng.choices(range(institutes), sizes, k=len(requests))
    return [
        Ask(
            id=number,
            who=names[place],
            at=request.at,
            units=request.units,
            value=round(TYPICAL * level[place] * rng.lognormvariate(0, 0.7)),
            public=place % PUBLIC_EVERY == 0,
        )
        for number, (request, place) in enumerate(zip(requests, drawn, strict=True))
    ]


def named(institutes: int) -> Iterator[str]:
    """The largest first; "public" ones are marked."""
    for place in range(institutes):
        yield f"institute-{place + 1:02}{'-public' if place % PUBLIC_EVERY == 0 else ''}"
