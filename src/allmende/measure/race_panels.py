"""Panels: a chart of the race with the table behind it and all that must be said of it.

Rule: a panel names what it shows, of what it is a share, of which days, from which files under
which licence, how well it is known, and what one sees in it; texts come from `say`, so each
exists in every language. A chart's rows are its table's rows.
Invariant: a panel of data that are not there is `Missing`, and says which file it needs.
Worked number: from chips alone come three panels, and eleven say what they lack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from msgspec import Struct

from allmende.measure.dated import Rules
from allmende.measure.drawing import Head
from allmende.measure.drawing_paper import short
from allmende.measure.figure import Grade
from allmende.measure.prices import Listing
from allmende.measure.race_data import Cluster, Holding, Model, Region

Cell = str | int | float | None
Table = list[dict[str, Cell]]


class Given(Struct, frozen=True):
    """All that was read. `files`: format -> names and hashes; `rules`: the dated data."""

    rules: Mapping[str, Rules]
    files: Mapping[str, str]
    clusters: Sequence[Cluster] = ()
    models: Sequence[Model] = ()
    chips: Sequence[Holding] = ()
    carbon: Sequence[Region] = ()
    tokens: Sequence[Listing] = ()
    gold: Sequence[tuple[date, float]] = ()

    @property
    def members(self) -> dict[str, str]:
        """Country -> bloc."""
        return _turned(self.rules[BLOCS].values["blocs"])

    @property
    def groups(self) -> dict[str, str]:
        """Name of a part of a company -> the company's."""
        return _turned(self.rules[BLOCS].values["groups"])


BLOCS, GROWTH, CHAIN = "world/blocs", "world/growth", "world/value-chain"
ACTS = (BLOCS, GROWTH, CHAIN)


class Tongue(NamedTuple):
    """Texts by key, and the language of the numbers. `alone`: drawings are files of their own."""

    say: Callable[..., str]
    language: str = "en"
    alone: bool = False

    def number(self, value: float | None) -> str:
        return "–" if value is None else short(value, self.language)

    def points(self, value: float) -> str:
        """A whole number with its digits in groups."""
        group = "." if self.language == "de" else ","
        return f"{round(value):,}".replace(",", group)

    def percent(self, share: float) -> str:
        return f"{self.number(round(share * 100, 1))} %"

    def named(self, code: str) -> str:
        """A bloc or a group in words; a country stays its code."""
        return self.say(f"race.name.{code}") if code in NAMED else code


NAMED = ("USA", "CHN", "GBR", "EU", "China", "Other", "unknown", "rest", "all", "any")


class Panel(NamedTuple):
    """`key` names files and texts; `seen` says what one sees."""

    key: str
    title: str
    svg: str
    table: Table
    definition: str
    denominator: str
    window: str
    source: str
    grade: Grade
    seen: str


class Missing(NamedTuple):
    """`needs` are formats that were not given; none if there was too little in them."""

    key: str
    title: str
    needs: tuple[str, ...]


class Made(NamedTuple):
    """What one panel's own function adds: the rest are its texts."""

    draw: Callable[[Head], str]
    table: Table
    days: tuple[date, date] | None
    seen: dict[str, str]
    of: dict[str, str] = {}  # noqa: RUF012 - a NamedTuple has no other default, and nobody writes


class Plan(NamedTuple):
    """One panel: which formats it needs, and how it is made; None where there is too little."""

    key: str
    needs: tuple[str, ...]
    grade: Grade
    make: Callable[[Given, Tongue], Made | None]
    acts: tuple[str, ...] = ()


def panel(plan: Plan, given: Given, tongue: Tongue) -> Panel | Missing:
    say, key = tongue.say, plan.key
    title = say(f"race.{key}")
    needs = tuple(name for name in plan.needs if not getattr(given, name))
    made = None if needs else plan.make(given, tongue)
    if made is None:
        return Missing(key, title, needs)
    seen = say(f"race.{key}.seen", **made.seen)
    sources = [say(f"race.from.{name}", files=given.files.get(name, "")) for name in plan.needs]
    sources += [f"{given.rules[act].title}, {given.rules[act].source}" for act in plan.acts]
    return Panel(
        key=key,
        title=title,
        svg=made.draw(Head(title, seen, language=tongue.language, alone=tongue.alone)),
        table=made.table,
        definition=say(f"race.{key}.def"),
        denominator=say(f"race.{key}.of", **made.of),
        window=_window(made.days) or say(f"race.{key}.when"),
        source=" ".join(sources),
        grade=plan.grade,
        seen=seen,
    )


def _turned(table: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {member: name for name, members in table.items() for member in members}


def _window(days: tuple[date, date] | None) -> str:
    if days is None:
        return ""
    return str(days[0]) if days[0] == days[1] else f"{days[0]} – {days[1]}"
