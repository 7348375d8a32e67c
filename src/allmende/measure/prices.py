"""Prices: dated list prices, blends of them, and the fall between two of them.

Rule: a price is in force from the day it was first seen until the next row of its listing, and
a row `removed` ends it; a listing that nobody saw that day has no price, never a guessed one.
Invariant: every figure is a blend of one day's prices of one listing, in the unit of the list;
blending is linear, so a change of unit changes a blend by the same factor.
Worked number: GPT-4 at 30 and 60 USD per million tokens is 36.00 at 80 % input and 20 % output,
GPT-4o-2024-08-06 at 2.50 and 10 is 4.00; in 17 months that is -78.8 % a year.

Floats are fine here: nothing decides from these figures, and no money is moved by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from msgspec import Struct

REMOVED = "removed"
TEXT_MODES = ("chat", "completion", "responses", "")
"""Listings that sell text for text; an empty mode is what early lists said of these."""


class Price(Struct, frozen=True):
    """Per million tokens, in one currency. None: not sold, or not said."""

    input: float | None = None
    output: float | None = None
    cached: float | None = None


class Listing(Struct, frozen=True):
    """One row of a price history: what `source` said from `day` on of what it calls `model`."""

    day: date
    source: str
    version: str
    model: str
    provider: str
    mode: str
    price: Price
    context: int | None = None


class Blend(Struct, frozen=True):
    """Shares of tokens by meter, which add up to 1."""

    name: str
    input: float = 0.0
    output: float = 0.0
    cached: float = 0.0

    def of(self, price: Price) -> float | None:
        """The price of a blended million, or None where a meter it needs has no price."""
        total = 0.0
        for share, part in (
            (self.input, price.input),
            (self.output, price.output),
            (self.cached, price.cached),
        ):
            if share and part is None:
                return None
            total += share * (part or 0.0)
        return total


def blend(text: str) -> Blend:
    """`80/20` is 80 % input and 20 % output; `cached` is cached input alone. Raises ValueError."""
    if text == CACHED.name:
        return CACHED
    first, slash, second = text.partition("/")
    if not (slash and first.isdecimal() and second.isdecimal() and text.isascii()):
        raise ValueError(f"{text!r} is no blend such as 80/20")
    if int(first) + int(second) != 100:
        raise ValueError(f"the parts of {text} add up to {int(first) + int(second)}, not to 100")
    return Blend(text, int(first) / 100, int(second) / 100)


CACHED = Blend("cached", cached=1.0)
HEADLINE = Blend("80/20", 0.8, 0.2)
BLENDS = (HEADLINE, Blend("50/50", 0.5, 0.5), Blend("95/5", 0.95, 0.05))


class Launch(Struct, frozen=True):
    """A model and the day it came out."""

    model: str
    day: date


PUBLISHED = (Launch("gpt-4", date(2023, 3, 14)), Launch("gpt-4o-2024-08-06", date(2024, 8, 6)))
"""Whom the published fall compares. The days: OpenAI's announcement, and the model's own name.
Prices are not here: they come from dated lists."""


class Seen(Struct, frozen=True):
    """A price and how it is known: in force on `day`, or first seen later, on `seen`."""

    launch: Launch
    price: Price
    seen: date | None
    source: str


class Fall(Struct, frozen=True):
    """From one model's price to another's. `change` is yearly: -0.788 is 78.8 % less a year."""

    old: Seen
    new: Seen
    blend: Blend
    before: float
    after: float
    months: int
    change: float


def price_at(history: Iterable[Listing], launch: Launch) -> Seen | None:
    """The price on the day of the launch, or else the first one seen after it."""
    rows = sorted((row for row in history if row.model == launch.model), key=lambda row: row.day)
    known = [row for row in rows if row.day <= launch.day][-1:]
    first = [row for row in rows if row.day > launch.day and row.mode != REMOVED][:1]
    for row in (*known, *first):
        if row.mode != REMOVED:
            return Seen(launch, row.price, row.day, f"{row.source} {row.version}".strip())
    return None


def months_between(start: date, end: date) -> int:
    """Calendar months: from March 2023 to August 2024 are 17."""
    return (end.year - start.year) * 12 + end.month - start.month


def yearly(factor: float, months: float) -> float:
    """The yearly change that makes `factor` in `months`: 1/9 in 17 months is -0.788."""
    return float(factor ** (12 / months)) - 1


def fall(old: Seen, new: Seen, by: Blend) -> Fall:
    """Raises ValueError where a meter has no price, or the new model came no month later."""
    before, after = by.of(old.price), by.of(new.price)
    if not before or not after:
        which = old if not before else new
        raise ValueError(f"{which.launch.model} has no {by.name} price in {which.source}")
    months = months_between(old.launch.day, new.launch.day)
    if months <= 0:
        raise ValueError(f"{new.launch.model} came no month after {old.launch.model}")
    return Fall(old, new, by, before, after, months, yearly(after / before, months))


def last_days(first: date, last: date) -> list[date]:
    """The last day of each month from `first` to `last`; of the last month, `last` itself."""
    days = []
    year, month = first.year, first.month
    while (year, month) <= (last.year, last.month):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        end = date.fromordinal(date(year, month, 1).toordinal() - 1)
        days.append(min(end, last))
    return days


def span(history: Sequence[Listing]) -> tuple[date, date]:
    """First and last day. Raises ValueError of nothing."""
    days = [row.day for row in history]
    return min(days), max(days)
