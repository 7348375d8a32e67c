"""Document: a report as parts, and the same as one page of HTML that needs nothing else.

Rule: a part is a heading, sentences, tables and drawings; whoever writes it out decides nothing
about its contents. All text is escaped; drawings are ours and are not.
Invariant: HTML and PDF of a document have the same parts, in the same order.
Worked number: a part with one table of three rows is a heading, a caption and four lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from msgspec import Struct

from allmende.measure.drawing_paper import style


class Grid(Struct, frozen=True):
    """A table. `numbers` are the columns that are aligned to the right."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[int] = ()


class Part(Struct, frozen=True):
    heading: str
    sentences: Sequence[str] = ()
    grids: Sequence[Grid] = ()
    drawings: Sequence[str] = ()


class Document(Struct, frozen=True):
    title: str
    language: str
    under: Sequence[str]
    parts: Sequence[Part]


def html(document: Document) -> str:
    """Light and dark, one file, no script, nothing fetched."""
    body = "".join(_parts(document.parts))
    under = "".join(f"<p>{escape(line)}</p>" for line in document.under)
    title = escape(document.title)
    return (
        f'<!doctype html><html lang="{document.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{style()}{_STYLE}</style></head>"
        f"<body><main><h1>{title}</h1>{under}{body}</main></body></html>\n"
    )


def _parts(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        yield f"<section><h2>{escape(part.heading)}</h2>"
        yield from (f"<p>{escape(sentence)}</p>" for sentence in part.sentences)
        yield from (f"<figure>{drawing}</figure>" for drawing in part.drawings)
        for grid in part.grids:
            yield from _grid(grid)
        yield "</section>"


def _grid(grid: Grid) -> Iterator[str]:
    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=n' if at in grid.numbers else ''}>{escape(cell)}</{tag}>"
            for at, cell in enumerate(row)
        )

    yield f"<table><caption>{escape(grid.caption)}</caption>"
    yield f"<thead><tr>{cells('th', grid.columns)}</tr></thead><tbody>"
    yield from (f"<tr>{cells('td', row)}</tr>" for row in grid.rows)
    yield "</tbody></table>"


_STYLE = """
body { margin: 0; background: var(--card); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
figure { margin: 1rem 0; } figure svg { width: 100%; height: auto; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-size: .9rem; }
caption { text-align: left; color: var(--faint); padding-bottom: .3rem; }
th, td { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
"""
