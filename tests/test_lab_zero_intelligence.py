"""Zero intelligence: Gode and Sunder (1993) on the market's own book."""

from __future__ import annotations

from random import Random

import pytest

from allmende.lab import zero_intelligence as zi
from allmende.lab.zero_intelligence import Trader

SEEDS = range(40)


def test_budgets_alone_make_nearly_all_surplus_and_without_them_clearly_less():
    """Published: near 100 % with the constraint, clearly lower without; our tolerance is 3 %."""
    constrained, unconstrained = zi.means(zi.compare(SEEDS))
    assert constrained == pytest.approx(1, abs=0.03)
    assert unconstrained < constrained - 0.3


def test_the_largest_surplus_is_that_of_the_dearest_values_with_the_cheapest_costs():
    people = [Trader("a", "buy", [9, 3]), Trader("b", "buy", [7, 1])]
    people += [Trader("c", "sell", [2, 8]), Trader("d", "sell", [4, 9])]
    assert zi.surplus(people) == (9 - 2) + (7 - 4)


@pytest.mark.parametrize("seed", range(5))
def test_who_is_constrained_never_loses_on_a_unit(seed: int):
    session = zi.run(seed, constrained=True)
    assert min(session.gains) >= 0
    assert session.made <= session.most
    assert min(zi.run(seed, constrained=False).gains) < 0


def test_a_seed_is_a_whole_session_and_always_the_same():
    assert zi.run(3, constrained=True) == zi.run(3, constrained=True)
    assert zi.run(3, constrained=True) != zi.run(4, constrained=True)


def test_values_fall_and_costs_rise_from_unit_to_unit():
    for trader in zi.traders(Random(1)):
        assert trader.limits == sorted(trader.limits, reverse=trader.side == "buy")


def test_the_table_names_its_source_and_says_whether_it_is_as_published():
    said: list[str] = []
    assert zi.main(6, 20, said.append) == 0
    assert "Gode and Sunder 1993" in "\n".join(said)
    assert said[-1].split()[0] == "mean"
