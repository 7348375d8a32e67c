"""Claims: what the two documents say, checked: sources, range, reasoning, verdict.

Rule: a card names where it was said and on what the verdict rests; what can be computed is
computed anew each time, with its inputs beside it. A verdict is one of three: supported, loose
(the direction or the size is right and something is missing), wrong.
Invariant: a card whose computation has no data says so and keeps its verdict's reasoning; no
card has a computed number that nobody computed.
Worked number: 1,287 MWh times 50 is 64.35 GWh; the compute that is estimated for GPT-4 needs
20.6 to 60.8 GWh, 16 to 47 times as much as GPT-3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from math import ceil
from typing import Literal

from msgspec import Struct

from allmende.measure.concentration import Rest, hhi
from allmende.measure.gold import gauge
from allmende.measure.prices import yearly
from allmende.measure.said import Said, together
from allmende.measure.training import GPT3_MWH, GPT4, needed

Gold = Sequence[tuple[date, float]]
"""Months and US dollars an ounce, in order."""
Verdict = Literal["supported", "loose", "wrong"]


class Source(Struct, frozen=True):
    """`grade`: "seen" by us, from "memory", "computed" here, or "leak": said by nobody who must."""

    title: str
    grade: str
    url: str = ""


class Text(Struct, frozen=True):
    """The same in the languages of the house."""

    en: str
    de: str


class Card(Struct, frozen=True, kw_only=True):
    """`said` is document, section and row of the register; `computed` names a computation."""

    id: str
    claim: Text
    said: str
    verdict: Verdict
    reasoning: Text
    sources: tuple[Source, ...]
    low: float | None = None
    high: float | None = None
    unit: str = ""
    computed: str = ""


class Computed(Struct, frozen=True):
    """`because` says from what; `low` is None where there were no data."""

    low: float | None
    high: float | None
    unit: str
    because: tuple[Said, ...]

    @property
    def how(self) -> str:
        """In English."""
        return together(self.because)


class Checked(Struct, frozen=True):
    card: Card
    computed: Computed | None


def check(cards: Sequence[Card], gold: Gold = ()) -> list[Checked]:
    """Every card with its computation. Raises ValueError for one that names no computation."""
    return [
        Checked(card, compute(card.computed, gold) if card.computed else None) for card in cards
    ]


def compute(name: str, gold: Gold = ()) -> Computed:
    if name == "gold":
        return _gold(gold)
    if name not in COMPUTATIONS:
        raise ValueError(f"no computation is called {name!r}")
    return COMPUTATIONS[name]()


def _energy() -> Computed:
    low, high = needed(GPT4).gwh
    said = GPT3_MWH * 50 / 1000
    ends = {"low": round(low, 1), "high": round(high, 1)}
    return Computed(
        low * 1000 / GPT3_MWH,
        high * 1000 / GPT3_MWH,
        "times GPT-3",
        (Said("claim_energy", {**ends, "gpt3": round(GPT3_MWH), "said": said}),),
    )


def _tokens() -> Computed:
    return Computed(10.0, ceil(13_000 / 300), "times GPT-3", (Said("claim_tokens"),))


def _price() -> Computed:
    before, after = 0.8 * 30 + 0.2 * 60, 0.8 * 2.5 + 0.2 * 10
    change = yearly(after / before, 17) * 100
    how = Said("claim_price", {"before": before, "after": after})
    return Computed(change, change, "% a year", (how,))


def _cloud() -> Computed:
    known = {"AWS": 0.29, "Microsoft": 0.20, "Google": 0.13}
    low, high = hhi(known, Rest(0.38, 0.13))
    return Computed(low, high, "HHI points", (Said("claim_cloud"),))


def _gold(gold: Gold) -> Computed:
    if len(gold) < 2:
        return Computed(None, None, "% a year", (Said("claim_gold_none"),))
    since = date(1971, 8, 1)
    series = [point for point in gold if point[0] >= since]
    if len(series) < 2:
        return Computed(None, None, "% a year", (Said("claim_gold_short"),))
    found = gauge(list(series))
    months = {name: f"{getattr(found, name):%Y-%m}" for name in ("start", "end", "peak", "trough")}
    prices = {"first": round(found.first), "last": round(found.last)}
    how = [Said("claim_gold", {**months, **prices, "fall": round(found.drawdown * 100)})]
    if found.volatility is not None:
        how.append(Said("claim_volatility", {"share": round(found.volatility * 100)}))
    return Computed(found.yearly * 100, found.yearly * 100, "% a year", tuple(how))


COMPUTATIONS: Mapping[str, Callable[[], Computed]] = {
    "energy": _energy,
    "tokens": _tokens,
    "price": _price,
    "cloud": _cloud,
}
"""By the name that a card gives; `gold` needs data and is not among them."""
