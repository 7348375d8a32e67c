"""Observatory export: the read models as Parquet, CSV or SQLite, of one moment."""

from __future__ import annotations

from pathlib import Path

import click

from allmende.adapters.export import FORMATS, METADATA, export
from allmende.adapters.parquet import NoDuckDB
from allmende.adapters.views_file import NoViews
from allmende.cli.client import Failed
from allmende.cli.index_data import folder
from allmende.cli.offline import data_option
from allmende.cli.show import out_json
from allmende.main import VIEWS


@click.command()
@data_option
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="A new folder."
)
@click.option("--format", "format_", type=click.Choice(FORMATS), default=FORMATS[0])
@click.option("--json", "as_json", is_flag=True)
def command(data: str | None, out: Path, format_: str, as_json: bool) -> None:
    """Receipts, payments, usage, earnings and who is who, also while the market runs.

    Parquet and CSV are partitioned by month; SQLite is one read-only file that Datasette opens
    (datasette FOLDER/allmende.sqlite -m FOLDER/metadata.json). Nothing is overwritten.
    """
    try:
        done = export(folder(data) / VIEWS, out, format_)
    except (NoViews, NoDuckDB) as error:
        raise Failed(str(error)) from None
    except ValueError as error:
        raise Failed(f"{error}.") from None
    if as_json:
        out_json({"event": done.number, "files": dict(done.files), "metadata": METADATA})
        return
    for name, rows in done.files.items():
        click.echo(f"{rows:>10,}  {name}")
    click.echo(f"Written to {out}, as of journal event {done.number:,}; {METADATA} describes it.")
