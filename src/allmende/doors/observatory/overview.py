"""Overview: benefit and harm side by side, and what was used by whom and where.

Rule: a benefit is shown with the harm that goes with it, as two components of one `Pair`;
nothing is made into one score.
Invariant: there is no way to show a benefit without its harm: a `Pair` has both.
Worked number: 10,000 answers stand beside their 3 g to 10 g of CO2e, a range, never a point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from allmende.core.units import credits, pico
from allmende.doors.history import PUBLIC_DIMENSIONS
from allmende.doors.observatory.actors import Actors, actors
from allmende.doors.observatory.frame import Asked, Found, Row, Sources, Table
from allmende.doors.observatory.value import REST, captured
from allmende.measure import value
from allmende.measure.cells import Cell, publish
from allmende.measure.figure import Grade
from allmende.measure.value import Capture

COUNTS = ("receipts", "disagreed", "incomplete", "input", "cached", "output", "embedding")
ENERGY = ("uj_low", "uj_high", "ug_low", "ug_high")
PPM = 1_000_000


class Tile(NamedTuple):
    """`key` names its texts: tile.<key>, its definition and denominator. Of `part` and `whole`
    a share is shown, `note` says whose; `low` and `high` are micrograms."""

    key: str
    grade: Grade
    number: str = ""
    unit: str = ""
    part: int = 0
    whole: int = 0
    low: int = 0
    high: int = 0
    note: str = ""


class Pair(NamedTuple):
    """A benefit and the harm that goes with it."""

    benefit: Tile
    harm: Tile


class Overview:
    """The section. `gather` is what /observe shows."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def gather(self, asked: Asked) -> Found:
        state = self._sources.desk.state
        asset = asked.choice("asset", list(state.assets), next(iter(state.assets)))
        k = 0 if asked.operates else self._sources.min_cell
        history, bounds = self._sources.history, asked.window.bounds()
        every = {name: await history.total(name, **bounds) for name in PUBLIC_DIMENSIONS}
        receipts = sum(int(row["receipts"]) for row in every["country"])
        who = await actors(history, state, asked.operates)
        capture = value.capture(await captured(self._sources, asked, asset), who.known, "parent")
        totals = {name: hushed(rows, k) for name, rows in every.items()}
        totals = {**await history.own_totals(asked.seen.viewer, **bounds), **totals}
        shows = {
            "asset": asset,
            "assets": list(state.assets),
            "receipts": receipts,
            "enough": receipts >= k,
            "pairs": pairs(every["country"], every["provider"], capture, who, k),
            "totals": totals,
        }
        return Found(shows, {name: Table(_files(totals[name]), ("price",)) for name in totals})


def pairs(
    countries: Sequence[Mapping[str, Any]],
    hosts: Sequence[Mapping[str, Any]],
    capture: Capture,
    who: Actors,
    k: int,
) -> list[Pair]:
    """The head of the page; components, each with its own denominator."""
    tokens = sum(int(row[m]) for row in countries for m in COUNTS[3:])
    answers = sum(int(row["receipts"]) for row in countries)
    energy = {name: sum(int(row[name]) for row in countries) for name in ENERGY}
    (largest, whom), (owners, where) = (_most(capture, by, k) for by in ("actor", "owner"))
    busiest = max((int(row["receipts"]) for row in hosts), default=0)
    total = capture.total
    made, levied = (_roles(capture, names, k) for names in (("author", "data"), ("commons",)))
    return [
        Pair(
            Tile("answers", "ledger", number=str(tokens), unit="tokens"),
            Tile("carbon", "estimate", low=energy["ug_low"], high=energy["ug_high"]),
        ),
        Pair(
            Tile("makers", "ledger", part=made or 0, whole=_of(made, total)),
            Tile(
                "largest", "ledger", part=largest, whole=total if whom else 0, note=who.name(whom)
            ),
        ),
        Pair(
            Tile("commons", "ledger", part=levied or 0, whole=_of(levied, total)),
            Tile("owners", "reported", part=owners, whole=total if where else 0, note=where),
        ),
        Pair(
            Tile("hosts", "ledger", number=str(len({row["value"] for row in hosts}))),
            Tile("busiest", "ledger", part=busiest, whole=answers if busiest >= k else 0),
        ),
    ]


def _most(capture: Capture, by: str, k: int) -> tuple[int, str]:
    """The largest amount that may be shown, and whose it is; "" where none may."""
    name, cell = next(iter(publish(capture.by[by], k).shown.items()), ("", Cell(0, 0)))
    return cell.amount, name


def _roles(capture: Capture, names: Sequence[str], k: int) -> int | None:
    """What they got together; None where one of them may not be shown."""
    shown = publish(capture.by["role"], k).shown
    got = [name for name in names if name in capture.by["role"]]
    return sum(shown[name].amount for name in got) if set(got) <= set(shown) else None


def _of(part: int | None, total: int) -> int:
    return 0 if part is None else total


def hushed(rows: Sequence[dict[str, Any]], k: int) -> list[dict[str, Any]]:
    """Rows that each rest on k receipts, and one of all others together, asset by asset."""
    found = []
    for asset in dict.fromkeys(row["asset"] for row in rows):
        own = {row["value"]: row for row in rows if row["asset"] == asset}
        cells = {name: Cell(int(row["receipts"]), pico(row["price"])) for name, row in own.items()}
        published = publish(cells, k, apart=True)
        found += [own[name] for name in published.shown]
        if published.rest is not None:
            others = [row for name, row in own.items() if name not in published.shown]
            found.append(_together(others, asset, k))
    return found


def _together(rows: Sequence[dict[str, Any]], asset: str, k: int) -> dict[str, Any]:
    """Their sum; nothing but their number where that is of fewer than k receipts."""
    sums = {name: sum(int(row[name]) for row in rows) for name in (*COUNTS, *ENERGY)}
    if sums["receipts"] < k:
        sums = dict.fromkeys(sums, 0)
    price = credits(sum(pico(row["price"]) for row in rows)) if sums["receipts"] else "0"
    return {"value": REST, "merged": len(rows), "asset": asset, "price": price, **sums}


def _files(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """As they are, with the price in pico-credits."""
    return [{**row, "price": str(pico(row["price"]))} for row in rows]
