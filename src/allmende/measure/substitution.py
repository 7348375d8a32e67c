"""Substitution: how readily buyers go from one offer to another when prices move.

Rule: sigma is the slope of ln(q_i / q_j) on -ln(p_i / p_j), by least squares with an intercept
and whatever controls are given, told with its standard error. The logit alternative takes the
difference of prices instead, and gives the cross-elasticities of all offers at once.
Invariant: units of quantity and of price do not matter to sigma; a row that has no logarithm
is refused by number, never dropped.
Worked number: q ratios 1, 1/4, 1/16 at p ratios 1, 2, 4: sigma 2, without error.

Source: reference economics.md 2.5. It is an association: a price that answers demand biases it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import fsum, log, sqrt
from typing import NamedTuple

from allmende.measure.figure import Undefined
from allmende.measure.indices_hedonic import Unfit, solve


class Pair(NamedTuple):
    """One period's quantities and prices of two offers, i and j."""

    quantity_i: float
    quantity_j: float
    price_i: float
    price_j: float


class Slope(NamedTuple):
    """`value` is sigma, or alpha of the logit; `error` its standard error on `rows`."""

    value: float
    error: float
    rows: int
    r2: float
    controls: dict[str, float]


def substitution(
    pairs: Sequence[Pair], controls: Mapping[str, Sequence[float]] | None = None
) -> Slope:
    """sigma in ln(q_i/q_j) = a - sigma ln(p_i/p_j) + controls.

    Raises Undefined where the rows are too few or prices never moved, ValueError naming a row
    with a quantity or price that has no logarithm.
    """
    _positive(pairs, prices=True)
    prices = [log(one.price_i / one.price_j) for one in pairs]
    return _slope(pairs, prices, controls or {})


def logit(pairs: Sequence[Pair], controls: Mapping[str, Sequence[float]] | None = None) -> Slope:
    """alpha in ln(q_i/q_j) = a - alpha (p_i - p_j) + controls, per unit of the price."""
    _positive(pairs, prices=False)
    return _slope(pairs, [one.price_i - one.price_j for one in pairs], controls or {})


def cross_elasticities(
    shares: Mapping[str, float], prices: Mapping[str, float], alpha: float
) -> dict[tuple[str, str], float]:
    """(j, k): by how many percent j's share moves where k's price rises by one percent.

    Of the logit: own -alpha p_j (1 - s_j), cross alpha p_k s_k. Shares may add up to less than
    one; the rest is those who buy nothing here.
    """
    for name, share in shares.items():
        if name not in prices:
            raise ValueError(f"{name} has a share but no price.")
        if not 0 <= share <= 1:
            raise ValueError(f"{name} has {share}; a share is from 0 to 1.")
    return {
        (j, k): -alpha * prices[j] * (1 - shares[j]) if j == k else alpha * prices[k] * shares[k]
        for j in shares
        for k in shares
    }


def _positive(pairs: Sequence[Pair], prices: bool) -> None:
    for number, one in enumerate(pairs, 1):
        for field, value in zip(Pair._fields, one, strict=True):
            if not value > 0 and (prices or field.startswith("quantity")):
                raise ValueError(
                    f"Row {number}: {field.replace('_', ' of ')} is {value}, which has no "
                    "logarithm; take a longer period."
                )


def _slope(
    pairs: Sequence[Pair], prices: Sequence[float], controls: Mapping[str, Sequence[float]]
) -> Slope:
    """Least squares with an intercept, which taking all means away leaves out."""
    names = ["the price", *controls]
    rows, free = len(pairs), len(pairs) - len(names) - 1
    if free < 1:
        raise Undefined(f"{rows} rows bear no standard error of {len(names) + 1} unknowns.")
    for name, column in controls.items():
        if len(column) != rows:
            raise ValueError(f"{name} has {len(column)} values for {rows} rows.")
    columns = [_centred([-price for price in prices]), *map(_centred, controls.values())]
    ys = _centred([log(one.quantity_i / one.quantity_j) for one in pairs])
    xx = [[_dot(a, b) for b in columns] for a in columns]
    try:
        beta = solve(xx, [_dot(column, ys) for column in columns], names)
        first = solve(xx, [1.0, *[0.0] * len(controls)], names)[0]
    except Unfit as error:
        raise Undefined(f"Nothing can be told apart: {error}.") from None
    fitted = [_dot(beta, row) for row in zip(*columns, strict=True)]
    rest = fsum((y - fit) ** 2 for y, fit in zip(ys, fitted, strict=True))
    total = _dot(ys, ys)
    return Slope(
        value=beta[0],
        error=sqrt(rest / free * first),
        rows=rows,
        r2=1 - rest / total if total else 0.0,
        controls=dict(zip(controls, beta[1:], strict=True)),
    )


def _centred(column: Sequence[float]) -> list[float]:
    mean = fsum(column) / len(column)
    return [value - mean for value in column]


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return fsum(a * b for a, b in zip(one, other, strict=True))
