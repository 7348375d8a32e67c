"""Observatory access: who gets in, what is free, what a language costs, where the levy went."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from msgspec import to_builtins

from allmende.adapters.access_facts import Facts, Levy, facts
from allmende.adapters.languages import measured, sentences
from allmende.adapters.rules import rules
from allmende.adapters.views_file import NoViews
from allmende.cli.client import Failed
from allmende.cli.index_data import file_argument, folder
from allmende.cli.observatory_figures import NUMBER
from allmende.cli.observatory_rules import DAY
from allmende.cli.offline import data_option
from allmende.cli.show import out_json, table
from allmende.core.units import credits
from allmende.main import VIEWS
from allmende.measure.access import (
    Asked,
    affordability,
    denial_figures,
    free_share,
    satisfied,
)
from allmende.measure.distribution import jain_of_needs
from allmende.measure.figure import About, Figure

FOUR_FIFTHS = "us/selection-procedures"
NOTHING = "Nothing was counted."


@click.command()
@data_option
@click.option("--since", type=DAY, help="First day, such as 2026-11-01; all if not given.")
@click.option("--until", type=DAY, help="The day after the last.")
@click.option("--needs", type=file_argument, help="CSV account,need: what each would need.")
@click.option("--denials", type=file_argument, help="CSV group,asked,denied.")
@click.option("--minimum", type=click.IntRange(0), help="Tokens that everybody should get.")
@click.option("--basket", type=NUMBER, help="Price of a month's basket, in any unit.")
@click.option("--income", type=NUMBER, help="A month's income, in the same unit.")
@click.option("--income-source", help="Whose income, and who says so.")
@click.option("--gguf", multiple=True, type=file_argument, help="Count with its vocabulary too.")
@click.option("--json", "as_json", is_flag=True)
def command(
    data: str | None, since: datetime | None, until: datetime | None, as_json: bool, **given: Any
) -> None:
    """Free share, access by need, denials, affordability, levy, and the price of a language."""
    try:
        days = str(since.date()) if since else "", str(until.date()) if until else "9999"
        found = facts(folder(data) / VIEWS, *days)
    except NoViews as error:
        raise Failed(str(error)) from None
    figures = _figures(found, given)
    premiums, missing = measured(given["gguf"])
    if as_json:
        told = sentences()
        out_json(
            {
                "figures": to_builtins(figures),
                "levy": [_levy(one, raw=True) for one in found.levies],
                "languages": to_builtins(premiums),
                "sentences": {"title": told.title, "licence": told.licence, "note": told.note},
                "not_read": missing,
            }
        )
        return
    _print(figures, found, [to_builtins(one) for one in premiums], missing)


def _figures(found: Facts, given: Mapping[str, Any]) -> list[Figure]:
    window = f"{found.since} to {found.until}"
    about = About(of="market", window=window, denominator="final receipts", grade="ledger")
    entered = About(of="market", window=window, denominator="what was given", grade="assumed")
    figures = free_share(about, found.uses)
    limit = rules(FOUR_FIFTHS, datetime.now(UTC).date()).values["ratio_below"]
    denials = denials_of(given["denials"]) if given["denials"] else None
    figures.append(denial_figures(entered, denials, limit))
    if given["needs"]:
        needs = needs_of(given["needs"])
        got = {use.account: float(use.tokens) for use in found.uses}
        says = "Jain of tokens per unit of need: 1 where all are served alike."
        try:
            figures.append(
                entered.point("jain_of_needs", jain_of_needs(got, needs), "0 to 1", says)
            )
        except ValueError as error:
            raise Failed(f"{given['needs']}: {error}") from None
    if given["minimum"] is not None:
        figures.append(satisfied(about, found.uses, found.members, given["minimum"]))
    return figures + _affordable(entered, given)


def _affordable(about: About, given: Mapping[str, Any]) -> list[Figure]:
    words = [given[name] for name in ("basket", "income", "income_source")]
    if all(word is None for word in words):
        return []
    if any(word is None for word in words):
        raise click.UsageError("--basket, --income and --income-source belong together.")
    try:
        return [affordability(about, *words)]
    except ValueError as error:
        raise Failed(str(error)) from None


def needs_of(path: Path) -> dict[str, float]:
    """Account -> need. Failed names the row."""
    return {row["account"]: _number(row, "need") for row in _csv(path, "account", "need")}


def denials_of(path: Path) -> dict[str, Asked]:
    """Group -> how often it asked and was denied. Failed names the row."""
    found = {}
    for row in _csv(path, "group", "asked", "denied"):
        asked, denied = (_number(row, name) for name in ("asked", "denied"))
        if not (asked.is_integer() and denied.is_integer() and denied <= asked):
            raise Failed(f"{row['#']}: {denied:g} of {asked:g} were denied? {NOTHING}")
        found[row["group"]] = Asked(int(asked), int(denied))
    return found


def _csv(path: Path, *names: str) -> list[dict[str, str]]:
    """Rows with these columns, the first of which is their key, and the row's place in `#`.
    Failed names the line of what is wrong."""
    try:
        lines = csv.reader(path.read_text("utf-8-sig").splitlines(keepends=True), strict=True)
        rows = [(lines.line_num, cells) for cells in lines if any(cells)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise Failed(f"{path}: {error}. {NOTHING}") from None
    head = rows[0][1] if rows else []
    found: dict[str, dict[str, str]] = {}
    for line, cells in rows[1:] or [(1, [])]:
        row = {**dict(zip(head, map(str.strip, cells), strict=False)), "#": f"{path}:{line}"}
        for name in names:
            if not row.get(name):
                raise Failed(f"{row['#']}: no {name}; columns are {', '.join(names)}. {NOTHING}")
        if row[names[0]] in found:
            raise Failed(f"{row['#']}: {row[names[0]]!r:.40} stands there twice. {NOTHING}")
        found[row[names[0]]] = row
    return list(found.values())


def _number(row: Mapping[str, str], name: str) -> float:
    """At least nothing, and finite."""
    with suppress(ValueError):
        found = float(row[name])
        if 0 <= found < math.inf:
            return found
    raise Failed(f"{row['#']}: {name} is {row[name]!r:.40}, no number from 0 on. {NOTHING}")


def _print(
    figures: Sequence[Figure], found: Facts, premiums: list[dict[str, Any]], missing: list[str]
) -> None:
    rows = [
        {"figure": f.key, "value": f.text(3), "unit": f.unit, "grade": f.grade, "remark": f.why}
        for f in figures
    ]
    table(rows, ("figure", "value", "unit", "grade", "remark"), "No figures.")
    click.echo("\nLevy, since the market began (the account `commons`):")
    columns = ("asset", "collected", "other", "spent", "balance")
    table([_levy(one) for one in found.levies], columns, "None was collected.")
    told = sentences()
    click.echo(f"\nTokens for the same sentences, over English ({told.licence}; 95 % interval):")
    for one in premiums:
        one |= {name: f"{one[name]:.2f}" for name in ("ratio", "low", "high")}
    table(premiums, ("vocabulary", "language", "tokens", "ratio", "low", "high"), "No vocabulary.")
    click.echo("A price per token times the ratio is the price of the same meaning.")
    click.echo(told.note)
    for name in missing:
        click.echo(f"{name} could not be read.", err=True)


def _levy(one: Levy, *, raw: bool = False) -> dict[str, str]:
    amounts = {name: getattr(one, name) for name in ("collected", "other", "spent", "balance")}
    told = {name: str(value) if raw else credits(value) for name, value in amounts.items()}
    return {"asset": one.asset, **told}
