"""Show: rows as a table for people, or as JSON for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

Row = Mapping[str, Any]
GAP = "  "
SAY_S = 0.2


def out_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(rows: Sequence[Row], columns: Sequence[str], empty: str) -> None:
    """Columns by name; `a.b` looks into a. Numbers are aligned on the right."""
    if not rows:
        click.echo(empty)
        return
    cells = [[text(look(row, column)) for column in columns] for row in rows]
    titles = [column.rsplit(".", 1)[-1].replace("_", " ") for column in columns]
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    numeric = [all(_number(cell) for cell in column) for column in zip(*cells, strict=True)]
    click.secho(_line(titles, widths, numeric), bold=True)
    for line in cells:
        click.echo(_line(line, widths, numeric))


def look(row: Row, column: str) -> Any:
    value: Any = row
    for part in column.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def text(value: Any) -> str:
    """One value in a cell: nothing is a dash, lists are joined, ranges keep both ends."""
    if value is None or value == "" or value == []:
        return "-"
    if isinstance(value, Mapping):
        return " ".join(f"{name} {text(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(text, value))
    return str(value)


def pairs(row: Row, names: Sequence[str] = ()) -> None:
    """One thing, a line per field."""
    wanted = names or list(row)
    width = max(map(len, wanted), default=0)
    for name in wanted:
        click.echo(f"{name.replace('_', ' '):<{width}}{GAP}{text(look(row, name))}")


@contextmanager
def progress(done: str) -> Iterator[Callable[..., None]]:
    """Say how many events are `done`, of how many if that is known; only on a terminal."""
    watched = sys.stderr.isatty()
    told = 0.0

    def step(count: int, total: int = 0) -> None:
        nonlocal told
        if watched and time.monotonic() - told > SAY_S:
            told = time.monotonic()
            of = f" of {total:,}" if total else ""
            click.echo(f"\r{count:,}{of} events {done} ", nl=False, err=True)

    yield step
    if told:
        click.echo(err=True)


def _number(cell: str) -> bool:
    return cell == "-" or cell.replace(".", "", 1).lstrip("-").isdecimal()


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    aligned = [
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(cells, widths, numeric, strict=True)
    ]
    return GAP.join(aligned).rstrip()
