"""Plain: the market's integers as people and programs outside write them, and back.

Rule: money crosses a door as decimal text of credits, a price as decimal text of credits
per million units, an instant as ISO 8601 in UTC; never as a JSON number, which others
read as a float.
Invariant: `inward` of what `outward` gave is the same value, exactly, or an error.
Worked number: 150_000 pico-credits a token is "0.15", and "0.15" is 150_000 again;
"0.0000001" would be a tenth of a pico-credit and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from allmende.core.refusals import Refused, Why
from allmende.core.units import Amount, Instant, credits, pico
from allmende.doors import demands

MILLION = 1_000_000
AMOUNTS = frozenset(
    {
        "amount",
        "limit",
        "price",
        "spent",
        "held",
        "available",
        "balance",
        "money",
        "max_cost",
        "missing",
        "lost",
        "fee",
        "stake",
        "tick",
    }
)
"""Fields that hold pico-credits; of the exchange, pico-credits per lot (see `lots`)."""
RATES = frozenset({"max_rate"})
"""Fields that hold pico-credits per unit; so does every field of a tariff."""
MICROGRAMS = frozenset({"cap_ug"})
"""Fields that hold micrograms; as text they are grams."""
INSTANTS = frozenset(
    {
        *("at", "expires", "effective", "since", "until", "deadline", "down_until"),
        *("start", "end", "due", "call_until", "issued"),
    }
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def per_million(amount: Amount) -> str:
    """Pico-credits per unit as credits per million units: 150_000 -> '0.15'."""
    return credits(amount * MILLION)


def iso(at: Instant) -> str:
    """Microseconds as ISO 8601: 1_000_000 -> '1970-01-01T00:00:01+00:00'."""
    return (EPOCH + timedelta(microseconds=at)).isoformat()


def to_amount(value: object, field: str = "amount") -> Amount:
    """Decimal text of credits into pico-credits. Refused(BAD_VALUE) if it is not that."""
    if not isinstance(value, str):
        raise Refused(
            Why.BAD_VALUE, f'{field} is credits as text, such as "12.5", not {value!r:.40}.'
        )
    try:
        return pico(value.strip())
    except ValueError as error:
        raise Refused(Why.BAD_VALUE, f"{field}: {error}.") from None


def to_rate(value: object, field: str = "rate") -> Amount:
    """Credits per million units into pico-credits per unit, exactly."""
    amount = to_amount(value, field)
    if amount % MILLION:
        raise Refused(
            Why.BAD_VALUE,
            f"{field}: at most 6 decimals of credits per million units, not {value!r:.40}.",
        )
    return amount // MILLION


def to_micrograms(value: object, field: str = "cap_ug") -> int:
    """Decimal text of grams, or whole micrograms, as micrograms, exactly. Refused(BAD_VALUE)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    pico_grams = to_amount(value, f"{field}, in grams,")
    if pico_grams % MILLION:
        raise Refused(Why.BAD_VALUE, f"{field}: at most 6 decimals of grams, not {value!r:.40}.")
    return pico_grams // MILLION


def to_instant(value: object, field: str = "at") -> Instant:
    """ISO 8601 text (UTC unless it names a zone) or microseconds into an instant."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        when = datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise Refused(
            Why.BAD_VALUE, f"{field} is a time such as 2027-01-31T12:00, not {value!r:.40}."
        ) from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return (when - EPOCH) // timedelta(microseconds=1)


def inward(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request with money, prices and instants as integers."""
    return {name: _inward(name, value) for name, value in fields.items()}


def _inward(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in AMOUNTS:
        return to_amount(value, name)
    if name in RATES:
        return to_rate(value, name)
    if name in INSTANTS:
        return to_instant(value, name)
    if name in MICROGRAMS:
        return to_micrograms(value, name)
    if name == "rows" and isinstance(value, list):
        return [inward(row) if isinstance(row, dict) else row for row in value]
    if name in demands.NAMES:
        return demands.inward(name, value)
    if name == "tariff" and isinstance(value, dict):
        return {
            meter: None if price is None else to_rate(price, f"tariff.{meter}")
            for meter, price in value.items()
        }
    return value


def outward(value: Any, name: str = "") -> Any:
    """Plain data (msgspec.to_builtins) with money, prices, instants and hashes as text."""
    if isinstance(value, dict) and name == "tariff":
        return {meter: per_million(price) for meter, price in value.items() if price is not None}
    if isinstance(value, dict):
        return {key: outward(inner, key) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [outward(inner, name) for inner in value]
    if isinstance(value, bytes):
        return value.hex()
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if name in AMOUNTS:
        return credits(value)
    if name in RATES:
        return per_million(value)
    return iso(value) if name in INSTANTS and value else value
