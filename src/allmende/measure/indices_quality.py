"""Constant quality (TPI-Q) and cost per solved task (TPI-T): what the same work costs over time.

Rule: TPI-Q is the lowest price in a month among models that had by then reached the score asked
for; its speed is the slope of ln(price) through the record lows, with a 95 % interval. TPI-T is
what was spent on a set of tasks, tokens times prices of the month, over the tasks solved. Scores
and runs come from dated files with their sources; where there are none, nothing is said.
Invariant: a higher threshold never has a lower price; attempts that failed cost and count.
Worked number: 60 and three years later 0.06 is a factor of 10.0 a year; 2 million input tokens
at 3 and 1 million output tokens at 15 for 7 solved tasks are 21/7 = 3.00 a task.

Source of TPI-Q: Epoch AI, "LLM inference prices have fallen rapidly but unequally" (2025).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from math import exp, log, sqrt
from statistics import median

from msgspec import Struct

from allmende.measure.prices import HEADLINE, Blend, Price
from allmende.measure.prices_cells import Month, outliers

MILLION = 1_000_000
YEAR_DAYS = 365.25
CROWD = 30
"""Prices of a month from which on one of them can be called off for what all others are."""
T_975 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160),
    *(2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056),
    *(2.052, 2.048, 2.045, 2.042),
)
"""Student's t at 97.5 % for 1 to 30 degrees of freedom; above, the last one, which is wider."""


class Score(Struct, frozen=True):
    """What a model reached on a benchmark, who says so, and when."""

    day: date
    benchmark: str
    model: str
    score: float
    source: str


class Run(Struct, frozen=True):
    """Attempts of a model at a suite of tasks: how many it solved, and the tokens of them all."""

    day: date
    suite: str
    model: str
    attempts: int
    solved: int
    input: int
    cached: int
    output: int
    source: str


class Best(Struct, frozen=True):
    """The lowest price in a month at which the score could be had, and where."""

    day: date
    value: float
    cell: str
    host: str


class Slope(Struct, frozen=True):
    """ln(price) a year through `points` record lows, with its 95 % interval.

    `factor` is how many times cheaper in a year, `low` and `high` its interval.
    """

    points: int
    per_year: float
    factor: float
    low: float
    high: float


class Solved(Struct, frozen=True):
    """A suite in a month: spent over solved. `unpriced` runs had no price and do not count."""

    day: date
    suite: str
    cost: float
    solved: int
    attempts: int
    unpriced: int


def lowest(
    months: Iterable[Month],
    scores: Iterable[Score],
    benchmark: str,
    threshold: float,
    blend: Blend = HEADLINE,
) -> list[Best]:
    """TPI-Q, month by month; months in which nobody offered it are left out."""
    reached: dict[str, date] = {}
    for score in scores:
        if score.benchmark == benchmark and score.score >= threshold:
            model = name(score.model)
            reached[model] = min(score.day, reached.get(model, score.day))
    found = []
    for month in months:
        able = {cell for cell, since in reached.items() if since <= month.day}
        offers = [
            Best(month.day, price, cell, host)
            for cell, hosts in hosts_of(month, blend).items()
            if cell in able
            for host, price in hosts.items()
        ]
        if offers:
            found.append(min(offers, key=lambda best: (best.value, best.cell, best.host)))
    return found


def records(found: Iterable[Best]) -> Iterator[Best]:
    """Months that were cheaper than all before."""
    low = None
    for best in found:
        if low is None or best.value < low:
            low = best.value
            yield best


def slope(found: Iterable[Best]) -> Slope | None:
    """None with fewer than 3 record lows, which bear no interval."""
    points = list(records(found))
    if len(points) < 3:
        return None
    years = [point.day.toordinal() / YEAR_DAYS for point in points]
    logs = [log(point.value) for point in points]
    mean_x, mean_y = sum(years) / len(years), sum(logs) / len(logs)
    spread = sum((x - mean_x) ** 2 for x in years)
    per_year = sum((x - mean_x) * (y - mean_y) for x, y in zip(years, logs, strict=True)) / spread
    rest = sum(
        (y - mean_y - per_year * (x - mean_x)) ** 2 for x, y in zip(years, logs, strict=True)
    )
    free = len(points) - 2
    wide = T_975[min(free, len(T_975)) - 1] * sqrt(rest / free / spread)
    return Slope(
        points=len(points),
        per_year=per_year,
        factor=exp(-per_year),
        low=exp(-per_year - wide),
        high=exp(-per_year + wide),
    )


def solved(months: Iterable[Month], runs: Iterable[Run], suite: str) -> list[Solved]:
    """TPI-T of a suite, month by month; months without a run that was priced are left out."""
    by_month: dict[tuple[int, int], list[Run]] = {}
    for run in runs:
        if run.suite == suite:
            by_month.setdefault((run.day.year, run.day.month), []).append(run)
    found = []
    for month in months:
        tried = by_month.get((month.day.year, month.day.month), [])
        costs = [(run, cost(run, month)) for run in tried]
        counted = [(run, spent) for run, spent in costs if spent is not None]
        done = sum(run.solved for run, _ in counted)
        if done:
            per_task = sum(spent for _, spent in counted) / done
            attempts = sum(run.attempts for run, _ in counted)
            missing = len(costs) - len(counted)
            found.append(Solved(month.day, suite, per_task, done, attempts, missing))
    return found


def cost(run: Run, month: Month) -> float | None:
    """Tokens times the median of the hosts' prices that month; None if nobody has the model."""
    prices = [quote.price for item, quote in month.quotes.items() if item.cell == name(run.model)]
    input_, output = _middle(prices, "input"), _middle(prices, "output")
    if input_ is None or output is None:
        return None
    cached = _middle(prices, "cached")
    cached = input_ if cached is None else cached
    return (run.input * input_ + run.cached * cached + run.output * output) / MILLION


def name(model: str) -> str:
    """A model's cell: the last part of its name, in small letters."""
    return model.rsplit("/", 1)[-1].lower()


def hosts_of(month: Month, blend: Blend) -> dict[str, dict[str, float]]:
    """The lowest blended price of each cell at each host, without hosts that are off: from
    their cell, or, where a month has prices enough to say so, from everything else."""
    cells: dict[str, dict[str, float]] = {}
    for item, quote in month.quotes.items():
        price = blend.of(quote.price)
        if price:
            hosts = cells.setdefault(item.cell, {})
            hosts[item.host] = min(price, hosts.get(item.host, price))
    every = {(cell, host): price for cell, hosts in cells.items() for host, price in hosts.items()}
    off = outliers(every) if len(every) >= CROWD else set()
    off |= {(cell, host) for cell, hosts in cells.items() for host in outliers(hosts)}
    return {
        cell: {host: price for host, price in hosts.items() if (cell, host) not in off}
        for cell, hosts in cells.items()
    }


def _middle(prices: Sequence[Price], meter: str) -> float | None:
    known = [value for price in prices if (value := getattr(price, meter)) is not None]
    return median(known) if known else None
