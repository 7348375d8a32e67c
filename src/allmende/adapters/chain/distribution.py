"""Distribution: how many shares come out by which door, and on what terms a market sells them.

Rule: a sale is what its file in the data directory says, within the law of its day; a lab, whose
money is play, sells by itself as LAB below; no other market sells before somebody has written
down how. The terms are the contract's for good.
Invariant: airdrops promise a tenth of all shares at most, whoever gives them.
Worked number: a lab sells up to 500,000 shares for 1 credit each, 10,000 to a person, in 30
days from its deployment on, so that it all stays below a million euro.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from allmende.adapters.chain.institutions import FILE as PUT_UP
from allmende.adapters.chain.terms import DAY
from allmende.adapters.sale_terms import sale_terms
from allmende.core.identity import lacks
from allmende.core.offering import Terms, unsound
from allmende.core.refusals import Refused, Why

FILE = "sale.toml"
"""Its name in a data directory, before the contracts are put up."""
SHARE = 10**18
AIRDROPS_MOST = 1_000_000 * SHARE
EURO = 1_000_000
"""Micro-euro."""
LAB = {"soft_cap": 100, "hard_cap": 500_000, "person_cap": 10_000}
LAB_DAYS = 30


class SaleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a seller writes down. Caps are whole shares, times Unix seconds."""

    price: str
    """Pay units for a whole share."""
    soft_cap: int
    hard_cap: int
    person_cap: int
    start: int
    end: int
    euro_rate: str
    """Euro a whole pay unit."""
    refund: int | None = None
    """Seconds to take a purchase back, in the lab; the law's everywhere else."""


def lab_sale(begun: int, decimals: int) -> Terms:
    unit = 10**decimals
    return sale_terms(
        "lab", price=unit, start=begun, end=begun + LAB_DAYS * DAY, euro_rate=EURO, unit=unit, **LAB
    )


def sale_of(folder: Path, mode: str, decimals: int, begun: int, now: int) -> Terms | None:
    """Of a data directory whose custody was deployed at `begun`; None where nothing is sold, and
    where the contracts are up already. Refused says what is wrong with the file."""
    file = folder / FILE
    if (folder / PUT_UP).is_file():
        return None
    if file.is_file():
        if no := lacks(mode, "sale"):
            raise Refused(Why.MODE_FORBIDS, f"{FILE} stands in {folder}. {no}")
        return read_sale(file, mode, decimals, now)
    fresh = now < begun + LAB_DAYS * DAY
    return lab_sale(begun, decimals) if mode == "lab" and fresh else None


def read_sale(file: Path, mode: str, decimals: int, now: int) -> Terms:
    """The sale of a TOML file with the fields of SaleFile. Refused says what is wrong."""
    unit = 10**decimals
    try:
        told = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), SaleFile)
        price, rate = _whole(told.price, decimals), _whole(told.euro_rate, 6)
    except (OSError, ValueError) as error:  # TOML's and msgspec's errors are ValueErrors
        raise Refused(Why.BAD_VALUE, f"{file.name} is no sale: {error}.", field="sale") from None
    made = sale_terms(
        mode,
        price=price,
        soft_cap=told.soft_cap,
        hard_cap=told.hard_cap,
        person_cap=told.person_cap,
        start=told.start,
        end=told.end,
        euro_rate=rate,
        unit=unit,
        refund=told.refund,
    )
    if no := unsound(made, now):
        raise Refused(Why.BAD_VALUE, f"{file.name} is no sale that can begin: {no}.", field="sale")
    return made


def sale_values(mode: int, share: str, credit: str, commons: str, terms: Terms) -> Sequence[Any]:
    """What the Sale's constructor is given; the Struct's fields are in the contract's order."""
    return mode, share, credit, commons, tuple(getattr(terms, f) for f in terms.__struct_fields__)


def _whole(text: str, decimals: int) -> int:
    """Decimal text above zero in its smallest steps. ValueError if it has smaller ones."""
    before, _, after = text.partition(".")
    digits = before + after.ljust(decimals, "0")
    if not (digits.isascii() and digits.isdecimal()) or len(after) > decimals or not int(digits):
        raise ValueError(f"{text!r} is not a number above 0 with {decimals} decimals at most")
    return int(digits)
