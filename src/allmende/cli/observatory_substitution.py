"""Substitution: how buyers of a model went from provider to provider as prices moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import click

from allmende.adapters.demand_facts import Day, Days, daily, models
from allmende.adapters.views_file import NoViews
from allmende.cli.client import Failed
from allmende.cli.index_data import folder
from allmende.cli.offline import data_option
from allmende.cli.show import out_json, table
from allmende.main import VIEWS
from allmende.measure.figure import Undefined
from allmende.measure.substitution import Pair, Slope, cross_elasticities, logit, substitution

REMARK = (
    "An association: a price that answers demand biases it. sigma: by how many percent the ratio "
    "of two providers' tokens falls where the ratio of their prices rises by one percent."
)


@click.command("substitution")
@click.argument("model")
@data_option
@click.option("--asset", default="credit", show_default=True, help="The pay unit.")
@click.option("--json", "as_json", is_flag=True)
def command(model: str, data: str | None, asset: str, as_json: bool) -> None:
    """How readily buyers of MODEL change providers: elasticities out of days and prices."""
    views = folder(data) / VIEWS
    try:
        days = daily(views, model, asset)
        if not days:
            raise Failed(f"Nothing of {model!r} was sold for {asset}: {', '.join(models(views))}.")
    except NoViews as error:
        raise Failed(str(error)) from None
    rows = [
        _row(one, other, _pairs(days[one], days[other])) for one, other in combinations(days, 2)
    ]
    matrix = _matrix(days)
    if as_json:
        out_json({"model": model, "pairs": rows, "cross": matrix, "remark": REMARK})
        return
    table(rows, ("one", "other", "sigma", "error", "days", "why"), "One provider alone sold it.")
    if matrix:
        click.echo("\nOf the logit, percent of tokens for one percent of price:")
        table(matrix, ("tokens_of", "price_of", "percent"), "")
    click.echo(f"\n{REMARK}")


def _pairs(one: Mapping[str, Day], other: Mapping[str, Day]) -> list[Pair]:
    """Of the days on which both sold; prices in credits per million tokens."""
    return [
        Pair(one[day].tokens, other[day].tokens, _price(one[day]), _price(other[day]))
        for day in one
        if day in other
    ]


def _price(day: Day) -> float:
    return day.price / day.tokens / 1e6


def _row(one: str, other: str, pairs: Sequence[Pair]) -> dict[str, Any]:
    row = {"one": one, "other": other, "days": len(pairs), "sigma": "", "error": "", "why": ""}
    try:
        found = substitution(pairs)
    except Undefined as error:
        return row | {"why": str(error)}
    return row | {"sigma": f"{found.value:.2f}", "error": f"{found.error:.2f}"}


def _matrix(days: Days) -> list[dict[str, Any]]:
    """Own and cross elasticities at the mean prices, if all pairs together bear a slope."""
    pairs = [p for one, other in combinations(days, 2) for p in _pairs(days[one], days[other])]
    try:
        slope: Slope = logit(pairs)
    except Undefined:
        return []
    tokens = {name: sum(day.tokens for day in of.values()) for name, of in days.items()}
    prices = {
        name: sum(day.price for day in of.values()) / tokens[name] / 1e6
        for name, of in days.items()
    }
    whole = sum(tokens.values())
    shares = {name: count / whole for name, count in tokens.items()}
    found = cross_elasticities(shares, prices, slope.value)
    return [
        {"tokens_of": j, "price_of": k, "percent": f"{value:.2f}"}
        for (j, k), value in found.items()
    ]
