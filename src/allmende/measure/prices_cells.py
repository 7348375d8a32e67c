"""Cells: which listings are one model at one host, who is a host, and what is an outlier.

Rule: a cell is a model; its hosts are counted by who runs them, so that one cloud with three
regions or two product names is one host, and a reseller, who runs nothing, is none. Within a
cell a host whose price is far off by the MAD rule, and by more than a factor of 2, is left out.
Invariant: neither median nor rule depends on the unit of the price or the order of the hosts.
Worked number: hosts at 1.0, 1.1, 0.9 and 900: the last is out, the median of the rest is 1.0.

Sources: modified z-score with 3.5, and mean deviation where the MAD is nought: Iglewicz and
Hoaglin 1993; at least three hosts: economics.md section 2.9.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from math import log, sqrt
from statistics import median
from typing import NamedTuple, TypeVar

from msgspec import Struct

from allmende.measure.prices import REMOVED, TEXT_MODES, Listing, Price, last_days, span

OWNERS = {
    "amazon": "aws", "bedrock": "aws", "sagemaker": "aws",
    "azure": "microsoft",
    "gemini": "google", "palm": "google", "vertex": "google",
    "dashscope": "alibaba", "qwen": "alibaba", "qwencloud": "alibaba",
    "watsonx": "ibm",
    "text": "openai",
}  # fmt: skip
"""First word of a list's provider name -> who runs it, where the two differ. Words of our own
reading, to be corrected by whoever knows better; the rulebook says how."""
RESELLERS = frozenset(
    "aihubmix compactifai github inferenceapis kyma openrouter opencode poe vercel".split()
)
"""They pass requests on to hosts that are listed themselves."""

CUTOFF = 3.5
MAD_SCALE, MEAN_SCALE = 0.6745, 0.7979
FAR = log(2) * (1 + 1e-9)
"""Up to a factor of 2 a price is a price, however closely the others agree."""
ENOUGH = 4
"""Of three, two that agree by chance make the third look off; and the median drops it anyway."""
CARRY_DAYS = 92
"""A list that nobody looked at for longer says nothing of today."""


Name = TypeVar("Name")


class Item(NamedTuple):
    """One listing of one model at one host."""

    cell: str
    host: str
    id: str


class Quote(Struct, frozen=True):
    """The price of an item in a month. `weight` is what was spent on it, 1 where unknown."""

    price: Price
    weight: float = 1.0
    context: int | None = None


class Month(Struct, frozen=True):
    """All that was priced in a month, as of `day`. `age` is days since anyone looked, `spent`
    whether weights are money that was spent."""

    day: date
    quotes: Mapping[Item, Quote]
    age: int = 0
    spent: bool = False


def item_of(row: Listing) -> Item | None:
    """Where a listing belongs; None for a reseller, or where the list names no host."""
    word = row.provider.replace("-", "_").partition("_")[0].lower()
    if not word or word in RESELLERS:
        return None
    cell = row.model.rsplit("/", 1)[-1].lower()
    return Item(cell, OWNERS.get(word, word), row.model)


def list_months(history: Sequence[Listing], modes: Sequence[str] = TEXT_MODES) -> Iterator[Month]:
    """Month by month what was in force on its last day, out of a history of changes."""
    rows = sorted(history, key=lambda row: row.day)
    if not rows:
        return
    standing: dict[str, Listing] = {}
    at = 0
    for day in last_days(*span(rows)):
        while at < len(rows) and rows[at].day <= day:
            _take(standing, rows[at], modes)
            at += 1
        age = (day - rows[at - 1].day).days
        fresh = standing.values() if age <= CARRY_DAYS else ()
        yield Month(day, dict(_quotes(fresh)), age)


def _take(standing: dict[str, Listing], row: Listing, modes: Sequence[str]) -> None:
    if row.mode == REMOVED:
        standing.pop(row.model, None)
    elif row.mode in modes:
        standing[row.model] = row


def _quotes(rows: Iterable[Listing]) -> Iterator[tuple[Item, Quote]]:
    for row in rows:
        item = item_of(row)
        if item is not None:
            yield item, Quote(row.price, 1.0, row.context)


def outliers(prices: Mapping[Name, float]) -> set[Name]:
    """Of four or more: whose logarithm has a modified z-score above 3.5, and by a factor of 2."""
    logs = {name: log(price) for name, price in prices.items()}
    if len(logs) < ENOUGH:
        return set()
    middle = median(logs.values())
    away = {name: abs(value - middle) for name, value in logs.items()}
    mad = median(away.values())
    scale = mad / MAD_SCALE if mad else sum(away.values()) / len(away) / MEAN_SCALE
    return {name for name, off in away.items() if off > FAR and off > CUTOFF * scale}


def weighted_median(pairs: Iterable[tuple[float, float]]) -> float:
    """Of (value, weight): half of the weight is on each side; between two, their mean in logs.

    Raises ValueError where there is no weight.
    """
    ordered = sorted(pair for pair in pairs if pair[1] > 0)
    half, below = sum(weight for _, weight in ordered) / 2, 0.0
    for place, (value, weight) in enumerate(ordered):
        below += weight
        if below > half or place + 1 == len(ordered):
            return value
        if below == half:
            return sqrt(value * ordered[place + 1][0])
    raise ValueError("the median of nothing")
