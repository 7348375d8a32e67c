"""Links: two months compared over what both have, and the formulas that sum a comparison up.

Rule: listings are matched one to one. Within a cell (a model) each host's price is the median
of its matched listings, hosts that are off are left out, and at least three independent ones
must remain; the cell's relative is the ratio of their medians, after over before. Cells weigh
what was spent on their matched listings, or one each where nobody knows.
Invariant: swapping the months inverts every relative and Fisher's index; equal prices give 1;
prices in another unit give the same; a model that one month lacks changes nothing.
Worked number: 30 and 10 spent on two models whose prices go to 1/2 and 2, then 15 and 20:
Laspeyres (30/2 + 10*2)/40 = 0.875, Paasche 35/(15*2 + 20/2) = 0.875, and Fisher 0.875.

Sources: Producer Price Index Manual (ILO and others 2004), chapters 15 to 17. With equal weights
Fisher's is the index of Carruthers, Sellwood, Ward and Dalen, and Tornqvist's that of Jevons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import exp, log, sqrt
from typing import NamedTuple

from msgspec import Struct

from allmende.measure.prices import HEADLINE, Blend
from allmende.measure.prices_cells import Month, Quote, outliers, weighted_median

EPSILON = 1e-9
"""So that a slip by exactly ten is one whichever way the division rounds."""


class Rules(Struct, frozen=True):
    """What the rulebook fixes. `jump` holds a listing back that moved by that factor or more in
    one step, up or down: most of them are slips of the list's unit. `carry` is how many months
    a link may reach back, over ones without a comparison."""

    hosts: int = 3
    jump: float = 10.0
    carry: int = 3


RULES = Rules()


class Relative(NamedTuple):
    """A cell's price after over before, and what was spent on its matched listings."""

    ratio: float
    before: float
    after: float


class Link(Struct, frozen=True):
    """`hosts` counts a host once in every cell. Of the later month's listings, `covered` is the
    weight of those that count and `weight` that of all; `held` are back for their jump, `out`
    hosts that are off."""

    cells: Mapping[str, Relative]
    hosts: int
    covered: float
    weight: float
    held: int
    out: int


def laspeyres(cells: Iterable[Relative]) -> float:
    """Mean of relatives by what was spent before."""
    rows = list(cells)
    return sum(row.before * row.ratio for row in rows) / sum(row.before for row in rows)


def paasche(cells: Iterable[Relative]) -> float:
    """Harmonic mean of relatives by what was spent after."""
    rows = list(cells)
    return sum(row.after for row in rows) / sum(row.after / row.ratio for row in rows)


def fisher(cells: Iterable[Relative]) -> float:
    """Geometric mean of Laspeyres' and Paasche's."""
    rows = list(cells)
    return sqrt(laspeyres(rows) * paasche(rows))


def tornqvist(cells: Iterable[Relative]) -> float:
    """Geometric mean of relatives by the mean of both months' shares."""
    rows = list(cells)
    before, after = sum(row.before for row in rows), sum(row.after for row in rows)
    return exp(sum((r.before / before + r.after / after) / 2 * log(r.ratio) for r in rows))


class _Pair(NamedTuple):
    """Prices and weights before and after: of a listing, a host or a cell."""

    old: float
    new: float
    before: float
    after: float


def compare(before: Month, after: Month, blend: Blend = HEADLINE, rules: Rules = RULES) -> Link:
    """What two months say together. Free listings (price 0) have no relative and count nowhere."""
    spent = before.spent and after.spent
    matched: dict[str, dict[str, list[_Pair]]] = {}
    weight, held = 0.0, 0
    for item, quote in after.quotes.items():
        new = blend.of(quote.price)
        if new:
            weight += quote.weight
            pair = _pair(before.quotes.get(item), quote, new, blend)
            if pair is not None and _jumped(pair, rules):
                held += 1
            elif pair is not None:
                matched.setdefault(item.cell, {}).setdefault(item.host, []).append(pair)
    cells: dict[str, list[_Pair]] = {}
    out = 0
    for cell, hosts in matched.items():
        kept, off = _kept(hosts, spent, rules)
        out += off
        if kept:
            cells[cell] = kept
    return Link(
        cells={cell: _relative(kept, spent) for cell, kept in cells.items()},
        hosts=sum(len(kept) for kept in cells.values()),
        covered=sum(pair.after for kept in cells.values() for pair in kept),
        weight=weight,
        held=held,
        out=out,
    )


def _pair(was: Quote | None, quote: Quote, new: float, blend: Blend) -> _Pair | None:
    old = blend.of(was.price) if was is not None else None
    return _Pair(old, new, was.weight, quote.weight) if was is not None and old else None


def _jumped(pair: _Pair, rules: Rules) -> bool:
    return max(pair.new / pair.old, pair.old / pair.new) >= rules.jump * (1 - EPSILON)


def _kept(
    hosts: Mapping[str, Sequence[_Pair]], spent: bool, rules: Rules
) -> tuple[list[_Pair], int]:
    """A pair for each host that counts, none if too few do; and how many are off."""
    if len(hosts) < rules.hosts:
        return [], 0
    merged = {host: _merge(pairs, spent) for host, pairs in hosts.items()}
    off = outliers({host: pair.old for host, pair in merged.items()})
    off |= outliers({host: pair.new for host, pair in merged.items()})
    kept = [pair for host, pair in merged.items() if host not in off]
    return (kept if len(kept) >= rules.hosts else []), len(off)


def _relative(kept: Sequence[_Pair], spent: bool) -> Relative:
    pair = _merge(kept, spent)
    weights = (pair.before, pair.after) if spent else (1.0, 1.0)
    return Relative(pair.new / pair.old, *weights)


def _merge(pairs: Sequence[_Pair], spent: bool) -> _Pair:
    """Medians at both ends under one set of weights, so that equal prices make no change."""
    weights = [pair.before + pair.after if spent else 1.0 for pair in pairs]
    return _Pair(
        weighted_median((pair.old, by) for pair, by in zip(pairs, weights, strict=True)),
        weighted_median((pair.new, by) for pair, by in zip(pairs, weights, strict=True)),
        sum(pair.before for pair in pairs),
        sum(pair.after for pair in pairs),
    )
