"""Interests: profit and say are looked through to their owners, and sum to one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.core.actors import Actor, Registry, Stake
from allmende.doors.observatory.concentration import By, figured, interests
from allmende.doors.observatory.sellers import Market, Quality
from allmende.measure import concentration
from allmende.measure.control import Control
from allmende.measure.interests import owners, weights


def held(*stakes: tuple[str, str, int, int]) -> Control:
    """Stakes as (holder, entity, per cent of votes, of profit); a to e are companies."""
    rows = tuple(Stake(h, e, v * 10_000, p * 10_000) for h, e, v, p in stakes)
    actors = tuple(Actor(x, x, "DEU", accounts=(f"at-{x}",), brand=f"B{x}") for x in "abcde")
    return Control(Registry(actors, rows))


def test_a_minority_stake_weighs_as_it_is() -> None:
    found = weights(held(("a", "b", 27, 49)), "ab")
    assert found.financial["b"] == pytest.approx({"a": 0.49, "b": 0.51})
    assert found.control["b"] == pytest.approx({"a": 0.27, "b": 0.73})
    assert found.control["a"] == {"a": 1.0}


def test_a_controlled_seller_is_its_parents_whole_say() -> None:
    found = weights(held(("a", "b", 60, 10)), "b")
    assert found.control["b"] == {"a": 1.0}
    assert found.financial["b"] == pytest.approx({"a": 0.1, "b": 0.9})


def test_a_common_owner_of_two_raises_the_mhhi_and_a_merger_by_control_is_the_hhi_of_one() -> None:
    shares = {"a": 0.5, "b": 0.5}
    alone = weights(held(), "ab")
    assert concentration.mhhi(shares, *alone)[0] == pytest.approx(5_000)
    common = weights(held(("c", "a", 50, 50), ("c", "b", 50, 50)), "ab")
    assert concentration.mhhi(shares, *common)[0] > 5_000
    whole = weights(held(("a", "b", 100, 100)), "ab")
    assert concentration.mhhi(shares, *whole)[0] == pytest.approx(10_000)


def test_circles_end() -> None:
    found = owners(held(("a", "b", 0, 50), ("b", "a", 0, 50)), "a", "economic_ppm")
    assert found == pytest.approx({"a": 2 / 3, "b": 1 / 3})
    closed = owners(held(("a", "b", 0, 100), ("b", "a", 0, 100)), "a", "economic_ppm")
    assert closed == pytest.approx({"a": 1.0})


STAKES = st.lists(
    st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde"), st.just(0), st.integers(1, 25))
    .filter(lambda stake: stake[0] != stake[1]),
    max_size=12,
    unique_by=lambda stake: stake[:2],
)  # fmt: skip


@given(STAKES)
def test_owners_sum_to_one(stakes: list[tuple[str, str, int, int]]) -> None:
    control = held(*stakes)
    for entity in "abcde":
        found = owners(control, entity, "economic_ppm")
        assert sum(found.values()) == pytest.approx(1.0)
        assert min(found.values()) > 0


def test_the_page_weighs_the_stakes_behind_accounts_in_the_market_of_all_models() -> None:
    cells = {
        name: {"receipts": n, "tokens": n, "credit": n} for name, n in (("at-a", 60), ("at-b", 40))
    }
    known = By("", Quality([], {}), interests(held(("a", "b", 30, 30))))
    serving = Market("serving", "all", 100, cells)
    whole = {f.key: f for f in figured(serving, "tokens", known)}
    assert whole["hhi"].value == pytest.approx(5_200)
    rival = 0.6 * 0.4 * (0.3 + 0.3 / (0.3 * 0.3 + 0.7 * 0.7))
    assert whole["mhhi"].value == pytest.approx(5_200 + 10_000 * rival)
    one_model = figured(Market("serving", "small", 100, cells), "tokens", known)
    brands = figured(serving, "tokens", known._replace(held=None))
    assert "mhhi" not in {f.key for f in [*one_model, *brands]}
