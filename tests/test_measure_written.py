"""Numbers as a language writes them, and estimates with no more digits than they bear."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from allmende.measure.written import digits, number, span, unit


def test_an_estimate_has_two_digits_three_from_a_hundred_on() -> None:
    assert span(2_808_482, 12_170_086, "J", "en") == "2.8–12 J"
    assert span(27_491_919, 119_131_629, "J", "de") == "27–119 J"
    assert span(2_435, 10_530, "g CO2e", "de") == "2,4–11 mg CO2e"
    assert span(12, 12, "l", "en") == "12 µl"
    assert span(9_960_000, 9_960_000, "J", "en") == "10 J"


def test_units_are_what_people_count_in() -> None:
    assert span(3_600_000 * 10**6, 36_000_000 * 10**6, "J", "en") == "1–10 kWh"
    assert span(1_000_000, 2_500_000_000, "g", "en") == "0.001–2.5 kg"
    assert span(10**9, 12_345 * 10**6, "l", "de") == "1000–12.300 l"


def test_numbers_are_grouped_as_the_language_does_and_never_rounded() -> None:
    assert number("1234567.8901", "en") == "1,234,567.8901"
    assert number(-12_345, "de") == "−12.345"


@given(st.integers(0, 10**20), st.sampled_from(["J", "g CO2e", "l"]))
def test_no_estimate_reads_as_nothing_or_has_more_than_three_digits(value: int, of: str) -> None:
    name, size = unit(value, of)
    text = digits(value, size)
    assert (float(text) == 0) == (value == 0)
    assert len(text.replace(".", "").strip("0")) <= 3
    assert abs(float(text) * size - value) <= 0.05 * value
    assert name.split()[0] in {
        "µJ",
        "mJ",
        "J",
        "kJ",
        "kWh",
        "µg",
        "mg",
        "g",
        "kg",
        "t",
        "µl",
        "ml",
        "l",
    }
