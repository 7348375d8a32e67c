"""A validator for FOCUS 1.2 rows, written from the specification's column pages.

Source: the FOCUS_Spec repository, specification/columns/*.md and specification/attributes/*.md
of version 1.2 (57 columns). Only what can be seen in one row, and that every row has them all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction

Row = Mapping[str, str]

MANDATORY = {
    "BilledCost": False,
    "BillingAccountId": False,
    "BillingAccountName": True,
    "BillingCurrency": False,
    "BillingPeriodEnd": False,
    "BillingPeriodStart": False,
    "ChargeCategory": False,
    "ChargeClass": True,
    "ChargeDescription": True,
    "ChargePeriodEnd": False,
    "ChargePeriodStart": False,
    "ContractedCost": False,
    "EffectiveCost": False,
    "InvoiceIssuerName": False,
    "ListCost": False,
    "PricingQuantity": True,
    "PricingUnit": True,
    "ProviderName": False,
    "PublisherName": False,
    "ServiceCategory": False,
    "ServiceName": False,
}
"""Column -> whether it may be null, as the table of each page has it."""
OTHERS = """AvailabilityZone BillingAccountType CapacityReservationId CapacityReservationStatus
    ChargeFrequency CommitmentDiscountCategory CommitmentDiscountId CommitmentDiscountName
    CommitmentDiscountQuantity CommitmentDiscountStatus CommitmentDiscountType
    CommitmentDiscountUnit ConsumedQuantity ConsumedUnit ContractedUnitPrice InvoiceId
    ListUnitPrice PricingCategory PricingCurrency PricingCurrencyContractedUnitPrice
    PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice RegionId RegionName ResourceId
    ResourceName ResourceType ServiceSubcategory SkuId SkuMeter SkuPriceDetails SkuPriceId
    SubAccountId SubAccountName SubAccountType Tags""".split()
ALLOWED = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"", "Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "CommitmentDiscountCategory": {"", "Spend", "Usage"},
    "CommitmentDiscountStatus": {"", "Used", "Unused"},
    "PricingCategory": {"", "Standard", "Dynamic", "Committed", "Other"},
    "ServiceCategory": {"AI and Machine Learning", "Compute", "Other"},
    "ServiceSubcategory": {
        *("Bots", "Generative AI", "Machine Learning", "Natural Language Processing"),
        "Other (AI and Machine Learning)",
    },
}
NUMBERS = [
    *("BilledCost", "EffectiveCost", "ContractedCost", "ListCost", "PricingQuantity"),
    *("ConsumedQuantity", "ContractedUnitPrice", "ListUnitPrice", "CommitmentDiscountQuantity"),
    *("PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost"),
    "PricingCurrencyListUnitPrice",
]
TIMES = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")
OF_USAGE = ("PricingQuantity", "PricingUnit", "SkuId", "SkuPriceId", "SkuMeter", "PricingCategory")
UNIT = re.compile(r"(\d+ )?[A-Z][A-Za-z]*(-[A-Z][A-Za-z]*)?(/[A-Z][a-z]*)?")
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")


def complaints(columns: list[str], row: Row) -> Iterator[str]:
    yield from _columns(columns)
    yield from _values(row)
    yield from _prices(row)
    yield from _commitment(row)
    if row["ChargeCategory"] == "Usage" and not row["ChargeClass"]:
        yield from (f"{name} is null" for name in OF_USAGE if not row[name])


def _columns(columns: list[str]) -> Iterator[str]:
    yield from (f"{name} is missing" for name in MANDATORY if name not in columns)
    for name in columns:
        if name not in MANDATORY and name not in OTHERS and not re.fullmatch(r"x_[A-Za-z]+", name):
            yield f"{name} is no column of FOCUS, and has no x_"
        if len(name) > 50:
            yield f"{name} is longer than 50 characters"


def _values(row: Row) -> Iterator[str]:
    yield from (f"{name} is null" for name, may in MANDATORY.items() if not may and not row[name])
    for name, values in ALLOWED.items():
        if row[name] not in values:
            yield f"{name} is {row[name]!r}"
    yield from (f"{n} is no number" for n in NUMBERS if row[n] and not NUMBER.fullmatch(row[n]))
    yield from (f"{name} is no UTC time" for name in TIMES if not TIME.fullmatch(row[name]))
    if not re.fullmatch(r"[A-Z]{3}", row["BillingCurrency"]):
        yield "BillingCurrency is no ISO 4217 code"
    for name in ("PricingUnit", "ConsumedUnit"):
        if row[name] and not UNIT.fullmatch(row[name]):
            yield f"{name} is {row[name]!r}"
    if not row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["ChargePeriodEnd"]:
        yield "the charge period is before the billing period"
    if row["ChargePeriodEnd"] > row["BillingPeriodEnd"]:
        yield "the charge period is after the billing period"
    if row.get("Tags"):
        json.loads(row["Tags"])


def _prices(row: Row) -> Iterator[str]:
    for price, cost in (("ContractedUnitPrice", "ContractedCost"), ("ListUnitPrice", "ListCost")):
        if row[price] and Fraction(row[price]) * Fraction(row["PricingQuantity"]) != Fraction(
            row[cost]
        ):
            yield f"{price} times PricingQuantity is not {cost}"
        if row[price] and Fraction(row[price]) < 0:
            yield f"{price} is negative"
    if bool(row["ConsumedQuantity"]) != bool(row["ConsumedUnit"]):
        yield "ConsumedQuantity and ConsumedUnit are not null together"
    if row["ConsumedQuantity"] and Fraction(row["ConsumedQuantity"]) <= 0:
        yield "ConsumedQuantity is not positive"
    if row["PricingCategory"] == "Committed" and not row["CommitmentDiscountId"]:
        yield "Committed without a commitment"


def _commitment(row: Row) -> Iterator[str]:
    names = [name for name in OTHERS if name.startswith("CommitmentDiscount")]
    given = bool(row["CommitmentDiscountId"])
    yield from (f"{n} and CommitmentDiscountId" for n in names if bool(row[n]) is not given)
