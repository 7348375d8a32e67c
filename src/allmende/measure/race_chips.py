"""Chips: panels on who has how many AI chips, with the 5 and 95 % that were published.

Rule: a quarter counts if it is complete for every maker that a panel is of; the rows that Epoch
flags incomplete are left out and said. Sums of medians and of ends, an outer bound.
Invariant: an owner's line lies in its band.
Worked number: 3,812,878 TPU and 1,200,000 other H100 equivalents of one owner are 5,012,878.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from allmende.measure.drawing import Series, day, lines
from allmende.measure.race_compute import chip_hhi, chip_quarters, held
from allmende.measure.race_data import Holding, Triple
from allmende.measure.race_panels import Given, Made, Plan, Table, Tongue

FIRST = "Nvidia"
"""The maker whose owners are known the longest."""


SMALL = 100_000
"""Below it all digits are said."""


def _makers(given: Given) -> list[str]:
    return sorted({row.maker for row in given.chips})


def owned(of: str) -> Callable[[Given, Tongue], Made | None]:
    """What each owner has: H100 equivalents (`h100`) or megawatts (`mw`)."""

    def make(given: Given, tongue: Tongue) -> Made | None:
        makers = _makers(given)
        days = chip_quarters(given.chips, makers)
        if not days:
            return None
        rows = {when: held(given.chips, makers, when, of) for when in days}
        last = sorted(rows[days[-1]].items(), key=lambda pair: -pair[1][0])
        series = [_series(name, tongue, rows) for name, _ in last]
        table: Table = [
            {"day": str(when), "owner": name, "median": row[0], "low": row[1], "high": row[2]}
            for when, owners in rows.items()
            for name, row in owners.items()
        ]
        sums = [sum(row[end] for _, row in last) for end in range(3)]
        seen = {
            "first": tongue.named(last[0][0]),
            "amount": _between(last[0][1], tongue),
            "total": _between((sums[0], sums[1], sums[2]), tongue),
            "day": str(days[-1]),
        }
        denominator = {"makers": ", ".join(makers), "flagged": _flagged(given.chips)}
        return Made(
            lambda head: lines(head, series, log=True, zero=False),
            table,
            (days[0], days[-1]),
            seen,
            denominator,
        )

    return make


def _series(name: str, tongue: Tongue, rows: dict[date, dict[str, Triple]]) -> Series:
    found = [(day(when), owners[name]) for when, owners in rows.items() if name in owners]
    return Series(
        tongue.named(name),
        [(x, median) for x, (median, _, _) in found],
        [(x, low, high) for x, (_, low, high) in found],
    )


def concentration(given: Given, tongue: Tongue) -> Made | None:
    """HHI of owners: of the first maker's chips, and of all makers' where all are known."""
    series, table, ends = [], Table(), []
    for name, makers in ((FIRST, [FIRST]), ("all", _makers(given))):
        days = chip_quarters(given.chips, makers)
        found = [(when, chip_hhi(held(given.chips, makers, when))) for when in days]
        if not found:
            continue
        series.append(
            Series(
                tongue.named(name),
                [(day(when), one.middle) for when, one in found],
                [(day(when), one.low, one.high) for when, one in found],
            )
        )
        table += [
            {
                "day": str(when),
                "makers": name,
                "hhi": round(one.middle),
                "low": round(one.low),
                "high": round(one.high),
                "effective": round(10_000 / one.middle, 2),
            }
            for when, one in found
        ]
        ends.append((days, found[-1][1]))
    if not ends:
        return None
    days, last = ends[-1]
    seen = {
        "hhi": tongue.points(last.middle),
        "low": tongue.points(last.low),
        "high": tongue.points(last.high),
        "effective": tongue.number(round(10_000 / last.middle, 1)),
        "day": str(days[-1]),
    }
    of = {"makers": ", ".join(_makers(given)), "flagged": _flagged(given.chips)}
    whole = (ends[0][0][0], days[-1])
    return Made(lambda head: lines(head, series), table, whole, seen, of)


def _between(row: Triple, tongue: Tongue) -> str:
    say = tongue.points if max(row) < SMALL else tongue.number
    median, low, high = (say(value) for value in row)
    return f"{median} ({low}–{high})"


def _flagged(rows: Sequence[Holding]) -> str:
    days = sorted({row.day for row in rows if row.incomplete})
    return ", ".join(str(when) for when in days) or "–"


PLANS = (
    Plan("chips", ("chips",), "estimate", owned("h100")),
    Plan("chips-hhi", ("chips",), "estimate", concentration),
    Plan("megawatts", ("chips",), "estimate", owned("mw")),
)
