"""The data of an index: import a file, and find what is kept, what is packaged, what is traded."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from allmende.adapters.price_files import BadFile, PriceFiles, Read, read
from allmende.adapters.price_formats import GOLD, RUNS, SCORES, TOKENS, Format
from allmende.cli.client import Failed
from allmende.cli.offline import data_option, opened
from allmende.cli.show import out_json, progress
from allmende.main import JOURNAL, Unset, settings
from allmende.measure.prices import Blend, Listing, blend, span
from allmende.measure.prices_trades import TradeTape
from allmende.wire import journal
from allmende.wire.journal import GENESIS

file_argument = click.Path(exists=True, dir_okay=False, path_type=Path)


def folder(data: str | None) -> Path:
    try:
        return Path(settings({"data": data}).data)
    except Unset as error:
        raise click.UsageError(str(error)) from None


def kept(data: str | None, format_: Format) -> list[Any]:
    """The records of an imported history, none where there is none. Raises Failed."""
    try:
        return PriceFiles(folder(data)).load(format_)
    except BadFile as error:
        raise Failed(str(error)) from None


def opened_file(path: Path) -> Read:
    """Raises Failed with every complaint that `read` has."""
    try:
        return read(path, datetime.now(UTC).date())
    except BadFile as error:
        raise Failed(f"Not taken, and nothing is changed.\n{error}") from None


def listings(data: str | None, file: Path | None) -> tuple[list[Listing], str]:
    """Token prices of `file`, or else those kept, and a sentence that says where from."""
    if file is not None:
        found = opened_file(file)
        if found.format is not TOKENS:
            raise Failed(f"{file} is {found.format.what}, and an index needs {TOKENS.what}.")
        return found.records(), f"{file}, not imported (sha256 {found.sha256[:12]})."
    rows = kept(data, TOKENS)
    entries = PriceFiles(folder(data)).imports(TOKENS)
    files = "; ".join(
        f"{entry['file']} (sha256 {entry['sha256'][:12]}) on {entry['at'][:10]}"
        for entry in entries
    )
    return rows, f"imported from {files}."


def traded(data: str | None) -> TradeTape | None:
    """The receipts of the market in a data directory; None if there is no market."""
    if not (folder(data) / JOURNAL).is_file():
        return None
    tape, count = TradeTape(), 0
    with opened(data) as (found, _), progress("read") as step:
        for frame in journal.follow(found.frames(), 1, GENESIS):
            for event in journal.events(frame.body):
                count += 1
                tape.feed(event)
            step(count)
    return tape


def blend_of(context: click.Context, option: click.Parameter, text: str) -> Blend:
    """A callback for --blend."""
    try:
        return blend(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


@contextmanager
def counted(label: str, of: int) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, silence elsewhere; tell it how many are done."""
    if not sys.stderr.isatty():
        yield lambda done, of: None
        return
    with click.progressbar(length=of, label=label, file=sys.stderr) as bar:
        yield lambda done, of: bar.update(done - bar.pos)


@click.command("import")
@click.argument("file", type=file_argument)
@data_option
@click.option("--revise", is_flag=True, help="Let FILE correct what is kept already.")
@click.option("--json", "as_json", is_flag=True)
def import_(file: Path, data: str | None, revise: bool, as_json: bool) -> None:
    """Take a dated FILE into the data directory: token prices, gold, scores or task runs.

    Which of them it is, its columns say. Every line is checked first; a file with a wrong line is
    refused as a whole. Importing it again changes nothing.
    """
    found = opened_file(file)
    files = PriceFiles(folder(data))
    try:
        done = files.keep(found, str(file), datetime.now(UTC), revise)
    except BadFile as error:
        raise Failed(
            f"Not taken, and nothing is changed.\n{error}\n--revise lets the file correct them."
        ) from None
    said = {
        "format": found.format.id,
        **_summary(found.format, found.records()),
        "rows": len(found.rows),
        "repeated": found.repeats,
        "new": done.new,
        "known": done.known,
        "revised": done.revised,
        "kept_in": str(files.folder / found.format.file),
    }
    if as_json:
        out_json(said)
        return
    what = ", ".join(
        f"{said[name]:,} {name}" for name in ("rows", *COUNTED[found.format]) if name in said
    )
    click.echo(f"{file.name}: {found.format.what}, {what}, {said['first']} to {said['last']}.")
    click.echo(
        f"{done.new:,} new, {done.known:,} known, {done.revised:,} revised, "
        f"{found.repeats:,} repeated; kept in {said['kept_in']}."
    )


COUNTED: dict[Format, tuple[str, ...]] = {
    TOKENS: ("models", "providers", "days"),
    GOLD: (),
    SCORES: ("models", "benchmarks"),
    RUNS: ("models", "suites"),
}


def _summary(format_: Format, records: list[Any]) -> dict[str, Any]:
    """What a person wants to know of a file: how many of each, and from when to when."""
    if format_ is GOLD:
        days: list[date] = [day for day, _ in records]
        return {"first": str(min(days)), "last": str(max(days))}
    days = [row.day for row in records]
    said: dict[str, Any] = {"first": str(min(days)), "last": str(max(days)), "days": len(set(days))}
    for name in COUNTED[format_]:
        if name != "days":
            said[name] = len({getattr(row, name.removesuffix("s")) for row in records} - {""})
    return said


def described(rows: list[Listing]) -> str:
    """A history in a sentence."""
    first, last = span(rows)
    models = len({row.model for row in rows})
    sources = ", ".join(sorted({row.source for row in rows}))
    return f"{len(rows):,} dated prices of {models:,} listings, {first} to {last} ({sources})"
