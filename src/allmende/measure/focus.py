"""FOCUS: receipts as rows of the FinOps Open Cost and Usage Specification, version 1.2.

Rule: one row per day, account, budget, offer, zone, right, meter and unit price, so that
quantity times unit price is the cost of every row; a request that a right paid is billed 0 and
keeps its worth in EffectiveCost. Nothing is rounded: amounts are decimals with as many digits
as they have. Only final receipts are billed.
Invariant: the rows' BilledCost sum to what the receipts debited from credit, their
EffectiveCost to the receipts' prices, to the last pico-credit.
Worked number: 1,000 input tokens at 150,000 pico-credits are BilledCost 0.00015 of a credit,
in PricingUnit Tokens.

Columns, null rules and allowed values: https://focus.finops.org/focus-specification/v1-2/.
A credit is a virtual currency, and BillingCurrency wants a national one. Unless told what a
credit is billed at, BillingCurrency is XXX, ISO 4217's code for "no currency".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

from msgspec import Struct

from allmende.core.nouns import Receipt
from allmende.core.units import DAY, METERS, SECOND, per

EXACT = Context(prec=400)
NO_CURRENCY = "XXX"
CURRENCY = re.compile(r"[A-Z]{3}")
TOKENS = ("input", "cached", "output", "embedding")
UNIT = dict.fromkeys(TOKENS, "Tokens") | {
    "image": "Images",
    "audio": "Units",
    "second": "Seconds",
    "query": "Requests",
}
"""PricingUnit and ConsumedUnit of each meter, in the specification's spelling."""
MANDATORY = """BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd
    BillingPeriodStart ChargeCategory ChargeClass ChargeDescription ChargePeriodEnd
    ChargePeriodStart ContractedCost EffectiveCost InvoiceIssuerName ListCost PricingQuantity
    PricingUnit ProviderName PublisherName ServiceCategory ServiceName""".split()
FURTHER = """BillingAccountType ChargeFrequency CommitmentDiscountCategory CommitmentDiscountId
    CommitmentDiscountName CommitmentDiscountQuantity CommitmentDiscountStatus
    CommitmentDiscountType CommitmentDiscountUnit ConsumedQuantity ConsumedUnit
    ContractedUnitPrice ListUnitPrice PricingCategory PricingCurrency
    PricingCurrencyContractedUnitPrice PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice
    RegionId RegionName ResourceId ResourceName ResourceType ServiceSubcategory SkuId SkuMeter
    SkuPriceId SubAccountId SubAccountName SubAccountType""".split()
OURS = """x_CarbonHighGrams x_CarbonLowGrams x_ConsumedTokens x_EnergyHighJoules
    x_EnergyLowJoules x_Model x_Receipts x_ZoneController x_ZoneCountry x_ZoneOperator""".split()
COLUMNS = (*sorted((*MANDATORY, *FURTHER)), *OURS)


class Money(Struct, frozen=True):
    """What one credit is billed at: `per_credit` of a national `currency`."""

    currency: str = NO_CURRENCY
    per_credit: Decimal = Decimal(1)


class Names(Struct, frozen=True):
    """Who is who, and the month `first` to `until` (microseconds)."""

    market: str
    first: int
    until: int
    members: Mapping[str, str]
    kinds: Mapping[str, str]
    budgets: Mapping[str, str]


class _Line(Struct):
    quantity: int = 0
    receipts: int = 0
    grains: int = 0
    uj_low: int = 0
    uj_high: int = 0
    ug_low: int = 0
    ug_high: int = 0


_Key = tuple[str, ...]


def money(text: str) -> Money:
    """`EUR` or `EUR:0.95`, what a credit is billed at. Raises ValueError."""
    currency, colon, rate = text.partition(":")
    if not CURRENCY.fullmatch(currency):
        raise ValueError(f"{currency!r} is no ISO 4217 code such as EUR")
    if not colon:
        return Money(currency)
    if not re.fullmatch(r"\d+(\.\d+)?", rate) or not Decimal(rate):
        raise ValueError(f"{rate!r} is no price of a credit such as 0.95")
    return Money(currency, Decimal(rate))


def month(text: str) -> tuple[int, int]:
    """`2026-11` as its first microsecond and the next month's. Raises ValueError."""
    if not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", text):
        raise ValueError(f"{text!r} is no month such as 2026-11")
    first = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    after = (first + timedelta(days=32)).replace(day=1)
    return int(first.timestamp()) * SECOND, int(after.timestamp()) * SECOND


def rows(receipts: Iterable[Receipt], names: Names, at: Money) -> Iterator[dict[str, Any]]:
    """Every row with every one of COLUMNS; None is null. In the order of days and parties."""
    lines: dict[_Key, _Line] = {}
    for receipt in receipts:
        if receipt.verdict != "pending":
            _add(lines, receipt)
    for key in sorted(lines):
        yield _row(key, lines[key], names, at)


def _add(lines: dict[_Key, _Line], receipt: Receipt) -> None:
    """A receipt's energy, carbon and grains stand on one row only, so that columns sum."""
    used = [name for name in METERS if getattr(receipt.units, name)]
    carrier = "output" if "output" in used else next(iter(used), "input")
    for meter in used or ("input",):
        rate = per(receipt.tariff, meter) or 0
        line = lines.setdefault(_key(receipt, meter, rate), _Line())
        line.quantity += getattr(receipt.units, meter)
        if meter == carrier:
            line.receipts += 1
            line.grains += receipt.grains
            line.uj_low, line.uj_high = (
                line.uj_low + receipt.energy.uj[0],
                line.uj_high + receipt.energy.uj[1],
            )
            line.ug_low, line.ug_high = (
                line.ug_low + receipt.energy.ug[0],
                line.ug_high + receipt.energy.ug[1],
            )


def _key(receipt: Receipt, meter: str, rate: int) -> _Key:
    zone = receipt.zone
    return (
        *(str(receipt.at // DAY).zfill(9), receipt.account, receipt.budget, receipt.provider),
        *(receipt.offer, receipt.title, receipt.model, receipt.asset, receipt.right),
        *(zone.country, zone.operator, zone.parent, meter, str(rate)),
    )


def _row(key: _Key, line: _Line, names: Names, at: Money) -> dict[str, Any]:
    day, account, budget, provider, offer, title, model, asset, right = key[:9]
    country, operator, parent, meter, rate = key[9:]
    found: dict[str, Any] = dict.fromkeys(COLUMNS)
    found |= _periods(int(day), names) | _cost(int(rate), line.quantity, asset, right, at)
    found |= {
        "BillingAccountId": account,
        "BillingAccountName": names.members.get(account, account),
        "BillingAccountType": names.kinds.get(account, "member").capitalize(),
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "ChargeDescription": f"{line.quantity} {meter} {UNIT[meter].lower()} of {model} "
        f"from {names.members.get(provider, provider)}",
        "InvoiceIssuerName": names.market,
        "ProviderName": names.market,
        "PublisherName": names.members.get(provider, provider),
        "RegionId": country or None,
        "RegionName": country or None,
        "ResourceId": offer,
        "ResourceName": model,
        "ResourceType": "Model endpoint",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": "Generative AI",
        "ServiceName": title or model,
        "SubAccountId": budget,
        "SubAccountName": names.budgets.get(budget, budget),
        "SubAccountType": "Budget",
        "x_Model": model,
        "x_Receipts": str(line.receipts),
        "x_ZoneCountry": country or None,
        "x_ZoneOperator": operator or None,
        "x_ZoneController": parent or operator or None,
    }
    found |= _metered(offer, meter, line.quantity) | _energy(line)
    return found | (_committed(right, line.grains) if right else {})


def _metered(offer: str, meter: str, quantity: int) -> dict[str, str | None]:
    return {
        "PricingQuantity": str(quantity),
        "PricingUnit": UNIT[meter],
        "ConsumedQuantity": str(quantity) if quantity else None,
        "ConsumedUnit": UNIT[meter] if quantity else None,
        "SkuId": f"{offer}/{meter}",
        "SkuPriceId": f"{offer}/{meter}",
        "SkuMeter": f"{meter.capitalize()} {UNIT[meter]}",
        "x_ConsumedTokens": str(quantity if meter in TOKENS else 0),
    }


def _periods(day: int, names: Names) -> dict[str, str]:
    return {
        "BillingPeriodStart": _stamp(names.first),
        "BillingPeriodEnd": _stamp(names.until),
        "ChargePeriodStart": _stamp(day * DAY),
        "ChargePeriodEnd": _stamp((day + 1) * DAY),
    }


def _cost(rate: int, quantity: int, asset: str, right: str, at: Money) -> dict[str, str]:
    """Prices and costs twice: in the billing currency, and in the asset that they are set in."""
    worth, each = amount(rate * quantity, at.per_credit), amount(rate, at.per_credit)
    return {
        "BillingCurrency": at.currency,
        "BilledCost": "0" if right else worth,
        "EffectiveCost": worth,
        "ContractedCost": worth,
        "ListCost": worth,
        "ContractedUnitPrice": each,
        "ListUnitPrice": each,
        "PricingCategory": "Committed" if right else "Dynamic",
        "PricingCurrency": asset,
        "PricingCurrencyContractedUnitPrice": amount(rate),
        "PricingCurrencyListUnitPrice": amount(rate),
        "PricingCurrencyEffectiveCost": amount(rate * quantity),
    }


def _committed(right: str, grains: int) -> dict[str, str]:
    return {
        "CommitmentDiscountCategory": "Usage",
        "CommitmentDiscountId": right,
        "CommitmentDiscountName": right,
        "CommitmentDiscountType": "Right",
        "CommitmentDiscountStatus": "Used",
        "CommitmentDiscountQuantity": str(grains),
        "CommitmentDiscountUnit": "Grains",
    }


def _energy(line: _Line) -> dict[str, str]:
    return {
        "x_EnergyLowJoules": _plain(Decimal(line.uj_low).scaleb(-6, EXACT)),
        "x_EnergyHighJoules": _plain(Decimal(line.uj_high).scaleb(-6, EXACT)),
        "x_CarbonLowGrams": _plain(Decimal(line.ug_low).scaleb(-6, EXACT)),
        "x_CarbonHighGrams": _plain(Decimal(line.ug_high).scaleb(-6, EXACT)),
    }


def amount(pico: int, per_credit: Decimal = Decimal(1)) -> str:
    """Pico-credits in a currency, exactly: 150_000 is 0.00000015."""
    return _plain(EXACT.multiply(Decimal(pico).scaleb(-12, EXACT), per_credit))


def _plain(value: Decimal) -> str:
    """Without an exponent and without zeros at the end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _stamp(instant: int) -> str:
    return datetime.fromtimestamp(instant // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
