"""Import: public data of the race into the data directory, by the same way as price histories."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from allmende.adapters.price_files import BadFile, PriceFiles, Read, read
from allmende.adapters.race_formats import ALL
from allmende.cli.client import Failed
from allmende.cli.index_data import file_argument, folder
from allmende.cli.offline import data_option
from allmende.cli.show import out_json


@click.command("import")
@click.argument("files", type=file_argument, nargs=-1, required=True, metavar="FILE...")
@data_option
@click.option("--revise", is_flag=True, help="Let the files correct what is kept already.")
@click.option("--json", "as_json", is_flag=True)
def command(files: tuple[Path, ...], data: str | None, revise: bool, as_json: bool) -> None:
    """Take dated FILEs: AI clusters, models, chip owners, region carbon, token prices, gold.

    Which of them a file is, its columns say. Every line of every file is checked first; one wrong
    line refuses all of them, and nothing is changed. Importing again changes nothing.
    """
    found = opened(files)
    kept = PriceFiles(folder(data))
    pairs = [(one, str(path)) for one, path in zip(found, files, strict=True)]
    try:
        done = kept.keep_all(pairs, datetime.now(UTC), revise)
    except BadFile as error:
        raise Failed(
            f"Not taken, and nothing is changed.\n{error}\n--revise lets the files correct them."
        ) from None
    said = [
        {
            "file": path.name,
            "format": one.format.id,
            "what": one.format.what,
            "rows": len(one.rows),
            "sha256": one.sha256,
            "new": change.new,
            "known": change.known,
            "revised": change.revised,
            "gone": change.gone,
            "kept_in": str(kept.folder / one.format.file),
        }
        for one, change, path in zip(found, done, files, strict=True)
    ]
    if as_json:
        out_json(said)
        return
    for row in said:
        click.echo(
            f"{row['file']}: {row['what']}, {row['rows']:,} rows; {row['new']:,} new, "
            f"{row['known']:,} known, {row['revised']:,} revised, {row['gone']:,} gone; "
            f"kept in {row['kept_in']}."
        )


def opened(files: tuple[Path, ...]) -> list[Read]:
    """All of the files. Raises Failed with what is wrong in any of them."""
    today, found, wrong = datetime.now(UTC).date(), [], []
    for path in files:
        try:
            found.append(read(path, today, ALL))
        except BadFile as error:
            wrong.append(str(error))
    if wrong:
        raise Failed("\n".join(["Not taken, and nothing is changed.", *wrong]))
    return found
