"""Draw: charts of measure.drawing in the reader's language, for templates.

Rule: a chart is drawn from rows that stand on the page or in a file; labels that are keys are
put into words here, members' names are escaped by the drawing.
Invariant: one module draws, measure.drawing; this only gives it words.
Worked number: a smile of three layers is three columns and a line.
"""

from __future__ import annotations

from collections.abc import Sequence

from allmende.doors.words import Words
from allmende.measure import drawing, written
from allmende.measure.drawing import Bar, Head, Range, Series

Parts = Sequence[tuple[str, float]]
Points = Sequence[tuple[float, float]]


def smile(t: Words, key: str, layers: Parts) -> str:
    """Columns by layer along the chain, in percent. `key` names .chart and .chart.desc."""
    named = [(t(f"layer.{layer}"), share) for layer, share in layers]
    return drawing.smile(_head(t, key), named)


def stacked(t: Words, key: str, rows: Sequence[tuple[str, Parts]], words: str = "") -> str:
    """Rows of parts in percent, each row a whole. Labels are keys; so are parts, below `words`."""
    drawn = [
        Bar(t(label), [(t.known(f"{words}{name}", name), size) for name, size in parts], "100 %")
        for label, parts in rows
    ]
    return drawing.bars(_head(t, key), drawn, 100.0)


def shares(t: Words, key: str, rows: Parts) -> str:
    """A bar for each, in percent, the longest first. Labels are names, "" is unknown."""
    return drawing.bars(
        _head(t, key),
        [Bar(name or t("value.unknown"), [("", size)], _percent(t, size)) for name, size in rows],
        100.0,
    )


def lorenz(t: Words, key: str, curves: Sequence[tuple[str, Points]]) -> str:
    """Curves below equality. Labels are keys; points are shares from 0 to 1."""
    found = [Series(t(label), line) for label, line in curves]
    return drawing.lorenz(_head(t, key), found)


def spans(t: Words, key: str, rows: Sequence[tuple[str, float, float]], base: str) -> str:
    """A bar from low to high for each, in `base`; the axis has the unit of the longest, each row
    its own. Labels are names; REST is all others."""
    unit, size = written.unit(round(max((row[2] for row in rows), default=0) * 1e6), base)
    named = [
        Range(
            t("climate.rest") if name == "(rest)" else name,
            low * 1e6 / size,
            high * 1e6 / size,
            said=t.estimate(low, high, base),
        )
        for name, low, high in rows
    ]
    return drawing.ranges(_head(t, key, unit=unit), named)


def _head(t: Words, key: str, **values: str) -> Head:
    return Head(t(f"{key}.chart", **values), t(f"{key}.chart.desc"), language=t.language)


def _percent(t: Words, size: float) -> str:
    return f"{t.number(f'{size:.1f}'.removesuffix('.0'))} %"
