"""Frames: what charts are given, and the axes, legends and marks that they share.

Rule: names stand beside their lines, one below the other where lines end at one height; if a
name is too long there is a legend above. Rows carry their words above the mark, so that a
phone has the whole width for both.
Invariant: names beside lines do not overlap, and neither leave the paper.
Worked number: two lines that end 3 units apart get names 16 units apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from allmende.measure.drawing_paper import (
    GLYPH,
    LEFT,
    RIGHT,
    TEXT,
    WIDTH,
    Head,
    Scale,
    colour,
    cut,
    day_ticks,
    finite,
    log_ticks,
    number,
    short,
    text,
    ticks,
    tip,
)

TALL = 230.0
"""Height of a plot."""
LABEL = 13
"""Letters of the longest name that stands beside its line."""

Point = tuple[float, float]
Band = tuple[float, float, float]
"""x, low, high."""


class Series(NamedTuple):
    """A line. `points` in the order of x; `band` is its interval, where it has one."""

    label: str
    points: Sequence[Point]
    band: Sequence[Band] = ()
    dashed: bool = False


class Dot(NamedTuple):
    """A mark with a name; `group` gives it its colour."""

    x: float
    y: float
    label: str
    group: str = ""


class Bar(NamedTuple):
    """A row of parts, none below zero; `said` stands at its end, else the sum does."""

    label: str
    parts: Sequence[tuple[str, float]]
    said: str = ""


class Range(NamedTuple):
    """A row from `low` to `high`, with a point between where there is one; `said` stands at its
    end, else the two do."""

    label: str
    low: float
    high: float
    point: float | None = None
    group: str = ""
    said: str = ""


class Plot(NamedTuple):
    """Two scales, and the grid, axis and numbers that belong to them."""

    x: Scale
    y: Scale
    frame: list[str]
    height: float


class Axes(NamedTuple):
    """How values are laid on the paper; see `drawing.lines`."""

    log: bool = False
    days: bool = True
    zero: bool = True


def plot(
    head: Head, series: Sequence[Series], axes: Axes, top: float, right: float = RIGHT
) -> Plot:
    """Scales that hold all points and bands, with round ticks."""
    across = finite([p[0] for one in series for p in (*one.points, *one.band)])
    up = finite((v for one in series for p in (*one.points, *one.band) for v in p[1:]), axes.log)
    y_marks = marks(min(up), max(up), axes)
    y = Scale(y_marks[0], y_marks[-1], top + TALL, top + 10, axes.log)
    x = Scale(min(across), max(across), margin(head, y_marks), WIDTH - right)
    named = (
        day_ticks(x.low, x.high)
        if axes.days
        else [(v, short(v, head.language)) for v in ticks(x.low, x.high) if x.low <= v <= x.high]
    )
    frame = y_axis(head, y, y_marks, x)
    for value, name in apart(x, named):
        frame.append(stroke("d-axis", x(value), y.start, x(value), y.start + 4))
        frame.append(text(inside(x(value), name), y.start + 19, name, "", "middle"))
    return Plot(x, y, frame + x_label(head, y.start), y.start + (44 if head.x else 28))


def marks(low: float, high: float, axes: Axes) -> list[float]:
    """The ticks of an axis; its ends are the first and the last."""
    if axes.log:
        return log_ticks(low, high)
    return ticks(min(0.0, low), max(0.0, high)) if axes.zero else ticks(low, high)


def apart(x: Scale, named: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """As many of the ticks as have room for their names."""
    widest = max((len(name) for _, name in named), default=1) * GLYPH + 10
    every = 1
    while named[every:] and x(named[every][0]) - x(named[0][0]) < widest:
        every += 1
    return list(named[::every])


def margin(head: Head, values: Sequence[float]) -> float:
    """Room for the numbers of the y axis."""
    return max(LEFT, 8 + GLYPH * max(len(short(value, head.language)) for value in values))


def y_axis(
    head: Head, y: Scale, values: Sequence[float], x: Scale, percent: bool = False
) -> list[str]:
    body = []
    for value in values:
        said = f"{value * 100:.0f}%" if percent else short(value, head.language, values[-1])
        kind = "d-axis" if value == values[0] or value == 0 else "d-grid"
        body.append(stroke(kind, x.start, y(value), x.end, y(value)))
        body.append(text(x.start - 5, y(value) + 4.5, said, "", "end"))
    return body


def x_label(head: Head, bottom: float) -> list[str]:
    return [text(WIDTH / 2, bottom + 37, head.x, "", "middle")] if head.x else []


def legend(names: Sequence[str]) -> tuple[list[str], float]:
    """Names with their colours in rows, and the height that they take."""
    body: list[str] = []
    x, y = 8.0, 14.0
    shown = [(place, cut(name, 44)) for place, name in enumerate(names) if name]
    for place, name in shown:
        width = 32 + len(name) * GLYPH
        if x > 8 and x + width > WIDTH:
            x, y = 8.0, y + 20
        body.append(
            f'<rect class="{colour(place)} d-bar" x="{number(x)}" y="{number(y - 10)}" '
            'width="12" height="10" rx="2"/>'
        )
        body.append(text(x + 17, y, name, "d-said"))
        x += width
    return body, y + 10 if shown else 0.0


def band(on: Plot, series: Series, kind: str) -> list[str]:
    if not series.band:
        return []
    upper = [(on.x(x), on.y(high)) for x, _, high in series.band]
    lower = [(on.x(x), on.y(low)) for x, low, _ in reversed(series.band)]
    return [f'<path class="{kind} d-band" d="{path([*upper, *lower])}Z"/>']


def line(on: Plot, series: Series, kind: str) -> list[str]:
    """The line; of a single point, a dot."""
    found = [(on.x(x), on.y(y)) for x, y in series.points]
    if len(found) == 1:
        x, y = found[0]
        said = tip(series.label)
        return [
            f'<circle class="{kind} d-dot" cx="{number(x)}" cy="{number(y)}" r="4">{said}</circle>'
        ]
    dashed = " d-dash" if series.dashed else ""
    return [f'<path class="{kind} d-line{dashed}" d="{path(found)}">{tip(series.label)}</path>']


def names(on: Plot, series: Sequence[Series]) -> list[str]:
    """Each series' name at the end of its line, moved where two would overlap."""
    ends = sorted(
        (on.y(one.points[-1][1]) + 4.5, place, one.label) for place, one in enumerate(series)
    )
    places: list[float] = []
    for y, _, _ in ends:
        places.append(max(y, places[-1] + TEXT + 1) if places else y)
    over = max(0.0, places[-1] - on.y.start)
    for n in range(len(places) - 1, -1, -1):
        above = places[n + 1] - TEXT - 1 if n + 1 < len(places) else on.y.start
        places[n] = min(places[n], above) if over else places[n]
    return [
        text(on.x.end + 6, y, label, f"{colour(place)} d-own")
        for y, (_, place, label) in zip(places, ends, strict=True)
    ]


def row_text(label: str, said: str, y: float) -> list[str]:
    """What a row is, and its number at the right."""
    room = int((WIDTH - 32) / GLYPH) - len(said)
    return [
        text(8, y, cut(label, max(8, room)), "d-said"),
        text(WIDTH - 8, y, said, "", "end"),
    ]


def span(x: Scale, row: Range, y: float, kind: str) -> list[str]:
    """From low to high, with ends and a point."""
    low, high = sorted((x(row.low), x(row.high)))
    body = [
        f'<rect class="{kind} d-thin" x="{number(low)}" y="{number(y - 3)}" '
        f'width="{number(max(1.5, high - low))}" height="6" rx="3">{tip(row.label)}</rect>'
    ]
    if row.point is not None:
        body.append(
            f'<circle class="{kind} d-dot" cx="{number(x(row.point))}" cy="{number(y)}" r="5.5"/>'
        )
    return body


def stroke(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    places = f'x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"'
    return f'<line class="{kind}" {places}/>'


def path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)


def inside(middle: float, words: str) -> float:
    """The middle of a text so that it stays on the paper."""
    half = len(words) * GLYPH / 2
    return min(max(middle, half), WIDTH - half) if 2 * half < WIDTH else WIDTH / 2
