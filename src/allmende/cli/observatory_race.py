"""Race: the race monitor on public data: charts, the tables behind them, and a page about them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from allmende.adapters.price_files import BadFile, PriceFiles
from allmende.adapters.race_files import from_folder, from_kept
from allmende.cli.client import Failed
from allmende.cli.index_data import folder as data_folder
from allmende.cli.offline import data_option
from allmende.cli.race_report import write
from allmende.doors.words import LANGUAGES, load
from allmende.measure.race import Given, Missing, Panel, Tongue, monitor

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("race")
@click.argument("folder", type=FOLDER, required=False, metavar="[DATA_FOLDER]")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Where charts (SVG), tables (CSV), index.html and summary.md are written.",
)
@data_option
@click.option("--language", type=click.Choice(list(LANGUAGES)), default="en", show_default=True)
def command(folder: Path | None, out: Path, data: str | None, language: str) -> None:
    """Compute, chips, training, leads, power, prices and capital, from the files in DATA_FOLDER.

    Without DATA_FOLDER, from what `allmende observatory import` has kept. What can be drawn is
    drawn; what cannot says which data it needs. A wrong line in any file refuses all of them.
    """
    today = datetime.now(UTC).date()
    try:
        given, passed = _given(folder, data)
    except BadFile as error:
        raise Failed(f"Nothing is written.\n{error}") from None
    for sentence in passed:
        click.echo(sentence, err=True)
    tongue = Tongue(load()[language], language, alone=True)
    found = monitor(given, tongue, lambda key: click.echo(f"drawing {key}", err=True))
    written = write(out, found, tongue, today)
    for one in found:
        if isinstance(one, Panel):
            click.echo(f"{one.key}: {one.seen}")
    for one in found:
        if isinstance(one, Missing):
            why = (
                f"needs {', '.join(one.needs)}" if one.needs else "there is too little in the data"
            )
            click.echo(f"{one.key}: not drawn, {why}.")
    click.echo(f"{len(written)} files in {out}; begin with {out / 'index.html'}.")


def _given(folder: Path | None, data: str | None) -> tuple[Given, list[str]]:
    today = datetime.now(UTC).date()
    if folder is not None:
        return from_folder(folder, today, lambda name: click.echo(f"reading {name}", err=True))
    return from_kept(PriceFiles(data_folder(data)), today), []
