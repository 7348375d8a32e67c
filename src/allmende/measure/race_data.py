"""Race data: what public files say of clusters, models and chips, as values with their limits.

Rule: a place that several own, or a model of several countries, is split in equal parts among
those named (each counted once); what nobody names is None and stays a part of the whole, never
dropped and never shared out.
Invariant: the parts of one row sum to its amount; a country is an ISO code of three letters or
None.
Worked number: 12,000 H100 equivalents owned by OpenAI and Microsoft are 6,000 of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from msgspec import Struct

Triple = tuple[float, float, float]
"""Median, 5th and 95th percentile."""


class Cluster(Struct, frozen=True):
    """Machines that train or serve. `h100`: H100 equivalents; `mw`, `usd` (of the hardware):
    None where nobody says. `since` None: not known. `repeats`: Epoch thinks that it is a row
    said twice. `after`: the name of what replaced it."""

    name: str
    status: str
    certainty: str
    owners: tuple[str, ...]
    countries: tuple[str, ...]
    since: date | None
    until: date | None
    h100: float | None
    mw: float | None
    usd: float | None
    repeats: bool
    after: str


class Model(Struct, frozen=True):
    """A notable model. `countries` None in it: a multinational group of authors."""

    name: str
    day: date
    makers: tuple[str, ...]
    countries: tuple[str | None, ...]
    flop: float | None
    usd: float | None
    watts: float | None
    confidence: str
    frontier: bool


class Holding(Struct, frozen=True):
    """All chips of one maker that an owner has by the end of a quarter, with 5 and 95 %."""

    maker: str
    owner: str
    day: date
    h100: Triple
    mw: Triple
    incomplete: bool


class Region(Struct, frozen=True):
    """A cloud region: share of carbon-free energy, grams of CO2 equivalent a kWh of its grid."""

    region: str
    location: str
    free: float
    grams: float


class Part(NamedTuple):
    """What one name has of an amount; None: nobody is named."""

    name: str | None
    amount: float


def split(names: Sequence[str | None], amount: float) -> list[Part]:
    """Equal parts for each of those named; one part for nobody where none is."""
    known = list(dict.fromkeys(names)) or [None]
    return [Part(name, amount / len(known)) for name in known]


def total(parts: Sequence[Part]) -> tuple[dict[str, float], float]:
    """What each has, the largest first, and what is nobody's."""
    sums: dict[str, float] = {}
    unknown = 0.0
    for name, amount in parts:
        if name is None:
            unknown += amount
        else:
            sums[name] = sums.get(name, 0.0) + amount
    return dict(sorted(sums.items(), key=lambda pair: (-pair[1], pair[0]))), unknown


def blocs(countries: Sequence[str | None], members: Mapping[str, str]) -> tuple[str | None, ...]:
    """The bloc of each country; a country of no bloc is a bloc of its own name."""
    return tuple(None if code is None else members.get(code, code) for code in countries)
