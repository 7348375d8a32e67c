"""A floor where rights are sold already, for tests of what may go wrong with them then."""

from __future__ import annotations

from typing import Any

from allmende.core import commands as c
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core.contracts import LOT
from allmende.lab.floor import DECEMBER, Floor, changed

PRICE = DECEMBER.price
WORST = 1_000 * 100 + 256 * 400
"""Grains of lab.world's usual request at worst."""


def fills(events: Any) -> list[f.Filled]:
    return [event for event in events if isinstance(event, f.Filled)]


def rule(floor: Floor, name: str, value: int) -> None:
    floor.do(c.SetParameter(name=name, value=value))


def sold(lots: int = 4, *, alone: bool = True, **terms: Any) -> Floor:
    """Lots bought by the university and by the co-operative, half each; `alone`: nobody else
    delivers the model."""
    floor = Floor(changed(**terms)) if terms else Floor()
    floor.mint(lots)
    floor.place("rhine", "sell", PRICE, lots)
    floor.place("uni", "buy", PRICE, lots - lots // 2)
    floor.place("coop", "buy", PRICE, lots // 2)
    if alone:
        floor.do(c.WithdrawOffer(id="clean"))
    return floor


def claim(floor: Floor, account: str, lots: int = 1) -> None:
    floor.do(x.ClaimDefault(id=account, instrument="december", account=account, grains=lots * LOT))


def service(floor: Floor, account: str = "uni") -> tuple[int, int]:
    found = floor.listing.service[account]
    return found.served, found.faulted
