"""Money and carbon: panels on token prices beside gold, on capital beside revenue, and on grids.

Rule: token prices are the matched-model index of measure.indices, at one host and more, since
its last base; gold is set to 100 in the first month that both have. Capital and revenue are
published estimates of different years, shown side by side; no ratio is formed across years.
Invariant: what is drawn is what the source says, in its unit.
Worked number: 450 of capital for AI and 135 of revenue of clouds and applications are 3.3 to 1.
"""

from __future__ import annotations

from typing import Any

from allmende.measure.drawing import Bar, Head, Series, bars, day, lines
from allmende.measure.gold import beside, gauge
from allmende.measure.indices import latest, matched_model
from allmende.measure.indices_links import Rules as IndexRules
from allmende.measure.prices_cells import list_months
from allmende.measure.race_panels import CHAIN, Given, Made, Plan, Table, Tongue

LAYERS = ("chips", "clouds", "applications")
GRIDS = 6
"""Regions shown at either end."""


def prices(given: Given, tongue: Tongue) -> Made | None:
    """The token price index and gold, both 100 in the first month."""
    index = latest(matched_model(list_months(given.tokens), rules=IndexRules(hosts=1)))
    found = beside(index, list(given.gold))
    if len(found) < 2 or len(found[0]) < 2:
        return None
    names = (tongue.say("race.prices.tokens"), tongue.say("race.prices.gold"))
    series = [
        Series(name, [(day(when), value) for when, value in one])
        for name, one in zip(names, found, strict=True)
    ]
    tokens, gold = (gauge(one) for one in found)
    table: Table = [
        {"month": f"{when:%Y-%m}", "tokens": round(value, 3), "gold": round(other, 3)}
        for (when, value), (_, other) in zip(*found, strict=True)
    ]
    seen = {
        "tokens": tongue.number(round(tokens.last, 1)),
        "gold": tongue.number(round(gold.last, 1)),
        "fall": tongue.percent(tokens.drawdown),
        "gold_fall": tongue.percent(gold.drawdown),
        "day": f"{tokens.end:%Y-%m}",
    }
    days = (tokens.start, tokens.end)
    return Made(lambda head: lines(head, series), table, days, seen)


def capital(given: Given, tongue: Tongue) -> Made | None:
    """Revenue by layer and the clouds' capital expenditure, as published."""
    rules = given.rules[CHAIN]
    rows: list[Bar] = []
    table: Table = []
    for year in rules.values["revenue"]:
        parts = [(tongue.say(f"race.layer.{name}"), float(year[name])) for name in LAYERS]
        rows.append(Bar(tongue.say("race.capital.revenue", year=year["year"]), parts))
        table += [
            {"year": year["year"], "what": f"revenue of {name}", "bn_usd": year[name]}
            for name in LAYERS
        ]
    for year in rules.values["capital"]:
        rows.append(Bar(tongue.say("race.capital.capex", year=year["year"]), _spent(year, tongue)))
        table += [
            {"year": year["year"], "what": f"capital expenditure, {name}", "bn_usd": year[name]}
            for name in ("all", "ai")
            if name in year
        ]
    last, built = rules.values["revenue"][-1], rules.values["capital"][-1]
    served = last["clouds"] + last["applications"]
    seen = {
        "ai": tongue.number(built["ai"]),
        "served": tongue.number(served),
        "ratio": tongue.number(round(built["ai"] / served, 1)),
        "all": tongue.number(sum(last[name] for name in LAYERS)),
        "chips": tongue.percent(last["chips"] / sum(last[name] for name in LAYERS)),
        "year": str(last["year"]),
    }
    return Made(lambda head: bars(head, rows), table, (rules.date, rules.date), seen)


def _spent(year: dict[str, Any], tongue: Tongue) -> list[tuple[str, float]]:
    if "ai" not in year:
        return [(tongue.say("race.capital.all"), float(year["all"]))]
    return [
        (tongue.say("race.capital.ai"), float(year["ai"])),
        (tongue.say("race.capital.all"), float(year["all"] - year["ai"])),
    ]


def carbon(given: Given, tongue: Tongue) -> Made | None:
    """The cleanest and the dirtiest grids under one cloud's regions."""
    rows = sorted(given.carbon, key=lambda one: one.grams)
    shown = rows if len(rows) <= 2 * GRIDS else [*rows[:GRIDS], *rows[-GRIDS:]]
    drawn = [Bar(f"{one.location} ({one.region})", [("", one.grams)]) for one in shown]
    table: Table = [
        {
            "region": one.region,
            "location": one.location,
            "grams_a_kwh": one.grams,
            "carbon_free_share": one.free,
        }
        for one in rows
    ]
    seen = {
        "clean": rows[0].location,
        "low": tongue.number(rows[0].grams),
        "dirty": rows[-1].location,
        "high": tongue.number(rows[-1].grams),
        "times": tongue.number(round(rows[-1].grams / rows[0].grams)) if rows[0].grams else "–",
    }
    of = {"regions": str(len(rows))}

    def draw(head: Head) -> str:
        return bars(head, drawn)

    return Made(draw, table, None, seen, of)


PLANS = (
    Plan("prices", ("tokens", "gold"), "estimate", prices),
    Plan("capital", (), "reported", capital, (CHAIN,)),
    Plan("carbon", ("carbon",), "reported", carbon),
)
