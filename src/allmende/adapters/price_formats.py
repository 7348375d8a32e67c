"""Price formats: the columns of the files that an index is made of, and what may stand in them.

Rule: each column has one check that says in a sentence what is wrong; a check never repairs.
Invariant: a row without complaints becomes a record without an error.
Worked number: `30.0` is a price, `-3`, `1_000`, `nan`, `1e400` and `3,5` are not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from allmende.measure.indices_quality import Run, Score
from allmende.measure.prices import REMOVED, Listing, Price

Row = tuple[str, ...]
Cells = Mapping[str, str]
NUMBER = re.compile(r"\d{1,15}(\.\d{0,18})?([eE][-+]?\d{1,2})?", re.ASCII)
SIGNED = re.compile(r"-?\d{1,15}(\.\d{0,18})?([eE][-+]?\d{1,2})?", re.ASCII)
WHOLE = re.compile(r"\d{1,15}(\.0*)?", re.ASCII)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
DEAREST = 1e9
FIRST_TOKEN = date(2018, 1, 1)
"""Before it nobody sold tokens by the million: an earlier date is a slip."""
LONGEST = 300


class Column(NamedTuple):
    """A name, and a check that says what is wrong, or nothing."""

    name: str
    check: Callable[[str, date], str]


class Format(NamedTuple):
    """`key` names the columns that say which row it is; `whole` checks a row as such.

    `spare`: other columns may stand in the file, and are not kept. `snapshot`: a file is all there
    is, so a later one replaces it. `many`: a first key that several rows share, each of its own.
    `optional`: columns that a file may lack.
    """

    id: str
    file: str
    what: str
    columns: tuple[Column, ...]
    key: Row
    whole: Callable[[Cells], str]
    record: Callable[[Cells], Any]
    spare: bool = False
    snapshot: bool = False
    many: str = ""
    optional: Row = ()

    @property
    def names(self) -> Row:
        return tuple(column.name for column in self.columns)

    def fits(self, names: Sequence[str]) -> bool:
        """Whether a first line of these names is one of this format."""
        given, own = set(names), set(self.names)
        needed = own - set(self.optional)
        return len(given) == len(names) and given >= needed and (self.spare or given <= own)

    def key_of(self, row: Row, nth: int = 0) -> Row:
        """`nth` counts the rows of a name that many share."""
        key = tuple(row[self.names.index(name)] for name in self.key)
        return (*key, f"{nth:05}") if self.many and key[0] == self.many else key

    def say(self, key: Row) -> str:
        return " ".join(key)

    def complaints(self, row: Row, today: date) -> Iterator[str]:
        wrong = False
        for column, cell in zip(self.columns, row, strict=True):
            sentence = column.check(cell, today)
            if sentence:
                wrong = True
                yield f"{column.name}: {sentence}"
        if not wrong:
            sentence = self.whole(dict(zip(self.names, row, strict=True)))
            if sentence:
                yield sentence

    def differences(self, old: Row, new: Row) -> str:
        return ", ".join(
            f"{name} {was or 'nothing'}, and here {now or 'nothing'}"
            for name, was, now in zip(self.names, old, new, strict=True)
            if was != now
        )


def unknown(names: Sequence[str], formats: Sequence[Format]) -> str:
    """Which columns the nearest format has, and what these lack."""
    near = max(formats, key=lambda f: len(set(names) & set(f.names)))
    if not set(names) & set(near.names):
        known = "; ".join(f"{f.what} ({','.join(f.names)})" for f in formats)
        return f"the first line names no columns of a file that is known here. Known: {known}"
    lack = [name for name in near.names if name not in (*names, *near.optional)]
    odd = [] if near.spare else [name for name in names if name not in near.names]
    twice = sorted({name for name in names if names.count(name) > 1})
    said = [
        *([f"lacks {', '.join(lack)}"] if lack else []),
        *([f"does not know {', '.join(map(repr, odd))}"] if odd else []),
        *([f"names {', '.join(twice)} twice"] if twice else []),
    ]
    return f"nearest to {near.what}, the first line {' and '.join(said)}"


# Checks of a cell -----------------------------------------------------------------------


def _text(cell: str, today: date) -> str:
    if not cell:
        return "nothing is said"
    return _maybe_text(cell, today)


def _maybe_text(cell: str, today: date) -> str:
    if len(cell) > LONGEST:
        return f"{len(cell)} characters, and {LONGEST} are allowed"
    return "" if cell.isprintable() else f"{cell!r:.60} has characters that cannot be shown"


def _day(cell: str, today: date, first: date = date.min) -> str:
    try:
        day = date.fromisoformat(cell) if DAY.fullmatch(cell) else None
    except ValueError:
        day = None
    if day is None:
        return f"{cell!r:.60} is no date such as 2026-11-20"
    if day > today:
        return f"{cell} is after today, {today}"
    return "" if day >= first else f"{cell} is before {first}, when nobody sold this"


def _token_day(cell: str, today: date) -> str:
    return _day(cell, today, FIRST_TOKEN)


def _price(cell: str, today: date) -> str:
    if NUMBER.fullmatch(cell) and float(cell) <= DEAREST:
        return ""
    return f"{cell!r:.60} is no price of 0 to {DEAREST:,.0f}"


def _maybe_price(cell: str, today: date) -> str:
    return _price(cell, today) if cell else ""


def _above_nought(cell: str, today: date) -> str:
    return _price(cell, today) or ("" if float(cell) > 0 else f"{cell} is not above 0")


def _whole(cell: str, today: date) -> str:
    return "" if WHOLE.fullmatch(cell) else f"{cell!r:.60} is no whole number"


def _maybe_whole(cell: str, today: date) -> str:
    return _whole(cell, today) if cell else ""


def _figure(cell: str, today: date) -> str:
    return "" if SIGNED.fullmatch(cell) else f"{cell!r:.60} is no number"


# Formats --------------------------------------------------------------------------------


def _sound_listing(cells: Cells) -> str:
    prices = [cells[name] for name in PRICES]
    if cells["mode"] != REMOVED and not any(prices):
        return f"{cells['model']} has no price and is not {REMOVED}"
    return ""


def _sound_run(cells: Cells) -> str:
    attempts, solved = _int(cells["attempts"]), _int(cells["solved"])
    return f"solved: {solved} of {attempts} attempts" if solved > attempts else ""


def _sound(cells: Cells) -> str:
    return ""


def _listing(cells: Cells) -> Listing:
    return Listing(
        day=date.fromisoformat(cells["date"]),
        source=cells["source_package"],
        version=cells["version"],
        model=cells["model"],
        provider=cells["provider"],
        mode=cells["mode"],
        price=Price(*(float(cells[name]) if cells[name] else None for name in PRICES)),
        context=_int(cells["max_input_tokens"]) if cells["max_input_tokens"] else None,
    )


def _gold(cells: Cells) -> tuple[date, float]:
    return date.fromisoformat(cells["Date"]), float(cells["Price"])


def _score(cells: Cells) -> Score:
    day, score = date.fromisoformat(cells["date"]), float(cells["score"])
    return Score(day, cells["benchmark"], cells["model"], score, cells["source"])


def _run(cells: Cells) -> Run:
    return Run(
        day=date.fromisoformat(cells["date"]),
        suite=cells["suite"],
        model=cells["model"],
        attempts=_int(cells["attempts"]),
        solved=_int(cells["solved"]),
        input=_int(cells["input_tokens"]),
        cached=_int(cells["cached_tokens"]),
        output=_int(cells["output_tokens"]),
        source=cells["source"],
    )


def _int(cell: str) -> int:
    return int(cell.partition(".")[0])


PRICES = ("input_usd_per_mtok", "output_usd_per_mtok", "cache_read_usd_per_mtok")
COUNTS = ("attempts", "solved", "input_tokens", "cached_tokens", "output_tokens")
TOKENS = Format(
    "tokens",
    "tokens.csv",
    "a history of token prices",
    (
        Column("date", _token_day),
        Column("source_package", _text),
        Column("version", _maybe_text),
        Column("model", _text),
        Column("provider", _maybe_text),
        Column("mode", _maybe_text),
        *(Column(name, _maybe_price) for name in PRICES),
        Column("max_input_tokens", _maybe_whole),
    ),
    ("date", "source_package", "model"),
    _sound_listing,
    _listing,
)
GOLD = Format(
    "gold",
    "gold.csv",
    "gold by the month",
    (Column("Date", _day), Column("Price", _above_nought)),
    ("Date",),
    _sound,
    _gold,
)
SCORES = Format(
    "scores",
    "scores.csv",
    "scores of models",
    (
        Column("date", _token_day),
        Column("benchmark", _text),
        Column("model", _text),
        Column("score", _figure),
        Column("source", _text),
    ),
    ("date", "benchmark", "model", "source"),
    _sound,
    _score,
)
RUNS = Format(
    "runs",
    "runs.csv",
    "runs over sets of tasks",
    (
        Column("date", _token_day),
        Column("suite", _text),
        Column("model", _text),
        *(Column(name, _whole) for name in COUNTS),
        Column("source", _text),
    ),
    ("date", "suite", "model", "source"),
    _sound_run,
    _run,
)
FORMATS = (TOKENS, GOLD, SCORES, RUNS)
