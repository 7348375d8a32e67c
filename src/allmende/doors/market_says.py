"""Market says: a contract in a few plain sentences, made from its terms.

Rule: every sentence is figured from the instrument's data; nothing about a contract stands
only here. Figures are rounded down to what a person reads, the terms beside it are exact.
Invariant: whoever reads only the sentences knows what he gets, until when, and what happens
if he does not.
Worked number: December at 3.1 credits, 5 % penalty and 20 % resale says "3.1 credits a lot",
"5 %" and "20 %".
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from allmende.core.contracts import GRAINS, Instrument
from allmende.core.units import METERS, PPM
from allmende.doors.lots import per_lot, text
from allmende.doors.plain import EPOCH

UNITS = {
    "input": "input token",
    "cached": "cached input token",
    "output": "output token",
    "embedding": "embedding token",
    "image": "image",
    "audio": "second of audio",
    "second": "second",
    "query": "query",
}


def says(one: Instrument) -> list[str]:
    """What the contract promises, a sentence for each thing that it fixes."""
    parts = [_promise(one), _unit(one), *_caps(one)]
    if one.settlement == "cash":
        return [*parts, _cash(one), _voucher(one)]
    return [*parts, _service(one), _unused(one), _voucher(one)]


def _promise(one: Instrument) -> str:
    what = {"model": "use of the model", "machine": "time on the machine"}.get(
        one.kind, "use of the dataset"
    )
    where = one.zone.country + (f", run by {one.zone.operator}" if one.zone.operator else "")
    if one.settlement == "cash":
        return (
            f"Between {_day(one.start)} and {_day(one.end)} this follows the price of {what} "
            f"{one.model!r}; nothing is delivered."
        )
    return (
        f"{one.issuer} owes {what} {one.model!r} (title {one.title}) in {where}, from "
        f"{_day(one.start)} until {_day(one.end)}."
    )


def _unit(one: Instrument) -> str:
    weights = ((meter, getattr(one.weights, meter)) for meter in METERS)
    counted = [f"{text(per, GRAINS)} for each {UNITS[meter]}" for meter, per in weights if per]
    return f"A lot is {_number(one.lot)} standard units; use counts {', '.join(counted)}."


def _number(grains: int) -> str:
    whole, part = divmod(grains, GRAINS)
    return f"{whole:,}" if not part else text(grains, GRAINS)


def _caps(one: Instrument) -> list[str]:
    found = []
    if one.rate:
        found.append(f"At most {text(one.rate, one.lot)} lots an hour can be used by one account.")
    if one.context:
        found.append(f"A prompt may have {one.context:,} tokens.")
    if one.settlement == "physical" and one.shape == "base":
        found.append("It can be used at any time in the window.")
    return found


def _service(one: Instrument) -> str:
    return (
        f"If fewer than {_share(one.service_ppm)} of your requests are answered you get your "
        f"{per_lot(one.price, one.lot)} credits a lot back, what a replacement costs more, and "
        f"{_share(one.penalty_ppm)} on top, as far as the bond reaches."
    )


def _unused(one: Instrument) -> str:
    return f"What you have not used at the end brings back {_share(one.resale_ppm)} of that price."


def _cash(one: Instrument) -> str:
    most = one.price * (PPM + one.penalty_ppm + one.stress_ppm) // PPM
    return (
        "At the end each lot pays the mean price of verified use in the window, "
        f"{per_lot(most, one.lot)} credits at most."
    )


def _voucher(one: Instrument) -> str:
    when = "when it is issued" if one.voucher == "single" else "only when it is used"
    return f"For VAT it is a {one.voucher}-purpose voucher: place and rate are known {when}."


def _share(ppm: int) -> str:
    percent = (Decimal(ppm) / 10_000).normalize()
    return f"{percent:f} %"


def _day(at: int) -> str:
    when = EPOCH + timedelta(microseconds=at)
    return f"{when:%Y-%m-%d %H:%M} UTC"
