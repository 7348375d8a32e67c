"""The yearly report: sums that equal the ledger, small cells that stay hidden, HTML and PDF."""

from __future__ import annotations

import re
import sys
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from observed import directory, exact

from allmende.adapters.export import snapshot
from allmende.adapters.pdf import NoPdf, pdf
from allmende.adapters.yearly_facts import BY, Year, year
from allmende.adapters.yearly_report import Made, document, words
from allmende.cli import main
from allmende.main import VIEWS
from allmende.measure.document import Document, Grid, Part, html
from allmende.measure.drawing import Bar, Head, Series, bars, lines
from allmende.measure.drawing_print import printed

AT = datetime(2026, 12, 31, tzinfo=UTC)
SVG = bars(Head("Prices, credits", "d"), [Bar("DEU", [("host", 8.0), ("author", 2.0)])])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return directory(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def found(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Year:
    copy = tmp_path_factory.mktemp("copy") / VIEWS
    snapshot(data / VIEWS, copy)
    return year(copy, 2026)


def report(data: Path, out: Path, *words: str, code: int = 0) -> Result:
    told = ["observatory", "report", "--data", str(data), "--year", "2026", "--out", str(out)]
    result = CliRunner().invoke(main, [*told, *words])
    assert result.exit_code == code, result.output + result.stderr
    return result


def test_every_table_sums_to_the_ledger(data: Path, found: Year) -> None:
    for asset, by in found.cells.items():
        query = f"SELECT total_of(price) FROM usage WHERE asset = '{asset}'"
        (said,) = exact(data, query)[0]
        for name in BY:
            assert str(sum(cell.amount for cell in by[name].values())) == said
        assert str(sum(found.buyers[asset].values())) == said
    assert found.receipts == exact(data, "SELECT SUM(receipts) FROM usage")[0][0]


def test_small_cells_are_hidden_and_nothing_is_lost(found: Year) -> None:
    some = document(found, [], [], Made(2026, "2026-12-31", k=60))
    texts = [
        cell for part in some.parts for grid in part.grids for row in grid.rows for cell in row
    ]
    assert any(text.startswith(("the rest (", "withheld")) for text in texts)
    for part in some.parts[1:3]:
        for grid in part.grids:
            for row in grid.rows:
                hidden = row[0].startswith("the rest")
                assert hidden or int(row[1].replace(",", "")) >= 60
    alone = document(found, [], [], Made(2026, "2026-12-31", k=10**9))
    amounts = {row[2] for part in alone.parts[1:3] for grid in part.grids for row in grid.rows}
    assert amounts <= {words("en")["withheld"].format(k=10**9)}


def test_what_a_tender_wants_and_nobody_has_is_named_missing(found: Year) -> None:
    bare = Year(
        *("M", "lab", 1, 0, 0, {}, {}, {}, {}, {}),
        *((), (), ()),
    )
    told = " ".join(s for part in document(bare, [], [], MADE).parts for s in part.sentences)
    for name in ("none", "no_evidence", "no_assessment", "no_drill", "no_levy", "exit_missing"):
        assert words("en")[name] in told
    annex = document(found, [], [], MADE).parts[-2]
    assert {grid.caption for grid in annex.grids} <= {
        words("en")[name] for name in ("sovereignty", "exposure", "drills")
    }


MADE = Made(2026, "2026-12-31")


def test_both_languages_have_the_same_words_to_fill() -> None:
    holes = re.compile(r"\{(\w+)\}")
    assert set(words("en")) == set(words("de"))
    for name, text in words("de").items():
        assert set(holes.findall(text)) <= set(holes.findall(words("en")[name])), name


def test_html_and_pdf_hold_all_parts(data: Path, tmp_path: Path) -> None:
    report(data, tmp_path, "--min-cell", "5", "--made", "2026-12-31")
    report(data, tmp_path, "--min-cell", "5", "--lang", "de", "--made", "2026-12-31")
    page = (tmp_path / "report-2026.html").read_text()
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "<svg" in page
    for name in ("overview", "earned", "where", "concentration", "levy", "annex", "definitions"):
        assert f"<h2>{words('en')[name]}</h2>" in page
    paper = drawn((tmp_path / "report-2026-de.pdf").read_bytes())
    for name in ("energy", "levy", "definitions"):
        assert words("de")[name].encode("cp1252") in paper


def test_the_same_document_makes_the_same_pdf() -> None:
    one = Document("T", "en", ["u"], [Part("H", ["s"], [Grid("c", ["a"], [["1"]], [0])], [SVG])])
    assert pdf(one, AT) == pdf(one, AT)
    assert b"written as ?" not in drawn(pdf(one, AT))
    other = Document("日本", "en", [], [])
    assert b"written as ?" in drawn(pdf(other, AT))


def test_printed_drawings_have_colours_and_no_classes() -> None:
    line = lines(Head("t", "d"), [Series("x", [(1.0, 2.0), (2.0, 1.0)])], days=False)
    for svg in (SVG, line):
        plain = printed(svg)
        assert "class=" not in plain
        assert "<title>" not in plain
        assert plain.count("<rect") == svg.count("<rect")
        assert plain.count("<path") == svg.count("<path")
    assert "#196650" in printed(SVG)


def test_html_escapes_what_members_are_called() -> None:
    page = html(Document("<T>", "en", ["&"], [Part("<b>", ["<i>"], [Grid("c", ["<"], [[">"]])])]))
    assert "<b>" not in page
    assert "<i>" not in page
    assert "&lt;i&gt;" in page


def test_without_fpdf_it_says_how_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fpdf", None)
    with pytest.raises(NoPdf, match=r"pip install 'allmende\[observatory\]'"):
        pdf(Document("T", "en", [], []), AT)


def drawn(data: bytes) -> bytes:
    """What the pages say: their streams, unpacked."""
    found = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL)
    pages = []
    for stream in found:
        try:
            pages.append(zlib.decompress(stream))
        except zlib.error:
            pages.append(stream)
    return b"".join(pages)
