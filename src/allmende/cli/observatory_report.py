"""Observatory report: a year as HTML and PDF, with the annex that tenders ask for."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click

from allmende.adapters.access_facts import facts
from allmende.adapters.export import snapshot
from allmende.adapters.languages import measured
from allmende.adapters.pdf import NoPdf, pdf
from allmende.adapters.views_file import NoViews
from allmende.adapters.yearly_facts import year
from allmende.adapters.yearly_report import LANGUAGES, Made, document
from allmende.cli.client import Failed
from allmende.cli.index_data import folder
from allmende.cli.offline import data_option
from allmende.main import VIEWS
from allmende.measure.cells import K
from allmende.measure.document import html


def day_of(context: click.Context, option: click.Parameter, text: str | None) -> datetime:
    """A callback for --made."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) if text else _today()
    except ValueError:
        raise click.BadParameter(f"{text!r} is no day such as 2027-01-15.") from None


def _today() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@click.command()
@data_option
@click.option("--year", "of", required=True, type=click.IntRange(1970, 9999), help="UTC.")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True)
@click.option(
    "--min-cell", default=K, show_default=True, help="Receipts behind a published figure."
)
@click.option("--made", callback=day_of, help="The report's date; today if not given.")
def command(data: str | None, of: int, out: Path, lang: str, min_cell: int, made: datetime) -> None:
    """Who earned what, where, how concentrated, how much energy; annex on sovereignty and exit.

    Writes report-YEAR.html and report-YEAR.pdf. Figures that rest on few receipts are put
    together or withheld.
    """
    if min_cell < 1:
        raise click.UsageError("--min-cell is at least 1.")
    try:
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch, VIEWS)
            snapshot(folder(data) / VIEWS, copy)
            found, levies = year(copy, of), facts(copy).levies
        told = Made(of, f"{made:%Y-%m-%d}", lang, min_cell)
        report = document(found, levies, measured()[0], told)
        pages = pdf(report, made)
    except (NoViews, NoPdf) as error:
        raise Failed(str(error)) from None
    out.mkdir(parents=True, exist_ok=True)
    name = f"report-{of}" + ("" if lang == "en" else f"-{lang}")
    (out / f"{name}.html").write_text(html(report), encoding="utf-8")
    (out / f"{name}.pdf").write_bytes(pages)
    click.echo(f"{out / name}.html and .pdf: {found.receipts:,} final receipts of {of}.")
