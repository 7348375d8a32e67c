"""The lab sells by the rule of desk and contract, and says what a cap does."""

from __future__ import annotations

from typing import Any

from click.testing import CliRunner

from allmende.adapters.sale_terms import DAY, sale_terms
from allmende.cli import main
from allmende.lab.share_sale import compare, people, sell

START = 1_800_000_000
SELLERS: dict[str, Any] = {
    "price": 1,
    "soft_cap": 100,
    "hard_cap": 500_000,
    "person_cap": 500_000,
    "start": START,
    "end": START + 30 * DAY,
    "euro_rate": 1_000_000,
    "unit": 1,
}


def test_the_worked_number_and_that_a_cap_spreads_what_it_lessens() -> None:
    free, capped = compare(people(400, 1), sale_terms("lab", **SELLERS), (500_000, 200))
    assert (free.sold, capped.sold) == (127_320, 50_474)
    assert (round(free.gini, 3), round(capped.gini, 3)) == (0.624, 0.336)
    assert free.nakamoto < capped.nakamoto
    assert set(free.refused) == {"sale: no more persons of this state"}


def test_a_sale_that_fails_leaves_nobody_a_share() -> None:
    terms = sale_terms("lab", **{**SELLERS, "soft_cap": 400_000})
    out = sell(people(50, 3), terms)
    assert (out.sold, out.holders, out.gini) == (0, 0, 0.0)


def test_the_command_says_what_the_rule_refused() -> None:
    done = CliRunner().invoke(main, ["lab", "share-sale", "--people", "300", "--seed", "2"])
    assert done.exit_code == 0
    assert "300 people, seed 2" in done.output
    assert "refused in the last: " in done.output
