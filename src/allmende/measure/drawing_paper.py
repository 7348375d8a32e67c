"""Paper: what every drawing stands on: scales, round ticks, words, and the sheet around it.

Rule: a drawing is SVG text of WIDTH units that scales with its place; colours are classes
(`s1` to `s8`), so the reader's light or dark decides; a stand-alone file carries its own STYLE,
inside a page the page's sheet has the same classes. All text is escaped.
Invariant: what a scale returns is a number within the paper, whatever it is asked for.
Worked number: from 0 to 87 the ticks are 0, 20, 40, 60, 80; 1,234,567 is written "1.2M".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from html import escape
from math import ceil, floor, isfinite, log10
from typing import NamedTuple

WIDTH = 480.0
LEFT, RIGHT = 58.0, 14.0
"""Margins of a plot: the left one holds the numbers of the y axis."""
TEXT, GLYPH, BOLD, HEAD = 18.0, 10.7, 12.2, 12.1
"""Largest size of a text, and the widths of its average letters: what a phone shows, where 480
units are 300 pixels."""
COLOURS = 8
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
NAMES = {"en": ("", "k", "M", "bn", "tn"), "de": ("", " Tsd.", " Mio.", " Mrd.", " Bio.")}
EMPTY = {"en": "no data", "de": "keine Daten"}
LIGHT = "#196650 #083c91 #866f13 #a620df #791d06 #661946 #245f8f #318181".split()
DARK = "#6ef7b5 #9ecafa #f2ad0d #ce6ef7 #cc7033 #c76b85 #0a94c2 #59b6c0".split()
"""The furthest apart for eyes that see no red or no green, and readable as text."""

INKS = ("--card: #ffffff; --ink: #1c2420; --faint: #5c6a62; --line: #e2e2d8;",
        "--card: #191f1c; --ink: #e8ede9; --faint: #9aa8a0; --line: #2a322d;")  # fmt: skip
MARKS = """\
.drawing { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
.drawing text { font-size: 12px; fill: var(--faint); stroke: none; }
.drawing .d-head { font-size: 14px; font-weight: 600; fill: var(--ink); }
.drawing .d-said { fill: var(--ink); }
.drawing .d-halo { fill: var(--ink); stroke: var(--card); stroke-width: 4; stroke-linejoin: round; paint-order: stroke; }
.drawing .d-grid { stroke: var(--line); stroke-width: 1; }
.drawing .d-axis { stroke: var(--faint); stroke-width: 1; }
.drawing .d-sheet { fill: var(--card); }
.drawing .d-line { fill: none; stroke: currentColor; stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round; }
.drawing .d-dash { stroke-dasharray: 5 4; }
.drawing .d-band { fill: currentColor; opacity: .16; }
.drawing .d-dot { fill: currentColor; stroke: var(--card); stroke-width: 1; }
.drawing .d-thin { fill: currentColor; opacity: .62; }
.drawing .d-bar { fill: currentColor; }
.drawing .d-own { fill: currentColor; font-weight: 600; }
@media (max-width: 34rem) { .drawing text { font-size: 18px; } .drawing .d-head { font-size: 19px; } }
"""  # noqa: E501 - a style sheet


class Head(NamedTuple):
    """What a drawing says of itself. `title` names the unit; `desc` says it without the picture.

    `x` labels the x axis. `language` is of the numbers. `alone` makes a file of its own.
    """

    title: str
    desc: str
    x: str = ""
    language: str = "en"
    alone: bool = False


class Scale(NamedTuple):
    """Values from `low` to `high` on paper from `start` to `end`; what lies outside is cut."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            low, high, value = log10(low), log10(high), log10(max(value, self.low))
        part = (value - low) / (high - low) if high > low else 0.5
        return self.start + (self.end - self.start) * min(1.0, max(0.0, part))


def style() -> str:
    """The whole of a stand-alone file's style: colours of both lights, and the marks."""
    light, dark = (f":root {{ {inks} {colours(row)} }}" for inks, row in zip(INKS, (LIGHT, DARK), strict=True))  # fmt: skip  # noqa: E501
    return f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n{marks()}"


def page_style() -> str:
    """For pages, which have their inks: colours of both lights, and the marks."""
    light, dark = (f":root {{ {colours(row)} }}" for row in (LIGHT, DARK))
    return f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n{marks()}"


def marks() -> str:
    """The rules of the marks."""
    classes = " ".join(f".drawing .s{n} {{ color: var(--s{n}); }}" for n in range(1, COLOURS + 1))
    return f"{MARKS}{classes}\n"


def colours(row: Sequence[str]) -> str:
    return " ".join(f"--s{n}: {colour};" for n, colour in enumerate(row, 1))


def colour(index: int) -> str:
    """The class of the series at `index`; the ninth looks like the first."""
    return f"s{index % COLOURS + 1}"


def sheet(head: Head, height: float, body: Iterable[str]) -> str:
    """The SVG around what was drawn below the title; `height` is that of the body."""
    rows = wrapped(head.title, int((WIDTH - 16) / HEAD))
    top = 21.0 * len(rows) + 12
    whole = top + height
    size = f'width="{1.5 * WIDTH:.0f}" height="{1.5 * whole:.0f}" ' if head.alone else ""
    title = "".join(text(8, 21.0 * n, row, "d-head") for n, row in enumerate(rows, 1))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" role="img" {size}'
        f'viewBox="0 0 {number(WIDTH)} {number(whole)}" aria-label="{escape(clean(head.title))}">',
        f"<title>{escape(clean(head.title))}</title><desc>{escape(clean(head.desc))}</desc>",
        *([f"<style>svg {{ max-width: 100%; height: auto; }}\n{style()}</style>",
           f'<rect class="d-sheet" width="{number(WIDTH)}" height="{number(whole)}" rx="10"/>']
          if head.alone else []),
        title,
        f'<g transform="translate(0 {number(top)})">',
        *body,
        "</g></svg>\n",
    ]  # fmt: skip
    return "".join(parts)


def empty(head: Head) -> str:
    """The same sheet with the word that there is nothing to see."""
    word = EMPTY.get(head.language, EMPTY["en"])
    return sheet(head, 80, [text(WIDTH / 2, 45, word, "d-said", "middle")])


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    set_ = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{number(x)}" y="{number(y)}"{named}{set_}>{escape(clean(words))}</text>'


def tip(words: str) -> str:
    """What a pointer reads at a mark."""
    return f"<title>{escape(clean(words))}</title>"


def clean(words: str) -> str:
    """XML knows no control characters, and no half of a pair."""
    return "".join(c for c in words if c >= " " and not "\ud800" <= c <= "\udfff" and c < "\ufffe")


def wrapped(words: str, most: int, rows: int = 3) -> list[str]:
    """Lines of at most `most` letters, broken between words; what is too much is cut."""
    found: list[str] = []
    for word in clean(words).split():
        if found and len(found[-1]) + 1 + len(word) <= most:
            found[-1] += f" {word}"
        else:
            found.append(cut(word, most))
    return [*found[: rows - 1], cut(" ".join(found[rows - 1 :]), most)] if found[rows:] else found


def cut(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"


def number(value: float) -> str:
    """A coordinate: one decimal is a fifth of what an eye sees."""
    assert isfinite(value), "a coordinate is a number"
    return f"{value:.1f}".removesuffix(".0")


def finite(values: Iterable[float], log: bool = False) -> list[float]:
    """The same values. ValueError for what cannot be drawn, so that nothing is left out unsaid."""
    found = list(values)
    for value in found:
        if not isfinite(value) or (log and value <= 0):
            raise ValueError(f"{value} has no place on {'a logarithmic' if log else 'an'} axis")
    return found


def short(value: float, language: str = "en", beside: float = 0.0) -> str:
    """Three digits that a person reads: 1.2M, 0.05, 10²⁶; a power `beside` a larger one."""
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-4 or (size >= 1e3 and beside >= 1e18):
        power = floor(log10(size))
        whole = f"{value / 10.0**power:.2g}"
        raised = f"10{str(power).translate(SUPERSCRIPT)}"
        said = raised if whole == "1" else f"{whole}·{raised}"
    else:
        step = min(4, max(0, floor(log10(size) / 3 + 1e-9))) if size >= 1000 else 0
        said = f"{float(f'{value / 1000.0**step:.3g}'):.10f}".rstrip("0").rstrip(".")
        said += NAMES.get(language, NAMES["en"])[step]
    said = said.replace("-", "−")
    return said.replace(".", ",", 1) if language == "de" and "." in said.split(" ")[0] else said


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`, at most `most` + 2."""
    size = max(abs(low), abs(high))
    if high - low <= 1e-9 * size or size < 1e-100:
        low, high = (min(0.0, low), max(0.0, low)) if size >= 1e-100 else (0.0, 1.0)
    rough = (high - low) / most
    digits = 10.0 ** floor(log10(rough))
    step = next((digits * part for part in STEPS if digits * part >= rough * 0.999), digits * 10)
    first, last = floor(low / step), ceil(high / step)
    return [round(n * step, 12) if abs(step) > 1e-9 else n * step for n in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Powers of ten around the values, every second or third of them if there are many."""
    first, last = floor(log10(low) + 1e-9), ceil(log10(high) - 1e-9)
    last = max(last, first + 1)
    if last - first == 1:
        return [10.0**first * part for part in (1, 2, 5, 10)]
    every = ceil((last - first) / most)
    return [10.0**n for n in range(first, first + every * ceil((last - first) / every) + 1, every)]


def day(when: date) -> float:
    """A date as a place on an axis of days."""
    return float(when.toordinal())


def day_ticks(low: float, high: float, most: int = 6) -> list[tuple[float, str]]:
    """First days of years, quarters or months between two days (as ordinals), with their names."""
    first, last = date.fromordinal(floor(low)), date.fromordinal(ceil(high))
    months = (last.year - first.year) * 12 + last.month - first.month
    step = next((n for n in (1, 3, 6, 12, 24, 60, 120, 240) if months <= n * most), 600)
    start = first.year * 12 + first.month - 1
    dates = (
        date(n // 12, n % 12 + 1, 1)
        for n in range(max(12, start - start % step), last.year * 12 + last.month, step)
    )
    name = "%Y" if step >= 12 else "%Y-%m"
    found = [(day(one), one.strftime(name)) for one in dates if low <= one.toordinal() <= high]
    return found or [(low, f"{first:%Y-%m-%d}")]
