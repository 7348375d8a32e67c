"""Words: what pages say, in the reader's language, and how numbers look there.

Rule: one dictionary file per language, with the same keys; a key without a text is an
error where it is used, not a gap on a page.
Invariant: numbers are cut and grouped as text, never through a float.
Worked number: "1234567.8901" reads 1,234,567.8901 in English and 1.234.567,8901 in German.
"""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import msgspec
from msgspec import Struct

from allmende.core import carbon
from allmende.measure import written
from allmende.measure.said import Said, together

FOLDER = Path(__file__).parent / "pages_assets" / "text"
DEFAULT = "en"
LANGUAGES = {"en": "English", "de": "Deutsch"}
DATES = {"en": "%d %b %Y, %H:%M", "de": "%d.%m.%Y, %H:%M"}
SHORT = {"en": "%d %b, %H:%M", "de": "%d.%m., %H:%M"}

UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
"""With their seconds."""


class Words(Struct, frozen=True):
    """One language: call it with a key."""

    language: str
    texts: dict[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key, with `{names}` filled in. KeyError if there is none."""
        text = self.texts[key]
        return text.format(**values) if values else text

    def known(self, key: str, otherwise: str) -> str:
        """The text of a key that may come from outside, such as a parameter's name."""
        return self.texts.get(key, otherwise)

    def number(self, value: object) -> str:
        """Digits in groups of three: decimal text or an integer, never a float."""
        return written.number(value, self.language)

    def decimal(self, value: float, places: int = 2) -> str:
        """A measured number, no money, with at most so many decimals: 0.5 is 0.5 and 0,5."""
        text = f"{value:.{places}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return self.number("0" if text == "-0" else text)

    def percent(self, part: int, whole: int) -> str:
        """A share in percent with one decimal, rounded down; "–" of nothing."""
        if not whole:
            return "–"
        tenths = part * 1000 // whole
        text = f"{tenths // 10}.{tenths % 10}" if tenths % 10 else str(tenths // 10)
        return f"{self.number(text)} %"

    def about(self, text: str) -> str:
        """Money for reading: two decimals from 1 on, three digits below; "3.0951" is 3.10."""
        exact = Decimal(text)
        places = 2 if abs(exact) >= 1 or not exact else 2 - exact.adjusted()
        cut = exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
        return self.number(f"{cut:f}")

    def step(self, text: str, step: str) -> str:
        """A number with as many decimals as its steps have: 3.3 in steps of 0.01 is 3.30."""
        whole, _, part = text.partition(".")
        part = part.ljust(len(step.partition(".")[2]), "0")
        return self.number(f"{whole}.{part}" if part else whole)

    def day(self, text: str) -> str:
        """An ISO instant as a date in UTC."""
        return datetime.fromisoformat(text).strftime(DATES[self.language].partition(",")[0])

    def when(self, text: str, short: bool = False) -> str:
        """An ISO instant as a date and time in UTC; `short` leaves out the year."""
        return datetime.fromisoformat(text).strftime((SHORT if short else DATES)[self.language])

    def lasts(self, seconds: int) -> list[tuple[int, str]]:
        """A time as counts of its largest unit and the next: 90_061 s is 1 day and 1 hour."""
        place = next((i for i, (_, size) in enumerate(UNITS) if seconds >= size), len(UNITS) - 1)
        found: list[tuple[int, str]] = []
        for unit, size in UNITS[place : place + 2]:
            count, seconds = divmod(seconds, size)
            if count or not found:
                found.append((count, unit if count == 1 else f"{unit}s"))
        return found

    def span(self, low: int, high: int, millionths_of: str) -> str:
        """A range given in millionths of a unit, as estimates are: 2_808_482 J is 2.8 J."""
        return written.span(low, high, millionths_of, self.language)

    def estimate(self, low: float, high: float, unit: str) -> str:
        """The same of a range in the unit itself."""
        return self.span(round(low * 1e6), round(high * 1e6), unit)

    def told(self, *parts: Said) -> str:
        """What a figure or a finding says by keys."""
        return together(parts, self.language)

    def grams(self, ug: int) -> str:
        """Micrograms as grams, exactly: 1_250_000 is 1.25 g."""
        return self.number(carbon.grams(ug).removesuffix(" g")) + " g"


def load(folder: Path = FOLDER) -> dict[str, Words]:
    """Every language's words."""
    return {
        code: Words(
            code, msgspec.json.decode((folder / f"{code}.json").read_bytes(), type=dict[str, str])
        )
        for code in LANGUAGES
    }


def choose(asked: str, kept: str, accepts: str) -> str:
    """A language: asked for now, kept from before, or the first one the browser accepts."""
    for code in (asked, kept, *_preferred(accepts)):
        if code in LANGUAGES:
            return code
    return DEFAULT


def _preferred(accepts: str) -> list[str]:
    """Languages of an Accept-Language header, best first: 'de-AT,en;q=0.8' -> de, en."""
    found = []
    for place, part in enumerate(accepts.split(",")[:20]):
        name, _, weight = part.strip().partition(";q=")
        digits = (weight or "1").replace(".", "")[:4].ljust(4, "0")
        rank = int(digits) if digits.isascii() and digits.isdecimal() else 0
        found.append((-rank, place, name.strip().split("-")[0].lower()))
    return [name for _, _, name in sorted(found)]
