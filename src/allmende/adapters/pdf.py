"""PDF: a document on A4 by fpdf2, with its tables and its drawings.

Rule: the fonts are those that every reader of PDF has, which know the letters of western Europe
(Windows-1252); others are written as "?" and the last page says so. Dates come from outside, so
the same document makes the same file.
Invariant: every part, sentence, table row and drawing of the document is in it.
Worked number: 480 units of a drawing are 170 mm wide.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from allmende.measure.document import Document, Grid, Part
from allmende.measure.drawing_print import printed

LETTERS = "windows-1252"
WIDE_MM, LINE_MM = 170.0, 5.0
MISSING = (
    "PDF is written by fpdf2, which is not installed. "
    "Install it with: pip install 'allmende[observatory]'"
)
UNKNOWN = {
    "en": "Letters that the fonts of this file do not have are written as ?. The HTML has them.",
    "de": "Buchstaben, die die Schriften dieser Datei nicht haben, stehen als ?. Im HTML sind sie.",
}


class NoPdf(Exception):
    """The extra `observatory` is not installed. Its text says how to install it."""


def pdf(document: Document, at: datetime) -> bytes:
    """Raises NoPdf."""
    try:
        fpdf: Any = importlib.import_module("fpdf")
    except ImportError:
        raise NoPdf(MISSING) from None
    page = fpdf.FPDF(format="A4")
    page.core_fonts_encoding = LETTERS
    page.set_creation_date(at)
    page.set_margin(20)
    page.set_title(document.title)
    page.set_lang(document.language)
    page.set_auto_page_break(True, margin=20)
    page.add_page()
    _line(page, document.title, 18, bold=True)
    for line in document.under:
        _line(page, line, 9)
    for part in document.parts:
        _part(page, part)
    if page.strange:
        _line(page, UNKNOWN.get(document.language, UNKNOWN["en"]), 9)
    return bytes(page.output())


def _part(page: Any, part: Part) -> None:
    page.ln(4)
    _line(page, part.heading, 13, bold=True)
    for sentence in part.sentences:
        _line(page, sentence, 10)
    for drawing in part.drawings:
        _drawing(page, drawing)
    for grid in part.grids:
        _grid(page, grid)


def _drawing(page: Any, drawing: str) -> None:
    plain = _letters(page, printed(drawing))
    page.image(io.BytesIO(plain.encode()), w=WIDE_MM)
    page.ln(2)


def _grid(page: Any, grid: Grid) -> None:
    page.ln(1)
    _line(page, grid.caption, 9)
    page.set_font("Helvetica", size=8)
    align = ["RIGHT" if at in grid.numbers else "LEFT" for at in range(len(grid.columns))]
    with page.table(text_align=align, line_height=LINE_MM - 0.5, width=WIDE_MM) as table:
        for row in (grid.columns, *grid.rows):
            _row(page, table, row)
    page.ln(2)


def _row(page: Any, table: Any, row: Sequence[str]) -> None:
    cells = table.row()
    for cell in row:
        cells.cell(_letters(page, cell))


def _line(page: Any, text: str, size: int, *, bold: bool = False) -> None:
    page.set_font("Helvetica", "B" if bold else "", size)
    page.multi_cell(0, size * 0.5, _letters(page, text), new_x="LMARGIN", new_y="NEXT")
    page.ln(1)


def _letters(page: Any, text: str) -> str:
    known = text.encode(LETTERS, "replace").decode(LETTERS)
    page.strange = getattr(page, "strange", False) or known != text
    return known
