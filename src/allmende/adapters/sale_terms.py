"""Sale terms: a sale of shares within the law of its day, out of the dated rule file.

Rule: price, caps and dates are the seller's; how many persons of a state, how many euro in how
long, and how long a buyer may think it over are `eu/mica-sale` of the day it begins.
Invariant: no sale outside the lab has more persons, more euro or less time than the file says.
Worked number: at 1 euro a credit of 10^12 base units, 1,000,000 euro are 10^18 base units; 14
calendar days are 15 times 24 hours, because the day of the purchase is not counted and the last
one ends at its midnight, wherever the buyer is.
"""

from __future__ import annotations

from datetime import UTC, datetime

from allmende.adapters.rules import rules
from allmende.core.offering import Terms, proceeds_max
from allmende.core.refusals import Refused, Why
from allmende.measure.dated import Rules

ACT = "eu/mica-sale"
DAY = 86_400


def law_of(at_s: int) -> Rules:
    """The act as it stood on that day. Raises NoRules, BadRules."""
    return rules(ACT, datetime.fromtimestamp(at_s, UTC).date())


def sale_terms(
    mode: str,
    *,
    price: int,
    soft_cap: int,
    hard_cap: int,
    person_cap: int,
    start: int,
    end: int,
    euro_rate: int,
    unit: int,
    refund: int | None = None,
) -> Terms:
    """For contracts/Sale.vy. `price` base units a whole share, caps whole shares, times Unix
    seconds, `euro_rate` micro-euro for `unit` base units, that is for a whole pay unit.

    `refund` seconds instead of the law's are for the lab alone, whose money is play. Refused.
    """
    values = law_of(start).values
    lawful = (values["withdrawal_days"] + 1) * DAY
    if refund is not None and mode != "lab" and refund < lawful:
        raise Refused(
            Why.BAD_VALUE,
            f"Buyers have {lawful} seconds to take their purchase back; less is for the lab alone.",
            field="refund",
        )
    return Terms(
        price=price,
        soft_cap=soft_cap,
        hard_cap=hard_cap,
        person_cap=person_cap,
        start=start,
        end=end,
        refund=lawful if refund is None else refund,
        persons_below=values["persons_per_state_below"],
        count_qualified=values["qualified_counted"],
        proceeds_max=proceeds_max(values["euro_max"], euro_rate, unit),
        euro_rate=euro_rate,
        period=values["period_days"] * DAY,
    )


def beyond_the_law(mode: str, terms: Terms, unit: int) -> list[str]:
    """Which terms of a sale allow more than the rule of the day it began; names of fields."""
    lawful = sale_terms(
        mode,
        price=terms.price,
        soft_cap=terms.soft_cap,
        hard_cap=terms.hard_cap,
        person_cap=terms.person_cap,
        start=terms.start,
        end=terms.end,
        euro_rate=terms.euro_rate,
        unit=unit,
    )
    most = ("persons_below", "proceeds_max", "period")
    found = [name for name in most if getattr(terms, name) > getattr(lawful, name)]
    if mode != "lab" and terms.refund < lawful.refund:
        found.append("refund")
    if lawful.count_qualified and not terms.count_qualified:
        found.append("count_qualified")
    return found
