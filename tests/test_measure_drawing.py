"""Drawings are well-formed, hold all their marks, and say what they show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from itertools import combinations, pairwise
from math import dist
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.doors.assets import assets
from allmende.measure import drawing_paper as paper
from allmende.measure.drawing import (
    Bar,
    Dot,
    Head,
    Range,
    Series,
    bars,
    day,
    lines,
    lorenz,
    ranges,
    smile,
    trend,
)

HEAD = Head("Compute, H100 equivalents", "By owner")
SVG = "{http://www.w3.org/2000/svg}"
AXES = {"x", "x1", "x2", "cx", "width"}, {"y", "y1", "y2", "cy", "height"}

values = st.floats(-1e30, 1e30, allow_nan=False).filter(lambda v: v == 0 or abs(v) > 1e-30)
above = st.floats(1e-20, 1e30)
names = st.text(max_size=30)
days = st.dates(date(1950, 1, 1), date(2090, 1, 1)).map(day)


def look(svg: str) -> ElementTree.Element:
    """Parses it, and asserts that every mark is on the paper."""
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert root.attrib["role"] == "img"
    assert root.find(f"{SVG}title") is not None
    assert root.find(f"{SVG}desc") is not None
    [group] = root.findall(f"{SVG}g")
    found = re.fullmatch(r"translate\(0 ([\d.]+)\)", group.attrib["transform"])
    assert found
    top = float(found[1])
    for mark in group.iter():
        for key, value in mark.attrib.items():
            if key in AXES[0]:
                assert -0.1 <= float(value) <= width + 0.1
            elif key in AXES[1]:
                assert -top <= float(value) <= height - top + 0.1
        if mark.tag == f"{SVG}rect":
            assert float(mark.attrib["x"]) + float(mark.attrib["width"]) <= width + 0.1
        assert "n" not in mark.attrib.get("d", "")
        for x, y in re.findall(r"([-\d.]+) ([-\d.]+)", mark.attrib.get("d", "")):
            assert 0 <= float(x) <= width
            assert -top <= float(y) <= height - top
    return root


def words(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


@given(
    st.lists(st.tuples(names, st.lists(st.tuples(days, above), max_size=9)), max_size=9),
    st.booleans(),
)
def test_lines_stay_on_the_paper(series: list[tuple[str, list[tuple[float, float]]]], log: bool):
    drawn = [
        Series(name, sorted(points), [(x, y * 0.9, y * 1.1) for x, y in sorted(points)])
        for name, points in series
    ]
    look(lines(HEAD, drawn, log=log))


@given(st.lists(st.tuples(values, values), max_size=9))
def test_lines_over_numbers_stay_on_the_paper(points: list[tuple[float, float]]):
    look(lines(HEAD, [Series("x", sorted(points))], days=False))


@given(st.lists(st.tuples(days, above, names, names), max_size=9), st.booleans())
def test_dots_stay_on_the_paper(rows: list[tuple[float, float, str, str]], log: bool):
    dots = [Dot(*row) for row in rows]
    fit = Series("fit", [(x, y) for x, y, _, _ in sorted(rows)])
    look(trend(HEAD, dots, fit, log=log))


@given(st.lists(st.tuples(names, st.lists(st.tuples(names, above | st.just(0.0)), max_size=5))))
def test_bars_stay_on_the_paper(rows: list[tuple[str, list[tuple[str, float]]]]):
    look(bars(HEAD, [Bar(label, parts) for label, parts in rows]))


@given(st.lists(st.tuples(names, values, values, st.none() | values), max_size=9))
def test_ranges_stay_on_the_paper(rows: list[tuple[str, float, float, float | None]]):
    look(ranges(HEAD, [Range(name, min(a, b), max(a, b), p) for name, a, b, p in rows]))


@given(st.lists(st.tuples(names, values), max_size=9))
def test_a_smile_stays_on_the_paper(layers: list[tuple[str, float]]):
    look(smile(HEAD, layers))


@given(st.lists(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=9), max_size=3))
def test_a_lorenz_curve_stays_on_the_paper(curves: list[list[tuple[float, float]]]):
    look(lorenz(HEAD, [Series("x", sorted(points)) for points in curves]))


def test_nothing_is_said_to_be_nothing():
    for svg in (
        lines(HEAD, []),
        lines(HEAD, [Series("x", [])]),
        trend(HEAD, []),
        bars(HEAD, []),
        ranges(HEAD, []),
        lorenz(HEAD, []),
        smile(HEAD, []),
    ):
        assert "no data" in words(look(svg))
    assert "keine Daten" in words(look(bars(HEAD._replace(language="de"), [])))


def test_one_value_is_a_dot_that_can_be_seen():
    root = look(lines(HEAD, [Series("x", [(day(date(2024, 1, 1)), 3.0)])]))
    assert len(list(root.iter(f"{SVG}circle"))) == 1
    assert "2024-01-01" in words(root) or "2024-01" in words(root)


def test_text_is_escaped_and_stays_text():
    root = look(bars(Head('<b> & "co"', "d"), [Bar("<script>\x07", [("a", 1.0)])]))
    assert '<b> & "co"' in words(root)
    assert "<script>" in words(root)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(bad: float):
    with pytest.raises(ValueError, match="has no place"):
        lines(HEAD, [Series("x", [(1.0, bad)])])
    with pytest.raises(ValueError, match="has no place"):
        bars(HEAD, [Bar("x", [("a", bad)])])


def test_what_an_axis_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="logarithmic"):
        ranges(HEAD, [Range("x", 0.0, 1.0)], log=True)
    with pytest.raises(ValueError, match="no share"):
        lorenz(HEAD, [Series("x", [(0.0, 1.2)])])
    with pytest.raises(ValueError, match="below zero"):
        bars(HEAD, [Bar("x", [("a", -1.0)])])


def test_parts_have_the_widths_of_the_worked_number():
    root = look(bars(HEAD, [Bar("x", [("host", 85.0), ("author", 10.0), ("levy", 5.0)])]))
    found = [e for e in root.iter(f"{SVG}rect") if e.attrib["class"].endswith("d-bar")]
    widths = [float(e.attrib["width"]) for e in found if e.attrib["height"] == "12"]
    assert widths == pytest.approx([394.4, 46.4, 23.2])


def test_names_beside_lines_do_not_overlap():
    series = [Series(name, [(0.0, 1.0), (1.0, 5.0 + n / 100)]) for n, name in enumerate("abcdef")]
    root = look(lines(HEAD, series, days=False))
    ys = sorted(
        float(e.attrib["y"]) for e in root.iter(f"{SVG}text") if "d-own" in e.get("class", "")
    )
    assert all(b - a >= paper.TEXT for a, b in pairwise(ys))


def test_a_file_carries_its_style_and_a_part_of_a_page_does_not():
    alone = look(smile(HEAD._replace(alone=True), [("chips", 3.0)]))
    [style] = alone.findall(f"{SVG}style")
    assert "prefers-color-scheme: dark" in (style.text or "")
    assert not look(smile(HEAD, [("chips", 3.0)])).findall(f"{SVG}style")


def test_the_pages_sheet_has_the_same_marks_and_colours():
    sheet = assets()["style.css"].body.decode()
    assert sheet.count(paper.marks()) == 1
    assert paper.colours(paper.LIGHT) in sheet
    assert paper.colours(paper.DARK) in sheet


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (1_234_567, "1.23M"), (0.05, "0.05"), (1e26, "10²⁶"), (-12, "−12")],
)  # fmt: skip
def test_numbers_are_short(value: float, said: str):
    assert paper.short(value) == said


def test_an_axis_of_powers_has_powers_alone():
    dots = [Dot(0.0, 1e12, "a"), Dot(1.0, 1e26, "b")]
    found = words(look(trend(HEAD, dots, days=False)))
    assert "10¹²" in found
    assert not [word for word in found if word.endswith(("tn", "bn"))]


def test_german_numbers_have_a_comma_and_their_own_names():
    assert paper.short(1_234_567, "de") == "1,23 Mio."
    assert paper.short(0.5, "de") == "0,5"


@given(values, values)
def test_ticks_are_few_and_hold_both_ends(a: float, b: float):
    low, high = sorted((a, b))
    found = paper.ticks(low, high)
    assert 2 <= len(found) <= 8
    assert found[0] <= low + 1e-6 * abs(low) + 1e-99
    assert found[-1] >= high - 1e-6 * abs(high) - 1e-99


def _light(colour: str) -> tuple[float, float, float]:
    channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    ]
    return red, green, blue


def _bright(colour: str) -> float:
    red, green, blue = _light(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(("row", "ground"), [(paper.LIGHT, "#ffffff"), (paper.DARK, "#191f1c")])
def test_every_colour_can_be_read_as_text(row: list[str], ground: str):
    for colour in row:
        pair = sorted((_bright(colour), _bright(ground)))
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, colour


BLIND = (
    ((0.1523, 1.0526, -0.2049), (0.1145, 0.7863, 0.0992), (-0.0039, -0.0481, 1.052)),
    ((0.3673, 0.8606, -0.2280), (0.2801, 0.6725, 0.0474), (-0.0118, 0.0429, 0.9689)),
    ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
)
"""Protanopia and deuteranopia (Machado, Oliveira and Fernandes 2009), and neither."""
LMS = ((0.4122, 0.5363, 0.0514), (0.2119, 0.6807, 0.1074), (0.0883, 0.2817, 0.63))
LAB = ((0.2105, 0.7936, -0.0041), (1.978, -2.4286, 0.4506), (0.0259, 0.7828, -0.8087))
"""Oklab (Ottosson 2020), in which two colours that can just be told apart are 0.02 apart."""


def _times(matrix: tuple[tuple[float, ...], ...], row: Sequence[float]) -> list[float]:
    return [sum(m * c for m, c in zip(line, row, strict=True)) for line in matrix]


@pytest.mark.parametrize("row", [paper.LIGHT, paper.DARK])
def test_all_colours_differ_for_eyes_that_see_no_red_or_green(row: list[str]):
    for matrix in BLIND:
        seen = [[max(0.0, c) for c in _times(matrix, _light(colour))] for colour in row]
        places = [_times(LAB, [c ** (1 / 3) for c in _times(LMS, light)]) for light in seen]
        for one, other in combinations(places, 2):
            assert dist(one, other) > 0.08
