"""Figures on the command line: lines of value, unit and definition, or all fields as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
import msgspec

from allmende.cli.show import out_json, table
from allmende.measure.figure import Figure


def show(figures: Sequence[Figure], as_json: bool, places: int = 4, **more: Any) -> None:
    """`more` are further rows by name, for JSON alone."""
    if as_json:
        out_json({"figures": msgspec.to_builtins(list(figures)), **more})
        return
    columns = ("of", "figure", "value", "unit", "grade", "definition")
    table([row(figure, places) for figure in figures], columns, "No figure.")
    for figure in figures:
        if figure.why:
            click.echo(f"{figure.of}, {figure.key.replace('_', ' ')}: {figure.why}")


def row(figure: Figure, places: int) -> dict[str, Any]:
    return {
        "of": figure.of,
        "figure": figure.key.replace("_", " "),
        "value": figure.text(places),
        "unit": figure.unit,
        "grade": figure.grade,
        "definition": figure.definition,
    }


class Number(click.ParamType[float]):
    """Zero or more, and finite: no figure is made of less, of infinity, or of no number."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> float:
        found = _number(str(value))
        if found is None:
            self.fail(f"{value!r} is no number from zero on.", param, context)
        return found


NUMBER = Number()


def named(
    context: click.Context, option: click.Parameter, given: Sequence[str]
) -> dict[str, float]:
    """`AWS=29`, several times: a callback. Names are said once, numbers are zero or more."""
    found: dict[str, float] = {}
    for text in given:
        name, equals, number = text.rpartition("=")
        value = _number(number)
        if not (name and equals) or value is None:
            raise click.BadParameter(f"{text!r} is not NAME=NUMBER, such as AWS=29.")
        if name in found:
            raise click.BadParameter(f"{name} is said twice.")
        found[name] = value
    return found


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None  # said by the caller, with the whole of what was given
    return value if 0 <= value < float("inf") else None


Named = Mapping[str, float]
