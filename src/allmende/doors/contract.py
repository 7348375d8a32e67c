"""Contract: every field of an instrument as facts that a page puts into words.

Rule: what a sentence needs is figured here, by the core's own functions; the words are the
reader's language's.
Invariant: the worked example of a default is what the core would pay for one lot today.
Worked number: December at 3.1 credits, replaced at 3.4, penalty 5 %: 3.1 back, 0.3 for the
dearer replacement, 0.155 penalty, 3.555 in all.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from allmende.core import damages, rights
from allmende.core.contracts import GRAINS, LOT, Instrument
from allmende.core.identity import FEATURES
from allmende.core.state import Listing, State
from allmende.core.units import (
    DAY,
    METERS,
    PPM,
    Amount,
    Instant,
    Units,
    Unpriced,
    credits,
    price,
)
from allmende.doors import lots
from allmende.doors.plain import EPOCH, iso

EVERYDAY = Units(input=300, output=400)
"""A question and an answer of a page, to picture what a lot is enough for."""

Row = dict[str, Any]


def listing_of(one: Instrument) -> Listing:
    """An instrument as if it were listed just now: for one that is settled."""
    return Listing(instrument=one, value=rights.value_tariff(one), reference=one.price)


def facts(state: State, listing: Listing) -> Row:
    """Everything that the page of a contract says about it."""
    one = listing.instrument
    return {
        **what(state, one),
        "grade": _grade(one),
        "weights": _weights(one),
        "answers": _answers(one),
        "rate": lots.text(one.rate, one.lot) if one.rate else None,
        "tick": lots.per_lot(one.tick, one.lot),
        "step": lots.text(one.step, one.lot),
        "margin_ppm": rights.margin_ppm(state, one),
        "bond_lot": credits(rights.bond_for(state, one, one.lot)),
        "worked": _worked(state, listing),
        "unused": credits(damages.resale(one) * one.lot),
        "cash_most": lots.per_lot(_most(one), one.lot),
        "features": FEATURES[state.market.mode] if state.market else frozenset(),
        "terms": one,
    }


def what(state: State, one: Instrument) -> Row:
    """What a right is good for, in short: for lists and headings."""
    title, issuer = state.titles.get(one.title), state.members.get(one.issuer)
    return {
        "id": one.id,
        "label": one.name or one.id,
        "model": one.model,
        "kind": one.kind,
        "unit": one.unit,
        "standard": lots.text(one.lot, GRAINS),
        "million": one.unit == "token" and one.lot == LOT,
        "settlement": one.settlement,
        "asset": one.asset,
        "issuer": one.issuer,
        "issuer_name": issuer.name if issuer else one.issuer,
        "title": one.title,
        "title_name": title.name if title else one.title,
        "zone": msgspec.to_builtins(one.zone),
        "price": lots.per_lot(one.price, one.lot),
        "window": window(one.start, one.end),
    }


def window(start: Instant, end: Instant) -> Row:
    """When it can be used: a calendar month or day (`kind`) where it is one, else a span."""
    first, last = (EPOCH + timedelta(microseconds=at) for at in (start, end))
    kind = "span"
    if first == _midnight(first) and end - start == DAY:
        kind = "day"
    elif first == _midnight(first).replace(day=1) and last == _next_month(first):
        kind = "month"
    row = {"kind": kind, "start": iso(start), "end": iso(end)}
    return {**row, "month": first.month, "year": first.year}


def _midnight(when: datetime) -> datetime:
    return when.replace(hour=0, minute=0, second=0, microsecond=0)


def _next_month(first: datetime) -> datetime:
    return (first + timedelta(days=31)).replace(day=1)


def _grade(one: Instrument) -> list[tuple[str, Any]]:
    """What the grade fixes, by field; an empty field fixes nothing."""
    found = msgspec.structs.asdict(one.grade)
    return [(name, value) for name, value in found.items() if value]


def _weights(one: Instrument) -> list[tuple[str, str]]:
    """(meter, standard units for each)."""
    pairs = ((meter, getattr(one.weights, meter)) for meter in METERS)
    return [(meter, lots.text(weight, GRAINS)) for meter, weight in pairs if weight is not None]


def _answers(one: Instrument) -> int | None:
    """Everyday answers that a lot is enough for, to two digits; None where it is not for any."""
    try:
        each = price(one.weights, EVERYDAY)
    except Unpriced:
        return None
    if one.unit != "token" or not each:
        return None
    number: int = one.lot // each
    digits: int = 10 ** max(0, len(str(number)) - 2)
    return number // digits * digits


def _most(one: Instrument) -> Amount:
    """The highest that a cash contract pays, in pico-credits a grain: its bond reaches so far."""
    return one.price * (PPM + one.penalty_ppm + one.stress_ppm) // PPM


def _worked(state: State, listing: Listing) -> Row:
    """Damages for one lot, were the issuer to fail its holder now."""
    one = listing.instrument
    replaced = damages.replacement(state, one)
    due = damages.due(listing, one.lot, replaced)
    refund = one.lot * one.price
    worse = min(one.lot * max(0, replaced - one.price), due - refund)
    return {
        "refund": credits(refund),
        "replacement": lots.per_lot(replaced, one.lot),
        "worse": credits(worse),
        "penalty": credits(due - refund - worse),
        "total": credits(due),
    }
