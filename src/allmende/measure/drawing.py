"""Drawing: the one place that draws charts, as pure functions from data to SVG text.

Rule: lines over time, dots with a trend, a Lorenz curve (`plots`); stacked bars, ranges, a smile
(`rows` of marks). A drawing says its unit in its title, names each series beside it or in a
legend, and holds its words for a reader without eyes.
Invariant: every mark lies on the paper, no coordinate is NaN, one value and no value are drawn
too; a value that an axis cannot hold raises ValueError and is not left out.
Worked number: parts of 85, 10 and 5 on a bar of 440 units are 374, 44 and 22 wide.
"""

from __future__ import annotations

from collections.abc import Sequence

from allmende.measure import drawing_frame as frame
from allmende.measure.drawing_frame import TALL, Axes, Bar, Dot, Plot, Range, Series
from allmende.measure.drawing_paper import (
    BOLD,
    GLYPH,
    LEFT,
    RIGHT,
    WIDTH,
    Head,
    Scale,
    colour,
    cut,
    day,
    empty,
    finite,
    number,
    sheet,
    short,
    text,
    tip,
)

__all__ = [
    "Bar", "Dot", "Head", "Range", "Series",
    "bars", "day", "lines", "lorenz", "ranges", "smile", "trend",
]  # fmt: skip


def lines(
    head: Head, series: Sequence[Series], *, log: bool = False, days: bool = True, zero: bool = True
) -> str:
    """Series over time, with bands; `days` says that x is `day(...)`; `zero` shows 0 on y."""
    known = [one for one in series if one.points]
    if not known:
        return empty(head)
    beside = max(len(one.label) for one in known) <= frame.LABEL and len(known) <= 8
    legend, top = ([], 0.0) if beside else frame.legend([one.label for one in known])
    right = max(len(one.label) for one in known) * BOLD + 12 if beside else RIGHT
    plot = frame.plot(head, known, Axes(log, days, zero), top, right)
    body = [*legend, *plot.frame]
    for place, one in enumerate(known):
        body += frame.band(plot, one, colour(place))
    for place, one in enumerate(known):
        body += frame.line(plot, one, colour(place))
    return sheet(head, plot.height, [*body, *(frame.names(plot, known) if beside else [])])


def trend(
    head: Head, dots: Sequence[Dot], fit: Series | None = None, *, log: bool = True,
    days: bool = True,
) -> str:  # fmt: skip
    """Dots, and the line that was fitted through them with its band."""
    if not dots:
        return empty(head)
    names = list(dict.fromkeys(dot.group for dot in dots if dot.group))
    names += [fit.label] if fit and fit.label else []
    colours = {name: colour(place) for place, name in enumerate(names)}
    cloud = Series("", sorted((dot.x, dot.y) for dot in dots))
    legend, top = frame.legend(names)
    plot = frame.plot(head, [cloud, fit] if fit else [cloud], Axes(log, days, zero=False), top)
    body = [*legend, *plot.frame]
    line = colours.get(fit.label, colour(0)) if fit else ""
    body += frame.band(plot, fit, line) if fit else []
    for dot in dots:
        said = tip(f"{dot.label}: {short(dot.y, head.language)}")
        kind = colours.get(dot.group, colour(len(names)))
        body.append(
            f'<circle class="{kind} d-thin" cx="{number(plot.x(dot.x))}" '
            f'cy="{number(plot.y(dot.y))}" r="3.6">{said}</circle>'
        )
    body += frame.line(plot, fit, line) if fit else []
    return sheet(head, plot.height, body)


def lorenz(head: Head, curves: Sequence[Series]) -> str:
    """Curves from (0, 0) to (1, 1) below the line of equality; x and y are shares."""
    known = [curve for curve in curves if curve.points]
    if not known:
        return empty(head)
    legend, top = frame.legend([curve.label for curve in known])
    for value in finite(v for curve in known for point in curve.points for v in point):
        if not -1e-9 <= value <= 1 + 1e-9:
            raise ValueError(f"{value} is no share")
    side = 300.0
    x = Scale(0, 1, LEFT, LEFT + side + 40)
    y = Scale(0, 1, top + side, top + 8)
    quarters = [0.25 * n for n in range(5)]
    axes = frame.y_axis(head, y, quarters, x, percent=True)
    axes += [text(x(n), y.start + 18, f"{n * 100:.0f}%", "", "middle") for n in quarters]
    plot = Plot(x, y, axes + frame.x_label(head, y.start), y.start + (42 if head.x else 26))
    equal = frame.path([(x(0), y(0)), (x(1), y(1))])
    body = [*legend, *plot.frame, f'<path class="d-axis d-dash" fill="none" d="{equal}"/>']
    for place, curve in enumerate(known):
        under = [*((x(a), y(b)) for a, b in curve.points), (x(1), y(1)), (x(0), y(0))]
        if curve is known[-1]:
            body.append(f'<path class="{colour(place)} d-band" d="{frame.path(under)}Z"/>')
        body += frame.line(plot, curve, colour(place))
    return sheet(head, plot.height, body)


def bars(head: Head, rows: Sequence[Bar], whole: float | None = None) -> str:
    """Rows of stacked parts on one scale, to `whole` or to the longest row."""
    if not rows:
        return empty(head)
    sizes = [finite(size for _, size in row.parts) for row in rows]
    if any(size < 0 for row in sizes for size in row):
        raise ValueError("a bar has no part below zero")
    names = list(dict.fromkeys(name for row in rows for name, _ in row.parts))
    legend, y = frame.legend(names if len(names) > 1 else [])
    most = max([whole or 0.0, *(sum(row) for row in sizes)]) or 1.0
    scale = Scale(0, most, 0, WIDTH - 16)
    body = [*legend]
    for row, parts in zip(rows, sizes, strict=True):
        said = row.said or short(sum(parts), head.language)
        body += frame.row_text(row.label, said, y + 14)
        edge = 0.0
        for (name, size), _ in zip(row.parts, parts, strict=True):
            start, edge = scale(edge), edge + size
            width = scale(edge) - start
            body.append(
                f'<rect class="{colour(names.index(name))} d-bar" x="{number(8 + start)}" '
                f'y="{number(y + 20)}" width="{number(width)}" height="12">'
                f"{tip(f'{name}: {short(size, head.language)}' if name else said)}</rect>"
            )
            edge = min(edge, most)
        y += 42
    return sheet(head, y + 2, body)


def ranges(head: Head, rows: Sequence[Range], *, log: bool = False) -> str:
    """Rows from low to high with a point, on one axis."""
    if not rows:
        return empty(head)
    values = finite((v for r in rows for v in (r.low, r.high, r.point) if v is not None), log)
    marks = frame.marks(min(values), max(values), Axes(log, zero=False))
    names = list(dict.fromkeys(row.group for row in rows))
    legend, y = frame.legend(names if len(names) > 1 else [])
    x = Scale(marks[0], marks[-1], 22, WIDTH - 22, log)
    bottom = y + 42.0 * len(rows) + 4
    body = [*legend]
    for tick in marks:
        body.append(frame.stroke("d-grid", x(tick), y, x(tick), bottom))
        body.append(text(x(tick), bottom + 18, short(tick, head.language), "", "middle"))
    for row in rows:
        ends = dict.fromkeys(short(v, head.language) for v in (row.low, row.high))
        body += frame.row_text(row.label, row.said or "–".join(ends), y + 15)
        body += frame.span(x, row, y + 28, colour(names.index(row.group)))
        y += 42
    return sheet(head, bottom + 26 + (16 if head.x else 0), [*body, *frame.x_label(head, bottom)])


def smile(head: Head, layers: Sequence[tuple[str, float]]) -> str:
    """Columns by layer in their order along the chain, joined by a line; values may be negative."""
    if not layers:
        return empty(head)
    values = finite(value for _, value in layers)
    marks = frame.marks(min(values), max(values), Axes())
    y = Scale(marks[0], marks[-1], TALL, 16)
    x = Scale(0, len(layers), frame.margin(head, marks), WIDTH - RIGHT)
    slot = x(1) - x(0)
    body, tops, said = frame.y_axis(head, y, marks, x), [], []
    stagger = max(len(label) for label, _ in layers) * GLYPH > slot
    room = max(3, int(slot * (2 if stagger else 1) / GLYPH))
    for place, (label, value) in enumerate(layers):
        middle = x(place + 0.5)
        top, bottom = sorted((y(value), y(0)))
        tops.append((middle, y(value)))
        body.append(
            f'<rect class="s1 d-thin" x="{number(middle - slot * 0.3)}" y="{number(top)}" '
            f'width="{number(slot * 0.6)}" height="{number(bottom - top)}">'
            f"{tip(f'{label}: {short(value, head.language)}')}</rect>"
        )
        low = TALL + 18 + (18 if stagger and place % 2 else 0)
        name = cut(label, room)
        said.append(text(frame.inside(middle, name), low, name, "", "middle"))
        said.append(text(middle, top - 8, short(value, head.language), "d-halo", "middle"))
    body.append(f'<path class="s3 d-line" d="{frame.path(tops)}"/>')
    return sheet(head, TALL + (46 if stagger else 28), [*body, *said])
