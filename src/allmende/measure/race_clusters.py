"""Clusters: panels on who owns the known AI machines and where they stand, quarter by quarter.

Rule: see race_compute; the first quarter is START's, the last the one of the last cluster known
to run. What is left out is counted in the panel's denominator.
Invariant: shares of blocs and the unknown sum to one in every quarter.
Worked number: 60 % in one bloc, 20 % in another and 20 % unknown are three lines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from allmende.measure.distribution import gini, lorenz
from allmende.measure.drawing import Head, Series, day, lines
from allmende.measure.drawing import lorenz as draw_lorenz
from allmende.measure.race_compute import (
    Market,
    Names,
    inequality,
    left_out,
    market,
    quarters,
    standing,
)
from allmende.measure.race_data import Cluster, blocs, split, total
from allmende.measure.race_panels import Given, Made, Plan, Table, Tongue

START = date(2019, 1, 1)
SHOWN = 3
"""Blocs that have a line of their own."""


def _owners(given: Given) -> Names:
    groups = given.groups
    return lambda one: tuple(groups.get(name, name) for name in one.owners)


def _blocs(given: Given) -> Names:
    members = given.members
    return lambda one: blocs(one.countries, members)


def _markets(given: Given, names: Names) -> list[Market]:
    found = (market(given.clusters, when, names) for when in _days(given.clusters))
    return [one for one in found if one is not None]


def _days(clusters: Sequence[Cluster]) -> list[date]:
    since = [one.since for one in clusters if one.since and one.status == "Existing"]
    return quarters(START, max(since)) if since else []


def _left(given: Given, tongue: Tongue) -> dict[str, str]:
    return {name: tongue.number(count) for name, count in left_out(given.clusters).items()}


def concentration(names: Callable[[Given], Names]) -> Callable[[Given, Tongue], Made | None]:
    """HHI over time with its bounds, and effective number and CR4 in the table."""

    def make(given: Given, tongue: Tongue) -> Made | None:
        found = _markets(given, names(given))
        if not found:
            return None
        series = [
            Series(
                "HHI",
                [(day(one.day), one.hhi.middle) for one in found],
                [(day(one.day), one.hhi.low, one.hhi.high) for one in found],
            )
        ]
        last = found[-1]
        top = next(iter(last.amounts.items()), ("–", 0.0))
        seen = {
            "low": tongue.points(last.hhi.low),
            "high": tongue.points(last.hhi.high),
            "few": tongue.number(round(last.effective.low, 1)),
            "many": tongue.number(round(last.effective.high, 1)),
            "first": tongue.named(top[0]),
            "share": tongue.percent(top[1] / last.total),
            "unknown": tongue.percent(last.unknown),
            "day": str(last.day),
        }
        of = {**_left(given, tongue), "rows": tongue.number(last.rows)}
        days = (found[0].day, last.day)
        return Made(lambda head: lines(head, series), [_row(one) for one in found], days, seen, of)

    return make


def _row(one: Market) -> dict[str, str | int | float | None]:
    row: dict[str, str | int | float | None] = {"day": str(one.day), "clusters": one.rows}
    for name in ("hhi", "effective", "cr4"):
        middle, low, high = getattr(one, name)
        row |= {name: _round(middle), f"{name}_low": _round(low), f"{name}_high": _round(high)}
    row |= {"unknown_share": _round(one.unknown), "h100_equivalents": _round(one.total)}
    largest = list(one.amounts.items())[:4]
    return row | {"largest": "; ".join(f"{n} {a / one.total:.3f}" for n, a in largest)}


def shares(given: Given, tongue: Tongue) -> Made | None:
    """What part of the compute stands in each bloc."""
    found = _markets(given, _blocs(given))
    if not found:
        return None
    last = found[-1]
    names = list(last.amounts)[:SHOWN]

    def part(one: Market, name: str) -> float:
        if name == "unknown":
            return one.unknown
        if name == "rest":
            others = (a for n, a in one.amounts.items() if n not in names)
            return sum(others) / one.total
        return one.amounts.get(name, 0.0) / one.total

    every = [*names, "rest", "unknown"]
    series = [
        Series(
            tongue.named(n), [(day(m.day), 100 * part(m, n)) for m in found], dashed=n == "unknown"
        )
        for n in every
    ]
    table: Table = [
        {"day": str(one.day), **{name: _round(part(one, name)) for name in every}} for one in found
    ]
    said = ", ".join(f"{tongue.named(n)} {tongue.percent(part(last, n))}" for n in every)
    seen = {"shares": said, "day": str(last.day)}
    of = {**_left(given, tongue), "rows": tongue.number(last.rows)}
    return Made(lambda head: lines(head, series), table, (found[0].day, last.day), seen, of)


def spread(given: Given, tongue: Tongue) -> Made | None:
    """Lorenz curves of what known owners have, then and now."""
    days = _days(given.clusters)
    if not days:
        return None
    owned = [when for when in days if any(one.owners for one in standing(given.clusters, when))]
    chosen = list(dict.fromkeys([*owned[:1], *owned[len(owned) // 2 :][:1], *owned[-1:]]))
    curves, table, ginis = [], Table(), []
    for when in chosen:
        run = standing(given.clusters, when)
        parts = [p for one in run for p in split(_owners(given)(one), one.h100 or 0.0)]
        held = list(total(parts)[0].values())
        points = lorenz(held)
        ginis.append(gini(held))
        curves.append(Series(f"{when:%Y-%m}", points))
        table += [{"day": str(when), "owners": _round(x), "compute": _round(y)} for x, y in points]
    if not curves:
        return None
    seen = {
        "then": tongue.number(round(ginis[0], 2)),
        "now": tongue.number(round(ginis[-1], 2)),
        "first": str(chosen[0]),
        "last": str(chosen[-1]),
    }

    def draw(head: Head) -> str:
        return draw_lorenz(head._replace(x=tongue.say("race.spread.x")), curves)

    return Made(draw, table, (chosen[0], chosen[-1]), seen)


def theil_parts(given: Given, tongue: Tongue) -> Made | None:
    """Theil's T, within blocs and between them."""
    found = [
        one
        for when in _days(given.clusters)
        if (one := inequality(given.clusters, when, given.members)) is not None
    ]
    if not found:
        return None
    names = ("total", "within", "between", "one")
    series = [
        Series(
            tongue.say(f"race.theil.{name}"),
            [(day(one.day), getattr(one, name)) for one in found],
            dashed=name == "one",
        )
        for name in names
    ]
    table: Table = [
        {"day": str(one.day), **{name: _round(getattr(one, name)) for name in names}}
        for one in found
    ]
    last = found[-1]
    seen = {
        "total": tongue.number(round(last.total, 2)),
        "between": tongue.percent(last.between / last.total if last.total else 0.0),
        "day": str(last.day),
    }
    return Made(lambda head: lines(head, series), table, (found[0].day, last.day), seen)


def _round(value: float) -> float:
    return float(f"{value:.6g}")


BLOC = "world/blocs"
PLANS = (
    Plan("owners", ("clusters",), "estimate", concentration(_owners), (BLOC,)),
    Plan("places", ("clusters",), "estimate", shares, (BLOC,)),
    Plan(
        "countries", ("clusters",), "estimate", concentration(lambda _: lambda one: one.countries)
    ),
    Plan("spread", ("clusters",), "estimate", spread, (BLOC,)),
    Plan("theil", ("clusters",), "estimate", theil_parts, (BLOC,)),
)
