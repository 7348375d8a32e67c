"""Figure: a number that says what it is of: unit, window, denominator, definition, provenance.

Rule: what is known as a range is a range; what cannot be said is undefined and says why;
nothing is left out or guessed. A figure made of several sources has the grade of the weakest.
Invariant: low <= high; a figure is a point, a range or undefined, and if undefined has a reason.
Worked number: shares of 29, 20 and 13 % known and 38 % unknown, nobody unknown above 13 %: the
HHI is 1,410 to 1,892, a range from `About.between`, never the 1,410 alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from msgspec import Struct, structs

from allmende.measure.said import Said

Grade = Literal["ledger", "reported", "estimate", "assumed"]
"""Best first. `ledger`: from the journal, exact. `reported`: published by a named source.
`estimate`: from a stated method. `assumed`: entered by a user, or from memory."""
GRADES: tuple[Grade, ...] = get_args(Grade)


FEW = Said("few")


class Undefined(ValueError):
    """There is no such number of this: an empty market, a price of zero. The sentence says why.

    What is asked wrongly (a negative amount, shares that add up to more than one) is a plain
    ValueError and no figure."""

    def __init__(self, why: str | Said) -> None:
        super().__init__(_text(why))
        self.why = why


class Figure(Struct, frozen=True, kw_only=True):
    """`key` is stable, for pages and files; `of` says which market, layer, weight or actor."""

    key: str
    of: str
    low: float | None
    high: float | None
    unit: str
    window: str
    denominator: str
    definition: str
    grade: Grade
    why: str = ""
    """Why it is undefined; else a remark, or nothing. In English, as the denominator is."""
    because: Said | None = None
    among: Said | None = None
    """Why and denominator for readers of any language, where they are told by keys."""

    @property
    def value(self) -> float | None:
        """The number, if it is one; None for a range and for what is undefined."""
        return self.low if self.low == self.high else None

    @property
    def defined(self) -> bool:
        return self.low is not None

    def withheld(self) -> Figure:
        """Without its number, because it rests on too few receipts to be told everybody."""
        if not self.defined:
            return self
        return structs.replace(self, low=None, high=None, why=_text(FEW), because=FEW)

    def text(self, places: int = 2) -> str:
        """`0.25`, `1,410 to 1,892` or `undefined`, without the unit."""
        if self.low is None or self.high is None:
            return "undefined"
        low, high = _number(self.low, places), _number(self.high, places)
        return low if low == high else f"{low} to {high}"


class About(Struct, frozen=True, kw_only=True):
    """What the figures of one computation have in common."""

    of: str
    window: str
    denominator: str | Said
    grade: Grade

    def point(
        self, key: str, value: float, unit: str, definition: str, why: str | Said = ""
    ) -> Figure:
        return self.between(key, value, value, unit, definition, why)

    def between(
        self, key: str, low: float, high: float, unit: str, definition: str, why: str | Said = ""
    ) -> Figure:
        """Raises ValueError if low is above high, or either is no number."""
        if not low <= high:
            raise ValueError(f"{key} of {self.of}: {low} to {high} is no range.")
        return self._figure(key, low, high, unit, definition, why)

    def of_range(
        self, key: str, unit: str, definition: str, compute: Callable[[], tuple[float, float]]
    ) -> Figure:
        """The range that `compute` finds, or undefined with its reason."""
        try:
            low, high = compute()
        except Undefined as error:
            return self.undefined(key, unit, definition, error.why)
        return self.between(key, low, high, unit, definition)

    def of_value(
        self, key: str, unit: str, definition: str, compute: Callable[[], float]
    ) -> Figure:
        """The number that `compute` finds, or undefined with its reason."""
        try:
            value = compute()
        except Undefined as error:
            return self.undefined(key, unit, definition, error.why)
        return self.point(key, value, unit, definition)

    def undefined(self, key: str, unit: str, definition: str, why: str | Said) -> Figure:
        if not why:
            raise ValueError(f"{key} of {self.of}: an undefined figure says why.")
        return self._figure(key, None, None, unit, definition, why)

    def _figure(
        self,
        key: str,
        low: float | None,
        high: float | None,
        unit: str,
        definition: str,
        why: str | Said,
    ) -> Figure:
        return Figure(
            key=key,
            of=self.of,
            low=low,
            high=high,
            unit=unit,
            window=self.window,
            denominator=_text(self.denominator),
            definition=definition,
            grade=self.grade,
            why=_text(why),
            because=why if isinstance(why, Said) else None,
            among=self.denominator if isinstance(self.denominator, Said) else None,
        )


def weakest(*grades: Grade) -> Grade:
    """The grade of what is made of these; of nothing: `assumed`."""
    return max(grades, key=GRADES.index, default="assumed")


def _text(said: str | Said) -> str:
    return said.text() if isinstance(said, Said) else said


def _number(value: float, places: int) -> str:
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
