"""Compute: how concentrated the world's known AI machines are, by owner, country and quarter.

Rule: of clusters those count that stand on the day, are not said twice and are not replaced by a
later phase; the middle counts confirmed and likely ones. What has no owner may be dust or may
all belong to the largest known one; both ends are kept, for confirmed ones alone as well.
Chips carry their 5 and 95 % by drawing from a stated seed; `China` and `Other` are groups: one
owner at most, dust at least.
Invariant: low <= middle <= high; a cluster counts once on any day.
Worked number: 60 and 20 known, 20 unknown: the HHI is between 4,000 and 6,800.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from math import exp, fsum, log
from random import Random
from statistics import NormalDist
from typing import NamedTuple

from msgspec import Struct

from allmende.measure.concentration import POINTS
from allmende.measure.distribution import theil
from allmende.measure.figure import Undefined
from allmende.measure.race_data import Cluster, Holding, Triple, blocs, split, total

CERTAIN = ("Confirmed",)
LIKELY = ("Confirmed", "Likely")
GROUPS = ("China", "Other")
"""Owners of chips that are many."""
SEED, DRAWS = 20_260_331, 1_000
Z95 = NormalDist().inv_cdf(0.95)
Names = Callable[[Cluster], Sequence[str | None]]


class Spread(NamedTuple):
    """A middle with its bounds."""

    middle: float
    low: float
    high: float


class Market(Struct, frozen=True):
    """One day: HHI in points, effective number, share of the four largest, of the unknown."""

    day: date
    hhi: Spread
    effective: Spread
    cr4: Spread
    unknown: float
    amounts: Mapping[str, float]
    total: float
    rows: int


class Inequality(Struct, frozen=True):
    """Theil's T of what owners have, within and between blocs; `one`: if all of a bloc's unknown
    were one owner, and not each cluster one."""

    day: date
    total: float
    within: float
    between: float
    one: float


def quarters(first: date, last: date) -> list[date]:
    """The last days of the quarters from `first` to `last`."""
    found: list[date] = []
    year, month = first.year, (first.month - 1) // 3 * 3 + 3
    while True:
        year, month = (year + 1, month - 12) if month > 12 else (year, month)
        day = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        if day > last:
            return found
        if day >= first:
            found.append(day)
        month += 3


def standing(
    clusters: Sequence[Cluster], day: date, certainties: Sequence[str] = LIKELY
) -> list[Cluster]:
    """Those that run on the day; see the rule."""
    run = [one for one in clusters if _runs(one, day) and one.certainty in certainties]
    names = {one.name for one in run}
    return [one for one in run if not (one.after and one.after in names)]


def left_out(clusters: Sequence[Cluster]) -> dict[str, int]:
    """Why clusters that are said to exist count on no day, with their number."""
    real = [one for one in clusters if one.status != "Planned"]
    return {
        "repeats": sum(one.repeats for one in real),
        "unlikely": sum(one.certainty not in LIKELY for one in real),
        "undated": sum(one.since is None or _no_end(one) for one in real),
        "unmeasured": sum(not one.h100 for one in real),
        "planned": len(clusters) - len(real),
    }


def market(clusters: Sequence[Cluster], day: date, names: Names) -> Market | None:
    """By whatever `names` gives: owners, countries, blocs. None of no cluster."""
    run = standing(clusters, day)
    known, unknown = _held(run, names)
    whole = fsum([*known.values(), unknown])
    if not whole:
        return None
    ends = [_bounds(known, unknown)]
    sure, hidden = _held(standing(clusters, day, CERTAIN), names)
    if sure or hidden:
        ends.append(_bounds(sure, hidden))
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    middle = ends[0][0]
    tops = [_largest(*of) for of in ((known, unknown), (sure, hidden)) if of[0] or of[1]]
    return Market(
        day=day,
        hhi=Spread(middle, low, high),
        effective=Spread(
            *(POINTS / end if end else float(len(run)) for end in (middle, high, low))
        ),
        cr4=Spread(tops[0][0], min(t[0] for t in tops), max(t[1] for t in tops)),
        unknown=unknown / whole,
        amounts=known,
        total=whole,
        rows=len(run),
    )


def inequality(
    clusters: Sequence[Cluster], day: date, members: Mapping[str, str]
) -> Inequality | None:
    """Theil of owners within and between blocs. None where nothing runs."""
    run = standing(clusters, day)
    apart, one = (_regions(run, members, alone) for alone in (True, False))
    try:
        found, merged = theil(apart), theil(one)
    except Undefined:
        return None
    return Inequality(day, found.total, found.within, found.between, merged.total)


def chip_quarters(rows: Sequence[Holding], makers: Iterable[str]) -> list[date]:
    """Quarters that are complete for every one of the makers."""
    wanted = set(makers)
    whole: dict[date, set[str]] = {}
    for row in rows:
        if row.maker in wanted:
            whole.setdefault(row.day, set()).add(row.maker)
    bad = {row.day for row in rows if row.incomplete and row.maker in wanted}
    return sorted(day for day, found in whole.items() if found == wanted and day not in bad)


def held(
    rows: Sequence[Holding], makers: Iterable[str], day: date, of: str = "h100"
) -> dict[str, Triple]:
    """What each owner has of the makers' chips, sums of medians and of ends: an outer bound."""
    wanted, found = set(makers), dict[str, Triple]()
    for row in rows:
        if row.maker in wanted and row.day == day:
            has, more = found.get(row.owner, (0.0, 0.0, 0.0)), getattr(row, of)
            found[row.owner] = (has[0] + more[0], has[1] + more[1], has[2] + more[2])
    return found


def chip_hhi(owners: Mapping[str, Triple]) -> Spread:
    """Groups are one owner in the middle and at the high end, and dust at the low one.

    The ends are 5 and 95 % of DRAWS in which each owner's amount is drawn by itself, log-normal
    on either side of its median. Errors that owners share would make them narrower.
    """
    chance = Random(SEED)
    lows, highs = [], []
    for _ in range(DRAWS):
        drawn = {name: _drawn(row, chance.gauss(0, 1)) for name, row in owners.items()}
        whole = fsum(drawn.values())
        squares = {name: (amount / whole) ** 2 for name, amount in drawn.items()}
        highs.append(POINTS * fsum(squares.values()))
        lows.append(POINTS * fsum(sq for name, sq in squares.items() if name not in GROUPS))
    whole = fsum(median for median, _, _ in owners.values())
    middle = POINTS * fsum((median / whole) ** 2 for median, _, _ in owners.values())
    low, high = sorted(lows)[DRAWS // 20], sorted(highs)[-DRAWS // 20]
    return Spread(middle, min(low, middle), max(high, middle))


def _drawn(row: Triple, normal: float) -> float:
    median, low, high = row
    end = high if normal > 0 else low
    if not (median and end):
        return median
    return median * exp(abs(log(end / median) / Z95) * normal)


def _runs(one: Cluster, day: date) -> bool:
    if one.status == "Planned" or one.repeats or not one.h100 or one.since is None:
        return False
    return one.since <= day and not _no_end(one) and (one.until is None or one.until > day)


def _no_end(one: Cluster) -> bool:
    return one.status == "Decommissioned" and one.until is None


def _held(run: Sequence[Cluster], names: Names) -> tuple[dict[str, float], float]:
    return total([part for one in run for part in split(names(one), one.h100 or 0.0)])


def _bounds(known: Mapping[str, float], unknown: float) -> tuple[float, float]:
    whole = fsum([*known.values(), unknown])
    shares = sorted((amount / whole for amount in known.values()), reverse=True)
    rest = unknown / whole
    low = fsum(share * share for share in shares)
    return POINTS * low, POINTS * (low + rest * rest + 2 * rest * (shares[0] if shares else 0.0))


def _largest(known: Mapping[str, float], unknown: float) -> tuple[float, float]:
    whole = fsum([*known.values(), unknown])
    top = fsum(sorted(known.values(), reverse=True)[:4]) / whole
    return top, min(1.0, top + unknown / whole)


def _regions(
    run: Sequence[Cluster], members: Mapping[str, str], alone: bool
) -> dict[str, list[float]]:
    """Bloc -> what each owner has there; a hidden owner's clusters each alone, or together."""
    sums: dict[str, dict[str, float]] = {}
    for place, one in enumerate(run):
        for bloc, amount in split(blocs(one.countries, members), one.h100 or 0.0):
            for owner, part in split(one.owners, amount):
                name = owner or (f"hidden {place}" if alone else "hidden")
                of = sums.setdefault(bloc or "unknown", {})
                of[name] = of.get(name, 0.0) + part
    return {bloc: list(of.values()) for bloc, of in sums.items()}
