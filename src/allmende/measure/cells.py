"""Cells: what of a table may be published: nothing that rests on fewer than k receipts.

Rule: cells below k are put together into one rest, and so are more, the smallest first, until
the rest has k receipts and two cells, or else it could be had by subtraction.
Invariant: what is shown and the rest sum to the table; nothing is dropped.
Worked number: of cells with 500, 40, 12 and 3 receipts and k = 20 the first is shown, and the
rest is the other three; of 12 and 3 alone nothing is shown but that there are fewer than k.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from allmende.core.units import Amount

K = 20
"""Receipts; what statistics offices take as a usual minimum, and the house's default."""


class Cell(NamedTuple):
    """`receipts` is how many it rests on at least."""

    receipts: int
    amount: Amount


Key = TypeVar("Key", str, tuple[str, ...], tuple[str, str, str, str])


class Published(NamedTuple, Generic[Key]):
    """`rest` are `merged` cells in one. Where that too has fewer than k, `withheld` is true and
    its amount is not to be shown."""

    shown: dict[Key, Cell]
    rest: Cell | None
    merged: int
    withheld: bool


def publish(cells: Mapping[Key, Cell], k: int = K, apart: bool = False) -> Published[Key]:
    """The table for everybody; with k = 0 all of it. Largest amounts first.

    `apart`: no receipt is in two cells, so that several have as many as they sum to.
    """
    ordered = dict(sorted(cells.items(), key=lambda item: (-item[1].amount, item[0])))
    rest = [name for name, cell in ordered.items() if cell.receipts < k]
    if not rest:
        return Published(ordered, None, 0, False)
    if len(rest) == 1 or _receipts([ordered[name] for name in rest], apart) < k:
        large = [name for name in ordered if name not in rest]
        rest += sorted(large, key=lambda name: (ordered[name].receipts, name))[:1]
    put = [ordered[name] for name in rest]
    total = Cell(_receipts(put, apart), sum(cell.amount for cell in put))
    shown = {name: cell for name, cell in ordered.items() if name not in rest}
    return Published(shown, total, len(rest), total.receipts < k)


def _receipts(cells: Sequence[Cell], apart: bool) -> int:
    """How many are behind them at least."""
    counts = [cell.receipts for cell in cells]
    return sum(counts) if apart else max(counts)
