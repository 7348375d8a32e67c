"""Thresholds: what each regime's guidelines say of a merger or a platform, and since when.

Rule: numbers come from dated rules; this only reads them. A draft is read too, and its status
is said with the answer. Where the unknown rest decides, the answer is that it is open.
Invariant: a finding is `yes` only if it is so however the unknown rest is divided, `no` only
if it is so in no case, else `open`.
Worked number: HHI 1,410 to 1,892 before and delta 754 (29 and 13 %): after 2,164 to 2,646, so
above 1,800 in every case, and presumed harmful by the US guidelines of 2023.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isclose
from typing import Any, Literal, NamedTuple

from allmende.measure.concentration import Merger, Range
from allmende.measure.dated import Rules, Status, in_force
from allmende.measure.said import Said, together

Answer = Literal["yes", "no", "open"]


class Finding(NamedTuple):
    """What one regime says. `asks` is the question that `answer` answers, `why` the numbers."""

    rules: str
    title: str
    source: str
    status: Status
    seen: str
    asks: str
    answer: Answer
    why: str
    """In English; `because` is the same for readers of any language."""
    because: tuple[Said, ...] = ()


def presumptions(known: Sequence[Rules], merged: Merger, at: dt.date) -> list[Finding]:
    """Every regime's finding on a merger, by the versions that had begun on the day `at`.

    Law first, then drafts; a regime without a version on that day is not named.
    """
    found = [
        reader(rules, merged)
        for act, reader in REGIMES.items()
        for rules in _versions(known, act, at)
    ]
    return sorted(found, key=lambda one: one.status != "in force")


def gatekeeper(rules: Rules, told: Mapping[str, float]) -> Finding:
    """DMA Article 3(2), quantitatively: `told` has the values of the rule file that are known.

    One of turnover and capitalisation, and both numbers of users.
    """
    size = _any(_reaches(rules, told, name) for name in SIZE)
    users = _all(_reaches(rules, told, name) for name in USERS)
    missing = [name for name in (*SIZE, *USERS) if name not in told]
    why = "; ".join(f"{name} {told[name]:,.0f} of {rules.values[name]:,}" for name in told)
    if missing:
        why += f"; not known: {', '.join(missing)}"
    asks = "Is it presumed a gatekeeper by the numbers?"
    return _finding(rules, asks, _all((size, users)), why.lstrip("; "))


SIZE = ("turnover_eea_eur", "market_capitalisation_eur")
USERS = ("monthly_end_users_eu", "yearly_business_users_eu")


def _us(rules: Rules, merged: Merger) -> Finding:
    limit = rules.values
    much: Answer = "yes" if _above(merged.delta, limit["delta_over"]) else "no"
    crowded = _over(merged.after, limit["hhi_over"])
    large: Answer = "yes" if _above(merged.share, limit["share_over"]) else "no"
    answer = _all((much, _any((crowded, large))))
    return _told(rules, "Is it presumed to lessen competition?", answer, _numbers(merged))


def _eu_2004(rules: Rules, merged: Merger) -> Finding:
    limit = rules.values
    low = _under(merged.after, limit["hhi_none_below"])
    high = _over(merged.after, limit["hhi_high_over"])
    small: Answer = "yes" if _above(limit["delta_high_below"], merged.delta) else "no"
    middling: Answer = "yes" if _above(limit["delta_middle_below"], merged.delta) else "no"
    safe = _any((low, _all((_not(high), middling)), small))
    why = [_numbers(merged)]
    if not _above(merged.share, limit["share_safe_to"]):
        why.append(Said("share_small"))
    if not _above(limit["share_dominant_from"], merged.share):
        why.append(Said("share_large"))
    return _told(rules, "Is a concern unlikely?", safe, *why)


def _eu_draft(rules: Rules, merged: Merger) -> Finding:
    limit = rules.values
    level = next(one["level"] for one in limit["share_levels"] if _within(merged.share, one))
    high = _over(merged.after, limit["hhi_high_over"])
    why = _numbers(merged), Said("share_level", {"level": level})
    return _told(rules, "Is the market highly concentrated after it?", high, *why)


REGIMES: Mapping[str, Callable[[Rules, Merger], Finding]] = {
    "us/merger-guidelines": _us,
    "eu/horizontal-mergers": _eu_2004,
    "eu/merger-guidelines": _eu_draft,
}
"""Act -> who reads its values; the numbers themselves are in rules/."""


def _versions(known: Iterable[Rules], act: str, at: dt.date) -> list[Rules]:
    """The law, and what was drafted after it."""
    rows = [rules for rules in known if rules.act == act and rules.begun(at)]
    law = [in_force(rows, act, at)] if any(r.status == "in force" for r in rows) else []
    since = law[0].date if law else dt.date.min
    drafts = [r for r in rows if r.status != "in force" and r.date > since]
    return [*law, *drafts]


def _finding(rules: Rules, asks: str, answer: Answer, why: str) -> Finding:
    return Finding(
        rules.name, rules.title, rules.source, rules.status, rules.grade, asks, answer, why
    )


def _told(rules: Rules, asks: str, answer: Answer, *why: Said) -> Finding:
    return _finding(rules, asks, answer, together(why))._replace(because=why)


def _numbers(merged: Merger) -> Said:
    low, high = map(round, merged.after)
    facts = {"after": low, "more": round(merged.delta), "share": round(100 * merged.share, 1)}
    return Said("merger", facts) if low == high else Said("merger_range", {**facts, "most": high})


def _within(share: float, level: Mapping[str, Any]) -> bool:
    """`to` is in the level, `below` is not."""
    if "below" in level:
        return _above(level["below"], share)
    return not _above(share, level["to"])


def _above(value: float, limit: float) -> bool:
    """By more than floats may err: 20 % and 10 % are 30 %, and not above it."""
    return value > limit and not isclose(value, limit, rel_tol=1e-9)


def _over(value: Range, limit: float) -> Answer:
    over = [_above(end, limit) for end in value]
    return "yes" if all(over) else "open" if any(over) else "no"


def _under(value: Range, limit: float) -> Answer:
    under = [_above(limit, end) for end in value]
    return "yes" if all(under) else "open" if any(under) else "no"


def _reaches(rules: Rules, told: Mapping[str, float], name: str) -> Answer:
    if name not in told:
        return "open"
    return "yes" if told[name] >= rules.values[name] else "no"


def _not(one: Answer) -> Answer:
    return {"yes": "no", "no": "yes", "open": "open"}[one]  # type: ignore[return-value]


def _any(answers: Iterable[Answer]) -> Answer:
    found = set(answers)
    return "yes" if "yes" in found else "open" if "open" in found else "no"


def _all(answers: Iterable[Answer]) -> Answer:
    return _not(_any(map(_not, answers)))
