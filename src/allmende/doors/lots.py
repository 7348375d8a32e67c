"""Lots: prices and quantities as people write them, and as the exchange keeps them.

Rule: outside, a price is credits per lot and a quantity is lots, both decimal text; inside,
they are pico-credits a grain and grains. This module alone knows both. It stands between
`plain` and the core: what it takes and gives as money is pico-credits per lot.
Invariant: inward of what outward gave is the same integer; what is not exact is refused.
Worked number: in lots of 10**8 grains "3.1" credits are 31_000 a grain, "1.5" lots are
150_000_000 grains, and "0.000000001" lots, a tenth of a grain, are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from allmende.core.contracts import GRAINS, LOT, Instrument
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import Amount, credits

PRICES = frozenset({"price", "tick", "reference", "last", "figure", "resale"})
"""Fields of the exchange that hold pico-credits a grain."""
QUANTITIES = frozenset({"grains", "capacity", "step", "rate", "left", "imbalance"})
"""Fields of the exchange that hold grains."""
LABELS = {"grains": "lots"}
"""What `grains` is called outside, where it is not grains any more."""
WHOLE = frozenset({"lot"})
"""Grains that stay a whole number outside too: how many make a lot."""
TOTALS = frozenset({"receipt"})
"""Nouns whose price is a total in credits, and not per lot."""
EXCHANGE = frozenset(
    {
        *("ListInstrument", "Instrument", "MintLots", "RetireLots", "PlaceOrder", "AmendOrder"),
        *("RequestQuotes", "Quote", "ClaimDefault"),
    }
)
"""Structs whose fields are written in lots."""
_DECIMAL = re.compile(r"\d{1,19}(\.\d{1,18})?", re.ASCII)


def quantity(value: object, lot: int, field: str = "lots") -> int:
    """Lots as decimal text into grains. Refused(BAD_VALUE, OFF_TICK)."""
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value.strip()):
        raise Refused(Why.BAD_VALUE, f'{field} is lots as text, such as "1.5", not {value!r:.40}.')
    grains = Fraction(value.strip()) * lot
    if grains.denominator != 1:
        raise Refused(Why.OFF_TICK, f"{field}: a lot has {lot} parts, and {value} is between two.")
    return int(grains)


def price(amount: Amount, lot: int, field: str = "price") -> Amount:
    """Pico-credits per lot into pico-credits a grain. Refused(OFF_TICK) if not exact."""
    grain, rest = divmod(amount, lot)
    if rest:
        raise Refused(
            Why.OFF_TICK, f"{field}: in this instrument a price is steps of {per_lot(1, lot)}."
        )
    return grain


def per_lot(amount: Amount, lot: int) -> str:
    """Pico-credits a grain as decimal text of credits per lot: 31_000 -> "3.1"."""
    return credits(amount * lot)


def text(grains: int, lot: int) -> str:
    """Grains as decimal text of lots; as a fraction where no decimal is exact."""
    lots = Fraction(abs(grains), lot)
    sign = "-" if grains < 0 else ""
    scaled = lots * 10**18
    if scaled.denominator != 1:
        return f"{sign}{lots}"
    whole, part = divmod(int(scaled), 10**18)
    return f"{sign}{whole}.{part:018d}".rstrip("0").rstrip(".")


def inward(fields: Mapping[str, Any], lot: int) -> dict[str, Any]:
    """Fields of a command, money already pico-credits, as the core has them."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if name in PRICES and value is not None:
            found[name] = price(value, lot, name)
        elif name in LABELS.values():
            found["grains"] = quantity(value, lot, name)
        elif name in QUANTITIES:
            found[name] = quantity(value, lot, name)
        elif name == "weights" and isinstance(value, dict):
            found[name] = {meter: _weight(part, meter) for meter, part in value.items()}
        else:
            found[name] = value
    return found


def _weight(value: object, meter: str) -> int | None:
    return None if value is None else quantity(value, GRAINS, f"weights.{meter}")


def outward(value: Any, lot: int, name: str = "") -> Any:
    """Plain data of the exchange in lots; `plain.outward` then writes the money."""
    if isinstance(value, dict) and name == "weights":
        return {meter: text(part, GRAINS) for meter, part in value.items() if part is not None}
    if isinstance(value, dict):
        return {
            LABELS.get(key, key): outward(inner, lot, name if name in TOTALS else key)
            if key not in QUANTITIES
            else text(inner, lot)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [outward(inner, lot, name) for inner in value]
    if name in PRICES and isinstance(value, int):
        return value * lot
    return value


def lot_of(state: State, fields: Mapping[str, Any]) -> int:
    """Grains in a lot of what a command is about; a standard lot where that is unknown."""
    own = fields.get("lot")
    if isinstance(own, int) and own > 0:
        return own  # a new instrument brings its own
    found = instrument_of(state, fields)
    return found.lot if found else LOT


def instrument_of(state: State, fields: Mapping[str, Any]) -> Instrument | None:
    """What a command is about: by its instrument, or that of its request or order."""
    told, id_, request = (str(fields.get(name)) for name in ("instrument", "id", "request"))
    if told not in state.listings and request in state.requests:
        told = state.requests[request].instrument
    elif told not in state.listings and id_ in state.orders:
        told = state.orders[id_].order.instrument
    found = state.listings.get(told)
    return found.instrument if found else None


def explained(refused: Refused, instrument: Instrument | None) -> Refused:
    """A refusal of the exchange in lots: what is missing of rights, and how wide steps are."""
    if instrument is None:
        return refused
    facts, lot, why = dict(refused.facts), instrument.lot, refused.why
    rights = facts.get("asset") == instrument.id or why is Why.OVER_CAPACITY
    if rights and "missing" in facts:
        grains = facts.pop("missing")
        lots = text(grains, lot)
        said = "Beyond its capacity" if why is Why.OVER_CAPACITY else "Missing"
        unit = "lot" if lots == "1" else "lots"
        return Refused(why, f"{said}: {lots} {unit} of {instrument.id}.", lots=lots, **facts)
    if why is Why.OVER_LIMIT and "grains" in facts:
        over = text(facts.pop("grains"), lot)
        return Refused(why, f"Your holdings would be {over} lots too many.", lots=over, **facts)
    if why is Why.OFF_TICK:
        tick, step = per_lot(instrument.tick, lot), text(instrument.step, lot)
        steps = f"Prices here are steps of {tick} credits a lot, quantities of {step} lots."
        return Refused(why, steps, **facts)
    return refused


def require_decimal(lot: object) -> None:
    """Refuse a lot of which not every part is decimal text."""
    if not isinstance(lot, int) or isinstance(lot, bool) or not 0 < lot <= 10**18 or 10**18 % lot:
        raise Refused(
            Why.BAD_VALUE, "lot is a number of grains with no prime factor but 2 and 5, to 10**18."
        )


def described(title: str, name: str, schema: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Name and schema of a field as callers write it; None where it is not in lots."""
    if title not in EXCHANGE:
        return None
    decimal = {"type": "string", "pattern": r"^\d+(\.\d+)?$"}
    if name in PRICES:
        return name, {**decimal, "description": "Credits per lot.", "examples": ["3.1"]}
    if name in QUANTITIES:
        said = {"description": "Lots.", "examples": ["1.5"]}
        return LABELS.get(name, name), {**decimal, **said}
    if name == "weights":
        said = {"description": "Standard units per usage unit, by meter."}
        return name, {"type": "object", "additionalProperties": decimal, **said}
    return None
