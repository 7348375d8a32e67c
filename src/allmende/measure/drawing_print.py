"""Print: a drawing for a reader that knows no style sheet, such as a PDF's.

Rule: what its classes say in light colours is written on each mark itself; what a pointer would
read is left out.
Invariant: no class, title or description is left, and no mark is lost.
Worked number: class "s1 d-bar" becomes fill="#196650".
"""

from __future__ import annotations

import re

from allmende.measure.drawing_paper import LIGHT

INK, FAINT, LINE, CARD = "#1c2420", "#5c6a62", "#e2e2d8", "#ffffff"
_HIDDEN = re.compile(r"<(title|desc|style)>.*?</\1>", re.DOTALL)
_MARK = re.compile(r'<(\w+)([^<>]*?) class="([^"]*)"([^<>]*)>')
_TEXT = re.compile(r"<text(?![^<>]*font-size)")


def printed(svg: str) -> str:
    """The same drawing; colours and widths on its marks."""
    return _TEXT.sub(f'<text font-size="12" fill="{FAINT}"', _MARK.sub(_mark, _HIDDEN.sub("", svg)))


def _mark(found: re.Match[str]) -> str:
    tag, before, classes, after = found.groups()
    said = _text(classes) if tag == "text" else _shape(classes.split())
    return f"<{tag}{before} {said}{after}>".replace("  ", " ")


def _text(classes: str) -> str:
    if "d-head" in classes:
        return f'font-size="14" font-weight="bold" fill="{INK}"'
    return f'font-size="12" fill="{INK if "d-said" in classes else FAINT}"'


def _shape(classes: list[str]) -> str:
    numbers = [int(name[1:]) for name in classes if re.fullmatch(r"s\d", name)]
    colour = LIGHT[numbers[0] - 1] if numbers else INK
    dashed = ' stroke-dasharray="5 4"' if "d-dash" in classes else ""
    if "d-line" in classes:
        return f'fill="none" stroke="{colour}" stroke-width="2.2"{dashed}'
    if "d-band" in classes:
        return f'fill="{colour}" fill-opacity="0.16" stroke="none"'
    if "d-thin" in classes:
        return f'fill="{colour}" fill-opacity="0.62" stroke="none"'
    if "d-grid" in classes or "d-axis" in classes:
        stroke = LINE if "d-grid" in classes else FAINT
        return f'stroke="{stroke}" stroke-width="1"{dashed}'
    if "drawing" in classes:
        return ""
    return f'fill="{CARD if "d-sheet" in classes else colour}" stroke="none"'
