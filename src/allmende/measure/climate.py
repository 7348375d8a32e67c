"""Climate: energy, carbon and water of use as ranges, and SCI, each with method and boundary.

Rule: SCI = (E * I + M) / R with R = 1,000 output tokens (ISO/IEC 21031:2024): E * I is what the
receipts say, location-based; M an assumed range for hardware, shown apart. Training is apart too.
Invariant: low <= high; tokens without stated energy are in no sum, and bounded beside it.
Worked number: 10.2 kW, a PUE of 1.2 and 20,000 tokens/s are 0.612 J a token, 0.17 Wh per 1,000,
and at 350 g/kWh 59.5 g per million.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from allmende.measure.figure import About, Figure
from allmende.measure.said import Said

Span = tuple[float, float]
KWH_J = 3.6e6
YEAR_S = 365 * 86_400
PER = 1_000
"""Output tokens: the functional unit R."""
BOUNDARY = (
    "inference in the data centre: servers with their share of its overhead (PUE), as the offer "
    "states it; without training, hardware, network and the user's device"
)
METHODS = "as each receipt names it: estimated from the model's size, or metered-*"


class Used(Struct):
    """Sums of final receipts. Ranges are (low, high): joules, grams of CO2e, litres."""

    receipts: int = 0
    prompt: int = 0
    output: int = 0
    joules: Span = (0.0, 0.0)
    grams: Span = (0.0, 0.0)
    site_l: Span = (0.0, 0.0)
    grid_l: Span = (0.0, 0.0)
    unstated: int = 0
    """Tokens of receipts that state no energy, of which `unstated_output` are output."""
    unstated_output: int = 0
    dry_j: float = 0.0
    """Joules (high) of receipts that state no water, or only a part."""

    @property
    def litres(self) -> Span:
        return _plus(self.site_l, self.grid_l)

    @property
    def stated_output(self) -> int:
        return self.output - self.unstated_output


class Hardware(NamedTuple):
    """Assumptions of rules/world/inference-hardware: spans run from least to most a token."""

    grams: float
    years: Span
    output_per_s: Span
    unstated_j: Span
    unstated_g_per_kwh: Span


def hardware(values: Mapping[str, Any]) -> Hardware:
    kg = values["server_kg"] + values["gpus"] * values["gpu_kg"]
    spans = ("years", "output_tokens_per_s", "unstated_j_per_token", "unstated_g_per_kwh")
    return Hardware(kg * 1e3, *((float(values[s][0]), float(values[s][1])) for s in spans))


def used(rows: Iterable[Mapping[str, Any]]) -> dict[str, Used]:
    """Value of a dimension -> what was used, from rows of the query `totals` (all assets)."""
    found: dict[str, Used] = {}
    for row in rows:
        key = str(row["value"])
        found[key] = add(found.get(key, Used()), _of(row))
    return found


def add(one: Used, other: Used) -> Used:
    return Used(
        one.receipts + other.receipts,
        one.prompt + other.prompt,
        one.output + other.output,
        _plus(one.joules, other.joules),
        _plus(one.grams, other.grams),
        _plus(one.site_l, other.site_l),
        _plus(one.grid_l, other.grid_l),
        one.unstated + other.unstated,
        one.unstated_output + other.unstated_output,
        one.dry_j + other.dry_j,
    )


def _of(row: Mapping[str, Any]) -> Used:
    def span(name: str) -> Span:
        return int(row[f"{name}_low"]) / 1e6, int(row[f"{name}_high"]) / 1e6

    return Used(
        int(row["receipts"]),
        int(row["input"]) + int(row["cached"]) + int(row["embedding"]),
        int(row["output"]),
        span("uj"),
        span("ug"),
        span("site_ul"),
        span("grid_ul"),
        int(row["unstated_tokens"]),
        int(row["unstated_output"]),
        int(row["dry_uj"]) / 1e6,
    )


# Figures ------------------------------------------------------------------------------


def figures(of: str, window: str, what: Used, hard: Hardware, market: Span | None) -> list[Figure]:
    """All that is said of one provider, country, model, account or market in a window."""
    about = About(of=of, window=window, denominator=_denominator(what), grade="estimate")
    if not what.joules[1]:
        why = Said("unstated", {"count": what.unstated}) if what.unstated else Said("unused")
        return [about.undefined("energy", "J", BOUNDARY, why)]
    found = [
        about.between("energy", *what.joules, "J", f"Electricity of {BOUNDARY}; {METHODS}."),
        about.between(
            "carbon",
            *what.grams,
            "g CO2e",
            f"Location-based: the grid's average of the country; {BOUNDARY}.",
        ),
        _water(about, "water_site", what.site_l, what, "Cooling water on site (WUE)."),
        _water(about, "water_grid", what.grid_l, what, "Water in making the electricity."),
        *sci(about, what, hard, market),
    ]
    return [*found, *_bounds(about, what, hard)] if what.unstated else found


def sci(about: About, what: Used, hard: Hardware, market: Span | None) -> list[Figure]:
    """(E * I + M) / R per 1,000 output tokens: its parts, then their sum."""
    unit, tokens = "g CO2e per 1,000 output tokens", what.stated_output / PER
    if tokens <= 0:
        why = Said("no_output")
        return [about.undefined("sci", unit, "(E * I + M) / R", why)]
    running = what.grams[0] / tokens, what.grams[1] / tokens
    made = embodied_g(hard)
    found = [
        about.between("sci_operational", *running, unit, "E * I: location-based."),
        about.between(
            "sci_embodied",
            *made,
            unit,
            "M: manufacture of servers over their life, an assumed range.",
        ),
        about.between(
            "sci",
            *_plus(running, made),
            unit,
            "(E * I + M) / R, ISO/IEC 21031:2024; R = 1,000 output tokens, E of prompts too.",
        ),
    ]
    if market is not None:
        bought = market_g(what.joules, market)
        total = _plus((bought[0] / tokens, bought[1] / tokens), made)
        found.append(
            about.between(
                "sci_market",
                *total,
                unit,
                "As sci, with the intensity of the electricity that was bought; second to it.",
            )
        )
    return found


def _water(about: About, key: str, litres: Span, what: Used, says: str) -> Figure:
    known = 1 - what.dry_j / what.joules[1]
    if not litres[1]:
        return about.undefined(key, "l", says, Said("no_water"))
    part = Said("some_water", {"share": round(100 * known)}) if known < 1 else ""
    return about.between(key, *litres, "l", says, part)


def _bounds(about: About, what: Used, hard: Hardware) -> list[Figure]:
    """Sums with what nobody stated, between assumed extremes."""
    joules = what.unstated * hard.unstated_j[0], what.unstated * hard.unstated_j[1]
    grams = market_g(joules, hard.unstated_g_per_kwh)
    says = f"With {what.unstated:,} tokens of unstated energy, at assumed extremes a token."
    return [
        about.between("energy_bounded", *_plus(what.joules, joules), "J", says),
        about.between("carbon_bounded", *_plus(what.grams, grams), "g CO2e", says),
    ]


def _denominator(what: Used) -> Said:
    counts = {name: getattr(what, name) for name in ("receipts", "prompt", "output", "unstated")}
    return Said("climate", counts)


# Arithmetic ---------------------------------------------------------------------------


def market_g(joules: Span, g_per_kwh: Span) -> Span:
    return joules[0] / KWH_J * g_per_kwh[0], joules[1] / KWH_J * g_per_kwh[1]


def embodied_g(hard: Hardware) -> Span:
    """Grams of a server's manufacture per 1,000 output tokens of its life."""
    low, high = (
        hard.grams / (years * YEAR_S * rate) * PER
        for years, rate in zip(hard.years, hard.output_per_s, strict=True)
    )
    return low, high


def _plus(one: Span, other: Span) -> Span:
    return one[0] + other[0], one[1] + other[1]
