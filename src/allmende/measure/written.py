"""Written: numbers as a language writes them, and estimates with no more digits than they bear.

Rule: numbers are cut and grouped as text, never through a float. Both ends of an estimate are in
the unit of the higher one, with two significant digits, three from 100 on; exact values are in
files.
Invariant: what is not nothing is never written as 0; the unit leaves 1 or more before the point,
unless there is no smaller unit.
Worked number: 2,808,482 to 12,170,086 millionths of a joule are 2.8 to 12 J.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

SEPARATORS = {"en": (",", "."), "de": (".", ",")}
"""Between groups of three digits, and before decimals."""
PREFIXES = (("k", 10**9), ("", 10**6), ("m", 10**3), ("µ", 1))
LARGE: Mapping[str, tuple[tuple[str, int], ...]] = {
    "J": (("kWh", 3_600_000 * 10**6),),
    "g": (("t", 10**12),),
}
"""Above a thousand of a unit, what people count in."""
WHOLE = ("l",)
"""Units of which nobody counts thousands: 2,000 l."""


def number(value: object, language: str) -> str:
    """Digits in groups of three: decimal text or an integer, never a float."""
    text = str(value)
    sign, text = ("−", text[1:]) if text.startswith("-") else ("", text)
    whole, _, part = text.partition(".")
    group, point = SEPARATORS[language]
    if len(whole) > 4:
        whole = f"{int(whole):,}".replace(",", group)
    return f"{sign}{whole}{point}{part}" if part else f"{sign}{whole}"


def span(low: int, high: int, of: str, language: str) -> str:
    """`2.8–12 J` and `2,8–12 J`, from millionths of `of`."""
    name, size = unit(high, of)
    ends = dict.fromkeys(number(digits(value, size), language) for value in (low, high))
    return f"{'–'.join(ends)} {name}"


def unit(millionths: int, of: str) -> tuple[str, int]:
    """The unit for a value given in millionths of `of`, and millionths per such unit.

    Of "g CO2e" the first word has the prefix.
    """
    base, gap, more = of.partition(" ")
    sizes = [
        *LARGE.get(base, ()),
        *(
            (f"{name}{base}", size)
            for name, size in PREFIXES
            if not (name == "k" and base in WHOLE)
        ),
    ]
    name, size = next((row for row in sizes if millionths >= row[1]), sizes[-1])
    return f"{name}{gap}{more}", size


def digits(value: int, size: int) -> str:
    """`value / size` with so many digits as an estimate has, as decimal text."""
    exact = Decimal(value) / size
    if not exact:
        return "0"
    places = (2 if abs(exact) >= 100 else 1) - exact.adjusted()
    text = f"{exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
