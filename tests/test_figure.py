"""Figure: a number never goes without what it is of."""

from __future__ import annotations

import pytest

from allmende.measure.figure import About, weakest

ABOUT = About(of="serving", window="2026-11", denominator="tokens", grade="ledger")


def test_a_figure_is_a_point_a_range_or_undefined_with_a_reason() -> None:
    point = ABOUT.point("hhi", 2600.0, "points", "sum of squared shares")
    assert (point.value, point.defined, point.text()) == (2600.0, True, "2,600")
    between = ABOUT.between("hhi", 1410, 1892, "points", "sum of squared shares")
    assert (between.value, between.defined, between.text()) == (None, True, "1,410 to 1,892")
    nothing = ABOUT.undefined("hhi", "points", "sum of squared shares", "Nothing was sold.")
    assert (nothing.value, nothing.defined, nothing.text()) == (None, False, "undefined")
    assert (point.of, point.window, point.denominator) == ("serving", "2026-11", "tokens")


@pytest.mark.parametrize(("low", "high"), [(2.0, 1.0), (float("nan"), 1.0), (0.0, float("nan"))])
def test_what_is_no_range_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match=r"hhi of serving: .* is no range"):
        ABOUT.between("hhi", low, high, "points", "x")
    with pytest.raises(ValueError, match="says why"):
        ABOUT.undefined("hhi", "points", "x", "")


def test_a_figure_of_several_sources_has_the_weakest_grade() -> None:
    assert weakest("ledger", "estimate", "reported") == "estimate"
    assert weakest("ledger") == "ledger"
    assert weakest() == "assumed"
