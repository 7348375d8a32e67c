"""The rule of a sale in plain numbers; tests/contracts/test_sale_machine.py holds it against the
contract."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from allmende.adapters.rules import NoRules
from allmende.adapters.sale_terms import DAY, beyond_the_law, law_of, sale_terms
from allmende.core.offering import Book, Declined, Terms, Voucher, proceeds_max, unsound
from allmende.core.refusals import Refused

START = 1_800_000_000
UNIT = 10**12
SELLERS: dict[str, Any] = {
    "price": 2,
    "soft_cap": 5,
    "hard_cap": 10,
    "person_cap": 10,
    "start": START,
    "end": START + 30 * DAY,
    "euro_rate": 1_000_000,
    "unit": UNIT,
}


def book(**changed: Any) -> Book:
    return Book(mode="open", terms=sale_terms("open", **{**SELLERS, **changed}))


def voucher(of: str) -> Voucher:
    return Voucher(f"wallet of {of}", of, "DEU", False, START + 90 * DAY)


def buy(sale: Book, who: str, shares: int) -> int:
    return sale.buy(START, f"wallet of {who}", voucher(who), shares)


def test_the_worked_number_of_the_rule() -> None:
    sale = book()
    anna, ben = buy(sale, "anna", 3), buy(sale, "ben", 2)
    assert (sale.sold, sale.held) == (5, 10)
    assert sale.refund(START + 1, "wallet of ben", ben) == 4
    late = sale.terms.decided_at
    with pytest.raises(Declined, match="sale: failed"):
        sale.complete(late, anna)
    assert sale.refund(late, "anybody", anna) == 6
    assert (sale.sold, sale.held, sale.proceeds) == (0, 0, 0)


def test_the_terms_are_those_of_the_dated_rule() -> None:
    terms = book().terms
    assert (terms.persons_below, terms.count_qualified) == (150, True)
    assert terms.refund == 15 * DAY  # 14 calendar days, wherever the buyer is
    assert terms.proceeds_max == 1_000_000 * UNIT
    assert terms.period == 365 * DAY
    assert law_of(START).status == "in force"
    with pytest.raises(NoRules):
        sale_terms("open", **{**SELLERS, "start": 0})


def test_a_dearer_pay_unit_fills_the_limit_sooner_and_never_over_it() -> None:
    assert proceeds_max(1_000_000, 2_000_000, UNIT) == 500_000 * UNIT
    thirds = proceeds_max(1_000_000, 3_000_000, 1)
    assert thirds * 3 <= 1_000_000 < (thirds + 1) * 3


def test_less_time_to_think_it_over_is_for_the_lab_alone() -> None:
    assert sale_terms("lab", **SELLERS, refund=2).refund == 2
    assert sale_terms("open", **SELLERS, refund=20 * DAY).refund == 20 * DAY
    with pytest.raises(Refused, match="for the lab alone"):
        sale_terms("open", **SELLERS, refund=14 * DAY)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({}, []),
        ({"persons_below": 100, "refund": 90 * DAY}, []),
        ({"persons_below": 151}, ["persons_below"]),
        ({"proceeds_max": 1_000_000 * UNIT + 1}, ["proceeds_max"]),
        ({"refund": 14 * DAY, "count_qualified": False}, ["refund", "count_qualified"]),
    ],
)
def test_terms_that_allow_more_than_the_law_are_named(
    changed: dict[str, Any], named: list[str]
) -> None:
    assert beyond_the_law("open", structs.replace(book().terms, **changed), UNIT) == named


def test_a_sale_longer_than_the_laws_year_is_unsound() -> None:
    year: Terms = book(end=START + 365 * DAY).terms
    assert unsound(year, START) == ""
    longer = book(end=START + 365 * DAY + 1).terms
    assert unsound(longer, START) == "sale: longer than its period"


def test_nothing_changes_when_a_purchase_is_declined() -> None:
    sale = book()
    buy(sale, "anna", 9)
    with pytest.raises(Declined, match="sale: over the hard cap"):
        buy(sale, "ben", 2)
    assert sale.counters("ben", "DEU") == (9, 18, 0, 1, False)
