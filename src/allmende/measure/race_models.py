"""Models: panels on how fast training grows, beside what was published, and on who follows when.

Rule: a growth rate is a line through the logarithms of the models that are marked as frontier,
since SINCE, with its 90 % interval; the dots behind it are all notable models. A published rate
is shown with its verdict and changes nothing. Leads: see race_lead.
Invariant: a dot is a model, and a model with a number is a dot.
Worked number: 4.6 published beside 4.2 to 4.9 of ours is `inside`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from allmende.measure.drawing import Dot, Head, Range, Series, day, ranges, trend
from allmende.measure.race_data import Model, blocs
from allmende.measure.race_fit import Fit, Published, fit, verdict
from allmende.measure.race_lead import Lead, Span, lead, others, spans
from allmende.measure.race_panels import GROWTH, Given, Made, Plan, Table, Tongue

PAIRS = (("USA", "CHN"), ("USA", "EU"), ("USA", "GBR"), ("CHN", "EU"))
STEPS = 24
"""Pieces that a line and its band are drawn in."""
MODERN = date(2012, 1, 1)
"""Since when leads are counted: the first large networks on graphics cards."""


class Growth(NamedTuple):
    """What grows: a field of models, and since when a line is drawn through it."""

    key: str
    field: str
    since: date


GROWTHS = (
    Growth("compute", "flop", date(2010, 1, 1)),
    Growth("cost", "usd", date(2016, 1, 1)),
    Growth("power", "watts", date(2010, 1, 1)),
)


def _points(given: Given, growth: Growth, frontier: bool) -> list[tuple[date, float]]:
    return [
        (one.day, value)
        for one in given.models
        if one.day >= growth.since and (value := getattr(one, growth.field))
        if one.frontier or not frontier
    ]


def published(given: Given, growth: Growth) -> Published:
    values = given.rules[GROWTH].values[growth.key]
    return Published(values["rate"], values["low"], values["high"], values["source"])


def growing(growth: Growth) -> Callable[[Given, Tongue], Made | None]:
    def make(given: Given, tongue: Tongue) -> Made | None:
        found = fit(_points(given, growth, frontier=True))
        if found is None:
            return None
        first, long = found.first.toordinal(), (found.last - found.first).days
        steps = [date.fromordinal(first + long * n // STEPS) for n in range(STEPS + 1)]
        name = tongue.say("race.line", rate=_two(found.rate, tongue))
        line = Series(name, found.line(steps), found.band(steps))
        kinds = (tongue.say("race.dot.other"), tongue.say("race.dot.frontier"))
        shown = [one for one in given.models if one.day >= growth.since]
        dots = [
            Dot(day(one.day), value, one.name, kinds[one.frontier])
            for one in sorted(shown, key=lambda one: one.frontier)
            if (value := getattr(one, growth.field))
        ]
        table: Table = [
            {
                "day": str(one.day),
                "model": one.name,
                "makers": ", ".join(one.makers),
                growth.field: getattr(one, growth.field),
                "frontier": "yes" if one.frontier else "no",
                "confidence": one.confidence,
            }
            for one in sorted(shown, key=lambda one: (one.day, one.name))
            if getattr(one, growth.field)
        ]
        of = {"points": tongue.number(found.points), "all": tongue.number(len(dots))}
        return Made(
            lambda head: trend(head, dots, line),
            table,
            (found.first, found.last),
            _against(given, growth, found, tongue),
            of,
        )

    return make


def _against(given: Given, growth: Growth, found: Fit, tongue: Tongue) -> dict[str, str]:
    theirs = published(given, growth)
    return {
        "rate": _two(found.rate, tongue),
        "low": _two(found.low, tongue),
        "high": _two(found.high, tongue),
        "theirs": tongue.number(theirs.rate),
        "verdict": tongue.say(f"race.verdict.{verdict(found, theirs)}"),
        "r2": tongue.number(round(found.r2, 2)),
    }


def rates(given: Given, tongue: Tongue) -> Made | None:
    """Our rates with their intervals, of frontier and of all models, and the published ones."""
    rows, table, days, said = [], Table(), list[date](), []
    for growth in GROWTHS:
        theirs = published(given, growth)
        name = tongue.say(f"race.{growth.key}.short")
        for frontier in (True, False):
            found = fit(_points(given, growth, frontier))
            if found is None:
                continue
            kind = tongue.say("race.dot.frontier" if frontier else "race.dot.all")
            ours = tongue.say("race.ours")
            rows.append(Range(f"{name}, {kind}", found.low, found.high, found.rate, ours))
            days += [found.first, found.last]
            judged = verdict(found, theirs)
            said.append(f"{name}, {kind}: {tongue.say(f'race.verdict.{judged}')}")
            table.append(_rate_row(growth, frontier, found, theirs))
        group = tongue.say("race.theirs")
        rows.append(Range(f"{name}, {group}", theirs.low, theirs.high, theirs.rate, group))
    if not table:
        return None
    seen = {"said": "; ".join(said)}
    return Made(lambda head: ranges(head, rows), table, (min(days), max(days)), seen)


def _rate_row(
    growth: Growth, frontier: bool, found: Fit, theirs: Published
) -> dict[str, str | int | float | None]:
    return {
        "what": growth.key,
        "models": "frontier" if frontier else "all",
        "rate": found.rate,
        "low_90": found.low,
        "high_90": found.high,
        "models_counted": found.points,
        "r2": found.r2,
        "published": theirs.rate,
        "published_low": theirs.low,
        "published_high": theirs.high,
        "verdict": verdict(found, theirs),
        "source": theirs.source,
    }


def leads(given: Given, tongue: Tongue) -> Made | None:
    """Months until somebody else reached the compute of a record."""
    models = [one for one in given.models if one.day >= MODERN and one.flop]
    if not models:
        return None
    end = max(one.day for one in given.models)
    found = _pairs(given, models, end, tongue)
    rows, table, said = [], Table(), []
    for name, one, leading in found:
        table += [_span_row(name, span) for span in leading]
        if one is None:
            said.append(tongue.say("race.lead.few", pair=name, records=len(leading)))
            continue
        said.append(_lead_said(name, one, tongue))
        if one.median is not None and one.low is not None and one.high is not None:
            rows.append(Range(name, one.low, one.high, one.median))
    if not rows:
        return None
    days = (min(one.day for one in models), end)
    seen = {"said": " ".join(said)}

    def draw(head: Head) -> str:
        return ranges(head, rows)

    return Made(draw, table, days, seen, {"models": tongue.number(len(models))})


def _pairs(
    given: Given, models: list[Model], end: date, tongue: Tongue
) -> list[tuple[str, Lead | None, list[Span]]]:
    members, groups = given.members, given.groups

    def of_bloc(one: Model) -> frozenset[str]:
        return frozenset(name for name in blocs(one.countries, members) if name)

    def of_maker(one: Model) -> frozenset[str]:
        return frozenset(groups.get(name, name) for name in one.makers)

    found = []
    for first, second in PAIRS:
        seen = spans(models, of_bloc, first, second, end)
        found.append((f"{tongue.named(first)} → {tongue.named(second)}", lead(seen), seen))
    seen = others(models, of_maker, end)
    return [*found, (tongue.say("race.lead.makers"), lead(seen), seen)]


def _lead_said(name: str, one: Lead, tongue: Tongue) -> str:
    def months(value: float | None) -> str:
        return tongue.say("race.lead.open") if value is None else tongue.number(round(value))

    return tongue.say(
        "race.lead.one",
        pair=name,
        median=months(one.median),
        low=months(one.low),
        high=months(one.high),
        records=one.records,
        open=one.open,
    )


def _span_row(name: str, span: Span) -> dict[str, str | int | float | None]:
    return {
        "pair": name,
        "record": span.record.name,
        "day": str(span.record.day),
        "flop": span.record.flop,
        "months": round(span.months, 2),
        "reached_by": span.by.name if span.by else None,
        "reached_on": str(span.by.day) if span.by else None,
    }


def _two(value: float, tongue: Tongue) -> str:
    return tongue.number(round(value, 2))


PLANS = (
    *(Plan(g.key, ("models",), "estimate", growing(g), (GROWTH,)) for g in GROWTHS),
    Plan("rates", ("models",), "estimate", rates, (GROWTH,)),
    Plan("lead", ("models",), "estimate", leads, ("world/blocs",)),
)
