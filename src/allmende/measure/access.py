"""Access: who gets in, who is turned away, and what a language costs.

Rule: shares are of what is known, and each says of what; what nobody recorded is undefined and
says so. A language's premium is tokens of the same sentences over those of English, with the
interval that drawing the sentences anew gives (a fixed seed, so it can be drawn again).
Invariant: English has a premium of exactly 1; a premium does not change if every count doubles.
Worked number: 60 of 100 of one group and 45 of 100 of another let in are a ratio of 0.75, below
four fifths: an alarm, which is a question and no verdict.

Sources: reference economics.md 2.11. Four fifths: rules/us/selection-procedures. Intervals:
bootstrap of the ratio over sentences, 2.5 to 97.5 % (Efron 1979).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import fsum

from msgspec import Struct

from allmende.measure.figure import About, Figure, Undefined
from allmende.measure.said import Said

BASE = "en"
SEED, DRAWS = 20_261_121, 2_000


class Use(Struct, frozen=True):
    """What one account used in the window; `price` in pico-credits, energy in microjoules."""

    account: str
    tokens: int
    price: int
    uj_low: int
    uj_high: int
    free_tokens: int = 0
    free_uj_low: int = 0
    free_uj_high: int = 0


class Asked(Struct, frozen=True):
    """How often a group asked, and how often it was refused."""

    asked: int
    denied: int


class Premium(Struct, frozen=True):
    """Tokens of a language over English, for one vocabulary: `low` to `high` at 95 %."""

    language: str
    vocabulary: str
    tokens: int
    ratio: float
    low: float
    high: float


def admission_ratio(groups: Mapping[str, Asked]) -> tuple[str, str, Fraction]:
    """Least and best admitted group, and the ratio of their rates, exact. Raises Undefined."""
    rates: dict[str, Fraction] = {}
    for name, group in groups.items():
        if not 0 <= group.denied <= group.asked:
            raise ValueError(f"{name}: {group.denied} of {group.asked} were denied?")
        if group.asked:
            rates[name] = 1 - Fraction(group.denied, group.asked)
    if len(rates) < 2:
        raise Undefined(Said("few_groups"))
    least, best = min(rates, key=lambda n: (rates[n], n)), max(rates, key=lambda n: (rates[n], n))
    if not rates[best]:
        raise Undefined(Said("all_refused"))
    return least, best, rates[least] / rates[best]


def denial_figures(about: About, groups: Mapping[str, Asked] | None, alarm_below: float) -> Figure:
    """The ratio of admission rates; its remark says whether it is below `alarm_below`."""
    says = "Lowest admission rate of a group over the highest; admitted is asked less denied."
    if groups is None:
        return about.undefined("denial_ratio", "ratio", says, Said("no_denials"))
    try:
        least, best, ratio = admission_ratio(groups)
    except Undefined as error:
        return about.undefined("denial_ratio", "ratio", says, error.why)
    below = ratio < Fraction(str(alarm_below))
    return about.point(
        "denial_ratio",
        float(ratio),
        "ratio",
        says,
        Said(
            "alarm" if below else "no_alarm",
            {"least": least, "best": best, "limit": alarm_below},
        ),
    )


def free_share(about: About, uses: Sequence[Use]) -> list[Figure]:
    """Of users, tokens, energy; cost is undefined, as no receipt knows what it cost."""
    users = "Accounts whose tokens were all free, of all accounts that used any."
    tokens = "Tokens of receipts with a price of zero, of all tokens."
    energy = "Energy of free receipts, of all energy: both ends of both ranges."
    cost = "What free tokens cost their providers, of all cost."
    why = "A receipt knows a price and no cost. Energy stands beside it; nothing is guessed."
    used = [use for use in uses if use.tokens]
    if not used:
        nobody = "Nobody used anything in the window."
        return [
            about.undefined("free_users", "share", users, nobody),
            about.undefined("free_tokens", "share", tokens, nobody),
        ]
    only_free = sum(use.free_tokens == use.tokens for use in used)
    found = [
        about.point("free_users", only_free / len(used), "share", users),
        about.point(
            "free_tokens",
            sum(use.free_tokens for use in used) / sum(use.tokens for use in used),
            "share",
            tokens,
        ),
        about.undefined("free_cost", "share", cost, why),
    ]
    low, high = (sum(getattr(u, f"free_uj_{end}") for u in used) for end in ("low", "high"))
    paid_low, paid_high = (
        sum(getattr(u, f"uj_{end}") - getattr(u, f"free_uj_{end}") for u in used)
        for end in ("low", "high")
    )
    if high + paid_high:
        least = low / (low + paid_high) if low + paid_high else 0.0
        most = high / (high + paid_low) if high + paid_low else 1.0
        found.append(about.between("free_energy", least, most, "share", energy))
    return found


def satisfied(about: About, uses: Sequence[Use], members: Sequence[str], minimum: int) -> Figure:
    """Members that used at least `minimum` tokens: a lower bound of those who could have."""
    says = f"Members that used {minimum:,} tokens or more in the window, of all members."
    if not members:
        return about.undefined("entitlement", "share", says, "There are no members.")
    tokens = {use.account: use.tokens for use in uses}
    reached = sum(tokens.get(member, 0) >= minimum for member in members)
    why = "Who used less may not have wanted more: the share that could is this or higher."
    return about.between("entitlement", reached / len(members), 1.0, "share", says, why)


def affordability(about: About, basket: float, income: float, source: str) -> Figure:
    """A basket's price over a month's income; both in one unit. `source` says whose income."""
    says = f"Price of the basket over monthly income ({source})."
    if not (basket >= 0 and income > 0):
        raise ValueError(f"A basket of {basket} and an income of {income} have no ratio.")
    return about.point("affordability", basket / income, "share of income", says)


def premiums(counts: Mapping[str, Sequence[int]], vocabulary: str) -> list[Premium]:
    """Language -> tokens of each sentence, in the same order; dearest first."""
    base = counts[BASE]
    for language, each in counts.items():
        if len(each) != len(base) or min(each, default=0) <= 0:
            raise ValueError(f"{language} has not the same sentences as {BASE}, or an empty one.")
    found = [_premium(language, each, base, vocabulary) for language, each in counts.items()]
    return sorted(found, key=lambda one: (-one.ratio, one.language))


def _premium(language: str, each: Sequence[int], base: Sequence[int], vocabulary: str) -> Premium:
    draw, many = random.Random(SEED), len(base)
    ratios = []
    for _ in range(DRAWS):
        picked = draw.choices(range(many), k=many)
        ratios.append(fsum(each[i] for i in picked) / fsum(base[i] for i in picked))
    ratios.sort()
    low, high = ratios[int(0.025 * DRAWS)], ratios[int(0.975 * DRAWS) - 1]
    return Premium(language, vocabulary, sum(each), sum(each) / sum(base), low, high)
