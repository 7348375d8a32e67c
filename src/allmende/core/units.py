"""Units: what is counted, what is paid, and how the two meet.

Rule: money is an integer number of pico-credits (10**-12 credit), and a price is
pico-credits per usage unit, so a request is priced by multiplication alone.
Invariant: nothing here divides money except :func:`split`, which gives every
remainder a named owner; no float enters or leaves.
Worked number: at 0.15 credits per million input tokens the tariff is 150_000
pico-credits a token; 1_234 tokens cost 185_100_000 pico = 0.0001851 credits.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from msgspec import Struct

Amount: TypeAlias = int
"""Pico-credits of one asset; signed in postings, never a float."""
Instant: TypeAlias = int
"""Microseconds since 1970-01-01 UTC."""

CREDIT: Amount = 10**12
PPM = 1_000_000
SECOND: Instant = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
METERS = ("input", "cached", "output", "embedding", "image", "audio", "second", "query")
"""Disjoint usage buckets; `input` is uncached input, `output` includes reasoning."""


class Units(Struct, frozen=True, gc=False, omit_defaults=True):
    """Usage in disjoint meters. Tokens, except `image` and `query` (count), `audio`, `second`."""

    input: int = 0
    cached: int = 0
    output: int = 0
    embedding: int = 0
    image: int = 0
    audio: int = 0
    second: int = 0
    query: int = 0


class Tariff(Struct, frozen=True, gc=False, omit_defaults=True):
    """Pico-credits per unit of each meter. None is "not sold", 0 is "free on purpose".

    A missing `cached` price means cached input is charged as input.
    """

    input: Amount | None = None
    cached: Amount | None = None
    output: Amount | None = None
    embedding: Amount | None = None
    image: Amount | None = None
    audio: Amount | None = None
    second: Amount | None = None
    query: Amount | None = None


class Unpriced(Exception):
    """A meter ran for which the tariff names no price."""


class EnergyRate(Struct, frozen=True):
    """Energy and carbon of one offer: nanojoules per token (low, high), grams per kWh.

    Data-centre overhead (PUE) is inside the nanojoules. `method` names the source. Water is
    millilitres per kWh so figured, in cooling on site and in making the electricity; None where
    nobody stated it.
    """

    input_nj: tuple[int, int] = (0, 0)
    output_nj: tuple[int, int] = (0, 0)
    grid_g_per_kwh: tuple[int, int] = (0, 0)
    method: str = "none"
    site_ml_per_kwh: tuple[int, int] | None = None
    grid_ml_per_kwh: tuple[int, int] | None = None


class Energy(Struct, frozen=True):
    """An estimate as a range: microjoules and micrograms of CO2-equivalent."""

    uj: tuple[int, int] = (0, 0)
    ug: tuple[int, int] = (0, 0)
    method: str = "none"


class Water(Struct, frozen=True, omit_defaults=True):
    """An estimate as ranges of microlitres: on site, and off site in making the electricity."""

    site_ul: tuple[int, int] | None = None
    grid_ul: tuple[int, int] | None = None


class Zone(Struct, frozen=True, gc=False):
    """Where an answer is made and who controls it. Countries are ISO 3166 alpha-3."""

    country: str
    operator: str = ""
    parent: str = ""
    parent_country: str = ""


def price(tariff: Tariff, units: Units) -> Amount:
    """Exact price in pico-credits. Raises Unpriced where a used meter has no price."""
    total = 0
    if units.input:
        total += units.input * _sold(tariff.input, "input")
    if units.cached:
        total += units.cached * _sold(per(tariff, "cached"), "cached")
    if units.output:
        total += units.output * _sold(tariff.output, "output")
    if units.embedding:
        total += units.embedding * _sold(tariff.embedding, "embedding")
    if units.image or units.audio or units.second or units.query:
        total += units.image * _sold(tariff.image if units.image else 0, "image")
        total += units.audio * _sold(tariff.audio if units.audio else 0, "audio")
        total += units.second * _sold(tariff.second if units.second else 0, "second")
        total += units.query * _sold(tariff.query if units.query else 0, "query")
    return total


def per(tariff: Tariff, meter: str) -> Amount | None:
    """Pico-credits per unit on a meter; cached input without a price of its own is input."""
    found: Amount | None = getattr(tariff, meter)
    return tariff.input if found is None and meter == "cached" else found


def _sold(rate: Amount | None, meter: str) -> Amount:
    if rate is None:
        raise Unpriced(meter)
    return rate


def clip(units: Units, bound: Units) -> Units:
    """Units within 0 and a bound: input with cached together, every other meter alone."""
    prompt = _within(max(0, units.input) + max(0, units.cached), bound.input)
    cached = _within(units.cached, prompt)
    output = _within(units.output, bound.output)
    if not (units.embedding or units.image or units.audio or units.second or units.query):
        return Units(prompt - cached, cached, output)
    return Units(
        input=prompt - cached,
        cached=cached,
        output=output,
        embedding=_within(units.embedding, bound.embedding),
        image=_within(units.image, bound.image),
        audio=_within(units.audio, bound.audio),
        second=_within(units.second, bound.second),
        query=_within(units.query, bound.query),
    )


def _within(value: int, most: int) -> int:
    return 0 if value < 0 else min(value, most)


def worst_price(tariff: Tariff, bound: Units) -> Amount:
    """The most that usage within `bound` can cost: no input is cheaper than it may be."""
    if bound.input and tariff.cached is not None and tariff.input is not None:
        tariff = Tariff(
            max(tariff.input, tariff.cached),
            tariff.cached,
            tariff.output,
            tariff.embedding,
            tariff.image,
            tariff.audio,
            tariff.second,
            tariff.query,
        )
    return price(tariff, bound)


def split(total: Amount, shares_ppm: tuple[int, ...]) -> tuple[tuple[Amount, ...], Amount]:
    """Each share rounded down, and the remainder, which the caller's named owner gets."""
    parts = tuple(total * ppm // PPM for ppm in shares_ppm)
    return parts, total - sum(parts)


def energy(rate: EnergyRate, units: Units) -> Energy:
    """Estimated range for one request; integer, rounded to the nearest unit above."""
    prompt = units.input + units.cached + units.embedding
    low = prompt * rate.input_nj[0] + units.output * rate.output_nj[0]
    high = prompt * rate.input_nj[1] + units.output * rate.output_nj[1]
    return Energy(
        uj=(_above(low, 1000), _above(high, 1000)),
        ug=(
            _above(low * rate.grid_g_per_kwh[0], _NJ_G_PER_KWH_TO_UG),
            _above(high * rate.grid_g_per_kwh[1], _NJ_G_PER_KWH_TO_UG),
        ),
        method=rate.method,
    )


def water(rate: EnergyRate, units: Units) -> Water | None:
    """Water of the same range of energy, each part that the rate states; None where none is."""
    site, grid = rate.site_ml_per_kwh, rate.grid_ml_per_kwh
    if (site is None and grid is None) or rate.method == "none":
        return None
    prompt = units.input + units.cached + units.embedding
    low, high = (prompt * rate.input_nj[end] + units.output * rate.output_nj[end] for end in (0, 1))
    parts = (
        part
        and (
            _above(low * part[0], _NJ_ML_PER_KWH_TO_UL),
            _above(high * part[1], _NJ_ML_PER_KWH_TO_UL),
        )
        for part in (site, grid)
    )
    return Water(*parts)


def worst_ug(rate: EnergyRate, bound: Units) -> int:
    """Micrograms that usage within `bound` causes at most; 0 where the rate states none."""
    if rate.method == "none":
        return 0
    prompt = bound.input + bound.cached + bound.embedding
    high = prompt * rate.input_nj[1] + bound.output * rate.output_nj[1]
    return _above(high * rate.grid_g_per_kwh[1], _NJ_G_PER_KWH_TO_UG)


_NJ_G_PER_KWH_TO_UG = 3_600_000_000
"""1 kWh = 3.6e15 nJ and 1 g = 1e6 ug, so nJ times g/kWh over 3.6e9 gives ug."""
_NJ_ML_PER_KWH_TO_UL = 3_600_000_000_000
"""1 ml = 1e3 ul, so nJ times ml/kWh over 3.6e12 gives ul."""


def _above(value: int, unit: int) -> int:
    return -(-value // unit)


def credits(amount: Amount) -> str:
    """Pico-credits as an exact decimal text of credits: 185_100_000 -> '0.0001851'."""
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount), CREDIT)
    return f"{sign}{whole}.{part:012d}".rstrip("0").rstrip(".")


def pico(text: str) -> Amount:
    """Credits as decimal text into pico-credits. ValueError if not exact or not a number."""
    try:
        exact = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"not a number: {text!r}") from None
    if not exact.is_finite() or abs(exact.adjusted()) > 30:
        raise ValueError(f"not an amount: {text!r}")
    sign, digits, exponent = exact.as_tuple()
    assert isinstance(exponent, int)
    number = int("".join(map(str, digits)) or "0")
    shift = exponent + 12
    if shift < 0 and number % 10**-shift:
        raise ValueError(f"more than 12 decimals: {text!r}")
    value: int = number * 10**shift if shift >= 0 else number // 10**-shift
    return -value if sign else value
