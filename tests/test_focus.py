"""FOCUS 1.2: every row as the specification wants it, and the ledger's own sums."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import focus_rules
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from observed import directory, exact

from allmende.cli import main
from allmende.core.nouns import Receipt
from allmende.core.units import CREDIT, DAY, Energy, Tariff, Units, Zone, price
from allmende.measure.focus import COLUMNS, Money, Names, amount, money, month, rows

MONTH = "2026-09"
NAMES = Names("M", *month("2026-11"), {"a": "A"}, {"a": "organisation"}, {"b": "B"})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return directory(tmp_path_factory.mktemp("data"))


def focus(data: Path, *words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["observatory", "focus", "--data", str(data), *words])
    assert result.exit_code == code, result.output + result.stderr
    return result


def parsed(result: Result) -> tuple[list[str], list[dict[str, str]]]:
    found = csv.DictReader(io.StringIO(result.stdout))
    lines = list(found)
    return list(found.fieldnames or ()), lines


def months(data: Path) -> list[str]:
    query = "SELECT DISTINCT substr(day, 1, 7) FROM usage ORDER BY 1"
    return [str(found) for (found,) in exact(data, query)]


@pytest.mark.parametrize("words", [(), ("--currency", "EUR:0.95"), ("--asset", "gold")])
def test_every_row_is_as_the_specification_wants_it(data: Path, words: tuple[str, ...]) -> None:
    seen = 0
    for name in months(data):
        columns, found = parsed(focus(data, "--month", name, *words))
        seen += len(found)
        assert not [c for row in found for c in focus_rules.complaints(columns, row)]
    assert seen > 20


def test_billed_and_effective_cost_sum_to_the_ledger(data: Path) -> None:
    for name in months(data):
        _, found = parsed(focus(data, "--month", name))
        of = f"substr(day, 1, 7) = '{name}' AND asset = 'credit'"
        (said,) = exact(data, f"SELECT total_of(price) FROM usage WHERE {of}")[0]
        assert sum(Fraction(row["EffectiveCost"]) for row in found) * CREDIT == int(str(said))
        by_credit = (
            "SELECT total_of(price) FROM receipts WHERE final = 1 AND \"right\" = '' AND "
            f"strftime('%Y-%m', at / 1000000, 'unixepoch') = '{name}' AND asset = 'credit'"
        )
        (paid,) = exact(data, by_credit)[0]
        assert sum(Fraction(row["BilledCost"]) for row in found) * CREDIT == int(str(paid))
        joules = sum(Fraction(row["x_EnergyHighJoules"]) for row in found)
        (high,) = exact(data, f"SELECT total_of(uj_high) FROM usage WHERE {of}")[0]
        assert joules * 10**6 == int(str(high))


def test_a_budget_brings_those_below_it(data: Path) -> None:
    name = months(data)[0]
    everything = parsed(focus(data, "--month", name))[1]
    top = parsed(focus(data, "--month", name, "--budget", "top"))[1]
    low = parsed(focus(data, "--month", name, "--budget", "low"))[1]
    assert {row["SubAccountId"] for row in top} == {"top", "low"}
    assert {row["SubAccountId"] for row in low} == {"low"}
    assert top == [row for row in everything if row["SubAccountId"] in ("top", "low")]


def test_what_is_not_in_the_file_is_said(data: Path) -> None:
    said = focus(data, "--month", months(data)[0])
    assert "BillingCurrency is XXX" in said.stderr
    assert "in gold are not in it: --asset gold" in said.stderr
    assert "XXX" not in focus(data, "--month", months(data)[0], "--currency", "EUR").stderr


def test_wrong_words_are_named(data: Path) -> None:
    assert "no month" in focus(data, "--month", "2026-13-1", code=2).stderr
    assert "no ISO 4217" in focus(data, "--month", MONTH, "--currency", "euro", code=2).stderr
    assert "no budget" in focus(data, "--month", MONTH, "--budget", "x", code=1).stderr


def test_the_validator_sees_what_is_wrong(data: Path) -> None:
    columns, found = parsed(focus(data, "--month", months(data)[0]))
    row = found[0]
    for name, value in (
        ("BilledCost", ""),
        ("ChargeCategory", "usage"),
        ("PricingUnit", "tokens!"),
        ("ContractedCost", "1000000"),
        ("CommitmentDiscountId", "x"),
        ("SkuId", ""),
        ("ChargePeriodEnd", "yesterday"),
    ):
        assert list(focus_rules.complaints(columns, {**row, name: value})), name
    assert list(focus_rules.complaints([*columns[1:], "Ours"], row))


UNITS = st.builds(Units, *[st.integers(0, 10**12)] * 4)
RATES = st.builds(Tariff, *[st.integers(0, 10**30)] * 4)


@given(st.lists(st.tuples(UNITS, RATES), max_size=5), st.decimals(1, 9, places=4))
@settings(max_examples=40, deadline=None)
def test_rows_sum_to_prices_whatever_the_tariff(
    bought: list[tuple[Units, Tariff]], rate: Decimal
) -> None:
    receipts = [receipt(units, tariff) for units, tariff in bought]
    found = list(rows(receipts, NAMES, Money("EUR", rate)))
    total = sum(one.price for one in receipts)
    assert sum(Fraction(row["BilledCost"]) for row in found) == Fraction(amount(total, rate))
    assert all(list(row) == list(COLUMNS) for row in found)
    assert sum(int(row["x_Receipts"]) for row in found) == len(receipts)


def receipt(units: Units, tariff: Tariff) -> Receipt:
    return Receipt(
        *("r", "m", NAMES.first + DAY, "a", "b", "k", "host", "o", "t", "small"),
        *("chat/completions", Zone("DEU"), "credit", tariff, units, price(tariff, units)),
        *((), Energy(), "metered", "agrees", "complete"),
    )


def test_money_is_exact() -> None:
    assert amount(150_000) == "0.00000015"
    assert amount(10**12 + 1) == "1.000000000001"
    assert amount(0) == "0"
    assert money("EUR:0.95") == Money("EUR", Decimal("0.95"))
