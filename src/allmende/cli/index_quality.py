"""Indices of the same work: constant quality, hedonic, cost per solved task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from msgspec import to_builtins

from allmende.adapters.price_formats import RUNS, SCORES, TOKENS, Format
from allmende.cli.client import Failed
from allmende.cli.index_data import blend_of, described, file_argument, kept, listings
from allmende.cli.offline import data_option
from allmende.cli.show import out_json, table
from allmende.measure.indices import trend
from allmende.measure.indices_hedonic import WINDOW, Hedonic, Unfit, hedonic, listed_features
from allmende.measure.indices_quality import Slope, lowest, records, slope, solved
from allmende.measure.prices import Blend
from allmende.measure.prices_cells import Month, list_months

blend_option = click.option(
    "--blend", "by", default="80/20", show_default=True, callback=blend_of, help="Or cached."
)
file_option = click.option("--file", type=file_argument, help="Prices, instead of the imported.")


@click.command()
@click.argument("benchmark")
@click.argument("score", type=float)
@data_option
@file_option
@blend_option
@click.option("--json", "as_json", is_flag=True)
def quality(
    benchmark: str, score: float, data: str | None, file: Path | None, by: Blend, as_json: bool
) -> None:
    """The lowest price at which SCORE on BENCHMARK can be had, and how fast it falls (TPI-Q).

    Scores come from a dated file that you import; none is shipped, and none is guessed.
    """
    months, data_said = _months(data, file)
    scores = _needed(data, SCORES, "Which model reached which score")
    known = sorted({row.benchmark for row in scores})
    if benchmark not in known:
        raise Failed(f"No scores on {benchmark!r} are kept; there are: {', '.join(known)}.")
    found = lowest(months, scores, benchmark, score, by)
    if not found:
        raise Failed(f"No model with a price has reached {score:g} on {benchmark}.")
    lows = list(records(found))
    rate = slope(found)
    definition = (
        f"TPI-Q: lowest {by.name} price, USD per million tokens, of a model that had reached "
        f"{score:g} on {benchmark} by then"
    )
    if as_json:
        out_json(
            to_builtins(
                {"definition": definition, "data": data_said, "months": found, "slope": rate}
            )
        )
        return
    click.echo(f"{definition}.\n{data_said}. Months in which it was cheaper than ever before:\n")
    rows = [
        {"month": str(b.day), "price": f"{b.value:.4g}", "model": b.cell, "host": b.host}
        for b in lows
    ]
    table(rows, ("month", "price", "model", "host"), "None.")
    click.echo(f"\n{_pace(rate, len(lows))}")


def _pace(rate: Slope | None, lows: int) -> str:
    if rate is None:
        return f"{lows} record lows: too few for a slope, which takes 3."
    return (
        f"{rate.factor:.2f} times cheaper a year (95 % interval {rate.low:.2f} to {rate.high:.2f}; "
        f"slope of ln(price) {rate.per_year:.3f} a year through {rate.points} record lows)."
    )


@click.command("hedonic")
@data_option
@file_option
@blend_option
@click.option("--window", default=WINDOW, show_default=True, help="Months of each regression.")
@click.option("--benchmark", default="", help="With the models' scores on this, from a file.")
@click.option("--json", "as_json", is_flag=True)
def hedonic_(
    data: str | None, file: Path | None, by: Blend, window: int, benchmark: str, as_json: bool
) -> None:
    """Prices with the models' features paid for: time dummies, spliced (TPI-H).

    From a price list alone the features are few; R2 says how few.
    """
    months, data_said = _months(data, file)
    scores = _needed(data, SCORES, f"Scores on {benchmark}") if benchmark else []
    try:
        found = hedonic(months, listed_features(scores, benchmark), by, window)
    except Unfit as error:
        raise Failed(f"No regression: {error}.") from None
    definition = (
        f"TPI-H: ln({by.name} price) on features and a dummy a month, windows of {window} months, "
        "movement splice, each model once a month"
    )
    if as_json:
        out_json(to_builtins({"definition": definition, "data": data_said, "line": found.line,
                              "fits": found.fits, "spread": found.spread()}))  # fmt: skip
        return
    click.echo(f"{definition}.\n{data_said}.\n")
    _tell_hedonic(found, benchmark)


def _tell_hedonic(found: Hedonic, benchmark: str) -> None:
    fits = {fit.day: fit for fit in found.fits}
    names = list(found.fits[0].coefficients)
    rows: list[dict[str, Any]] = []
    for day, value in found.line:
        row: dict[str, Any] = {"month": str(day), "index": f"{value:.1f}"}
        fit = fits.get(day)
        if fit is not None:
            row |= {"R2": f"{fit.r2:.2f}", "within": f"{fit.within:.2f}", "prices": fit.count}
            row |= {name: f"{fit.coefficients[name]:.2f}" for name in names}
        rows.append(row)
    table(rows, ("month", "index", "R2", "within", "prices", *names), "No months.")
    way = trend(found.line)
    spread = ", ".join(f"{name} {a:.2f} to {b:.2f}" for name, (a, b) in found.spread().items())
    if way is not None:
        click.echo(f"\nFrom {way.start} to {way.end}: {way.yearly * 100:+.1f} % a year.")
    click.echo(f"Coefficients over the windows: {spread}.")
    click.echo("within: share of the differences between models of a month that these explain.")
    if not benchmark:
        click.echo(
            "No score of any model is in it: latency, licence, modality and reasoning are not in "
            "a price list either. Import scores and name a --benchmark."
        )


@click.command()
@click.argument("suite", required=False)
@data_option
@file_option
@click.option("--json", "as_json", is_flag=True)
def tasks(suite: str | None, data: str | None, file: Path | None, as_json: bool) -> None:
    """What a solved task of SUITE costs, failed attempts included (TPI-T), from imported runs."""
    months, data_said = _months(data, file)
    runs = _needed(data, RUNS, "What it took to solve tasks")
    known = sorted({row.suite for row in runs})
    if suite is not None and suite not in known:
        raise Failed(f"No runs of {suite!r} are kept; there are: {', '.join(known)}.")
    found = [row for name in known if suite in (None, name) for row in solved(months, runs, name)]
    if as_json:
        out_json(to_builtins(found))
        return
    click.echo(
        "TPI-T: USD for tokens at the month's median price, over tasks solved.\n"
        f"{data_said}; {len(runs):,} runs.\n"
    )
    rows = [
        {
            "month": str(row.day),
            "suite": row.suite,
            "per_task": f"{row.cost:.4g}",
            "solved": row.solved,
            "attempts": row.attempts,
            "unpriced": row.unpriced,
        }
        for row in found
    ]
    columns = ("month", "suite", "per_task", "solved", "attempts", "unpriced")
    table(rows, columns, "No month has both a run with a solved task and a price of its model.")


def _months(data: str | None, file: Path | None) -> tuple[Sequence[Month], str]:
    rows, origin = listings(data, file)
    if not rows:
        raise Failed(f"No prices are kept. {_how(TOKENS)}")
    return list(list_months(rows)), f"{described(rows)}, {origin.removesuffix('.')}"


def _needed(data: str | None, format_: Format, what: str) -> list[Any]:
    """Records that no price list has: refuse rather than make them up."""
    rows = kept(data, format_)
    if not rows:
        raise Failed(f"{what} is not known here, and is not made up. {_how(format_)}")
    return rows


def _how(format_: Format) -> str:
    return (
        f"Import {format_.what}, a CSV file with the columns {','.join(format_.names)}: "
        "allmende index import FILE"
    )
