"""Yearly report: a year's facts as a document, in the words of a language.

Rule: nothing is shown that rests on fewer than `k` receipts; totals hold everything. What a
tender asks for and the journal does not have is named as missing.
Invariant: the amounts of a table and its rest sum to the year's total, to the pico-credit.
Worked number: countries with 500, 12 and 9 receipts at k = 20: one row, and the rest of two.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from msgspec import Struct

from allmende.adapters.access_facts import Levy
from allmende.adapters.languages import sentences
from allmende.adapters.parquet_report import gini, hhi
from allmende.adapters.yearly_facts import Cells, Lines, Year
from allmende.core.units import credits
from allmende.measure.access import Premium
from allmende.measure.cells import K, publish
from allmende.measure.document import Document, Grid, Part
from allmende.measure.drawing import Bar, Head, bars
from allmende.measure.written import span

LANGUAGES = ("en", "de")
SHARED = ("role", "account")
"""Cells of these may share a receipt: one pays several roles and accounts."""


class Made(Struct, frozen=True):
    """When and how: `made` is a day; `k` the minimum cell size."""

    year: int
    made: str
    language: str = "en"
    k: int = K


@cache
def words(language: str) -> Mapping[str, str]:
    file = files("allmende.adapters").joinpath("data", "report.toml")
    found: Mapping[str, str] = tomllib.loads(file.read_text(encoding="utf-8"))[language]
    return found


def document(
    year: Year, levies: Sequence[Levy], premiums: Sequence[Premium], made: Made
) -> Document:
    say = words(made.language)
    under = [
        say["made"].format(made=made.made, number=f"{year.number:,}", mode=year.mode),
        say["min_cell"].format(k=made.k),
    ]
    parts = [_overview(year, say, made)]
    if year.receipts:
        parts += [*_tables(year, say, made), _indices(year, say, made), _energy(year, say, made)]
    parts += [_levy(levies, say), _language(premiums, say), _annex(year, say)]
    definitions = [say[f"definition_{n}"] for n in (1, 2, 3)]
    title = say["title"].format(market=year.market, year=made.year)
    return Document(title, made.language, under, [*parts, Part(say["definitions"], definitions)])


def _overview(year: Year, say: Mapping[str, str], made: Made) -> Part:
    if not year.receipts:
        return Part(say["overview"], [say["none"]])
    counts = say["overview_1"].format(receipts=f"{year.receipts:,}", pending=f"{year.pending:,}")
    rows = [
        (asset, f"{sum(c.receipts for c in by['month'].values()):,}", _sum(by["month"]))
        for asset, by in sorted(year.cells.items())
    ]
    grids = [Grid(say["totals"], [say["asset"], say["receipts"], say["amount"]], rows, [1, 2])]
    tokens = [(name, f"{count:,}") for name, count in year.tokens.items()]
    grids.append(Grid(say["tokens"], ["", say["tokens"]], tokens, [1]))
    return Part(say["overview"], [counts], grids)


def _sum(cells: Cells) -> str:
    return credits(sum(cell.amount for cell in cells.values()))


def _tables(year: Year, say: Mapping[str, str], made: Made) -> list[Part]:
    earned, where, drawings, monthly = [], [], [], []
    for asset, by in sorted(year.cells.items()):
        earned += [_grid(by[name], name, asset, say, made) for name in ("role", "account")]
        where += [_grid(by[name], name, asset, say, made) for name in ("country", "model", "month")]
        drawings.append(_bars(by["role"], "role", f"{say['by_role']} ({asset})", made))
        monthly.append(_bars(by["month"], "month", f"{say['by_month']} ({asset})", made))
    return [
        Part(say["earned"], [say["earned_1"]], earned, [d for d in drawings if d]),
        Part(say["where"], [say["where_1"]], where, [d for d in monthly if d]),
    ]


def _grid(cells: Cells, by: str, asset: str, say: Mapping[str, str], made: Made) -> Grid:
    found = publish(cells, made.k, apart=by not in SHARED)
    total = sum(cell.amount for cell in cells.values()) or 1
    rows = [
        (name or "-", f"{c.receipts:,}", credits(c.amount), f"{100 * c.amount / total:.1f} %")
        for name, c in (sorted(found.shown.items()) if by == "month" else found.shown.items())
    ]
    if found.rest is not None:
        label = say["rest"].format(merged=found.merged)
        hidden = say["withheld"].format(k=made.k)
        share = f"{100 * found.rest.amount / total:.1f} %"
        told = ("-", hidden, "-") if found.withheld else (
            f"{found.rest.receipts:,}", credits(found.rest.amount), share
        )  # fmt: skip
        rows.append((label, *told))
    names = [say[by], say["receipts"], say["amount"], say["share"]]
    return Grid(f"{say[by]} ({asset})", names, rows, [1, 2, 3])


def _bars(cells: Cells, by: str, title: str, made: Made) -> str:
    """Of what the table shows; nothing if that is nothing."""
    found = publish(cells, made.k, apart=by not in SHARED).shown
    order = sorted(found) if by == "month" else list(found)
    rows = [Bar(name, [("", found[name].amount / 1e12)]) for name in order if found[name].amount]
    return bars(Head(title, title, language=made.language), rows) if rows else ""


def _indices(year: Year, say: Mapping[str, str], made: Made) -> Part:
    told = []
    enough = year.receipts >= made.k
    for asset in sorted(year.buyers):
        for name, value, places in (
            ("hhi", hhi(year.hosts.get(asset, {})), 0),
            ("gini", gini(year.buyers[asset]), 3),
        ):
            said = say["undefined"] if value is None or not enough else f"{value:,.{places}f}"
            told.append(f"{asset}: {say[name].format(value=said)}")
    return Part(say["concentration"], told)


def _energy(year: Year, say: Mapping[str, str], made: Made) -> Part:
    found = year.energy
    sentence = say["energy_1"].format(
        energy=span(found["uj_low"], found["uj_high"], "J", made.language),
        carbon=span(found["ug_low"], found["ug_high"], "g CO2e", made.language),
    )
    return Part(say["energy"], [sentence])


def _levy(levies: Sequence[Levy], say: Mapping[str, str]) -> Part:
    if not levies:
        return Part(say["levy"], [say["no_levy"]])
    rows = [
        (one.asset, *map(credits, (one.collected, one.other, one.spent, one.balance)))
        for one in levies
    ]
    names = [say[name] for name in ("asset", "collected", "other", "spent", "balance")]
    return Part(say["levy"], [say["levy_1"]], [Grid(say["levy"], names, rows, [1, 2, 3, 4])])


def _language(premiums: Sequence[Premium], say: Mapping[str, str]) -> Part:
    told = sentences()
    count = len(next(iter(told.texts.values())))
    sentence = say["language_1"].format(count=count, licence=told.licence, note=told.note)
    rows = [
        (one.vocabulary, one.language, f"{one.ratio:.2f}", f"{one.low:.2f} – {one.high:.2f}")
        for one in premiums
    ]
    names = [say[name] for name in ("vocabulary", "lang", "ratio", "interval")]
    return Part(say["language"], [sentence], [Grid(say["language"], names, rows, [2, 3])])


def _annex(year: Year, say: Mapping[str, str]) -> Part:
    """Tender annex: what stands, and in so many words what does not."""
    told, grids = [say["annex_1"]], []
    kinds: tuple[tuple[Lines, str, str, tuple[str, ...]], ...] = (
        (year.evidence, "sovereignty", "no_evidence",
         ("provider", "framework", "objective", "level", "issuer", "expires")),
        (year.assessments, "exposure", "no_assessment",
         ("provider", "regime", "level", "kill_switch", "signer", "expires")),
        (year.drills, "drills", "no_drill", ("drill", "month", "offers", "refused")),
    )  # fmt: skip
    for rows, name, missing, columns in kinds:
        if rows:
            grids.append(Grid(say[name], [say[column] for column in columns], rows))
        else:
            told.append(say[missing])
    return Part(say["annex"], [*told, say["exit"], say["exit_missing"]], grids)
