"""Rents: what the market itself takes, and how far asks are above the floor of the same weights.

Rule: standing offers are public, so their prices are; volumes only choose between them, and for
everybody they do not where one of a title's offers rests on few receipts. Margins and technology
rents need costs that no ledger has: the page says so, and which command takes them.
Invariant: every standing offer that sells input and output is in one row.
Worked number: three hosts at 10, 20 and 30 without volumes: floor 20, the third a third above.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allmende.core.nouns import Offer
from allmende.doors.observatory.actors import actors
from allmende.doors.observatory.frame import Asked, Found, Row, Sources, Table
from allmende.doors.observatory.value import captured
from allmende.measure import value
from allmende.measure.cells import Cell, publish
from allmende.measure.figure import FEW, About, Figure
from allmende.measure.rents_figures import TAKE, taken
from allmende.measure.rents_market import Alike, alike
from allmende.measure.value import Actor

UNITS = ("input", "cached", "output", "embedding")
PLATFORM = "platform"
PPM = MILLION = 1_000_000


class Rents:
    """The section. `gather` is what /observe/rents shows."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def gather(self, asked: Asked) -> Found:
        state = self._sources.desk.state
        asset = asked.choice("asset", list(state.assets), next(iter(state.assets)))
        k = 0 if asked.operates else self._sources.min_cell
        known = (await actors(self._sources.history, state)).known
        lines = await captured(self._sources, asked, asset)
        offers = [offer for offer in state.offers.values() if offer.asset == asset]
        found = alike(offers, await self._volumes(asked, asset, offers, k), owners(offers, known))
        about = About(
            of=asset, window=f"{asked.window.since or '…'} – {asked.window.last}",
            denominator="final receipts", grade="ledger",
        )  # fmt: skip
        layers = value.capture(lines, known).by["layer"]
        shows = {
            "asset": asset,
            "assets": list(state.assets),
            "take": take(about, layers, k),
            "alike": [_shown(one) for one in found],
        }
        return Found(shows, {"asks": Table([row for one in found for row in _rows(one)])})

    async def _volumes(
        self, asked: Asked, asset: str, offers: list[Offer], k: int
    ) -> dict[str, float]:
        """Offer -> tokens in the window, without titles that have an offer of few receipts."""
        rows = await self._sources.views.rows(
            "totals", dimension="offer", asset=asset, **asked.window.bounds()
        )
        tokens = {str(row["value"]): float(sum(int(str(row[n])) for n in UNITS)) for row in rows}
        few = {str(row["value"]) for row in rows if int(str(row["receipts"])) < k}
        quiet = {offer.title for offer in offers if offer.id in few}
        return {offer.id: tokens.get(offer.id, 0.0) for offer in offers if offer.title not in quiet}


def owners(offers: list[Offer], known: Mapping[str, Actor]) -> dict[str, str]:
    """Provider -> who owns it in the end: the registry's word, else the parent its offer names."""
    return {
        offer.provider: (
            (known[offer.provider].owner if offer.provider in known else "")
            or offer.zone.parent
            or offer.provider
        )
        for offer in offers
    }


def take(about: About, layers: Mapping[str, Cell], k: int) -> Figure:
    """What went to the market's operator, of all that was paid; withheld where it is of few."""
    shown = publish(layers, k).shown
    total = sum(cell.amount for cell in layers.values())
    own = layers.get(PLATFORM, Cell(0, 0))
    receipts = max((cell.receipts for cell in layers.values()), default=0)
    if total and (receipts < k or (own.amount and PLATFORM not in shown)):
        return about.undefined("take_rate", "share", TAKE, FEW)
    return taken(about, float(own.amount), float(total))


def _shown(one: Alike) -> dict[str, Any]:
    """Prices in credits per million blended tokens: a pico-credit a token is a millionth."""
    return {
        "title": one.title,
        "context": one.context,
        "hosts": len({ask.owner for ask in one.asks}),
        "floor": None if one.floor is None else _price(one.floor),
        "asks": [
            {
                "offer": ask.offer,
                "provider": ask.provider,
                "model": ask.model,
                "price": _price(ask.price),
                "above": None if ask.above is None else round(ask.above * PPM),
            }
            for ask in one.asks
        ],
    }


def _rows(one: Alike) -> list[Row]:
    floor = None if one.floor is None else one.floor / MILLION
    return [
        {
            "asset": one.asset,
            "title": one.title,
            "context": one.context,
            "offer": ask.offer,
            "provider": ask.provider,
            "owner": ask.owner,
            "price_per_million": ask.price / MILLION,
            "floor_per_million": floor,
            "above_floor_ppm": None if ask.above is None else round(ask.above * PPM),
            "why": one.why,
        }
        for ask in one.asks
    ]


def _price(pico: float) -> str:
    return f"{pico / MILLION:.6f}".rstrip("0").rstrip(".")
