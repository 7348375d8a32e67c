"""Rents: margins against cost and the open floor, splits that add up, Cournot's identity."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from allmende.measure.figure import About, Undefined
from allmende.measure.rents import (
    Host,
    above_floor,
    cournot,
    floor,
    free_share,
    implied_elasticity,
    lerner,
    long_run_cost,
    marginal_cost,
    price_cost_test,
    take_rate,
    technology_rent,
    weighted_lerner,
)
from allmende.measure.rents_figures import margin, open_floor, plausible, taken, technology

money = st.floats(0, 1e6)


def host(name: str, price: float, volume: float, context: int = 8192, bits: str = "bf16") -> Host:
    return Host(name, price, volume, context, bits)


def test_lerner_and_its_edges() -> None:
    assert lerner(10, 4) == pytest.approx(0.6)
    assert lerner(4, 5) == pytest.approx(-0.25)
    assert lerner(3, 0) == 1
    with pytest.raises(Undefined, match="price is zero"):
        lerner(0, 1)
    with pytest.raises(ValueError, match="marginal cost is -1"):
        lerner(1, -1)


def test_the_cost_of_a_token_is_time_energy_and_network() -> None:
    assert marginal_cost(3.6, 3_600_000) == pytest.approx(1e-6)
    energy = marginal_cost(0, 1, token_j=0.5, pue=1.2, kwh=0.3)
    assert energy == pytest.approx(0.6 / 3.6e6 * 0.3)
    assert marginal_cost(3.6, 3_600_000, 0.5, 1.2, 0.3, 1e-8) == pytest.approx(1e-6 + energy + 1e-8)
    with pytest.raises(Undefined, match="No tokens"):
        marginal_cost(1, 0)
    with pytest.raises(ValueError, match="PUE"):
        marginal_cost(1, 1, pue=0.9)


def test_the_floor_is_the_median_by_volume_of_the_three_cheapest_alike() -> None:
    hosts = [host("a", 1, 10), host("b", 2, 10), host("c", 3, 100), host("d", 4, 9999)]
    assert floor(hosts, 8192, "bf16") == 3
    assert floor([*hosts, host("e", 0.1, 9999, bits="fp4")], 8192, "bf16") == 3
    assert floor([h._replace(volume=0) for h in hosts], 8192, "bf16") == 2
    assert floor([host("a", 1, 5), host("b", 2, 2), host("c", 3, 3)], 8192, "bf16") == 1
    assert above_floor(12, 3) == pytest.approx(0.75)
    with pytest.raises(Undefined, match="0 hosts"):
        floor(hosts, 4096, "bf16")
    with pytest.raises(ValueError, match="named twice"):
        floor([*hosts, hosts[0]], 8192, "bf16")


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=3, max_size=6))
def test_the_floor_is_the_middle_of_every_single_token(asks: list[tuple[int, int]]) -> None:
    hosts = [host(f"h{n}", price, volume) for n, (price, volume) in enumerate(asks)]
    cheapest = sorted(hosts, key=lambda h: (h.price, h.name))[:3]
    tokens = [h.price for h in cheapest for _ in range(int(h.volume))]
    assert floor(hosts, 8192, "bf16") == tokens[(len(tokens) - 1) // 2]


def test_the_worked_rent_splits_into_lock_in_and_scarcity() -> None:
    split = technology_rent(10, 6, 100, 1200, 6)
    assert split == (400, (0, 200), (200, 400))
    assert long_run_cost(2, 1000, 500, 1) == 5
    with pytest.raises(Undefined):
        long_run_cost(2, 1000, 0)
    with pytest.raises(Undefined):
        technology_rent(10, 6, 0, 1200, 6)


@given(money, money, st.floats(0.1, 1e6), money, st.floats(0.1, 100))
def test_lock_in_and_scarcity_add_up_to_the_rent(
    price: float, cost: float, quantity: float, switching: float, periods: float
) -> None:
    rent, lock_in, scarcity = technology_rent(price, cost, quantity, switching, periods)
    assert rent == pytest.approx((price - cost) * quantity)
    assert lock_in[0] + scarcity[1] == pytest.approx(rent)
    assert lock_in[1] + scarcity[0] == pytest.approx(rent, abs=1e-3)
    assert 0 <= lock_in[1] <= switching / periods + 1e-9
    assert lock_in[1] == 0 or lock_in[1] <= rent


@given(st.floats(1, 100), st.floats(0.1, 10), st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_cournots_identity_holds_whatever_the_costs(a: float, b: float, parts: list[float]) -> None:
    costs = [part * a / (len(parts) + 1) for part in parts]
    found = cournot(a, b, costs)
    total = sum(found.quantities)
    shares = {str(i): q / total for i, q in enumerate(found.quantities)}
    assume(all(found.lerners))
    lerners = {str(i): one for i, one in enumerate(found.lerners)}
    hhi = sum(share**2 for share in shares.values())
    assert weighted_lerner(shares, lerners) == pytest.approx(hhi / found.elasticity)
    assert implied_elasticity(shares, lerners) == pytest.approx(found.elasticity)


def test_cournots_equilibrium_cannot_be_bettered_by_any_seller() -> None:
    costs = [1.0, 2.0, 3.0]
    found = cournot(10, 2, costs)
    for i, cost in enumerate(costs):
        others = sum(found.quantities) - found.quantities[i]
        profits = [(10 - 2 * (others + q / 100) - cost) * q / 100 for q in range(500)]
        assert profits.index(max(profits)) / 100 == pytest.approx(found.quantities[i], abs=0.011)
    with pytest.raises(Undefined, match="would not sell"):
        cournot(10, 1, [1, 9])


def test_no_margins_imply_no_elasticity_and_a_missing_one_is_named() -> None:
    with pytest.raises(Undefined, match="zero or below"):
        implied_elasticity({"a": 1.0}, {"a": 0.0})
    with pytest.raises(ValueError, match="b has a share but no Lerner"):
        implied_elasticity({"a": 0.5, "b": 0.5}, {"a": 0.5})


def test_take_rate_and_free_use() -> None:
    assert take_rate(5, 100) == 0.05
    with pytest.raises(Undefined):
        take_rate(0, 0)
    with pytest.raises(ValueError, match="took 3 of 2"):
        take_rate(3, 2)
    assert free_share(20, 80, 5, 100, limit=0.1) == (0.2, 0.05, ())
    assert free_share(20, 80, 20, 100, limit=0.1).flags == ("free use costs 20.0% of paid revenue",)
    assert free_share(20, 0, 5, 0, limit=0.1).flags
    assert free_share(20, 0, 0, 0, limit=0.1) == (1, 0, ())
    with pytest.raises(Undefined):
        free_share(0, 0, 0, 0, limit=0.1)


def test_a_price_below_avoidable_cost_is_said_to_be() -> None:
    assert price_cost_test(1, 2, 3) == "below avoidable cost"
    assert price_cost_test(2, 2, 3) == "between avoidable and total cost"
    assert price_cost_test(3, 2, 3) == "at or above cost"
    with pytest.raises(ValueError, match="part of total"):
        price_cost_test(1, 3, 2)


def test_rents_as_figures_say_what_they_are_of_or_why_there_is_none() -> None:
    about = About(of="chat", window="2026-11", denominator="paid tokens", grade="estimate")
    assert margin(about, 10, 4).value == pytest.approx(0.6)
    hosts = [host("a", 1, 10), host("b", 2, 10), host("c", 3, 100)]
    lowest, above = open_floor(about, 12, hosts, 8192, "bf16", "USD per million tokens")
    assert (lowest.value, above.value) == (3, pytest.approx(0.75))
    assert "2 hosts" in open_floor(about, 12, hosts[:2], 8192, "bf16", "USD")[1].why
    found = technology(about, 10, 6, 100, 1200, 6, "USD a month")
    assert [one.text() for one in found] == ["400", "0 to 200", "200 to 400"]
    assert taken(about, 0, 0).why == "Nothing was paid through the platform."
    assert plausible(about, {"a": 1.0}, {"a": 0.5}).value == 2
