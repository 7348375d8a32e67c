"""Reliance: every amount is at home, foreign or unknown, and the worked number comes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.measure.figure import About
from allmende.measure.reliance import CRITICAL, Reliance, reliance
from allmende.measure.value import Actor, Line

ABOUT = About(of="market", window="2026-11", denominator="final receipts", grade="reported")


def line(payer: str, provider: str, amount: int, country: str = "", role: str = "host") -> Line:
    return Line(
        role=role,
        account=provider if role == "host" else role,
        payer=payer,
        paid_with="",
        provider=provider,
        title="t",
        model="m",
        country="DEU",
        operator="",
        parent="",
        parent_country=country,
        payments=1,
        amount=amount,
    )


def of(lines: list[Line], tokens: dict[str, float] | None = None, **actors: Actor) -> Reliance:
    return reliance(ABOUT, lines, tokens or {}, actors, {"DEU"})


def test_the_worked_number_and_the_four_weights() -> None:
    lines = [line("a", "h", 100, "DEU"), line("b", "u", 100, "USA"), line("b", "x", 200)]
    tokens, credit, critical, users = of(lines, {"h": 60, "u": 20, "x": 20}).weights
    assert (credit.low, credit.high) == pytest.approx((0.25, 0.75))
    assert (users.low, users.high) == pytest.approx((1 / 6, 0.5))
    assert (tokens.low, tokens.high) == pytest.approx((0.2, 0.4))
    assert (critical.defined, critical.why) == (False, CRITICAL.text())


def test_a_path_is_as_weak_as_its_weakest_layer() -> None:
    lines = [
        line("a", "h", 80, "DEU"),
        line("a", "u", 20, "USA"),
        line("a", "h", 10, role="author"),
        line("a", "h", 0, role="gpu"),
    ]
    found = of(lines, author=Actor(owner_country="USA"))
    assert found.layers == {
        "serving": pytest.approx((0.2, 0.2)),
        "model": pytest.approx((1.0, 1.0)),
    }
    assert found.weakest is not None
    assert found.weakest.layers == ("model",)
    assert found.independence.value == pytest.approx(0)
    assert found.suppliers.value == pytest.approx(
        10_000 * (90 / 110) ** 2 + 10_000 * (20 / 110) ** 2
    )


def test_a_provider_whose_offers_name_two_owners_is_unknown() -> None:
    lines = [line("a", "h", 1, "DEU"), line("a", "h", 1, "USA")]
    tokens = of(lines, {"h": 5, "gone": 5}).weights[0]
    assert (tokens.low, tokens.high) == (0, 1)


def test_an_empty_market_says_so_everywhere() -> None:
    found = of([])
    assert not any(figure.defined for figure in found.weights)
    assert (found.layers, found.weakest, found.independence.defined) == ({}, None, False)
    assert "Nothing was sold" in found.suppliers.why
    free = of([line("a", "h", 0, "USA")], {"h": 10})
    assert free.weights[0].value == 1
    assert not free.weights[1].defined


amounts = st.tuples(
    st.sampled_from("abc"), st.sampled_from("hux"), st.integers(0, 10**15),
    st.sampled_from(["", "DEU", "USA", "CHN"]),
)  # fmt: skip


@given(st.lists(amounts, min_size=1, max_size=12).filter(lambda rows: any(r[2] for r in rows)))
def test_the_range_is_foreign_to_foreign_and_unknown(
    rows: list[tuple[str, str, int, str]],
) -> None:
    credit = of([line(*row) for row in rows]).weights[1]
    total = sum(amount for _, _, amount, _ in rows)
    foreign = sum(amount for _, _, amount, country in rows if country in ("USA", "CHN"))
    unknown = sum(amount for _, _, amount, country in rows if not country)
    assert credit.low == pytest.approx(foreign / total)
    assert credit.high == pytest.approx((foreign + unknown) / total)
